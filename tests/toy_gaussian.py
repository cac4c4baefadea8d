"""Two random Gaussians in a few latents, about which everything is known in closed form."""

import math

import torch
from torch import Tensor

from motiondistill.priors.base import VideoFormat
from motiondistill.priors.gaussian import Gaussian, GaussianPrior

FORMAT = VideoFormat(fps=8.0, frames=2, height=2, width=2)
SHAPE = (3, 2, 2, 2)
DIMENSIONS = math.prod(SHAPE)
STANDARD_ERRORS = 5.0  # one fixed seed; by chance not even one in a million would be further off


def random_gaussian(seed: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    factor = torch.randn(DIMENSIONS, DIMENSIONS, generator=generator, dtype=torch.float64)
    mean = torch.randn(DIMENSIONS, generator=generator, dtype=torch.float64)
    return mean, factor @ factor.T / DIMENSIONS


def toy_prior() -> GaussianPrior:
    names = ("walk", "jump")
    return GaussianPrior(
        {name: Gaussian.from_covariance(*random_gaussian(seed)) for seed, name in enumerate(names)},
        FORMAT,
    )


def latents(batch: int, seed: int = 7) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(batch, *SHAPE, generator=generator, dtype=torch.float64)
