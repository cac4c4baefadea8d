"""A tiny random Stable Diffusion pipeline, built at test time in the real folder layout."""

from pathlib import Path
from typing import Any

import tiny_clip
import torch

from motiondistill.priors.base import VideoFormat
from motiondistill.priors.loading import write_native

TEXT_LENGTH = tiny_clip.LENGTH
NATIVE = VideoFormat(fps=8.0, frames=2, height=32, width=48)


def tiny_unet() -> Any:
    """An image UNet with random weights from the global generator, for latents of 4 channels."""
    from diffusers import UNet2DConditionModel

    return UNet2DConditionModel(
        block_out_channels=(8, 16),
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        layers_per_block=1,
        cross_attention_dim=tiny_clip.CHANNELS,
        attention_head_dim=4,
        norm_num_groups=4,
    ).eval()


def tiny_pipeline(scheduler: str = "DDIMScheduler", **options: Any) -> Any:
    """A `StableDiffusionPipeline` with random weights, 4x smaller in space; fixed seed.

    `options` are further entries of the configuration of the scheduler of that name.
    """
    import diffusers

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        tokenizer = tiny_clip.tiny_tokenizer()
        kind = getattr(diffusers, scheduler)
        config = {**tiny_clip.BETAS, "clip_sample": False, "steps_offset": 1, **options}
        return diffusers.StableDiffusionPipeline(
            vae=tiny_clip.tiny_vae(),
            text_encoder=tiny_clip.tiny_encoder(tokenizer),
            tokenizer=tokenizer,
            unet=tiny_unet(),
            scheduler=kind.from_config(config),
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        )


def save_tiny(
    folder: Path,
    dtype: torch.dtype = torch.float32,
    scheduler: str = "DDIMScheduler",
    **options: Any,
) -> Path:
    """The folder, now holding a tiny pipeline with its native clip."""
    tiny_pipeline(scheduler, **options).to(dtype).save_pretrained(folder)
    write_native(folder, NATIVE, TEXT_LENGTH)
    return folder
