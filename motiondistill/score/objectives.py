"""Score-distillation objectives: scalars whose gradient in the latents is what a prior asks for."""

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill.priors.base import Conditioning, Prior, per_sample
from motiondistill.priors.guidance import guide


def sds_loss(
    prior: Prior,
    latents: Float[Tensor, "B C f h w"],
    conditioning: Conditioning,
    unconditional: Conditioning,
    *,
    sigma: Float[Tensor, " B"],
    guidance_scale: float,
    generator: torch.Generator,
) -> Float[Tensor, ""]:
    """Score distillation sampling (Poole et al. 2022, Eq. 3) with `w = sigma^2 / (1 + sigma^2)`.

    The gradient is `w (x0 - D(x0 + sigma n)) / sigma` divided by the number of latents, so what it
    asks of a motion depends neither on frames nor on resolution. `(x0 - D) / sigma` is the
    difference of predicted and drawn noise for every family, and w the variance `1 - abar` of the
    variance-preserving form. The value itself means nothing.
    """
    sigma = prior.snap(sigma)
    # Drawn on the CPU, so that a run on another device sees the same noise.
    noise = torch.randn(latents.shape, generator=generator).to(latents)
    level = per_sample(sigma, latents)
    with torch.no_grad():
        noisy = latents + level * noise
        denoised = guide(prior, noisy, sigma, conditioning, unconditional, guidance_scale)
        gradient = level / (1 + level.square()) * (latents - denoised)
    return (gradient * latents).sum() / latents.numel()


@torch.no_grad()
def prompt_evidence(
    prior: Prior,
    latents: Float[Tensor, "B C f h w"],
    conditioning: Conditioning,
    unconditional: Conditioning,
    *,
    sigma: Float[Tensor, " B"],
    generator: torch.Generator,
) -> Float[Tensor, " B"]:
    """How much better the prior explains each clip with its prompt than without.

    The unconditional minus the conditional denoising error: the mean squared error of the clean
    estimate in units of the noise level. The plain error would favour the stillest clip, because
    stillness is easy to denoise; the difference does not.
    """
    sigma = prior.snap(sigma)
    noise = torch.randn(latents.shape, generator=generator).to(latents)
    level = per_sample(sigma, latents)
    both = prior.denoise(
        (latents + level * noise).repeat(2, 1, 1, 1, 1),
        sigma.repeat(2),
        Conditioning.cat([unconditional, conditioning]),
    )
    error = ((both - latents.repeat(2, 1, 1, 1, 1)) / level.repeat(2, 1, 1, 1, 1)).square()
    without, with_prompt = error.mean((1, 2, 3, 4)).chunk(2)
    return without - with_prompt
