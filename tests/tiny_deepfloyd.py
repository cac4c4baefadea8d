"""A tiny random first stage of DeepFloyd IF, built at test time in the real folder layout."""

from pathlib import Path
from typing import Any

import tiny_text
import torch

from motiondistill.priors.base import VideoFormat
from motiondistill.priors.loading import write_native

TEXT_LENGTH = 77  # the pipeline knows no other
NATIVE = VideoFormat(fps=8.0, frames=2, height=16, width=24)


def tiny_pipeline() -> Any:
    """An `IFPipeline` with random weights; fixed seed."""
    import diffusers

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        tokenizer = tiny_text.tiny_tokenizer(TEXT_LENGTH)
        unet = diffusers.UNet2DConditionModel(
            sample_size=16,
            in_channels=3,
            out_channels=6,
            layers_per_block=1,
            block_out_channels=(8, 16),
            down_block_types=("ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"),
            mid_block_type="UNetMidBlock2DSimpleCrossAttn",
            up_block_types=("SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"),
            cross_attention_dim=32,  # the library norms it in 32 groups
            encoder_hid_dim=tiny_text.CHANNELS,
            encoder_hid_dim_type="text_proj",
            attention_head_dim=4,
            addition_embed_type="text",
            addition_embed_type_num_heads=2,
            cross_attention_norm="group_norm",
            resnet_time_scale_shift="scale_shift",
            act_fn="gelu",
            norm_num_groups=4,
        )
        return diffusers.IFPipeline(
            tokenizer=tokenizer,
            text_encoder=tiny_text.tiny_encoder(tokenizer),
            unet=unet.eval(),
            scheduler=diffusers.DDPMScheduler(
                beta_schedule="squaredcos_cap_v2",
                thresholding=True,
                dynamic_thresholding_ratio=0.95,
                sample_max_value=1.5,
                variance_type="learned_range",
            ),
            safety_checker=None,
            feature_extractor=None,
            watermarker=None,
            requires_safety_checker=False,
        )


def save_tiny(folder: Path, dtype: torch.dtype = torch.float32) -> Path:
    """The folder, now holding a tiny pipeline with its native clip."""
    tiny_pipeline().to(dtype).save_pretrained(folder)
    write_native(folder, NATIVE, TEXT_LENGTH)
    return folder
