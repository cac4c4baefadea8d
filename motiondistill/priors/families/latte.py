"""Latte (Ma et al. 2024): diffusion on single-frame latents, with attention in space and time."""

import dataclasses
from dataclasses import dataclass
from typing import Any, Final, final

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill.priors.base import Conditioning, Denoiser, DiffusersPrior, VideoFormat
from motiondistill.priors.family import Checkpoint, Components, Family
from motiondistill.priors.framewise import FramewiseCodec, space_ratio
from motiondistill.priors.random_weights import reinitialized
from motiondistill.priors.text import T5Text, encode_without_padding, plain_prompt
from motiondistill.priors.vp_schedule import vp_schedule

NATIVE: Final = VideoFormat(8.0, 16, 512, 512, frame_step=0, frame_offset=16, size_step=16)
"""The released checkpoint's defaults; the rules for other clips come from the networks."""


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


def latte_prior(components: Components, native: VideoFormat, text_length: int) -> DiffusersPrior:
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
    video_format = dataclasses.replace(
        native,
        frame_step=0,
        frame_offset=transformer.config.video_length,
        size_step=space_ratio(vae) * transformer.config.patch_size,
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


FAMILY = Family(
    title="Latte",
    pipeline="LattePipeline",
    kind="video",
    native=NATIVE,
    text_length=120,
    classes={
        "vae": "diffusers.AutoencoderKL",
        "transformer": "diffusers.LatteTransformer3DModel",
        "text_encoder": "transformers.T5EncoderModel",
        "tokenizer": "transformers.T5Tokenizer",
    },
    compose=latte_prior,
    checkpoints=(Checkpoint("latte", "maxin-cn/Latte-1", "Apache-2.0", NATIVE),),
)
