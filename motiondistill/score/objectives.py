"""Score-distillation objectives: scalars whose gradient in the latents is what a prior asks for."""

from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill.priors.base import Conditioning, Prior, per_sample
from motiondistill.priors.guidance import guide


@runtime_checkable  # for the type checks of the tests
class Objective(Protocol):
    """A scalar whose gradient in the latents is what the prior asks for at these noise levels."""

    def __call__(
        self,
        prior: Prior,
        latents: Float[Tensor, "B C f h w"],
        conditioning: Conditioning,
        unconditional: Conditioning,
        *,
        sigma: Float[Tensor, " B"],
        guidance_scale: float,
        generator: torch.Generator,
    ) -> Float[Tensor, ""]:
        """See `sds_loss`."""
        ...


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
    noisy = _noisy(latents, sigma, generator)
    with torch.no_grad():
        denoised = guide(prior, noisy, sigma, conditioning, unconditional, guidance_scale)
    return _with_gradient(latents, sigma, latents.detach() - denoised)


def csd_loss(
    prior: Prior,
    latents: Float[Tensor, "B C f h w"],
    conditioning: Conditioning,
    unconditional: Conditioning,
    *,
    sigma: Float[Tensor, " B"],
    guidance_scale: float,
    generator: torch.Generator,
) -> Float[Tensor, ""]:
    """Classifier score distillation (Yu et al. 2023, Eq. 7): guidance alone, weighted as in SDS.

    The gradient is `w s (D(negative) - D(prompt)) / sigma`, with SDS' weight w. SDS adds `w (x0 -
    D(negative)) / sigma`, a pull to the mean of all that the prior holds possible: where a denoiser
    is unsure of what moves, that is stillness. Both estimates here share this bias: it cancels.
    """
    sigma = prior.snap(sigma)
    noisy = _noisy(latents, sigma, generator)
    with torch.no_grad():
        both = prior.denoise(
            torch.cat([noisy, noisy]),
            torch.cat([sigma, sigma]),
            Conditioning.cat([unconditional, conditioning]),
        )
    without, with_prompt = both.chunk(2)
    return _with_gradient(latents, sigma, guidance_scale * (without - with_prompt))


@torch.no_grad()
def _noisy(
    latents: Float[Tensor, "B C f h w"], sigma: Float[Tensor, " B"], generator: torch.Generator
) -> Float[Tensor, "B C f h w"]:
    # Drawn on the CPU, so that a run on another device sees the same noise.
    noise = torch.randn(latents.shape, generator=generator).to(latents)
    return latents + per_sample(sigma, latents) * noise


def _with_gradient(
    latents: Float[Tensor, "B C f h w"],
    sigma: Float[Tensor, " B"],
    residual: Float[Tensor, "B C f h w"],
) -> Float[Tensor, ""]:
    """A scalar with the gradient `w residual / sigma` per latent, `w = sigma^2 / (1 + sigma^2)`."""
    level = per_sample(sigma, latents)
    gradient = level / (1 + level.square()) * residual.detach()
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
