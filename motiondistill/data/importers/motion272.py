"""MotionStreamer's 272 features a frame (Xiao et al. 2025): positions and SMPL's own rotations."""

from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from motiondistill import rotations
from motiondistill.data.importers.amass import to_motion
from motiondistill.data.importers.clip import CapturedClip, label_hint, subject_hint, tell_rate
from motiondistill.data.importers.leg_check import check_features
from motiondistill.data.importers.smpl_skeletons import SMPL
from motiondistill.structures import NUM_JOINTS

MOTION272_FPS: Final = 30.0
NUM_ROTATION_FEATURES: Final = 272
POSITIONS: Final = slice(8, 8 + 3 * NUM_JOINTS)
VELOCITIES: Final = slice(POSITIONS.stop, POSITIONS.stop + 3 * NUM_JOINTS)
TURNS: Final = slice(VELOCITIES.stop, VELOCITIES.stop + 6 * NUM_JOINTS)


def read_motion272(path: Path, *, root: Path | None = None) -> list[CapturedClip]:
    """The clip in a `.npy` of (frames, 272) features, which must not be normalised.

    Its rotations come along exactly, as SMPL's.
    """
    try:
        array = np.load(path, allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise ValueError(f"{path} must be an array of numbers, got damaged data: {error}.") from (
            error
        )
    turns, joints = recover_motion272(_features(path, array))
    check_features(path, joints)
    poses = rotations.to_axis_angle(turns).flatten(1).float()
    pelvis = torch.tensor(SMPL.pelvis)
    tell_rate("MotionStreamer's features (.npy)", MOTION272_FPS, "MotionStreamer")
    motion, _ = to_motion(SMPL, poses, joints[:, 0].float() - pelvis, MOTION272_FPS, "y")
    return [
        CapturedClip(
            path.stem,
            "motion272",
            subject_hint(path, root),
            label_hint(path, root),
            joints.float(),
            MOTION272_FPS,
            motion,
        )
    ]


def recover_motion272(
    features: Float[Tensor, "frames 272"],
) -> tuple[Float[Tensor, "frames 22 3 3"], Float[Tensor, "frames 22 3"]]:
    """SMPL's rotations relative to the parents, and world positions in metres, +Y up.

    Six numbers that stand for a rotation are its first two rows, not columns. The heading is the
    product of its changes (2 to 7), the pelvis' way the sum of its velocities (0, 1), each turned
    by the heading of the frame before; positions (8 to 73) and the pelvis' rotation (from 140 on)
    are without both.
    """
    count = len(features)
    steps = _from_rows(features[:, 2:8])
    heading_from_world = [steps[0]]
    for step in steps[1:]:
        heading_from_world.append(step @ heading_from_world[-1])
    world_from_heading = torch.stack(heading_from_world).transpose(-1, -2)
    zero = torch.zeros_like(features[:, 0])
    velocity = torch.stack([features[:, 0], zero, features[:, 1]], -1)
    turned = (world_from_heading[:-1] @ velocity[1:, :, None])[..., 0]
    way = torch.cat([velocity[:1], turned]).cumsum(0)
    positions = features[:, POSITIONS].reshape(count, NUM_JOINTS, 3)
    joints = positions @ world_from_heading.transpose(-1, -2) + way[:, None]
    turns = _from_rows(features[:, TURNS].reshape(count, NUM_JOINTS, 6))
    return torch.cat([world_from_heading[:, None] @ turns[:, :1], turns[:, 1:]], 1), joints


def _from_rows(rows: Float[Tensor, "*batch 6"]) -> Float[Tensor, "*batch 3 3"]:
    """Rotations by their first two rows: transposed by their first two columns."""
    return rotations.from_6d(rows).transpose(-1, -2)


def _features(path: Path, array: NDArray[Any]) -> Float[Tensor, "frames 272"]:
    if array.dtype.kind != "f" or array.shape[1:] != (NUM_ROTATION_FEATURES,) or not len(array):
        raise ValueError(
            f"{path} must hold floating-point numbers of shape (frames, {NUM_ROTATION_FEATURES}), "
            f"got {array.dtype} {array.shape}; give MotionStreamer's features."
        )
    if not np.isfinite(array).all():
        raise ValueError(f"{path} must hold finite numbers, got others; check the file.")
    return torch.from_numpy(array.astype(np.float64))
