"""A tiny random Stable Diffusion XL pipeline, built at test time in the real folder layout."""

from pathlib import Path
from typing import Any

import tiny_clip
import torch

from motiondistill.priors.base import VideoFormat
from motiondistill.priors.loading import write_native

TEXT_LENGTH = tiny_clip.LENGTH
NATIVE = VideoFormat(fps=8.0, frames=2, height=32, width=48)
PROJECTION = 24


def tiny_pipeline(zero_for_empty: bool = True) -> Any:
    """A `StableDiffusionXLPipeline` with random weights, 4x smaller in space; fixed seed."""
    import diffusers

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        tokenizer = tiny_clip.tiny_tokenizer()
        unet = diffusers.UNet2DConditionModel(
            block_out_channels=(8, 16),
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
            layers_per_block=1,
            cross_attention_dim=2 * tiny_clip.CHANNELS,
            attention_head_dim=4,
            norm_num_groups=4,
            use_linear_projection=True,
            addition_embed_type="text_time",
            addition_time_embed_dim=8,
            projection_class_embeddings_input_dim=6 * 8 + PROJECTION,
        )
        return diffusers.StableDiffusionXLPipeline(
            vae=tiny_clip.tiny_vae(scaling_factor=0.13025),
            text_encoder=tiny_clip.tiny_encoder(tokenizer),
            text_encoder_2=tiny_clip.tiny_encoder(tokenizer, projection=PROJECTION),
            tokenizer=tokenizer,
            tokenizer_2=tokenizer,
            unet=unet.eval(),
            scheduler=diffusers.EulerDiscreteScheduler(
                **tiny_clip.BETAS, timestep_spacing="leading", steps_offset=1
            ),
            force_zeros_for_empty_prompt=zero_for_empty,
            add_watermarker=False,
        )


def save_tiny(
    folder: Path, dtype: torch.dtype = torch.float32, zero_for_empty: bool = True
) -> Path:
    """The folder, now holding a tiny pipeline with its native clip."""
    tiny_pipeline(zero_for_empty).to(dtype).save_pretrained(folder)
    write_native(folder, NATIVE, TEXT_LENGTH)
    return folder
