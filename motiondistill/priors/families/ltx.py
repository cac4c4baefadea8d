"""LTX-Video (HaCohen et al. 2024): rectified flow on the tokens of a causal video autoencoder."""

from dataclasses import dataclass
from typing import Any, Final, final

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill.priors.base import Conditioning, Denoiser, DiffusersPrior, VideoFormat
from motiondistill.priors.causal import CausalCodec, ruled
from motiondistill.priors.family import Checkpoint, Components, Family
from motiondistill.priors.random_weights import reinitialized
from motiondistill.priors.schedule import flow_schedule
from motiondistill.priors.text import T5Text

NATIVE: Final = VideoFormat(25.0, 161, 512, 704, frame_step=8, frame_offset=1, size_step=32)
"""The released checkpoints' defaults; the rules for other clips come from the autoencoder."""


def decode_without_noise(
    vae: Any, raw: Float[Tensor, "B C f h w"]
) -> Float[Tensor, "B 3 F height width"]:
    """The clip in [-1, 1]; tells decoders that remove a last trace of noise that there is none."""
    time = raw.new_zeros(len(raw)) if vae.config.timestep_conditioning else None
    clip: Tensor = vae.decode(raw, time).sample
    return clip


@final
@dataclass(frozen=True)
class LTXDenoiser(Denoiser):
    """The transformer; positions are given to it in seconds and pixels."""

    transformer: Any
    seconds_per_latent: float
    pixels_per_latent: int

    def predict(
        self,
        scaled: Float[Tensor, "B C f h w"],
        time: Float[Tensor, " B"],
        conditioning: Conditioning,
    ) -> Float[Tensor, "B C f h w"]:
        frames, height, width = scaled.shape[2:]
        dtype = self.transformer.dtype
        tokens = scaled.flatten(2).transpose(1, 2)
        output: Tensor = self.transformer(
            hidden_states=tokens.to(dtype),
            encoder_hidden_states=conditioning.tensors["embeddings"].to(dtype),
            encoder_attention_mask=conditioning.tensors["mask"],
            timestep=time,
            num_frames=frames,
            height=height,
            width=width,
            rope_interpolation_scale=(
                self.seconds_per_latent,
                self.pixels_per_latent,
                self.pixels_per_latent,
            ),
            return_dict=False,
        )[0]
        return output.transpose(1, 2).reshape(scaled.shape).to(scaled)

    def randomized(self, generator: torch.Generator) -> "LTXDenoiser":
        fresh = reinitialized(self.transformer, generator)
        return LTXDenoiser(fresh, self.seconds_per_latent, self.pixels_per_latent)


def ltx_prior(components: Components, native: VideoFormat, text_length: int) -> DiffusersPrior:
    """The prior made of an LTX pipeline's components, for clips of the native frame rate.

    `components` holds vae, transformer, text_encoder, tokenizer, and the scheduler's configuration.
    The rules of `native` are replaced by those of the autoencoder.
    """
    vae, transformer = components["vae"], components["transformer"]
    patches = (transformer.config.patch_size, transformer.config.patch_size_t)
    if patches != (1, 1):
        # The pipeline counts tokens before patching, so it contradicts itself otherwise.
        raise ValueError(
            f"`patch_size` and `patch_size_t` of an LTX transformer must be 1, got {patches}; "
            "use a released checkpoint."
        )
    time_ratio, space_ratio = vae.temporal_compression_ratio, vae.spatial_compression_ratio
    return DiffusersPrior(
        codec=CausalCodec(
            vae,
            ruled(native, time_ratio, space_ratio),
            vae.latents_mean.float(),
            vae.latents_std.float() / vae.config.scaling_factor,
            time_ratio=time_ratio,
            space_ratio=space_ratio,
            reconstruct=decode_without_noise,
        ),
        denoiser=LTXDenoiser(transformer, time_ratio / native.fps, space_ratio),
        schedule=flow_schedule(components["scheduler"]),
        text=T5Text(components["tokenizer"], components["text_encoder"], text_length),
    )


FAMILY = Family(
    title="LTX-Video",
    pipeline="LTXPipeline",
    kind="video",
    native=NATIVE,
    text_length=128,
    classes={
        "vae": "diffusers.AutoencoderKLLTXVideo",
        "transformer": "diffusers.LTXVideoTransformer3DModel",
        "text_encoder": "transformers.T5EncoderModel",
        "tokenizer": "transformers.T5Tokenizer",
    },
    compose=ltx_prior,
    checkpoints=(Checkpoint("ltx", "Lightricks/LTX-Video", "LTX-Video Open Weights", NATIVE),),
)
