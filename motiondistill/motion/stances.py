"""Where fields start from, against the start of their pose space."""

from dataclasses import dataclass
from typing import Final, final

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill.structures import JOINT_INDEX, NUM_JOINTS


@final
@dataclass(frozen=True)
class Stance:
    """Turns of some joints, radians and alike on both sides, with the pelvis lowered in metres."""

    arm_lift: float = 0.0
    """Sideways."""
    elbow_bend: float = 0.0
    hip_bend: float = 0.0
    """Of the thighs, forwards."""
    knee_bend: float = 0.0
    drop: float = 0.0

    def turns(self) -> Float[Tensor, "below 3"]:
        """The joints' turns away from where they start, axis-angle in their parents' frames."""
        turns = torch.zeros(NUM_JOINTS - 1, 3)
        for side, sign in (("left", 1.0), ("right", -1.0)):
            for joint, axis, angle in (
                ("shoulder", 2, sign * self.arm_lift),
                ("elbow", 1, -sign * self.elbow_bend),
                ("hip", 0, -self.hip_bend),
                ("knee", 0, self.knee_bend),
            ):
                turns[JOINT_INDEX[f"{side}_{joint}"] - 1, axis] = angle
        return turns


UPRIGHT: Final = Stance()
_BENT: Final = {"elbow_bend": 0.6, "hip_bend": 0.6, "knee_bend": 0.9, "drop": 0.1}
READY: Final = (
    Stance(arm_lift=0.5, **_BENT),
    Stance(arm_lift=1.1, **_BENT),
    Stance(arm_lift=2.0, **_BENT),
)
"""Stances that can go anywhere, for fits to pictures: arms low, sideways and up.

Limbs are bent, for a straight one is a dead end: no small turn of a straight knee brings the pelvis
nearer to the foot, so that its gradient is zero, and a fit tips the trunk where it should squat.
Arms in front of the trunk would hide, where spread ones see a way up and down.
"""
