"""Tiny random CogVideoX pipelines of three generations, in the real folder layout."""

from pathlib import Path
from typing import Any, Literal

import tiny_text
import torch

from motiondistill.priors.base import VideoFormat
from motiondistill.priors.loading import write_native

TEXT_LENGTH = 16
NATIVE = VideoFormat(fps=8.0, frames=9, height=32, width=48)

Generation = Literal["2b", "5b", "1.5"]


def tiny_pipeline(generation: Generation = "2b") -> Any:
    """A `CogVideoXPipeline` with random weights, 4x smaller in space and time; fixed seed."""
    import diffusers

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        tokenizer = tiny_text.tiny_tokenizer(TEXT_LENGTH)
        text_encoder = tiny_text.tiny_encoder(tokenizer)
        vae = diffusers.AutoencoderKLCogVideoX(
            down_block_types=("CogVideoXDownBlock3D",) * 3,
            up_block_types=("CogVideoXUpBlock3D",) * 3,
            block_out_channels=(4, 8, 8),
            latent_channels=4,
            layers_per_block=1,
            norm_num_groups=2,
            scaling_factor=0.7,
        )
        transformer = diffusers.CogVideoXTransformer3DModel(
            num_attention_heads=2,
            attention_head_dim=16,
            in_channels=4,
            out_channels=4,
            time_embed_dim=8,
            text_embed_dim=tiny_text.CHANNELS,
            num_layers=2,
            # Not the native clip's own, so that positions are stretched.
            sample_width=16,
            sample_height=10,
            sample_frames=9,
            patch_size_t=2 if generation == "1.5" else None,
            patch_bias=generation != "1.5",
            max_text_seq_length=TEXT_LENGTH,
            use_rotary_positional_embeddings=generation != "2b",
        )
        return diffusers.CogVideoXPipeline(
            tokenizer=tokenizer,
            text_encoder=text_encoder,
            vae=vae.eval(),
            transformer=transformer.eval(),
            scheduler=diffusers.CogVideoXDDIMScheduler(
                clip_sample=False,
                prediction_type="v_prediction",
                rescale_betas_zero_snr=True,
                snr_shift_scale=3.0 if generation == "2b" else 1.0,
                timestep_spacing="trailing",
            ),
        )


def save_tiny(
    folder: Path, dtype: torch.dtype = torch.float32, generation: Generation = "2b"
) -> Path:
    """The folder, now holding a tiny pipeline with its native clip."""
    tiny_pipeline(generation).to(dtype).save_pretrained(folder)
    write_native(folder, NATIVE, TEXT_LENGTH)
    return folder
