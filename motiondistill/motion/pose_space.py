"""What a field's numbers mean: which parts they move, from which start, and how far."""

import math
from dataclasses import dataclass, field
from typing import Final, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill import rotations
from motiondistill.motion.constraints import Constraint, soft_clamp
from motiondistill.motion.limits import anatomical_limits, hand_limits, jaw_limits
from motiondistill.motion.stances import UPRIGHT, Stance
from motiondistill.structures import NUM_HAND_JOINTS, NUM_JOINTS, Motion

Group = Literal["body", "orientation", "translation", "hands", "jaw"]
DEFAULT_GROUPS: Final[tuple[Group, ...]] = ("body", "orientation", "translation")

_BELOW: Final = NUM_JOINTS - 1
_SIZES: Final[dict[Group, int]] = {
    "body": 3 * _BELOW,
    "orientation": 6,
    "translation": 3,
    "hands": 3 * NUM_HAND_JOINTS,
    "jaw": 3,
}
# How far the pelvis may move from its rest position: sideways, up or down, and forwards, metres.
# The camera travels with the subject, and a fit that leaves the picture never comes back.
_REACH: Final = (0.3, 0.6, 0.3)


@dataclass(frozen=True)
class PoseSpace:
    """Motions by plain numbers: zeros are close to the start, and every number is allowed.

    The body's numbers go through the constraint, hands and jaw keep their own anatomical limits,
    the root's orientation is a 6D offset from upright, and its translation a soft clamp in metres.
    Groups that do not move have no numbers and stay as they start: the body in its stance, the root
    at rest, and no hands or jaw at all.
    """

    constraint: Constraint = field(default_factory=anatomical_limits)
    start: Float[Tensor, "below 3"] = field(default_factory=lambda: torch.zeros(_BELOW, 3))
    """The constraint's numbers of the pose to start at; zeros are its centre."""
    groups: tuple[Group, ...] = DEFAULT_GROUPS
    """What moves."""

    @property
    def size(self) -> int:
        """How many numbers a frame has."""
        return sum(_SIZES[group] for group in self._order())

    def first(self, stance: Stance = UPRIGHT) -> Float[Tensor, " numbers"]:
        """The numbers of the start in a stance, as far as its parts move and the limits allow."""
        parts = {group: torch.zeros(_SIZES[group]) for group in self._order()}
        if "body" in parts:
            body = self.start
            if stance != UPRIGHT:  # the inverse would leave a rounding error of the start itself
                turned = rotations.from_axis_angle(stance.turns()) @ self.constraint(body)
                body = self.constraint.inverse(turned)
            parts["body"] = body.flatten()
        if "translation" in parts:
            parts["translation"][1] = _REACH[1] * math.atanh(-stance.drop / _REACH[1])
        return torch.cat(list(parts.values()))

    def __call__(self, numbers: Float[Tensor, "frames numbers"], fps: float) -> Motion:
        """The motion of these numbers, differentiable in them."""
        order = self._order()
        sizes = [_SIZES[group] for group in order]
        parts = dict(zip(order, torch.split(numbers, sizes, -1), strict=True))
        frames = len(numbers)
        if "body" in parts:
            joints = self.constraint(parts["body"].reshape(frames, _BELOW, 3))
        else:
            joints = self.constraint(self.start.to(numbers)).expand(frames, _BELOW, 3, 3)
        upright = torch.tensor([1.0, 0, 0, 0, 1.0, 0]).to(numbers)
        turned = parts["orientation"] if "orientation" in parts else numbers.new_zeros(frames, 6)
        pelvis = rotations.from_6d(upright + turned)
        shift = parts["translation"] if "translation" in parts else numbers.new_zeros(frames, 3)
        reach = torch.tensor(_REACH).to(numbers)
        hands, jaw = None, None
        if "hands" in parts:
            hands = _limited(parts["hands"].reshape(frames, NUM_HAND_JOINTS, 3), hand_limits())
        if "jaw" in parts:
            jaw = _limited(parts["jaw"], jaw_limits())
        translation = reach * torch.tanh(shift / reach)
        return Motion(torch.cat([pelvis[:, None], joints], 1), translation, fps, hands, jaw)

    def _order(self) -> list[Group]:
        """The moving groups as their numbers follow one another, however they are listed."""
        return [group for group in _SIZES if group in self.groups]


def _limited(
    raw: Float[Tensor, "frames *joints 3"], limits: Float[Tensor, "2 *joints 3"]
) -> Float[Tensor, "frames *joints 3 3"]:
    lower, upper = limits.to(raw)
    return rotations.from_axis_angle(soft_clamp(raw, lower, upper))
