"""The reference of a start, from its configuration."""

from pathlib import Path

from motiondistill import rotations
from motiondistill.motion.motion_file import load_motion
from motiondistill.starts import FitSettings
from motiondistill.structures import Motion

# Rotations in a file are float32; those of other programs may be rounded to some digits.
_ORTHOGONAL = 1e-3


def read_reference(config: FitSettings) -> Motion | None:
    """The motion to start from, as its file has it; None for other starts.

    Raises FileNotFoundError, and ValueError where no file is named or it holds no such motion.
    """
    if config.start != "reference":
        return None
    if config.motion is None:
        raise ValueError(
            "`init.motion` must name a motion file or a run's folder for init.start=reference, got "
            "null; add init.motion=PATH."
        )
    given = Path(config.motion).expanduser()
    path = given / "motion.npz" if given.is_dir() else given
    try:
        motion = load_motion(path).motion
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"`init.motion` must be a motion file or a run's folder, got {path}; check the path."
        ) from error
    except ValueError as error:
        raise ValueError(f"`init.motion` must be a motion file: {error}") from error
    _check(path, motion)
    return motion


def _check(path: Path, motion: Motion) -> None:
    if not motion.num_frames or not motion.fps > 0:
        raise ValueError(
            f"`init.motion` must hold frames at a rate above 0, got {motion.num_frames} at "
            f"{motion.fps:g} in {path}; make it anew."
        )
    turns = motion.rotations
    off = (turns @ turns.transpose(-1, -2) - rotations.identity()).abs().amax((1, 2, 3))
    whole = (off < _ORTHOGONAL) & motion.translation.isfinite().all(-1)  # false for nan, too
    if not bool(whole.all()):
        raise ValueError(
            f"`init.motion` must hold finite positions and rotation matrices, got others at frame "
            f"{int(whole.int().argmin())} of {path}; make it anew."
        )
