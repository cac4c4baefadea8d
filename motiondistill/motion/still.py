"""A motion without its movement."""

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill.structures import Motion


def mean_rotation(rotations: Float[Tensor, "*batch 3 3"], dim: int) -> Float[Tensor, "*fewer 3 3"]:
    """The rotation nearest to the mean matrix along `dim`: the chordal mean (Hartley et al. 2013).

    `U diag(1, 1, det(U V^T)) V^T` of the mean's singular vectors. Not unique where the mean has no
    nearest rotation, as of two opposite half turns; not differentiable there.
    """
    left, _, right = torch.linalg.svd(rotations.mean(dim))
    signs = torch.ones_like(left[..., 0])
    signs[..., 2] = torch.linalg.det(left @ right)
    nearest: Tensor = (left * signs[..., None, :]) @ right
    return nearest


@torch.no_grad()
def frozen(motion: Motion) -> Motion:
    """The clip that stays in its mean pose, at its mean place; same frames, no gradient history."""

    def over_time(mean: Tensor, dim: int) -> Tensor:
        shape = list(mean.shape)
        shape.insert(dim + mean.ndim + 1, motion.num_frames)
        return mean.unsqueeze(dim).expand(shape)

    def still(rotations: Tensor | None, dim: int) -> Tensor | None:
        return None if rotations is None else over_time(mean_rotation(rotations, dim), dim)

    body = still(motion.rotations, -4)
    assert body is not None
    return Motion(
        body,
        over_time(motion.translation.mean(-2), -2),
        motion.fps,
        still(motion.hands, -4),
        still(motion.jaw, -3),
    )
