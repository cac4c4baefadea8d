"""CogVideoX (Yang et al. 2024): velocity prediction on the latents of a causal autoencoder.

Three generations of one pipeline: 2b has sinusoidal positions, 5b rotary ones stretched to its
native size, 1.5 rotary ones that count patches, and patches of two latent frames.
"""

from dataclasses import dataclass
from typing import Any, Final, final

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill.priors.base import Conditioning, Denoiser, DiffusersPrior, VideoFormat
from motiondistill.priors.causal import CausalCodec, ruled, scaled_statistics
from motiondistill.priors.family import Checkpoint, Components, Family
from motiondistill.priors.framewise import space_ratio
from motiondistill.priors.random_weights import reinitialized
from motiondistill.priors.text import T5Text
from motiondistill.priors.vp_schedule import vp_schedule

NATIVE: Final = VideoFormat(8.0, 49, 480, 720, frame_step=8, frame_offset=1, size_step=16)
NATIVE_1_5: Final = VideoFormat(16.0, 81, 768, 1360, frame_step=8, frame_offset=1, size_step=16)

FRAME_STEP: Final = 8
"""Frames that the autoencoder takes at once, after the first one."""


@final
@dataclass(frozen=True)
class CogVideoXDenoiser(Denoiser):
    """The transformer, which wants latent frames before channels."""

    transformer: Any

    def predict(
        self,
        scaled: Float[Tensor, "B C f h w"],
        time: Float[Tensor, " B"],
        conditioning: Conditioning,
    ) -> Float[Tensor, "B C f h w"]:
        dtype = self.transformer.dtype
        # No mask: the padding of a prompt is attended to, as in training.
        output: Tensor = self.transformer(
            hidden_states=scaled.transpose(1, 2).to(dtype),
            encoder_hidden_states=conditioning.tensors["embeddings"].to(dtype),
            timestep=time,
            image_rotary_emb=_rotations(self.transformer.config, scaled),
            return_dict=False,
        )[0]
        return output.transpose(1, 2).to(scaled)

    def randomized(self, generator: torch.Generator) -> "CogVideoXDenoiser":
        return CogVideoXDenoiser(reinitialized(self.transformer, generator))


def fitted_region(
    grid: tuple[int, int], native: tuple[int, int]
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Where a grid of patches lies, top left and bottom right, in the native one.

    Stretched until it touches two opposite sides, and centred between the others (5b was trained
    with positions of one size).
    """
    (height, width), (native_height, native_width) = grid, native
    if height / width > native_height / native_width:
        size = native_height, round(native_height / height * width)
    else:
        size = round(native_width / width * height), native_width
    top, left = (round((whole - part) / 2) for whole, part in zip(native, size, strict=True))
    return (top, left), (top + size[0], left + size[1])


def cogvideox_prior(
    components: Components, native: VideoFormat, text_length: int
) -> DiffusersPrior:
    """The prior made of a CogVideoX pipeline's components, for clips of the native frame rate.

    The rules of `native` are replaced by those of the networks. 8k+1 frames give 2k+1 latent frames
    (the autoencoder's own rule; it can take 4k+1, as no released model was trained). For 1.5 the
    first latent is repeated, so that pairs of them make patches, as in its training.
    """
    vae, config = components["vae"], components["transformer"].config
    if text_length != config.max_text_seq_length and not config.use_rotary_positional_embeddings:
        raise ValueError(
            f"`text_length` of this CogVideoX must be {config.max_text_seq_length}, the length its "
            f"transformer has positions for, got {text_length}; change motiondistill.json."
        )
    if config.patch_size_t not in (None, 2):
        raise ValueError(
            f"`patch_size_t` of a CogVideoX transformer must be null or 2, got "
            f"{config.patch_size_t}; use a released checkpoint."
        )
    pixels = space_ratio(vae)
    mean, std = scaled_statistics(vae.config.latent_channels, vae.config.scaling_factor)
    return DiffusersPrior(
        codec=CausalCodec(
            vae,
            ruled(native, FRAME_STEP, pixels * config.patch_size),
            mean,
            std,
            time_ratio=int(vae.config.temporal_compression_ratio),
            space_ratio=pixels,
            repeats=0 if config.patch_size_t is None else 1,
        ),
        denoiser=CogVideoXDenoiser(components["transformer"]),
        schedule=vp_schedule(components["scheduler"]),
        text=T5Text(components["tokenizer"], components["text_encoder"], text_length),
    )


def _rotations(
    config: Any, scaled: Float[Tensor, "B C f h w"]
) -> tuple[Float[Tensor, "tokens head"], Float[Tensor, "tokens head"]] | None:
    """Cosines and sines of every token's position; None for sinusoidal positions."""
    if not config.use_rotary_positional_embeddings:
        return None
    from diffusers.models.embeddings import get_3d_rotary_pos_embed

    frames, height, width = scaled.shape[2:]
    grid = height // config.patch_size, width // config.patch_size
    if config.patch_size_t is None:
        native = config.sample_height // config.patch_size, config.sample_width // config.patch_size
        cosines, sines = get_3d_rotary_pos_embed(
            config.attention_head_dim,
            fitted_region(grid, native),
            grid,
            temporal_size=frames,
            device=scaled.device,
        )
    else:
        cosines, sines = get_3d_rotary_pos_embed(
            config.attention_head_dim,
            None,
            grid,
            temporal_size=frames // config.patch_size_t,
            grid_type="slice",
            max_size=grid,
            device=scaled.device,
        )
    return cosines, sines


LICENCE: Final = "CogVideoX"

FAMILY: Final = Family(
    title="CogVideoX",
    pipeline="CogVideoXPipeline",
    kind="video",
    native=NATIVE,
    text_length=226,
    classes={
        "vae": "diffusers.AutoencoderKLCogVideoX",
        "transformer": "diffusers.CogVideoXTransformer3DModel",
        "text_encoder": "transformers.T5EncoderModel",
        "tokenizer": "transformers.T5Tokenizer",
    },
    compose=cogvideox_prior,
    checkpoints=(
        Checkpoint("cogvideox-2b", "zai-org/CogVideoX-2b", "Apache-2.0", NATIVE),
        Checkpoint("cogvideox-5b", "zai-org/CogVideoX-5b", LICENCE, NATIVE),
        Checkpoint("cogvideox-1.5-5b", "zai-org/CogVideoX1.5-5B", LICENCE, NATIVE_1_5),
    ),
)
