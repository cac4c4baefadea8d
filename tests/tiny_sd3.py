"""A tiny random Stable Diffusion 3 pipeline, built at test time in the real folder layout."""

from pathlib import Path
from typing import Any

import tiny_clip
import tiny_text
import torch

from motiondistill.priors.base import VideoFormat
from motiondistill.priors.loading import write_native

TEXT_LENGTH = 16
NATIVE = VideoFormat(fps=8.0, frames=2, height=32, width=48)
CHANNELS = 40  # more than both CLIPs have together


def tiny_pipeline(with_t5: bool = True, **scheduler: Any) -> Any:
    """A `StableDiffusion3Pipeline` with random weights, 4x smaller in space; fixed seed."""
    import diffusers

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        tokenizer = tiny_clip.tiny_tokenizer()
        t5_tokenizer = tiny_text.tiny_tokenizer(TEXT_LENGTH)
        transformer = diffusers.SD3Transformer2DModel(
            sample_size=8,
            patch_size=2,
            in_channels=4,
            out_channels=4,
            num_layers=2,
            attention_head_dim=8,
            num_attention_heads=2,
            joint_attention_dim=CHANNELS,
            caption_projection_dim=16,
            pooled_projection_dim=2 * 12,
            pos_embed_max_size=16,
        )
        return diffusers.StableDiffusion3Pipeline(
            transformer=transformer.eval(),
            scheduler=diffusers.FlowMatchEulerDiscreteScheduler(**{"shift": 3.0, **scheduler}),
            vae=tiny_clip.tiny_vae(
                scaling_factor=1.5305,
                shift_factor=0.0609,
                use_quant_conv=False,
                use_post_quant_conv=False,
            ),
            text_encoder=tiny_clip.tiny_encoder(tokenizer, projection=12),
            tokenizer=tokenizer,
            text_encoder_2=tiny_clip.tiny_encoder(tokenizer, projection=12),
            tokenizer_2=tokenizer,
            text_encoder_3=tiny_text.tiny_encoder(t5_tokenizer, CHANNELS) if with_t5 else None,
            tokenizer_3=t5_tokenizer if with_t5 else None,
        )


def save_tiny(
    folder: Path, dtype: torch.dtype = torch.float32, with_t5: bool = True, **scheduler: Any
) -> Path:
    """The folder, now holding a tiny pipeline with its native clip."""
    tiny_pipeline(with_t5, **scheduler).to(dtype).save_pretrained(folder)
    write_native(folder, NATIVE, TEXT_LENGTH)
    return folder
