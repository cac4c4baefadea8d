"""The networks of the image prior, in the classes of a `StableDiffusionPipeline`."""

from typing import Any, Final

from diffusers import DDIMScheduler, UNet2DConditionModel
from jaxtyping import Float, Int
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel

from embedded_training.networks import CHANNELS, SCHEDULER, SHRINKAGE

TEXT_WIDTH: Final = 96
# The pipeline asks for an offset of one step; with trailing timesteps it changes nothing.
IMAGE_SCHEDULER: Final = DDIMScheduler.from_config(SCHEDULER.config, steps_offset=1)


def build_unet(size: int, width: int) -> UNet2DConditionModel:
    """An image denoiser of two resolutions; words are read at the lower one, where it is cheap."""
    return UNet2DConditionModel(
        sample_size=size // SHRINKAGE,
        in_channels=CHANNELS,
        out_channels=CHANNELS,
        block_out_channels=(width, 2 * width),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        layers_per_block=1,
        cross_attention_dim=TEXT_WIDTH,
        attention_head_dim=4,
        norm_num_groups=8,
    )


def build_clip_encoder(tokenizer: Any, length: int) -> CLIPTextModel:
    """A two-layer CLIP text encoder, trained with the denoiser."""
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=TEXT_WIDTH,
            intermediate_size=2 * TEXT_WIDTH,
            num_hidden_layers=2,
            num_attention_heads=4,
            max_position_embeddings=length,
            projection_dim=TEXT_WIDTH,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


def unet_velocity(
    text: nn.Module,
    denoiser: nn.Module,
    noisy: Float[Tensor, "B C h w"],
    timestep: Int[Tensor, " B"],
    ids: Int[Tensor, "B tokens"],
    mask: Int[Tensor, "B tokens"],
) -> Float[Tensor, "B C h w"]:
    """The velocity as Stable Diffusion predicts it: padding is attended to like words."""
    output: Tensor = denoiser(noisy, timestep, text(ids)[0], return_dict=False)[0]
    return output
