"""A tiny random LTX pipeline, built at test time in the real folder layout."""

from pathlib import Path
from typing import Any

import tiny_text
import torch

from motiondistill.priors.base import VideoFormat
from motiondistill.priors.loading import write_native

TEXT_LENGTH = 16
NATIVE = VideoFormat(fps=8.0, frames=9, height=32, width=32)  # the pipeline wants multiples of 32


def tiny_pipeline() -> Any:
    """An `LTXPipeline` with random weights, 8x smaller in space and 4x in time; fixed seed."""
    import diffusers

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        tokenizer = tiny_text.tiny_tokenizer(TEXT_LENGTH)
        vae = diffusers.AutoencoderKLLTXVideo(
            latent_channels=8,
            block_out_channels=(8, 16, 16),
            down_block_types=("LTXVideo095DownBlock3D",) * 2,
            downsample_type=("spatiotemporal",) * 2,
            spatio_temporal_scaling=(True, True),
            layers_per_block=(0, 1, 1),
            decoder_block_out_channels=(8, 16),
            decoder_spatio_temporal_scaling=(True, True),
            decoder_layers_per_block=(1, 0, 1),
            decoder_inject_noise=(False,) * 3,
            upsample_residual=(True, True),
            upsample_factor=(2, 2),
            patch_size=2,
            scaling_factor=0.7,
        )
        vae.latents_mean.normal_()
        vae.latents_std.uniform_(0.5, 2)
        transformer = diffusers.LTXVideoTransformer3DModel(
            in_channels=8,
            out_channels=8,
            num_attention_heads=2,
            attention_head_dim=12,
            cross_attention_dim=24,
            num_layers=2,
            caption_channels=tiny_text.CHANNELS,
        )
        return diffusers.LTXPipeline(
            scheduler=diffusers.FlowMatchEulerDiscreteScheduler(
                use_dynamic_shifting=True,
                base_shift=0.95,
                max_shift=2.05,
                base_image_seq_len=1024,
                max_image_seq_len=4096,
                shift_terminal=0.1,
            ),
            vae=vae.eval(),
            text_encoder=tiny_text.tiny_encoder(tokenizer),
            tokenizer=tokenizer,
            transformer=transformer.eval(),
        )


def save_tiny(folder: Path, dtype: torch.dtype = torch.float32) -> Path:
    """The folder, now holding a tiny pipeline with its native clip."""
    tiny_pipeline().to(dtype).save_pretrained(folder)
    write_native(folder, NATIVE, TEXT_LENGTH)
    return folder
