"""A neutral stance and anatomical joint limits.

They are all that a motion may know before the prompt is read. Limits are ranges of axis-angle
offsets from the neutral stance in the parent's frame, radians, per axis: about +X (positive bends
the trunk forward and swings a hanging limb back), about +Y (positive turns to the left) and about
+Z (positive lifts the left side). They are written for the left side and mirrored. The ranges are
textbook ranges of motion (American Academy of Orthopaedic Surgeons, 1965), rounded outwards.
"""

from dataclasses import dataclass
from functools import cache
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill import rotations
from motiondistill.motion.constraints import Constraint, soft_clamp, soft_unclamp
from motiondistill.structures import HAND_NAMES, JOINT_INDEX, JOINT_NAMES, MIRROR, NUM_JOINTS

# Axis-angle from the T-pose: arms hang a little away from the body, elbows slightly bent.
_NEUTRAL = {"left_shoulder": (0.0, 0.0, -1.25), "left_elbow": (0.0, -0.25, 0.0)}

_LIMITS = {
    "spine1": ((-0.20, 0.50), (-0.25, 0.25), (-0.20, 0.20)),
    "spine2": ((-0.15, 0.40), (-0.30, 0.30), (-0.20, 0.20)),
    "spine3": ((-0.15, 0.30), (-0.30, 0.30), (-0.15, 0.15)),
    "neck": ((-0.30, 0.40), (-0.40, 0.40), (-0.25, 0.25)),
    "head": ((-0.30, 0.30), (-0.40, 0.40), (-0.20, 0.20)),
    "left_hip": ((-2.20, 0.60), (-0.60, 0.60), (-0.40, 1.00)),
    "left_knee": ((-0.05, 2.50), (-0.15, 0.15), (-0.08, 0.08)),
    "left_ankle": ((-0.70, 0.60), (-0.20, 0.20), (-0.20, 0.20)),
    "left_foot": ((-0.01, 0.01), (-0.01, 0.01), (-0.01, 0.01)),
    "left_collar": ((-0.10, 0.10), (-0.25, 0.25), (-0.10, 0.35)),
    "left_shoulder": ((-3.00, 1.00), (-1.20, 1.20), (-0.35, 2.90)),
    "left_elbow": ((-0.60, 0.60), (-2.30, 0.20), (-0.10, 0.10)),
    "left_wrist": ((-0.20, 0.20), (-0.30, 0.30), (-0.50, 0.50)),
}
# From the body's own hands at rest, flat or a little bent, with palms down: a finger curls about
# -Z. The thumb's joints turn obliquely to the axes, so theirs are wide.
_FINGER_LIMITS = {
    "finger1": ((-0.10, 0.10), (-0.30, 0.30), (-1.60, 0.40)),
    "finger2": ((-0.05, 0.05), (-0.05, 0.05), (-1.80, 0.10)),
    "finger3": ((-0.05, 0.05), (-0.05, 0.05), (-1.40, 0.10)),
    "thumb1": ((-0.60, 0.60), (-0.80, 0.80), (-0.60, 0.60)),
    "thumb2": ((-0.40, 0.40), (-0.70, 0.70), (-0.70, 0.70)),
    "thumb3": ((-0.30, 0.30), (-1.00, 1.00), (-1.00, 1.00)),
}
_JAW_LIMITS = ((-0.02, 0.45), (-0.10, 0.10), (-0.05, 0.05))
# Reflection in the plane x = 0 keeps rotations about X and reverses those about Y and Z.
_REFLECT = torch.tensor([1.0, -1.0, -1.0])


@final
@dataclass(frozen=True)
class JointLimits(Constraint):
    """The neutral stance and the smallest and largest offsets from it.

    One row for each of the joints below the pelvis.
    """

    neutral: Float[Tensor, "below 3 3"]
    lower: Float[Tensor, "below 3"]
    upper: Float[Tensor, "below 3"]

    def __call__(self, raw: Float[Tensor, "*batch below 3"]) -> Float[Tensor, "*batch below 3 3"]:
        """Rotations of unbounded numbers, within the limits.

        A soft clamp of the axis-angle offsets (`soft_clamp` tells its gradient), then the neutral
        stance, near which the numbers are radians.
        """
        bounded = soft_clamp(raw, self.lower.to(raw), self.upper.to(raw))
        return rotations.from_axis_angle(bounded) @ self.neutral.to(raw)

    def inverse(self, pose: Float[Tensor, "below 3 3"]) -> Float[Tensor, "below 3"]:
        """The numbers of a pose; what it has outside the limits is first brought inside."""
        offset = rotations.to_axis_angle(pose @ self.neutral.to(pose).transpose(-1, -2))
        return soft_unclamp(offset, self.lower.to(pose), self.upper.to(pose))


@cache
def anatomical_limits() -> JointLimits:
    """The limits above for both sides of the body."""
    ranges = torch.zeros(NUM_JOINTS, 3, 2)
    neutral = torch.zeros(NUM_JOINTS, 3)
    for name in JOINT_NAMES[1:]:
        index = JOINT_INDEX[name]
        if name.startswith("right"):
            twin = JOINT_INDEX[JOINT_NAMES[MIRROR[index]]]
            neutral[index] = neutral[twin] * _REFLECT
            ranges[index] = (ranges[twin] * _REFLECT[:, None]).sort(-1).values
        else:
            neutral[index] = torch.tensor(_NEUTRAL.get(name, (0.0, 0.0, 0.0)))
            ranges[index] = torch.tensor(_LIMITS[name])
    below = slice(1, None)
    return JointLimits(
        rotations.from_axis_angle(neutral[below]), ranges[below, :, 0], ranges[below, :, 1]
    )


@cache
def hand_limits() -> Float[Tensor, "2 30 3"]:
    """The smallest and the largest offsets of the finger joints from the hands at rest, radians."""
    ranges = torch.zeros(len(HAND_NAMES), 3, 2)
    for index, name in enumerate(HAND_NAMES):
        side, finger = name.split("_")
        kind = finger if finger.startswith("thumb") else f"finger{finger[-1]}"
        ranges[index] = torch.tensor(_FINGER_LIMITS[kind])
        if side == "right":
            ranges[index] = (ranges[index] * _REFLECT[:, None]).sort(-1).values
    return ranges.permute(2, 0, 1)


@cache
def jaw_limits() -> Float[Tensor, "2 3"]:
    """The smallest and the largest offsets of the jaw from the closed mouth, radians."""
    return torch.tensor(_JAW_LIMITS).T
