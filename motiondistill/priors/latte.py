"""Latte (Ma et al. 2024): diffusion on single-frame latents, with attention in space and time."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill.priors.base import (
    Codec,
    Conditioning,
    Denoiser,
    DiffusersPrior,
    VideoFormat,
)
from motiondistill.priors.random_weights import reinitialized
from motiondistill.priors.text import T5Text, encode_without_padding
from motiondistill.priors.vp_schedule import vp_schedule

NATIVE = VideoFormat(fps=8.0, frames=16, height=512, width=512)
"""The released checkpoint's defaults; the rules for other clips come from the networks."""


@final
@dataclass(frozen=True)
class FramewiseCodec(Codec):
    """An image autoencoder on every frame by itself; latents are scaled to about unit variance."""

    vae: Any
    video_format: VideoFormat

    @property
    def format(self) -> VideoFormat:
        return self.video_format

    def encode(self, video: Float[Tensor, "B F 3 H W"]) -> Float[Tensor, "B C f h w"]:
        centred = (video * 2 - 1).flatten(0, 1).to(self.vae.dtype)
        mode: Tensor = self.vae.encode(centred).latent_dist.mode().to(video)
        frames = mode.view(*video.shape[:2], *mode.shape[1:])
        latents: Tensor = frames.transpose(1, 2) * self.vae.config.scaling_factor
        return latents

    def decode(self, latents: Float[Tensor, "B C f h w"]) -> Float[Tensor, "B F 3 H W"]:
        frames: Tensor = latents.transpose(1, 2) / self.vae.config.scaling_factor
        centred: Tensor = self.vae.decode(frames.flatten(0, 1).to(self.vae.dtype)).sample
        video = (centred.to(latents) / 2 + 0.5).clamp(0, 1)
        return video.view(*frames.shape[:2], *video.shape[1:])

    def latent_shape(self, frames: int, height: int, width: int) -> tuple[int, int, int, int]:
        space = _space_ratio(self.vae)
        return self.vae.config.latent_channels, frames, height // space, width // space


@final
@dataclass(frozen=True)
class LatteDenoiser(Denoiser):
    """The transformer; it also predicts a variance in further channels, which is not used."""

    transformer: Any

    def predict(
        self,
        scaled: Float[Tensor, "B C f h w"],
        time: Float[Tensor, " B"],
        conditioning: Conditioning,
    ) -> Float[Tensor, "B C f h w"]:
        dtype = self.transformer.dtype
        # No mask for the text: padding is attended to as zeros, as in the pipeline.
        output: Tensor = self.transformer(
            hidden_states=scaled.to(dtype),
            timestep=time,
            encoder_hidden_states=conditioning.tensors["embeddings"].to(dtype),
            return_dict=False,
        )[0]
        return output[:, : scaled.shape[1]].to(scaled)

    def randomized(self, generator: torch.Generator) -> "LatteDenoiser":
        return LatteDenoiser(reinitialized(self.transformer, generator))


def plain_prompt(prompt: str) -> str:
    """The prompt in small letters without outer space, as the pipeline reads it uncleaned."""
    return prompt.lower().strip()


def latte_prior(
    components: Mapping[str, Any], native: VideoFormat, text_length: int
) -> DiffusersPrior:
    """The prior made of a Latte pipeline's components, for clips of the native frame rate.

    `components` holds vae, transformer, text_encoder, tokenizer, and the scheduler's configuration.
    The rules of `native` are replaced by those of the networks: positions in time are fixed for one
    number of frames, positions in space are stretched to any size.

    Text follows the pipeline for two and more prompts, whose padding becomes zeros, so that a
    prompt means the same whatever its company; a single prompt the pipeline cuts to its length
    instead. It leaves the padding of negative prompts as it is; here all prompts are alike.
    """
    vae, transformer = components["vae"], components["transformer"]
    for name in ("shift_factor", "latents_mean", "latents_std"):
        if vae.config.get(name) is not None:
            # The pipeline ignores it, so nobody can know whether the transformer expects it.
            raise ValueError(
                f"`{name}` of a Latte autoencoder must be null, got {vae.config[name]!r}; "
                "use scaling_factor alone."
            )
    video_format = VideoFormat(
        native.fps,
        native.frames,
        native.height,
        native.width,
        frame_step=0,
        frame_offset=transformer.config.video_length,
        size_step=_space_ratio(vae) * transformer.config.patch_size,
    )
    video_format.check(native.frames, native.height, native.width)
    return DiffusersPrior(
        codec=FramewiseCodec(vae, video_format),
        denoiser=LatteDenoiser(transformer),
        schedule=vp_schedule(components["scheduler"]),
        text=T5Text(
            components["tokenizer"],
            components["text_encoder"],
            text_length,
            prepare=plain_prompt,
            encode=encode_without_padding,
        ),
    )


def _space_ratio(vae: Any) -> int:
    ratio: int = 2 ** (len(vae.config.block_out_channels) - 1)
    return ratio
