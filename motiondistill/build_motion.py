"""The motion files that a configuration or a command line names."""

from pathlib import Path

import torch

from motiondistill import rotations
from motiondistill.motion.motion_file import MotionFile, load_motion
from motiondistill.structures import Motion

# Rotations in a file are float32; those of other programs may be rounded to some digits.
_ORTHOGONAL = 1e-3


def read_motion(key: str, name: str | Path) -> MotionFile:
    """The motion file that `key` names, or that of the run's folder.

    Raises FileNotFoundError, and ValueError for what holds no such motion; both name the key.
    """
    given = Path(name).expanduser()
    path = given / "motion.npz" if given.is_dir() else given
    try:
        file = load_motion(path)
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"`{key}` must be a motion file or a run's folder, got {path}; check the path."
        ) from error
    except ValueError as error:
        raise ValueError(f"`{key}` must be a motion file: {error}") from error
    _check(key, path, file.motion)
    return file


def _check(key: str, path: Path, motion: Motion) -> None:
    if not motion.num_frames or not motion.fps > 0:
        raise ValueError(
            f"`{key}` must hold frames at a rate above 0, got {motion.num_frames} at "
            f"{motion.fps:g} in {path}; make it anew."
        )
    parts = [motion.rotations]
    parts += [] if motion.hands is None else [motion.hands]
    parts += [] if motion.jaw is None else [motion.jaw[:, None]]
    turns = torch.cat(parts, 1)
    off = (turns @ turns.transpose(-1, -2) - rotations.identity()).abs().amax((1, 2, 3))
    proper = (torch.linalg.det(turns) > 0).all(-1)  # no reflections
    whole = (off < _ORTHOGONAL) & proper & motion.translation.isfinite().all(-1)  # false for nan
    if not bool(whole.all()):
        raise ValueError(
            f"`{key}` must hold finite positions and rotation matrices, got others at frame "
            f"{int(whole.int().argmin())} of {path}; make it anew."
        )
