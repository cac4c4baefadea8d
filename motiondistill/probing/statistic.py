"""How much better a prior explains clips with words than without."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill.priors.base import Prior, VideoFormat, per_sample


@torch.no_grad()
def errors(
    prior: Prior,
    latents: Float[Tensor, "B C f h w"],
    prompts: Sequence[str],
    sigma: Float[Tensor, " B"],
    noise: Float[Tensor, "B C f h w"],
) -> Float[Tensor, " B"]:
    """`|D(x + sigma n, c) - x|^2 / sigma^2`, the mean over each clip's latents; double precision.

    The unit is the noise level's, as in `prompt_evidence`. One prompt for each clip; the empty one
    is unconditional. `sigma` must be what `Prior.snap` gives.
    """
    level = per_sample(sigma, latents)
    clean = prior.denoise(latents + level * noise, sigma, prior.embed(list(prompts)))
    return ((clean - latents).double() / level).square().mean((1, 2, 3, 4))


def common_noise(
    native: VideoFormat, shape: tuple[int, int, int, int], generator: torch.Generator
) -> Float[Tensor, "C f h w"]:
    """Standard normal noise for all members of a pair.

    A prior of single images gets the same noise in every frame: it cannot know their order, and so
    it does not even by chance.
    """
    channels, frames, height, width = shape
    if takes_images(native):
        still = torch.randn((channels, 1, height, width), generator=generator)
        return still.expand(channels, frames, height, width)
    return torch.randn(shape, generator=generator)


def takes_images(native: VideoFormat) -> bool:
    """Whether the prior takes any number of single images, which know nothing of each other."""
    return (native.frames, native.frame_step, native.frame_offset) == (1, 1, 0)
