"""Tiny random Wan pipelines of both versions, in the real folder layout."""

from pathlib import Path
from typing import Any, Literal

import tiny_text
import torch

from motiondistill.priors.base import VideoFormat
from motiondistill.priors.loading import write_native

TEXT_LENGTH = 16
NATIVE = VideoFormat(fps=8.0, frames=9, height=32, width=48)

Version = Literal["2.1", "2.1-euler", "ti2v", "a14b"]


def tiny_vae(version: Version) -> Any:
    """An autoencoder 4x smaller in space and time; TI2V's takes squares of pixels at once."""
    import diffusers

    channels = 6 if version == "ti2v" else 4
    options: dict[str, Any] = {"scale_factor_spatial": 4}
    if version == "ti2v":
        options = {
            "is_residual": True,
            "decoder_base_dim": 4,
            "in_channels": 12,
            "out_channels": 12,
            "patch_size": 2,
            "scale_factor_spatial": 8,
        }
    return diffusers.AutoencoderKLWan(
        base_dim=4,
        z_dim=channels,
        dim_mult=[1, 1, 1],
        num_res_blocks=1,
        temperal_downsample=[True, True],
        latents_mean=torch.randn(channels).tolist(),
        latents_std=torch.empty(channels).uniform_(0.5, 2).tolist(),
        **options,
    ).eval()


def tiny_transformer(channels: int) -> Any:
    """A transformer with random weights from the global generator."""
    import diffusers

    return diffusers.WanTransformer3DModel(
        num_attention_heads=2,
        attention_head_dim=12,
        in_channels=channels,
        out_channels=channels,
        text_dim=tiny_text.CHANNELS,
        freq_dim=16,
        ffn_dim=32,
        num_layers=2,
        rope_max_seq_len=32,
    ).eval()


def tiny_scheduler(version: Version) -> Any:
    """The released configurations' scheduler, or another one that the pipeline takes too."""
    import diffusers

    if version == "2.1-euler":
        return diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0)
    return diffusers.UniPCMultistepScheduler(
        prediction_type="flow_prediction",
        use_flow_sigmas=True,
        flow_shift=5.0 if version == "ti2v" else 3.0,
    )


def tiny_pipeline(version: Version = "2.1") -> Any:
    """A `WanPipeline` with random weights; fixed seed."""
    import diffusers

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        tokenizer = tiny_text.tiny_tokenizer(TEXT_LENGTH)
        vae = tiny_vae(version)
        return diffusers.WanPipeline(
            tokenizer=tokenizer,
            text_encoder=tiny_text.tiny_umt5_encoder(tokenizer),
            vae=vae,
            transformer=tiny_transformer(vae.config.z_dim),
            transformer_2=tiny_transformer(vae.config.z_dim) if version == "a14b" else None,
            scheduler=tiny_scheduler(version),
            boundary_ratio=0.875 if version == "a14b" else None,
            expand_timesteps=version == "ti2v",
        )


def save_tiny(folder: Path, dtype: torch.dtype = torch.float32, version: Version = "2.1") -> Path:
    """The folder, now holding a tiny pipeline with its native clip."""
    tiny_pipeline(version).to(dtype).save_pretrained(folder)
    write_native(folder, NATIVE, TEXT_LENGTH)
    return folder
