"""A tiny random Mochi pipeline, built at test time in the real folder layout."""

from pathlib import Path
from typing import Any

import tiny_text
import torch

from motiondistill.priors.base import VideoFormat
from motiondistill.priors.loading import write_native

TEXT_LENGTH = 16
NATIVE = VideoFormat(fps=8.0, frames=7, height=32, width=48)
STEP = 2e-5  # of finite differences: the encoder sees sines of pixels, up to 128 periods a unit


def tiny_pipeline(forgets_empty_prompts: bool = True) -> Any:
    """A `MochiPipeline` with random weights, 4x smaller in space and 6x in time; fixed seed."""
    import diffusers

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        tokenizer = tiny_text.tiny_tokenizer(TEXT_LENGTH)
        vae = diffusers.AutoencoderKLMochi(
            encoder_block_out_channels=(32, 32, 32),
            decoder_block_out_channels=(32, 32, 32),
            latent_channels=12,
            layers_per_block=(1, 1, 1, 1),
            temporal_expansions=(2, 3),
            spatial_expansions=(2, 2),
            add_attention_block=(False, False, True, False),
            scaling_factor=0.7,
        )
        transformer = diffusers.MochiTransformer3DModel(
            num_attention_heads=2,
            attention_head_dim=8,
            num_layers=2,
            pooled_projection_dim=16,
            text_embed_dim=tiny_text.CHANNELS,
            time_embed_dim=16,
            max_sequence_length=TEXT_LENGTH,
        )
        torch.nn.init.normal_(transformer.pos_frequencies)
        return diffusers.MochiPipeline(
            scheduler=diffusers.FlowMatchEulerDiscreteScheduler(invert_sigmas=True),
            vae=vae.eval(),
            text_encoder=tiny_text.tiny_encoder(tokenizer),
            tokenizer=tokenizer,
            transformer=transformer.eval(),
            force_zeros_for_empty_prompt=forgets_empty_prompts,
        )


def save_tiny(folder: Path, dtype: torch.dtype = torch.float32) -> Path:
    """The folder, now holding a tiny pipeline with its native clip."""
    tiny_pipeline().to(dtype).save_pretrained(folder)
    write_native(folder, NATIVE, TEXT_LENGTH)
    return folder
