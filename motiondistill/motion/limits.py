"""A neutral stance and anatomical joint limits.

They are all that a motion may know before the prompt is read. Limits are ranges of axis-angle
offsets from the neutral stance in the parent's frame, radians, per axis: about +X (positive bends
the trunk forward and swings a hanging limb back), about +Y (positive turns to the left) and about
+Z (positive lifts the left side). They are written for the left side and mirrored. The ranges are
textbook ranges of motion (American Academy of Orthopaedic Surgeons, 1965), rounded outwards.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill import rotations
from motiondistill.structures import JOINT_INDEX, JOINT_NAMES, MIRROR, NUM_JOINTS

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


@dataclass(frozen=True)
class JointLimits:
    """The neutral stance and the smallest and largest offsets from it.

    One row for each of the joints below the pelvis.
    """

    neutral: Float[Tensor, "below 3 3"]
    lower: Float[Tensor, "below 3"]
    upper: Float[Tensor, "below 3"]

    def __call__(self, raw: Float[Tensor, "*batch below 3"]) -> Float[Tensor, "*batch below 3 3"]:
        """Rotations of unbounded numbers, within the limits.

        A soft clamp of the axis-angle offsets, then the neutral stance. `limit * tanh(x / limit)`
        on either side has slope one at zero: near the neutral stance the numbers are radians.
        """
        lower, upper = self.lower.to(raw), self.upper.to(raw)
        bounded = torch.where(
            raw < 0, lower * torch.tanh(raw / lower), upper * torch.tanh(raw / upper)
        )
        return rotations.from_axis_angle(bounded) @ self.neutral.to(raw)


def anatomical_limits() -> JointLimits:
    """The limits above for both sides of the body."""
    ranges = torch.zeros(NUM_JOINTS, 3, 2)
    neutral = torch.zeros(NUM_JOINTS, 3)
    # Reflection in the plane x = 0 keeps rotations about X and reverses those about Y and Z.
    reflect = torch.tensor([1.0, -1.0, -1.0])
    for name in JOINT_NAMES[1:]:
        index = JOINT_INDEX[name]
        if name.startswith("right"):
            twin = JOINT_INDEX[JOINT_NAMES[MIRROR[index]]]
            neutral[index] = neutral[twin] * reflect
            ranges[index] = (ranges[twin] * reflect[:, None]).sort(-1).values
        else:
            neutral[index] = torch.tensor(_NEUTRAL.get(name, (0.0, 0.0, 0.0)))
            ranges[index] = torch.tensor(_LIMITS[name])
    below = slice(1, None)
    return JointLimits(
        rotations.from_axis_angle(neutral[below]), ranges[below, :, 0], ranges[below, :, 1]
    )
