"""Mochi (Genmo 2024): rectified flow whose time runs from noise to data."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, final

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill.priors.base import (
    Conditioning,
    Denoiser,
    DiffusersPrior,
    TextEncoder,
    VideoFormat,
)
from motiondistill.priors.causal import CausalCodec, ruled, scaled_statistics
from motiondistill.priors.family import Checkpoint, Components, Family
from motiondistill.priors.random_weights import reinitialized
from motiondistill.priors.schedule import flow_schedule, linear_quadratic_times
from motiondistill.priors.text import T5Text, encode_without_padding

NATIVE: Final = VideoFormat(30.0, 163, 480, 848, frame_step=6, frame_offset=1, size_step=16)


@final
@dataclass(frozen=True)
class MochiDenoiser(Denoiser):
    """The transformer; padding of the text is left out of its attention."""

    transformer: Any

    def predict(
        self,
        scaled: Float[Tensor, "B C f h w"],
        time: Float[Tensor, " B"],
        conditioning: Conditioning,
    ) -> Float[Tensor, "B C f h w"]:
        dtype = self.transformer.dtype
        output: Tensor = self.transformer(
            hidden_states=scaled.to(dtype),
            encoder_hidden_states=conditioning.tensors["embeddings"].to(dtype),
            timestep=time,
            encoder_attention_mask=conditioning.tensors["mask"],
            return_dict=False,
        )[0]
        return output.to(scaled)

    def randomized(self, generator: torch.Generator) -> "MochiDenoiser":
        return MochiDenoiser(reinitialized(self.transformer, generator))


@final
@dataclass(frozen=True)
class NothingWhenEmpty(TextEncoder):
    """Another text encoder, but for the empty prompt, which becomes no token at all."""

    text: TextEncoder

    def embed(self, prompts: Sequence[str]) -> Conditioning:
        """Conditioning with `embeddings` [B L D] and `mask` [B L]."""
        conditioning = self.text.embed(prompts)
        embeddings, mask = conditioning.tensors["embeddings"], conditioning.tensors["mask"]
        present = torch.tensor([prompt != "" for prompt in prompts], device=mask.device)[:, None]
        return Conditioning(
            {"embeddings": embeddings * present[..., None].to(embeddings), "mask": mask & present}
        )


def mochi_prior(components: Components, native: VideoFormat, text_length: int) -> DiffusersPrior:
    """The prior made of a Mochi pipeline's components, for clips of the native frame rate.

    The rules of `native` are replaced by those of the networks. With an empty last prompt the
    pipeline forgets the whole batch; here every prompt stands for itself.
    """
    vae, transformer = components["vae"], components["transformer"]
    text: TextEncoder = T5Text(
        components["tokenizer"],
        components["text_encoder"],
        text_length,
        encode=encode_without_padding,
    )
    if components["model_index"].get("force_zeros_for_empty_prompt"):
        text = NothingWhenEmpty(text)
    mean, std = scaled_statistics(vae.config.latent_channels, vae.config.scaling_factor)
    if vae.config.latents_mean is not None and vae.config.latents_std is not None:
        mean, std = (
            torch.tensor(vae.config.latents_mean),
            torch.tensor(vae.config.latents_std) * std,
        )
    space_ratio = vae.spatial_compression_ratio
    return DiffusersPrior(
        codec=CausalCodec(
            vae,
            ruled(
                native,
                vae.temporal_compression_ratio,
                space_ratio * transformer.config.patch_size,
            ),
            mean,
            std,
            time_ratio=vae.temporal_compression_ratio,
            space_ratio=space_ratio,
        ),
        denoiser=MochiDenoiser(transformer),
        schedule=flow_schedule(components["scheduler"], linear_quadratic_times),
        text=text,
    )


FAMILY: Final = Family(
    title="Mochi",
    pipeline="MochiPipeline",
    kind="video",
    native=NATIVE,
    text_length=256,
    classes={
        "vae": "diffusers.AutoencoderKLMochi",
        "transformer": "diffusers.MochiTransformer3DModel",
        "text_encoder": "transformers.T5EncoderModel",
        "tokenizer": "transformers.T5Tokenizer",
    },
    compose=mochi_prior,
    checkpoints=(Checkpoint("mochi", "genmo/mochi-1-preview", "Apache-2.0", NATIVE),),
)
