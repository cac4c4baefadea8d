"""Weights in PyTorch's own files, `.bin` and `.ckpt`: pickles, which may hold programs."""

import contextlib
import json
import pickle
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import torch
from safetensors.torch import save_file
from torch import Tensor

from motiondistill.priors.weight_files import weight_files

_PICKLED_STEM: Final = {"pytorch_model": "model"}  # what transformers calls the same in safetensors

_STARTS: Final = (b"PK", b"\x80")
"""Of a zip archive, and of a pickle, as PyTorch writes them."""
_LFS_POINTER: Final = b"version https://git-lfs"
_ALLOW: Final = (
    "get the weights as .safetensors, or, if you trust who made this file, set "
    "prior.allow_pickle=true"
)


def read_pickled(path: Path, *, allow_pickle: bool = False, remedy: str = _ALLOW) -> dict[Any, Any]:
    """The dictionary in a PyTorch file, on the CPU.

    Only tensors and plain containers are read, so that the file cannot run anything, unless
    `allow_pickle` says that its maker is trusted. Raises ValueError for anything else, with the
    `remedy` for files that hold Python objects.
    """
    _check_start(path)
    try:
        content = torch.load(path, map_location="cpu", weights_only=not allow_pickle)
    except pickle.UnpicklingError as error:
        raise ValueError(
            f"`{path}` must hold tensors only, but holds Python objects, which may run any "
            f"program when they are read; {remedy}."
        ) from error
    except (ImportError, AttributeError) as error:
        raise ValueError(
            f"`{path}` must hold tensors only, but needs other code ({error}); get the weights as "
            ".safetensors, or install the package that made this file."
        ) from error
    except (OSError, RuntimeError, EOFError, LookupError, ValueError) as error:
        raise ValueError(
            f"`{path}` must be a complete PyTorch file, but reading it fails "
            f"({type(error).__name__}: {error}); copy or download it anew."
        ) from error
    if not isinstance(content, dict):
        raise ValueError(
            f"`{path}` must hold a dictionary of tensors, got {type(content).__name__}; "
            "use the weights that the model was released with."
        )
    return content


def _check_start(path: Path) -> None:
    """Nothing, or an error for what is told from the first bytes; pickles would only stumble."""
    try:
        with path.open("rb") as file:
            start = file.read(len(_LFS_POINTER))
    except OSError as error:
        raise ValueError(
            f"`{path}` must be a PyTorch file that can be read ({error}); check the path."
        ) from error
    if start == _LFS_POINTER:
        problem, remedy = "is a pointer of Git LFS to one", "run `git lfs pull` in its folder"
    elif not start:
        problem, remedy = "is empty", "copy or download it anew"
    elif not start.startswith(_STARTS):
        problem, remedy = f"starts with {start[:8]!r}", "copy or download it anew"
    else:
        return
    raise ValueError(f"`{path}` must be a complete PyTorch file, but {problem}; {remedy}.")


@contextlib.contextmanager
def as_safetensors(folder: Path, *, allow_pickle: bool) -> Iterator[Path]:
    """A temporary copy of a part's folder, with its `.bin` weights as `.safetensors`.

    The libraries then load it as any other folder, and never read a pickle themselves.
    """
    with tempfile.TemporaryDirectory() as name:
        copy = Path(name)
        shutil.copy(folder / "config.json", copy)
        for path in weight_files(folder, ".bin"):
            tensors = read_pickled(path, allow_pickle=allow_pickle)
            # With memory of their own, which the format demands.
            unshared = {
                name: tensor.detach().clone().contiguous()
                for name, tensor in named_tensors(path, tensors).items()
            }
            save_file(unshared, copy / _renamed(path.name), {"format": "pt"})
        for path in folder.glob("*.bin.index.json"):
            index = json.loads(path.read_text(encoding="utf-8"))
            index["weight_map"] = {k: _renamed(v) for k, v in index["weight_map"].items()}
            (copy / _renamed(path.name)).write_text(json.dumps(index), encoding="utf-8")
        yield copy


def named_tensors(path: Path, content: Mapping[Any, Any]) -> dict[str, Tensor]:
    """The same, as tensors by name; raises ValueError where a file held something else."""
    for key, value in content.items():
        if not isinstance(value, Tensor) or not isinstance(key, str):
            raise ValueError(
                f"`{path}` must hold named tensors only, but {key!r} is a {type(value).__name__}; "
                "use the weights that the model was released with."
            )
    return dict(content)


def _renamed(name: str) -> str:
    """The file's name in safetensors."""
    for pickled, safe in _PICKLED_STEM.items():
        name = name.replace(pickled, safe) if name.startswith(pickled) else name
    return name.replace(".bin", ".safetensors")
