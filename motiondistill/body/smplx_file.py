"""SMPL-X model files: where they are found, and which of their arrays we read."""

import zipfile
import zlib
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from motiondistill.body.restricted_pickle import load_numbers
from motiondistill.structures import PARENTS

NUM_VERTICES: Final = 10_475
NUM_SMPLX_JOINTS: Final = 55
"""The 22, the jaw, two eyes, and 30 of the hands."""
EYES: Final = (23, 24)

_PATTERNS: Final = ("SMPLX_NEUTRAL*.npz", "SMPLX_NEUTRAL*.pkl")
_FOLDERS: Final = ("", "smplx", "models/smplx")  # as the download unpacks, too
_SHAPES: Final[dict[str, tuple[int | None, ...]]] = {
    "v_template": (NUM_VERTICES, 3),
    "shapedirs": (NUM_VERTICES, 3, None),
    "posedirs": (NUM_VERTICES, 3, 9 * (NUM_SMPLX_JOINTS - 1)),
    "J_regressor": (NUM_SMPLX_JOINTS, NUM_VERTICES),
    "weights": (NUM_VERTICES, NUM_SMPLX_JOINTS),
    "kintree_table": (2, NUM_SMPLX_JOINTS),
    "f": (None, 3),
}
_TEXTURE: Final[dict[str, tuple[int | None, ...]]] = {"vt": (None, 2), "ft": (None, 3)}
_HEAD, _WRISTS, _HAND = 15, (20, 21), 15
_SMPLX_PARENTS: Final = (
    *PARENTS,
    *(_HEAD,) * 3,
    *(
        wrist if joint % 3 == 0 else first + joint - 1
        for wrist, first in zip(_WRISTS, (25, 25 + _HAND), strict=True)
        for joint in range(_HAND)
    ),
)
# All that zipfile and numpy raise for damaged files.
_UNREADABLE: Final = (
    ValueError,
    OSError,
    EOFError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
)


def find_model(given: str | None) -> Path:
    """The model file at a path, or the neutral model in a folder, `.npz` before `.pkl`.

    Raises FileNotFoundError that tells how to get one.
    """
    if given:
        path = Path(given).expanduser()
        if path.is_file():
            return path
        for pattern in _PATTERNS:
            for folder in _FOLDERS:
                for found in sorted((path / folder).glob(pattern)):
                    return found
    raise FileNotFoundError(
        "`body.model_path` must be an SMPL-X model file or a folder with SMPLX_NEUTRAL*.npz or "
        f".pkl, got {given or 'none'}; register at https://smpl-x.is.tue.mpg.de, download the "
        "model, and give its path or set SMPLX_DIR to its folder, or take `body.name=anny`, which "
        "needs no file."
    )


def read_model(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays that shape and pose the body; `vt` and `ft`, its texture, only where it has them.

    Real numbers come in single precision, as in the `smplx` package whatever its dtype.
    Nothing in the file is run: the dictionaries that released `.npz` files also hold as objects
    are not looked at, and a `.pkl` may hold nothing but arrays. Raises ValueError for what is no
    SMPL-X model.
    """
    wanted = (*_SHAPES, *_TEXTURE)
    if path.suffix == ".pkl":
        content = load_numbers(path)
        arrays = {name: np.asarray(content[name]) for name in wanted if name in content}
    else:
        try:
            with np.load(path, allow_pickle=False) as file:
                arrays = {name: file[name] for name in wanted if name in file.files}
        except _UNREADABLE as error:
            raise ValueError(
                f"{path} must be an SMPL-X model, got data that cannot be read: {error}."
            ) from error
    _check(path, arrays)
    return {
        name: array.astype(np.float32) if array.dtype.kind == "f" else array.astype(np.int64)
        for name, array in arrays.items()
    }


def _check(path: Path, arrays: dict[str, NDArray[Any]]) -> None:
    missing = [name for name in _SHAPES if name not in arrays]
    if missing:
        raise ValueError(
            f"{path} must be an SMPL-X model, got a file without {', '.join(missing)}; download it "
            "again."
        )
    for name, shape in (_SHAPES | _TEXTURE).items():
        if name not in arrays:
            continue
        got = arrays[name].shape
        fits = len(got) == len(shape) and all(
            want in (None, size) for want, size in zip(shape, got, strict=True)
        )
        if not fits or arrays[name].dtype.kind not in "fiu":
            raise ValueError(
                f"`{name}` in {path} must hold numbers of shape "
                f"({', '.join(str(size or 'any') for size in shape)}) as in SMPL-X, got "
                f"{arrays[name].dtype} {got}; SMPL and SMPL+H are other models."
            )
    if tuple(arrays["kintree_table"][0, 1:].tolist()) != _SMPLX_PARENTS[1:]:
        raise ValueError(f"`kintree_table` in {path} must hold the parents of SMPL-X's joints.")
