"""HumanML3D's 263 features a frame (Guo et al. 2022), from joint positions and back.

Means, variances and evaluators that were fitted on HumanML3D do not fit these features unless the
joints have its skeleton: it gives all of its clips the bones of one of them, which is not done
here. Nor are these fit to be compared with its published numbers.

Features: 0 half the angle by which the world turns against the subject, rad/frame; 1:3 velocity of
the pelvis as the subject sees it, x and z, m/frame; 3 its height, m; 4:67 the other joints, without
heading and the pelvis' place; 67:193 their rotations by inverse kinematics, two columns each;
193:259 velocities of all joints, m/frame; 259:263 whether ankle and toes are still, left and right.
"""

import itertools
import math
from pathlib import Path
from typing import Final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill import rotations
from motiondistill.atomic import write_atomically
from motiondistill.data.importers.humanml import HUMANML_FPS as HUMANML_FPS
from motiondistill.data.importers.humanml import read_humanml, recover_joints
from motiondistill.structures import JOINT_INDEX, JOINT_NAMES

# HumanML3D's smoothing of the heading, frames, where Gaussians end, in standard deviations.
_SMOOTHING: Final = 20.0
_TRUNCATED: Final = 4.0
# Of speed squared, (m/frame)^2.
_STILL: Final = 0.002
# Its chains and the directions of their bones where nothing turns; joints in its order, ours.
_CHAINS: Final = (
    ("pelvis", "right_hip", "right_knee", "right_ankle", "right_foot"),
    ("pelvis", "left_hip", "left_knee", "left_ankle", "left_foot"),
    ("pelvis", "spine1", "spine2", "spine3", "neck", "head"),
    ("spine3", "right_collar", "right_shoulder", "right_elbow", "right_wrist"),
    ("spine3", "left_collar", "left_shoulder", "left_elbow", "left_wrist"),
)
_DIRECTIONS: Final = {
    **dict.fromkeys(("left_hip", "left_collar"), (1.0, 0.0, 0.0)),
    **dict.fromkeys(("right_hip", "right_collar"), (-1.0, 0.0, 0.0)),
    **dict.fromkeys(("spine1", "spine2", "spine3", "neck"), (0.0, 1.0, 0.0)),
    **dict.fromkeys(("left_foot", "right_foot", "head"), (0.0, 0.0, 1.0)),
}
_DOWN: Final = (0.0, -1.0, 0.0)
_FEET: Final = ("ankle", "foot")


def canonical(joints: Float[Tensor, "frames 22 3"]) -> Float[Tensor, "frames 22 3"]:
    """The clip where HumanML3D puts all clips, metres.

    The lowest joint of all frames is on the floor, the first frame's pelvis above the origin, and
    the first frame faces +Z.
    """
    start = joints[0, 0].clone()
    start[1] = joints[..., 1].min()
    across = _across(joints[:1], "shoulder") + _across(joints[:1], "hip")
    turn = rotations.about_y(-_angles(_ahead(across))[0])
    return (joints - start) @ turn.T


def to_features(joints: Float[Tensor, "frames 22 3"]) -> Float[Tensor, "frames-1 263"]:
    """The features of a clip in metres, +Y up, at 20 fps; the last frame gives velocities only.

    The heading's change is taken the short way round: the authors' code turns the other way where
    the heading passes -Z.
    """
    if len(joints) < 2:
        raise ValueError(
            f"`joints` must have 2 frames or more, got {len(joints)}; HumanML3D's features are "
            "made of changes."
        )
    joints = canonical(joints)
    headings = _headings(joints)
    headings[0] = 0
    to_front = rotations.about_y(-headings)
    steps = joints.diff(dim=0)
    change = torch.remainder(headings.diff() + math.pi, 2 * math.pi) - math.pi
    velocity = (to_front[1:] @ steps[:, 0, :, None])[..., 0]
    level = joints - joints[:, :1] * torch.tensor([1.0, 0.0, 1.0]).to(joints)
    still = steps.square().sum(-1) < _STILL
    feet = [JOINT_INDEX[f"{side}_{part}"] for side in ("left", "right") for part in _FEET]
    parts = [
        -change[:, None] / 2,
        velocity[:, [0, 2]],
        joints[:-1, 0, 1:2],
        (level @ to_front.transpose(-1, -2))[:-1, 1:].flatten(1),
        rotations.to_6d(_solved(joints, to_front))[:-1, 1:].flatten(1),
        (steps @ to_front[:-1].transpose(-1, -2)).flatten(1),
        still[:, feet].to(joints),
    ]
    return torch.cat(parts, 1)


def from_features(features: Float[Tensor, "frames 263"]) -> Float[Tensor, "frames 22 3"]:
    """World positions: undoes `to_features`, but for `canonical` and the last frame."""
    return recover_joints(features)


def write_humanml(path: Path, joints: Float[Tensor, "frames 22 3"]) -> None:
    """The features of a clip at 20 fps as `.npy`, float32, whole or not at all."""
    features = to_features(joints.double()).numpy().astype(np.float32)
    write_atomically(path, lambda part: np.save(part, features, allow_pickle=False))


def read_positions(path: Path) -> Float[Tensor, "frames 22 3"]:
    """World positions at 20 fps from features or joints; ValueError names the file and why."""
    return read_humanml(path)[0].joints


def _headings(joints: Float[Tensor, "frames 22 3"]) -> Float[Tensor, " frames"]:
    """The authors' headings, radians from +Z towards +X: shoulders less hips, smoothed.

    One expects their sum, which `canonical` takes; but in the authors' code the hips' left and
    right are exchanged here, and who learned from their features knows them so. The body is widest
    at its shoulders, so that the difference, too, points to its side.
    """
    ahead = _ahead(_across(joints, "shoulder") - _across(joints, "hip"))
    return _angles(_smoothed(ahead, _SMOOTHING))


def _across(joints: Float[Tensor, "frames 22 3"], name: str) -> Float[Tensor, "frames 3"]:
    """To the left."""
    return joints[:, JOINT_INDEX[f"left_{name}"]] - joints[:, JOINT_INDEX[f"right_{name}"]]


def _ahead(across: Float[Tensor, "frames 3"]) -> Float[Tensor, "frames 2"]:
    """x and z of the cross product of the direction to the left and up."""
    across = torch.nn.functional.normalize(across, dim=-1)
    return torch.stack([-across[:, 2], across[:, 0]], -1)


def _angles(ahead: Float[Tensor, "frames 2"]) -> Float[Tensor, " frames"]:
    return torch.atan2(ahead[:, 0], ahead[:, 1])


def _smoothed(values: Float[Tensor, "frames 2"], deviation: float) -> Float[Tensor, "frames 2"]:
    """The Gaussian mean along time; beyond the ends the first and last values go on."""
    radius = int(_TRUNCATED * deviation + 0.5)
    weights = torch.exp(-0.5 * (torch.arange(-radius, radius + 1).to(values) / deviation) ** 2)
    padded = torch.cat([values[:1].expand(radius, -1), values, values[-1:].expand(radius, -1)])
    return torch.einsum("ncw,w->nc", padded.unfold(0, len(weights), 1), weights / weights.sum())


def _solved(
    joints: Float[Tensor, "frames 22 3"], to_front: Float[Tensor, "frames 3 3"]
) -> Float[Tensor, "frames 22 3 3"]:
    """Rotations that take each bone's direction to where the joints are; twists are not known.

    As in the authors' code: every chain begins with the turn to the front (where one would expect
    its inverse, and arms the rotation of their spine).
    """
    solved = to_front[:, None].repeat(1, len(JOINT_NAMES), 1, 1)
    for chain in _CHAINS:
        above = to_front
        for parent, name in itertools.pairwise(chain):
            joint = JOINT_INDEX[name]
            bone = joints[:, joint] - joints[:, JOINT_INDEX[parent]]
            rest = torch.tensor(_DIRECTIONS.get(name, _DOWN)).to(joints).expand_as(bone)
            world = rotations.between(rest, bone)
            solved[:, joint] = above.transpose(-1, -2) @ world
            above = world
    return solved
