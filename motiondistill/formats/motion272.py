"""MotionStreamer's 272 features a frame (Xiao et al. 2025), from SMPL's rotations and back.

Means, variances and evaluators of its data fit only features of its skeleton, SMPL's average, and
of its motions: do not compare with its published numbers.

Features: 0:2 velocity of the pelvis, x and z, without heading, m/frame; 2:8 change of the heading;
8:74 joints without heading and the pelvis' place, m; 74:140 their changes, m/frame; 140:272
rotations relative to the parents, the pelvis' without heading. Six numbers that stand for a
rotation are its first two rows.
"""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill import rotations
from motiondistill.atomic import write_atomically
from motiondistill.data.importers.motion272 import MOTION272_FPS as MOTION272_FPS
from motiondistill.data.importers.motion272 import recover_motion272
from motiondistill.data.importers.smpl_skeletons import SMPL
from motiondistill.formats.rest_pose import at_rate
from motiondistill.formats.smpl import to_smpl
from motiondistill.kinematics import forward_kinematics
from motiondistill.structures import Motion


def canonical(
    turns: Float[Tensor, "frames 22 3 3"], joints: Float[Tensor, "frames 22 3"]
) -> tuple[Float[Tensor, "frames 22 3 3"], Float[Tensor, "frames 22 3"]]:
    """The clip where all of these features begin.

    The lowest joint of all frames is on the floor, the first frame's pelvis above the origin and
    its heading zero.
    """
    start = joints[0, 0].clone()
    start[1] = joints[..., 1].min()
    turn = rotations.about_y(-_headings(turns[:1])[0])
    return torch.cat([turn @ turns[:, :1], turns[:, 1:]], 1), (joints - start) @ turn.T


def to_features(
    turns: Float[Tensor, "frames 22 3 3"], joints: Float[Tensor, "frames 22 3"]
) -> Float[Tensor, "frames 272"]:
    """The features of a clip at 30 fps.

    Args:
        turns: SMPL's rotations relative to the parents, against its template; +Y up.
        joints: World positions, metres.
    """
    turns, joints = canonical(turns, joints)
    count = len(turns)
    to_front = rotations.about_y(-_headings(turns))
    step = to_front[1:] @ to_front[:-1].transpose(-1, -2)
    start = torch.eye(3).to(turns)[None]
    velocity = (to_front[:-1] @ joints[:, 0].diff(dim=0)[..., None])[..., 0]
    level = joints - joints[:, :1] * torch.tensor([1.0, 0.0, 1.0]).to(joints)
    level = level @ to_front.transpose(-1, -2)
    local = torch.cat([to_front[:, None] @ turns[:, :1], turns[:, 1:]], 1)
    still = torch.zeros(1, 3).to(joints)
    parts = [
        torch.cat([still, velocity])[:, [0, 2]],
        _rows(torch.cat([start, step])),
        level.flatten(1),
        torch.cat([torch.zeros_like(level[:1]), level.diff(dim=0)]).flatten(1),
        _rows(local).reshape(count, -1),
    ]
    return torch.cat(parts, 1)


def from_features(
    features: Float[Tensor, "frames 272"],
) -> tuple[Float[Tensor, "frames 22 3 3"], Float[Tensor, "frames 22 3"]]:
    """Rotations and positions: undoes `to_features`, but for `canonical`."""
    return recover_motion272(features)


def features_of(motion: Motion) -> Float[Tensor, "frames 272"]:
    """The features of a motion of SMPL's average skeleton (`rest_pose.on_skeleton`), at 30 fps."""
    poses = to_smpl(at_rate(motion, MOTION272_FPS), SMPL)
    turns = rotations.from_axis_angle(poses.body)
    _, joints = forward_kinematics(turns, SMPL.template().double())
    return to_features(turns, joints + poses.transl[:, None])


def write_motion272(path: Path, motion: Motion) -> None:
    """The file of `features_of` as `.npy`, float32, whole or not at all."""
    features = features_of(motion).numpy().astype(np.float32)
    write_atomically(path, lambda part: np.save(part, features, allow_pickle=False))


def _headings(turns: Float[Tensor, "frames joints 3 3"]) -> Float[Tensor, " frames"]:
    """Where the pelvis faces: the angle about +Y from +Z towards +X, radians."""
    return torch.atan2(turns[:, 0, 0, 2], turns[:, 0, 2, 2])


def _rows(turns: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 6"]:
    return turns[..., :2, :].flatten(-2)
