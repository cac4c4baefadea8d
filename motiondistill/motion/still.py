"""A motion without its movement."""

import torch
from torch import Tensor

from motiondistill import rotations
from motiondistill.structures import Motion


@torch.no_grad()
def frozen(motion: Motion) -> Motion:
    """The clip that stays in its mean pose, at its mean place; same frames, no gradient history."""

    def over_time(mean: Tensor, dim: int) -> Tensor:
        shape = list(mean.shape)
        shape.insert(dim + mean.ndim + 1, motion.num_frames)
        return mean.unsqueeze(dim).expand(shape)

    def still(turns: Tensor | None, dim: int) -> Tensor | None:
        return None if turns is None else over_time(rotations.nearest(turns.mean(dim)), dim)

    body = still(motion.rotations, -4)
    assert body is not None
    return Motion(
        body,
        over_time(motion.translation.mean(-2), -2),
        motion.fps,
        still(motion.hands, -4),
        still(motion.jaw, -3),
    )
