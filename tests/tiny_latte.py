"""A tiny random Latte pipeline, built at test time in the real folder layout."""

from pathlib import Path
from typing import Any

import tiny_text
import torch

from motiondistill.priors.base import VideoFormat
from motiondistill.priors.loading import write_native

TEXT_LENGTH = 120  # the pipeline knows no other
NATIVE = VideoFormat(fps=8.0, frames=16, height=64, width=64)


def tiny_transformer(out_channels: int) -> Any:
    """A transformer with random weights from the global generator, for 16 frames of 16x16."""
    from diffusers import LatteTransformer3DModel

    return LatteTransformer3DModel(
        in_channels=4,
        out_channels=out_channels,
        num_attention_heads=4,
        attention_head_dim=8,
        num_layers=2,
        patch_size=4,
        sample_size=16,
        cross_attention_dim=32,
        caption_channels=tiny_text.CHANNELS,
        video_length=NATIVE.frames,
        norm_type="ada_norm_single",
        norm_elementwise_affine=False,
        norm_eps=1e-6,
        attention_bias=True,
        activation_fn="gelu-approximate",
        num_embeds_ada_norm=1000,
    ).eval()


def tiny_pipeline(prediction_type: str = "v_prediction") -> Any:
    """A `LattePipeline` with random weights, 4x smaller in space; fixed seed.

    The transformer has twice the channels, because the pipeline always drops half of them.
    """
    import diffusers

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        tokenizer = tiny_text.tiny_tokenizer(TEXT_LENGTH)
        vae = diffusers.AutoencoderKL(
            down_block_types=("DownEncoderBlock2D",) * 3,
            up_block_types=("UpDecoderBlock2D",) * 3,
            block_out_channels=(16, 24, 32),
            layers_per_block=1,
            latent_channels=4,
            norm_num_groups=8,
            mid_block_add_attention=False,
            scaling_factor=0.7,
        )
        return diffusers.LattePipeline(
            tokenizer=tokenizer,
            text_encoder=tiny_text.tiny_encoder(tokenizer),
            vae=vae.eval(),
            transformer=tiny_transformer(out_channels=8),
            scheduler=diffusers.DDIMScheduler(
                beta_schedule="linear",
                prediction_type=prediction_type,
                clip_sample=False,
                timestep_spacing="trailing",
                set_alpha_to_one=True,
            ),
        )


def save_tiny(
    folder: Path, dtype: torch.dtype = torch.float32, prediction_type: str = "v_prediction"
) -> Path:
    """The folder, now holding a tiny pipeline with its native clip."""
    tiny_pipeline(prediction_type).to(dtype).save_pretrained(folder)
    write_native(folder, NATIVE, TEXT_LENGTH)
    return folder
