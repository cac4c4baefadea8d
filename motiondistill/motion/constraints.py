"""How far a field's numbers may turn the joints, and what of the gradient passes.

A constraint takes three unbounded numbers for each joint below the pelvis to its rotation; zeros
are its centre, near which the numbers are radians in the parent's frame. The anatomical one is
`limits.JointLimits`.
"""

import abc
from dataclasses import dataclass
from typing import Final, final

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill import rotations

# Starts outside the limits are taken to this share of them, where a clamp still has a slope.
_INSIDE: Final = 0.95


class Constraint(abc.ABC):
    """From numbers to rotations and, for starts, back."""

    @abc.abstractmethod
    def __call__(self, raw: Float[Tensor, "*batch below 3"]) -> Float[Tensor, "*batch below 3 3"]:
        """Rotations of unbounded numbers."""

    @abc.abstractmethod
    def inverse(self, pose: Float[Tensor, "below 3 3"]) -> Float[Tensor, "below 3"]:
        """The numbers of a pose, or of the nearest one that the constraint allows to start at."""


@final
@dataclass(frozen=True)
class SoftRange(Constraint):
    """`exp(b tanh(x / b)) mean`: offsets stay within b, the `bound`, of the mean on every axis.

    The gradient fades with the distance from the mean and vanishes nowhere in sight: see
    `soft_clamp`.
    """

    mean: Float[Tensor, "below 3 3"]
    bound: Float[Tensor, "below 3"]
    """Radians, positive."""

    def __call__(self, raw: Float[Tensor, "*batch below 3"]) -> Float[Tensor, "*batch below 3 3"]:
        """See the class."""
        bound = self.bound.to(raw)
        return rotations.from_axis_angle(soft_clamp(raw, -bound, bound)) @ self.mean.to(raw)

    def inverse(self, pose: Float[Tensor, "below 3 3"]) -> Float[Tensor, "below 3"]:
        """The numbers of the pose; what is outside the range is first brought inside."""
        bound = self.bound.to(pose)
        return soft_unclamp(_offset(pose, self.mean), -bound, bound)


@final
@dataclass(frozen=True)
class HardRange(Constraint):
    """`exp(clamp(x, -b, b)) mean`, as the paper clamps.

    The gradient is whole within the range and zero outside: a joint that has left is held at the
    edge, and only what the network shares with the other joints can bring it back. The paper clamps
    6D numbers, on which ranges mean no angles; here they are angles.
    """

    mean: Float[Tensor, "below 3 3"]
    bound: Float[Tensor, "below 3"]
    """Radians, positive."""

    def __call__(self, raw: Float[Tensor, "*batch below 3"]) -> Float[Tensor, "*batch below 3 3"]:
        """See the class."""
        bound = self.bound.to(raw)
        return rotations.from_axis_angle(raw.clamp(-bound, bound)) @ self.mean.to(raw)

    def inverse(self, pose: Float[Tensor, "below 3 3"]) -> Float[Tensor, "below 3"]:
        """The numbers of the pose; what is outside the range is brought inside, where it can move.

        On the edge itself one update outwards would take the gradient away.
        """
        bound, offset = self.bound.to(pose), _offset(pose, self.mean)
        edge = _INSIDE * bound
        return torch.where(offset.abs() > bound, offset.clamp(-edge, edge), offset)


@final
@dataclass(frozen=True)
class Unbounded(Constraint):
    """`exp(x) centre`: any rotation, and a gradient everywhere.

    Turns beyond pi come round, where the axis-angle's own slope across the axis falls to zero.
    """

    centre: Float[Tensor, "below 3 3"]

    def __call__(self, raw: Float[Tensor, "*batch below 3"]) -> Float[Tensor, "*batch below 3 3"]:
        """See the class."""
        return rotations.from_axis_angle(raw) @ self.centre.to(raw)

    def inverse(self, pose: Float[Tensor, "below 3 3"]) -> Float[Tensor, "below 3"]:
        """The numbers of the pose, of the shortest turn."""
        return _offset(pose, self.centre)


def soft_clamp(
    raw: Float[Tensor, "*batch"], lower: Float[Tensor, "*#batch"], upper: Float[Tensor, "*#batch"]
) -> Float[Tensor, "*batch"]:
    """`limit * tanh(x / limit)` on either side of zero; `lower` is negative, `upper` positive.

    The slope is `1 - tanh(x / limit)^2`: 1 at zero, 0.42 at x = limit, 1.3e-3 at four times that.
    In float32 it is exactly zero from about nine times on.
    """
    return torch.where(raw < 0, lower * torch.tanh(raw / lower), upper * torch.tanh(raw / upper))


def soft_unclamp(
    bounded: Float[Tensor, "*batch"],
    lower: Float[Tensor, "*#batch"],
    upper: Float[Tensor, "*#batch"],
) -> Float[Tensor, "*batch"]:
    """The numbers that `soft_clamp` takes there; those beyond 95 % of a limit count as 95 %."""
    limit = torch.where(bounded < 0, lower, upper)
    return limit * torch.atanh((bounded / limit).clamp(max=_INSIDE))


def _offset(
    pose: Float[Tensor, "below 3 3"], centre: Float[Tensor, "below 3 3"]
) -> Float[Tensor, "below 3"]:
    """Axis-angle vectors from the centre to the pose, in the parent's frame."""
    return rotations.to_axis_angle(pose @ centre.to(pose).transpose(-1, -2))
