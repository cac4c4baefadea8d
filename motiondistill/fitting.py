"""What a fit of motions to videos is measured by, and what guides it at its beginning."""

import math
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill.regularizers.balance import tilt
from motiondistill.regularizers.statistics import UsualPoses, pose_deviation
from motiondistill.structures import Motion

# Blurs of the fit, coarse to fine, as shares of the image's height. A limb is drawn towards its
# place only from within the blur's reach.
_BLURS: Final = (0.19, 0.125, 0.08, 0.05, 0.025, 0.0)
# The pyramid's errors are about 1e-2; in units of 1/100 they match regularisers in SI units.
_FIT_SCALE: Final = 100.0
# Guides fall from their weight to this share of it, evenly in the logarithm, until this progress.
_LEFT, _GUIDED = 0.01, 0.6


def fit_errors(
    video: Float[Tensor, "batch frames 3 height width"],
    target: Float[Tensor, "batch frames 3 height width"],
    progress: float,
) -> Float[Tensor, " batch"]:
    """Squared errors of the videos after a blur that gets finer while `progress` goes from 0 to 1.

    Means over pixels, as the regularisers are: their weight against those does not depend on sizes.
    """
    sigma = video.shape[-2] * _BLURS[min(int(progress * len(_BLURS)), len(_BLURS) - 1)]
    difference = blur((video - target).flatten(0, 1), sigma).unflatten(0, video.shape[:2])
    # A blur of s pixels spreads an error over an area that grows as s^2: the factor keeps its
    # weight alike.
    return _FIT_SCALE * (1 + sigma**2) * difference.square().mean((1, 2, 3, 4))


def blur(
    images: Float[Tensor, "batch channels height width"], sigma: float
) -> Float[Tensor, "batch channels height width"]:
    """Images convolved with a Gaussian of `sigma` pixels, taken as zero beyond their edges."""
    if sigma == 0:
        return images
    radius = math.ceil(2.5 * sigma)
    offsets = torch.arange(-radius, radius + 1).to(images)
    kernel = torch.softmax(-offsets.square() / (2 * sigma**2), 0)
    # Rows and columns are small, so two banded matrices are faster than a convolution.
    height, width = images.shape[-2:]
    return _band(kernel, height) @ images @ _band(kernel, width)


def _band(kernel: Float[Tensor, " taps"], size: int) -> Float[Tensor, "size size"]:
    """The symmetric matrix that convolves a row of `size` samples with the kernel."""
    radius = len(kernel) // 2
    index = torch.arange(size, device=kernel.device)
    distance = (index[:, None] - index[None]).abs()
    return torch.where(distance <= radius, kernel[(radius + distance).clamp(max=2 * radius)], 0.0)


def guides(
    motion: Motion,
    progress: float,
    *,
    upright: float,
    usual: float,
    poses: UsualPoses | None,
) -> dict[str, Float[Tensor, ""]]:
    """What keeps a motion upright and its poses usual at first, with these weights at the outset.

    One view tells little of depth, and a blurred one little of limbs: unguided, trunks lean towards
    the camera. Later the picture decides. Raises ValueError for a weight without `poses`.
    """
    left = _LEFT ** min(progress / _GUIDED, 1.0)
    terms = {}
    if upright:
        terms["upright"] = upright * left * tilt(motion)
    if usual:
        if poses is None:
            raise ValueError("`poses` must be given for a weight of usual poses, got None.")
        terms["usual_poses"] = usual * left * pose_deviation(motion.rotations[..., 1:, :, :], poses)
    return terms
