"""What the action recogniser sees of a motion: bone directions and the pelvis' path.

Only 14 joints are read, which every source of motion capture has. Directions do not know how long
bones are; lengths enter in units of the leg. The features do not change when the motion is shifted,
turned about +Y, scaled, or carried along at a constant velocity (held in place or not).
"""

from dataclasses import dataclass
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from motiondistill.structures import JOINT_INDEX as J
from motiondistill.structures import JOINT_NAMES

Joints = Float[Tensor, "*batch frames joints 3"]

_LIMBS: Final = tuple(
    (f"{side}_{start}", f"{side}_{end}")
    for side in ("left", "right")
    for start, end in (
        ("hip", "knee"),
        ("knee", "ankle"),
        ("shoulder", "elbow"),
        ("elbow", "wrist"),
    )
)
# Then come hips and shoulders (right to left), trunk (hips to shoulders) and head.
NUM_DIRECTIONS: Final = len(_LIMBS) + 4
# The mirror image of direction i is the reflection of direction MIRRORED[i]; lines from right to
# left would turn round, so they are reflected and negated.
MIRRORED: Final = (4, 5, 6, 7, 0, 1, 2, 3, 8, 9, 10, 11)
_MIRROR_SIGNS: Final = (*[1.0] * 8, -1.0, -1.0, 1.0, 1.0)
_MIDDLE: Final = ("pelvis", "head")
TRACKED: Final = tuple(
    name for name in JOINT_NAMES if name in _MIDDLE or any(name in limb for limb in _LIMBS)
)
_LEG: Final = tuple(
    tuple(J[f"{side}_{name}"] for name in ("hip", "knee", "ankle")) for side in ("left", "right")
)


@dataclass(frozen=True)
class PoseFeatures:
    """A motion without its place, heading, drift and bone lengths.

    The heading, +Z, is the mean of where the hips face.
    """

    directions: Float[Tensor, "*batch frames directions 3"]
    """Unit vectors along limbs, hips, shoulders, trunk and head."""
    root: Float[Tensor, "*batch frames 3"]
    """The pelvis in leg lengths: its height above the motion's lowest joint, and its sway."""


def pose_features(joints: Joints) -> PoseFeatures:
    """The features of joint positions in metres, +Y up; joints that are not read may be NaN."""
    hips, shoulders = _across(joints, "hip"), _across(joints, "shoulder")
    waist, chest = _middle(joints, "hip"), _middle(joints, "shoulder")
    limbs = [joints[..., J[end], :] - joints[..., J[start], :] for start, end in _LIMBS]
    head = joints[..., J["head"], :] - chest
    directions = normalize(torch.stack([*limbs, hips, shoulders, chest - waist, head], -2), dim=-1)

    pelvis = joints[..., 0, :]
    tracked = joints[..., [J[name] for name in TRACKED], 1]
    floor = tracked.amin((-2, -1))[..., None, None]
    sway = _without_drift(pelvis)
    raised = pelvis[..., 1:2] - floor
    root = torch.cat([sway[..., :1], raised, sway[..., 2:]], -1) / _leg_length(joints)

    turn = _heading_frame(hips)
    return PoseFeatures(directions @ turn[..., None, :, :], root @ turn)


def mirrored(features: PoseFeatures) -> PoseFeatures:
    """The features of the motion in a mirror, left and right exchanged."""
    flip = torch.tensor([-1.0, 1.0, 1.0]).to(features.root)
    signs = torch.tensor(_MIRROR_SIGNS).to(features.root)
    swapped = features.directions[..., list(MIRRORED), :]
    return PoseFeatures(swapped * flip * signs[:, None], features.root * flip)


def resampled(
    joints: Joints, fps: float, starts: Float[Tensor, " windows"], rate: float, frames: int
) -> Float[Tensor, "*batch windows _ joints 3"]:
    """Windows of `frames` frames at `rate` from `starts` seconds on, between frames by lines.

    Before its first and after its last frame the motion stands still.
    """
    count = joints.shape[-3]
    times = starts.to(joints)[:, None] + torch.arange(frames).to(joints) / rate
    # Rounding must not make a time that is a frame's into a mixture of two.
    positions = (times * fps).clamp(0, count - 1)
    positions = torch.where(
        (positions - positions.round()).abs() < 1e-4, positions.round(), positions
    )
    first = positions.floor().long()
    second = (first + 1).clamp(max=count - 1)
    part = (positions - first)[..., None, None]
    before, after = joints[..., first, :, :], joints[..., second, :, :]
    return before + part * (after - before)


def _across(joints: Joints, name: str) -> Float[Tensor, "*batch frames 3"]:
    return joints[..., J[f"left_{name}"], :] - joints[..., J[f"right_{name}"], :]


def _middle(joints: Joints, name: str) -> Float[Tensor, "*batch frames 3"]:
    return (joints[..., J[f"left_{name}"], :] + joints[..., J[f"right_{name}"], :]) / 2


def _leg_length(joints: Joints) -> Float[Tensor, "*batch 1 1"]:
    """Median over frames of the mean length of hip to knee to ankle, metres."""
    legs = joints[..., _LEG, :].diff(dim=-2).norm(dim=-1).sum(-1).mean(-1)
    median: Tensor = legs.median(-1).values
    return median.clamp(min=1e-6)[..., None, None]


def _without_drift(path: Float[Tensor, "*batch frames 3"]) -> Float[Tensor, "*batch frames 3"]:
    """Distances of the positions from the straight line that fits them best (least squares)."""
    frames = path.shape[-2]
    time = torch.linspace(-1, 1, frames).to(path)
    slope = (time[:, None] * path).sum(-2, keepdim=True) / time.square().sum().clamp(min=1e-9)
    return path - path.mean(-2, keepdim=True) - time[:, None] * slope


def _heading_frame(hips: Float[Tensor, "*batch frames 3"]) -> Float[Tensor, "*batch 3 3"]:
    """Rotation about +Y whose product with a row vector turns the mean heading to +Z."""
    level = normalize(hips[..., [0, 2]], dim=-1).mean(-2)
    x, z = normalize(level, dim=-1).unbind(-1)
    zero, one = torch.zeros_like(x), torch.ones_like(x)
    left, up = torch.stack([x, zero, z], -1), torch.stack([zero, one, zero], -1)
    # The columns are left, up and forward.
    return torch.stack([left, up, torch.stack([-z, zero, x], -1)], -1)
