"""The networks of the video prior, in the classes of a `LattePipeline`."""

from typing import Any, Final

import torch
from diffusers import AutoencoderKL, DDIMScheduler, LatteTransformer3DModel
from torch import nn
from transformers import T5Config, T5EncoderModel

CHANNELS: Final = 4
"""Of the latents, which are four times smaller than the pictures in each direction."""
SHRINKAGE: Final = 4
TEXT_WIDTH: Final = 128
TEXT_TOKENS: Final = 20
VOCABULARY: Final = 1024
SCHEDULER: Final = DDIMScheduler(
    beta_schedule="linear",
    prediction_type="v_prediction",
    clip_sample=False,
    timestep_spacing="trailing",
)


def build_codec(size: int) -> AutoencoderKL:
    """A framewise image autoencoder, four times smaller in each direction.

    A causal video autoencoder (LTX's) of the same cost left fast arms blurred after an equal
    training on two cores: a frame is an easier thing to learn than four at once.
    """
    return AutoencoderKL(
        latent_channels=CHANNELS,
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        block_out_channels=(16, 24, 32),
        layers_per_block=1,
        norm_num_groups=8,
        sample_size=size,
        mid_block_add_attention=False,
        scaling_factor=1.0,
    )


def build_denoiser(frames: int, size: int, width: int, layers: int) -> LatteTransformer3DModel:
    """A diffusion transformer over patches of 16 pixels, by turns in space and time."""
    return LatteTransformer3DModel(
        in_channels=CHANNELS,
        out_channels=2 * CHANNELS,  # the pipeline expects, and drops, a learned variance
        num_attention_heads=4,
        attention_head_dim=width // 4,
        num_layers=layers,
        sample_size=size // SHRINKAGE,
        patch_size=4,
        cross_attention_dim=width,
        caption_channels=TEXT_WIDTH,
        video_length=frames,
        activation_fn="gelu-approximate",
        attention_bias=True,
        norm_type="ada_norm_single",
        norm_elementwise_affine=False,
        norm_eps=1e-6,
        num_embeds_ada_norm=1000,
    )


def build_text_encoder(vocabulary: int) -> T5EncoderModel:
    """A two-layer T5 encoder, trained with the denoiser."""
    return T5EncoderModel(
        T5Config(
            vocab_size=vocabulary,
            d_model=TEXT_WIDTH,
            d_kv=32,
            d_ff=256,
            num_layers=2,
            num_heads=4,
            dropout_rate=0.0,
            feed_forward_proj="gated-gelu",
            pad_token_id=0,
            eos_token_id=1,
        )
    )


def seeded_weights(seed: int, build: Any, *arguments: Any) -> nn.Module:
    """The network that `build` makes of these arguments, its weights drawn from the seed alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network: nn.Module = build(*arguments)
    return network
