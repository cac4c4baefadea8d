"""Latents drawn from a prior by one deterministic sampler, the same for every family."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill.priors.base import Prior
from motiondistill.priors.guidance import guide


@final
@dataclass(frozen=True)
class SamplingStep:
    """One step: the noisy latents after it, their noise level, and the clean estimate it used."""

    index: int
    sigma: float
    x_sigma: Float[Tensor, "B C f h w"]
    clean: Float[Tensor, "B C f h w"]


def euler_steps(
    denoise: Callable[[Tensor, Tensor], Tensor],
    noise: Float[Tensor, "B C f h w"],
    sigmas: Float[Tensor, " steps_and_one"],
) -> Iterator[SamplingStep]:
    """Every Euler step of `dx / dsigma = (x - D(x, sigma)) / sigma`, from `sigmas[0] * noise`.

    Karras et al. 2022, Alg. 1 without its correction. For flow models this is Euler in flow time
    too: both keep the clean estimate and the noise estimate and mix them anew.
    """
    x_sigma = sigmas[0].to(noise) * noise
    for index, (sigma, next_sigma) in enumerate(itertools.pairwise(sigmas)):
        clean = denoise(x_sigma, sigma.to(noise).expand(len(noise)))
        # As a mixture, so that the last step, to sigma 0, gives the clean estimate exactly.
        x_sigma = clean + (next_sigma / sigma).to(noise) * (x_sigma - clean)
        yield SamplingStep(index, next_sigma.item(), x_sigma, clean)


def sampling_steps(
    prior: Prior,
    prompts: Sequence[str],
    *,
    generator: torch.Generator,
    num_steps: int = 30,
    guidance_scale: float = 3.0,
    negative_prompts: Sequence[str] = (),
    size: tuple[int, int, int] | None = None,
) -> Iterator[SamplingStep]:
    """The steps of sampling one clip per prompt; the last step's `x_sigma` are clean latents.

    `size` is (frames, height, width), by default the prior's native one.
    """
    frames, height, width = size or (prior.format.frames, prior.format.height, prior.format.width)
    shape = prior.latent_shape(frames, height, width)
    conditioning = prior.embed(prompts)
    unconditional = prior.embed(negative_prompts or [""] * len(prompts))
    device = next(iter(conditioning.tensors.values())).device
    noise = torch.randn(len(prompts), *shape, generator=generator, device=generator.device)

    @torch.no_grad()
    def denoise(x_sigma: Tensor, sigma: Tensor) -> Tensor:
        return guide(prior, x_sigma, sigma, conditioning, unconditional, guidance_scale)

    yield from euler_steps(denoise, noise.to(device), prior.sampling_sigmas(num_steps, shape))


def sample(
    prior: Prior,
    prompts: Sequence[str],
    *,
    generator: torch.Generator,
    num_steps: int = 30,
    guidance_scale: float = 3.0,
    negative_prompts: Sequence[str] = (),
    size: tuple[int, int, int] | None = None,
) -> Float[Tensor, "B C f h w"]:
    """Clean latents of one clip per prompt; `prior.decode` makes them videos."""
    *_, last = sampling_steps(
        prior,
        prompts,
        generator=generator,
        num_steps=num_steps,
        guidance_scale=guidance_scale,
        negative_prompts=negative_prompts,
        size=size,
    )
    return last.x_sigma
