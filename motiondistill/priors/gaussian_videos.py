"""Gaussian videos: a prior of any prompt and any size, whose every answer is known.

A prompt stands for a mean `m ~ N(grey, S)`, and its videos are `N(m, C)`; without a prompt, videos
are `N(grey, S + C)`. Colours are independent, and both covariances are diagonal in waves: the
cosine transform over frames, height and width. So `E[x0 | x_sigma] = m + C (C + sigma^2)^-1
(x_sigma - m)`, wave by wave, and nothing is learnt. It has seen no person: it is an oracle for
whole loops, and a control for priors that have.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, final

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from motiondistill.priors.base import (
    Conditioning,
    Denoiser,
    DiffusersPrior,
    TextEncoder,
    VideoFormat,
    check_prompts,
    per_sample,
)
from motiondistill.priors.pixels import PIXEL_CHANNELS, PixelCodec
from motiondistill.priors.schedule import FlowSchedule
from motiondistill.randomness import seeded

NATIVE: Final = VideoFormat(fps=8.0, frames=16, height=64, width=64)

PROMPT_WAVES: Final = 4
"""Waves along each axis, the constant one among them, that prompts differ in."""
PROMPT_VARIANCE: Final = 0.1
"""Of a pixel of a prompt's mean, among prompts; pixels are in [-1, 1]."""
VIDEO_VARIANCE: Final = 0.05
"""Of a pixel of a prompt's videos."""
DECAY: Final = 2.0
"""Variances fall with the wave number k as (1 + k^2)^-DECAY: nearby pixels are alike."""


@final
@dataclass(frozen=True)
class PromptWaves(TextEncoder):
    """A prompt as the waves of its mean: standard normal numbers that its letters seed.

    The empty prompt has none: `unknown` is 1 for it, and 0 for all others.
    """

    def embed(self, prompts: Sequence[str]) -> Conditioning:
        """See `Prior.embed`; `waves` [B 3 4 4 4] and `unknown` [B]."""
        check_prompts(prompts)
        shape = PIXEL_CHANNELS, PROMPT_WAVES, PROMPT_WAVES, PROMPT_WAVES
        waves = [
            torch.randn(shape, generator=seeded(0, 0, f"waves of {prompt}"))
            if prompt
            else torch.zeros(shape)
            for prompt in prompts
        ]
        unknown = torch.tensor([0.0 if prompt else 1.0 for prompt in prompts])
        return Conditioning({"waves": torch.stack(waves), "unknown": unknown})


@final
@dataclass(frozen=True)
class GaussianDenoiser(Denoiser):
    """The flow of Gaussian videos in closed form; its time is that of `FlowSchedule`."""

    schedule: FlowSchedule

    def predict(
        self,
        scaled: Float[Tensor, "B C f h w"],
        time: Float[Tensor, " B"],
        conditioning: Conditioning,
    ) -> Float[Tensor, "B C f h w"]:
        tau = per_sample(time / self.schedule.num_train_timesteps, scaled)
        unknown = per_sample(conditioning.tensors["unknown"], scaled)
        size = scaled.shape[2:]
        own, among = (spread.to(scaled) for spread in spreads(*size))
        variance = own + unknown * among
        mean = torch.zeros_like(scaled)
        low = tuple(slice(min(side, PROMPT_WAVES)) for side in size)
        index = (slice(None), slice(None), *low)
        mean[index] = conditioning.tensors["waves"].to(scaled)[index] * among[low].sqrt()
        # Of `scaled = (1 - tau) x0 + tau noise`: divided by nothing that comes near to zero.
        gain = (1 - tau) * variance / ((1 - tau) ** 2 * variance + tau**2)
        clean = mean + gain * (to_waves(scaled) - (1 - tau) * mean)
        return (scaled - from_waves(clean)) / tau

    def randomized(self, generator: Generator) -> "GaussianDenoiser":
        raise ValueError(
            "`prior.weights` must be pretrained for prior.model=gaussian, which has no weights; "
            "leave it out."
        )


def gaussian_videos() -> DiffusersPrior:
    """The prior, in pixels; frames, height and width may be any."""
    schedule = FlowSchedule()
    return DiffusersPrior(
        codec=PixelCodec(NATIVE),
        denoiser=GaussianDenoiser(schedule),
        schedule=schedule,
        text=PromptWaves(),
    )


def spreads(
    frames: int, height: int, width: int
) -> tuple[Float[Tensor, "F H W"], Float[Tensor, "F H W"]]:
    """Variances of the waves: of one prompt's videos, and of the means among prompts."""
    axes = [torch.arange(side) for side in (frames, height, width)]
    waves = torch.stack(torch.meshgrid(*axes, indexing="ij"))
    falling = (1.0 + waves.square().sum(0)) ** -DECAY
    low = falling * (waves < PROMPT_WAVES).all(0)
    pixels = frames * height * width
    own = VIDEO_VARIANCE * pixels * falling / falling.sum()
    return own, PROMPT_VARIANCE * pixels * low / low.sum()


def to_waves(video: Float[Tensor, "*any F H W"]) -> Float[Tensor, "*any F H W"]:
    """The cosine transform over the last three axes; orthonormal."""
    for axis in (-3, -2, -1):
        matrix = cosines(video.shape[axis]).to(video)
        video = (video.movedim(axis, -1) @ matrix.mT).movedim(-1, axis)
    return video


def from_waves(waves: Float[Tensor, "*any F H W"]) -> Float[Tensor, "*any F H W"]:
    """The inverse of `to_waves`."""
    for axis in (-3, -2, -1):
        matrix = cosines(waves.shape[axis]).to(waves)
        waves = (waves.movedim(axis, -1) @ matrix).movedim(-1, axis)
    return waves


def cosines(side: int) -> Float[Tensor, "side side"]:
    """The orthonormal DCT-II: row k holds `sqrt(2 / n) cos(pi k (i + 1/2) / n)`, row 0 a constant.

    (Ahmed, Natarajan and Rao 1974)
    """
    index = torch.arange(side, dtype=torch.float64)
    matrix = (math.pi / side * index[:, None] * (index + 0.5)).cos() * math.sqrt(2 / side)
    matrix[0] /= math.sqrt(2)
    return matrix
