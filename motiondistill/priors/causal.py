"""Causal video autoencoders: the first frame stands for itself, later ones are compressed in time.

CogVideoX, LTX, Wan, HunyuanVideo and Mochi differ in numbers, and in how a network is called.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill.priors.base import Codec, VideoFormat


def posterior_mode(
    vae: Any, centred: Float[Tensor, "B 3 F H W"]
) -> Float[Tensor, "B C f height width"]:
    """The mode of what the encoder believes about a clip in [-1, 1]; draws no random numbers."""
    mode: Tensor = vae.encode(centred).latent_dist.mode()
    return mode


def plain_decoding(
    vae: Any, raw: Float[Tensor, "B C f h w"]
) -> Float[Tensor, "B 3 F height width"]:
    """The clip of raw latents, in [-1, 1] or a little beyond."""
    clip: Tensor = vae.decode(raw).sample
    return clip


@final
@dataclass(frozen=True)
class CausalCodec(Codec):
    """A causal video autoencoder; latents are normalised by the statistics of its training set."""

    vae: Any
    video_format: VideoFormat
    mean: Float[Tensor, " C"]
    """Of the raw latents, channel by channel."""
    std: Float[Tensor, " C"]
    time_ratio: int
    """Frames for each latent after the first."""
    space_ratio: int
    """Pixels along a side for each latent."""
    repeats: int = 0
    """How often the first latent stands in front of itself, for patches that span several."""
    posterior: Callable[[Any, Tensor], Tensor] = posterior_mode
    """The raw latents of (autoencoder, clip)."""
    reconstruct: Callable[[Any, Tensor], Tensor] = plain_decoding
    """The clip of (autoencoder, raw latents)."""

    @property
    def format(self) -> VideoFormat:
        return self.video_format

    def encode(self, video: Float[Tensor, "B F 3 H W"]) -> Float[Tensor, "B C f h w"]:
        centred = video.transpose(1, 2) * 2 - 1
        raw = self.posterior(self.vae, centred.to(self.vae.dtype)).to(video)
        latents = (raw - _channels(self.mean, raw)) / _channels(self.std, raw)
        return torch.cat([latents[:, :, :1]] * self.repeats + [latents], dim=2)

    def decode(self, latents: Float[Tensor, "B C f h w"]) -> Float[Tensor, "B F 3 H W"]:
        raw = latents * _channels(self.std, latents) + _channels(self.mean, latents)
        raw = raw[:, :, self.repeats :].to(self.vae.dtype)
        centred = self.reconstruct(self.vae, raw).to(latents)
        return (centred.transpose(1, 2) / 2 + 0.5).clamp(0, 1)

    def latent_shape(self, frames: int, height: int, width: int) -> tuple[int, int, int, int]:
        return (
            len(self.mean),
            (frames - 1) // self.time_ratio + 1 + self.repeats,
            height // self.space_ratio,
            width // self.space_ratio,
        )


def scaled_statistics(
    channels: int, scaling_factor: float
) -> tuple[Float[Tensor, " C"], Float[Tensor, " C"]]:
    """Mean and standard deviation that amount to `latents = raw * scaling_factor`."""
    return torch.zeros(channels), torch.full((channels,), 1 / scaling_factor)


def ruled(native: VideoFormat, frame_step: int, size_step: int) -> VideoFormat:
    """The native clip with the rules of a causal autoencoder: `frame_step * k + 1` frames.

    Raises ValueError if the native clip breaks them.
    """
    video_format = dataclasses.replace(
        native, frame_step=frame_step, frame_offset=1, size_step=size_step
    )
    video_format.check(native.frames, native.height, native.width)
    return video_format


def _channels(
    values: Float[Tensor, " C"], like: Float[Tensor, "B C f h w"]
) -> Float[Tensor, "1 C 1 1 1"]:
    return values.to(like).view(1, -1, 1, 1, 1)
