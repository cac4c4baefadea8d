"""A tiny random pipeline like ModelScope's, built at test time in the real folder layout."""

from pathlib import Path
from typing import Any

import tiny_clip
import torch

from motiondistill.priors.base import VideoFormat
from motiondistill.priors.loading import write_native

TEXT_LENGTH = tiny_clip.LENGTH
NATIVE = VideoFormat(fps=8.0, frames=5, height=32, width=48)


def tiny_pipeline(**scheduler: Any) -> Any:
    """A `TextToVideoSDPipeline` with random weights, 4x smaller in space; fixed seed.

    `scheduler` are further entries of the scheduler's configuration.
    """
    import diffusers

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        tokenizer = tiny_clip.tiny_tokenizer()
        unet = diffusers.UNet3DConditionModel(
            block_out_channels=(8, 16),
            down_block_types=("CrossAttnDownBlock3D", "DownBlock3D"),
            up_block_types=("UpBlock3D", "CrossAttnUpBlock3D"),
            layers_per_block=1,
            cross_attention_dim=tiny_clip.CHANNELS,
            attention_head_dim=4,
            norm_num_groups=4,
        )
        for name, parameter in unet.named_parameters():
            # Every temporal convolution starts as the identity, which would hide it.
            if ".conv4." in name:
                torch.nn.init.normal_(parameter, std=0.2)
        options = {"clip_sample": False, "set_alpha_to_one": False, "steps_offset": 1}
        return diffusers.TextToVideoSDPipeline(
            vae=tiny_clip.tiny_vae(),
            text_encoder=tiny_clip.tiny_encoder(tokenizer),
            tokenizer=tokenizer,
            unet=unet.eval(),
            scheduler=diffusers.DDIMScheduler(**tiny_clip.BETAS, **{**options, **scheduler}),
        )


def save_tiny(folder: Path, dtype: torch.dtype = torch.float32, **scheduler: Any) -> Path:
    """The folder, now holding a tiny pipeline with its native clip."""
    tiny_pipeline(**scheduler).to(dtype).save_pretrained(folder)
    write_native(folder, NATIVE, TEXT_LENGTH)
    return folder
