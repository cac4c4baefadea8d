"""A tiny random AnimateDiff pipeline, built at test time in the real folder layout."""

from pathlib import Path
from typing import Any

import tiny_clip
import tiny_stable_diffusion
import torch

from motiondistill.priors.base import VideoFormat
from motiondistill.priors.loading import write_native

TEXT_LENGTH = tiny_clip.LENGTH
MAX_FRAMES = 6
NATIVE = VideoFormat(fps=8.0, frames=5, height=32, width=48)


def tiny_pipeline() -> Any:
    """An `AnimateDiffPipeline` with random weights, 4x smaller in space; fixed seed."""
    import diffusers

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        tokenizer = tiny_clip.tiny_tokenizer()
        adapter = diffusers.MotionAdapter(
            block_out_channels=(8, 16),
            motion_layers_per_block=1,
            motion_norm_num_groups=4,
            motion_num_attention_heads=2,
            motion_max_seq_length=MAX_FRAMES,
            use_motion_mid_block=False,
        )
        for name, parameter in adapter.named_parameters():
            # Motion layers start as the identity, which would hide them.
            if "proj_out.weight" in name:
                torch.nn.init.normal_(parameter, std=0.2)
        return diffusers.AnimateDiffPipeline(
            vae=tiny_clip.tiny_vae(),
            text_encoder=tiny_clip.tiny_encoder(tokenizer),
            tokenizer=tokenizer,
            unet=tiny_stable_diffusion.tiny_unet(),
            motion_adapter=adapter.eval(),
            scheduler=diffusers.DDIMScheduler(
                **{**tiny_clip.BETAS, "beta_schedule": "linear"},
                clip_sample=False,
                steps_offset=1,
                timestep_spacing="linspace",
            ),
        )


def save_tiny(folder: Path, dtype: torch.dtype = torch.float32) -> Path:
    """The folder, now holding a tiny pipeline with its native clip."""
    tiny_pipeline().to(dtype).save_pretrained(folder)
    write_native(folder, NATIVE, TEXT_LENGTH)
    return folder
