"""Our motion file: one `.npz` that numpy alone can read, and that never needs pickle."""

import math
import zipfile
import zlib
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from motiondistill import rotations
from motiondistill.atomic import write_atomically
from motiondistill.structures import JOINT_NAMES, NUM_HAND_JOINTS, NUM_JOINTS, Motion

RUN_MOTION: Final = "motion.npz"
"""A run's motion, in its folder."""

# Rotations in a file are float32; those of other programs may be rounded to some digits.
_ORTHOGONAL: Final = 1e-3
# All that zipfile and numpy raise for damaged files; EOFError, for one, is no OSError.
_UNREADABLE = (
    ValueError,
    OSError,
    EOFError,
    RuntimeError,  # with NotImplementedError: damaged flags look like encryption or odd compression
    zipfile.BadZipFile,
    zlib.error,
)
_SHAPES: Final[dict[str, tuple[int | str, ...]]] = {
    "rotations": ("F", NUM_JOINTS, 3, 3),
    "translation": ("F", 3),
    "joints": ("F", NUM_JOINTS, 3),
    "shape": ("S",),
    "fps": (),
    "body": (),
    "prompt": (),
    "seed": (),
    "version": (),
}
_TEXTS: Final = ("body", "prompt", "version")
# Only in files of motions and bodies that have them.
_OPTIONAL: Final[dict[str, tuple[int | str, ...]]] = {
    "expression": ("E",),
    "hands": ("F", NUM_HAND_JOINTS, 3, 3),
    "jaw": ("F", 3, 3),
}


@dataclass(frozen=True)
class MotionFile:
    """What a motion file holds."""

    motion: Motion
    joints: Float[Tensor, "frames joints 3"]
    """World positions, metres, in the order of `JOINT_NAMES`."""
    body: str
    """The body that the joints were measured on."""
    shape: Float[Tensor, " shape"]
    """That body's shape parameters; empty for its average."""
    prompt: str
    seed: int
    version: str
    """The release that wrote the file."""
    expression: Float[Tensor, " expression"] = field(default_factory=lambda: torch.zeros(0))
    """The parameters of that body's face; empty for a neutral one."""


def save_motion(
    path: Path,
    motion: Motion,
    joints: Float[Tensor, "frames joints 3"],
    *,
    prompt: str,
    seed: int,
    body: str,
    shape: Float[Tensor, " shape"] | None = None,
    expression: Float[Tensor, " expression"] | None = None,
) -> None:
    """One motion (no batch) as `.npz`: float32 arrays, and where they come from.

    The same content always gives the same bytes.
    """
    arrays: dict[str, Any] = {
        "rotations": _array(motion.rotations),
        "translation": _array(motion.translation),
        "joints": _array(joints),
        "joint_names": np.array(JOINT_NAMES),
        "fps": np.float64(motion.fps),
        "body": np.array(body),
        "shape": np.zeros(0, np.float32) if shape is None else _array(shape),
        "prompt": np.array(prompt),
        "seed": np.int64(seed),
        "version": np.array(version("motiondistill")),
    }
    if expression is not None and not len(expression):
        expression = None
    optional = {"hands": motion.hands, "jaw": motion.jaw, "expression": expression}
    for name, tensor in optional.items():
        if tensor is not None:
            arrays[name] = _array(tensor)
    write_atomically(path, lambda part: np.savez_compressed(part, **arrays))


def load_motion(path: Path) -> MotionFile:
    """The motion file at `path`.

    Raises FileNotFoundError, or ValueError that names what is missing or misshapen.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no motion file at {path}; a run writes one named motion.npz.")
    try:
        # The checksums first: numpy is only given what passes them.
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
        if damaged is not None:
            raise zipfile.BadZipFile(f"the checksum of {damaged} differs")
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except _UNREADABLE as error:
        reason = str(error).rstrip(".")
        raise ValueError(
            f"{path} must hold a motion, got damaged data: {reason}; make it anew, or name another."
        ) from error
    _check(path, arrays)
    tensors = {
        name: torch.from_numpy(arrays[name].astype(np.float32, copy=False))
        for name in ("rotations", "translation", "joints", "shape", *_OPTIONAL)
        if name in arrays
    }
    motion = Motion(
        tensors["rotations"],
        tensors["translation"],
        float(arrays["fps"]),
        tensors.get("hands"),
        tensors.get("jaw"),
    )
    return MotionFile(
        motion,
        tensors["joints"],
        body=str(arrays["body"]),
        shape=tensors["shape"],
        prompt=str(arrays["prompt"]),
        seed=int(arrays["seed"]),
        version=str(arrays["version"]),
        expression=tensors.get("expression", torch.zeros(0)),
    )


def check_motion(path: Path, file: MotionFile) -> None:
    """Raises ValueError, with the frame, where what `path` holds is no motion of a body."""
    motion = file.motion
    if not motion.num_frames or not 0 < motion.fps < math.inf:
        raise ValueError(
            f"{path} must hold frames at a finite rate above 0, got {motion.num_frames} at "
            f"{motion.fps:g}; make it anew."
        )
    parts = [motion.rotations]
    parts += [] if motion.hands is None else [motion.hands]
    parts += [] if motion.jaw is None else [motion.jaw[:, None]]
    turns = torch.cat(parts, 1)
    off = (turns @ turns.transpose(-1, -2) - rotations.identity()).abs().amax((1, 2, 3))
    proper = (torch.linalg.det(turns) > 0).all(-1)  # no reflections
    placed = torch.cat([motion.translation[:, None], file.joints], 1).isfinite().all(-1).all(-1)
    whole = (off < _ORTHOGONAL) & proper & placed  # false for nan
    if not bool(whole.all()):
        raise ValueError(
            f"{path} must hold finite positions and rotation matrices, got others at frame "
            f"{int(whole.int().argmin())}; make it anew."
        )


def _array(tensor: Tensor) -> NDArray[Any]:
    return tensor.detach().cpu().numpy().astype(np.float32)


def _check(path: Path, arrays: dict[str, NDArray[Any]]) -> None:
    missing = [name for name in (*_SHAPES, "joint_names") if name not in arrays]
    if missing:
        raise ValueError(
            f"{path} must hold {', '.join(missing)}, got {', '.join(arrays) or 'nothing'}; name a "
            "run's folder or its motion.npz."
        )
    frames = arrays["translation"].shape[:1]
    for name, wanted in (_SHAPES | _OPTIONAL).items():
        if name not in arrays:
            continue
        shape = arrays[name].shape
        own = shape[0] if shape else 0
        free = {"F": frames[0] if frames else 0, "S": own, "E": own}
        if shape != tuple(free.get(str(size), size) for size in wanted):
            raise ValueError(
                f"`{name}` in {path} must have shape {_in_words(wanted)}, got {shape}."
            )
        if name not in _TEXTS and arrays[name].dtype.kind not in "fiu":
            raise ValueError(
                f"`{name}` in {path} must hold numbers, got {arrays[name].dtype}; make it anew."
            )
    if tuple(arrays["joint_names"].tolist()) != JOINT_NAMES:
        raise ValueError(
            f"`joint_names` in {path} must be SMPL's order, {JOINT_NAMES[0]} to {JOINT_NAMES[-1]}; "
            "reorder the joints before loading."
        )


def _in_words(shape: tuple[int | str, ...]) -> str:
    return f"({', '.join(map(str, shape))})"
