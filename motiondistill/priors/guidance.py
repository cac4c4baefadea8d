"""Classifier-free guidance in terms of clean estimates."""

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill.priors.base import Conditioning, Prior


def guide(
    prior: Prior,
    x_sigma: Float[Tensor, "B C f h w"],
    sigma: Float[Tensor, " B"],
    conditioning: Conditioning,
    unconditional: Conditioning,
    guidance_scale: float,
) -> Float[Tensor, "B C f h w"]:
    """The guided clean estimate `D(empty) + scale * (D(prompt) - D(empty))`.

    Guiding x0 equals guiding noise, velocity or flow, because x0 is affine in each of them with the
    same coefficients for both passes (Ho and Salimans 2022, Eq. 6). Both passes share one call;
    a `PlacedDenoiser` makes it several. Estimates, and so guidance, are in single precision
    whatever the network's own is.
    """
    if guidance_scale == 1:
        return prior.denoise(x_sigma, sigma, conditioning)
    both = prior.denoise(
        torch.cat([x_sigma, x_sigma]),
        torch.cat([sigma, sigma]),
        Conditioning.cat([unconditional, conditioning]),
    )
    without, with_prompt = both.chunk(2)
    return without + guidance_scale * (with_prompt - without)
