"""Joints beyond their anatomical range, for motions whose field does not keep them within."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill import rotations
from motiondistill.motion.limits import JointLimits
from motiondistill.structures import Motion


def joint_limits(motion: Motion, limits: JointLimits) -> Float[Tensor, ""]:
    """Mean over the joints below the pelvis of the squared excess over their ranges, rad^2.

    The ranges are of axis-angle offsets from the neutral stance, per axis. A rotation has two such
    offsets of less than a full turn, `v` and `v - 2 pi v / |v|`, and shoulders reach both: the one
    that exceeds its range less counts. Differentiable except where the two are alike.
    """
    neutral = limits.neutral.to(motion.rotations)
    offsets = rotations.to_axis_angle(motion.rotations[..., 1:, :, :] @ neutral.transpose(-1, -2))
    return torch.minimum(_excess(offsets, limits), _excess(_other_way(offsets), limits)).mean()


def _excess(
    offsets: Float[Tensor, "*batch below 3"], limits: JointLimits
) -> Float[Tensor, "*batch below"]:
    above = (offsets - limits.upper.to(offsets)).clamp(min=0)
    below = (limits.lower.to(offsets) - offsets).clamp(min=0)
    return (above.square() + below.square()).sum(-1)


def _other_way(offsets: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3"]:
    """The same rotations, turned the other way round."""
    squared = offsets.square().sum(-1, keepdim=True)
    # Without an angle any axis would do; the detour is a full turn, and never the shorter one.
    still = squared < 1e-12
    angle = torch.where(still, torch.ones_like(squared), squared).sqrt()
    turn = torch.where(still, torch.full_like(offsets, 2 * math.pi), offsets / angle * 2 * math.pi)
    return offsets - turn
