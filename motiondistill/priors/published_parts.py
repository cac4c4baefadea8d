"""Networks of released weights, as configured; `published` composes models of them.

Each names what differs from the defaults of its class in diffusers or transformers, after the
conversion scripts of diffusers and the models' own files.
"""

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

Config: TypeAlias = Mapping[str, Any]

T5_XXL: Final[Config] = {
    "vocab_size": 32128,
    "d_model": 4096,
    "d_kv": 64,
    "d_ff": 10240,
    "num_layers": 24,
    "num_heads": 64,
    "feed_forward_proj": "gated-gelu",
}
UMT5_XXL: Final[Config] = {**T5_XXL, "vocab_size": 256384}
CLIP_L: Final[Config] = {
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "projection_dim": 768,
}
# Without its last layer, as Stable Diffusion 2 and its kin read it.
CLIP_H: Final[Config] = {
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_hidden_layers": 23,
    "num_attention_heads": 16,
    "projection_dim": 1024,
}
CLIP_G: Final[Config] = {
    "hidden_size": 1280,
    "intermediate_size": 5120,
    "num_hidden_layers": 32,
    "num_attention_heads": 20,
    "projection_dim": 1280,
}
LLAMA_8B: Final[Config] = {
    "vocab_size": 128320,
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
}

SD_VAE: Final[Config] = {
    "block_out_channels": (128, 256, 512, 512),
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "layers_per_block": 2,
}
SD3_VAE: Final[Config] = {
    **SD_VAE,
    "latent_channels": 16,
    "use_quant_conv": False,
    "use_post_quant_conv": False,
}
WAN22_VAE: Final[Config] = {
    "base_dim": 160,
    "decoder_base_dim": 256,
    "z_dim": 48,
    "is_residual": True,
    "in_channels": 12,
    "out_channels": 12,
    "patch_size": 2,
    "scale_factor_spatial": 16,
    # The real ones are learnt; costs do not depend on them.
    "latents_mean": [0.0] * 48,
    "latents_std": [1.0] * 48,
}
COGVIDEOX_5B: Final[Config] = {
    "num_layers": 42,
    "num_attention_heads": 48,
    "use_rotary_positional_embeddings": True,
}
LATTE: Final[Config] = {
    "num_attention_heads": 16,
    "attention_head_dim": 72,
    "in_channels": 4,
    "out_channels": 8,
    "num_layers": 28,
    "cross_attention_dim": 1152,
    "attention_bias": True,
    "sample_size": 64,
    "patch_size": 2,
    "activation_fn": "gelu-approximate",
    "num_embeds_ada_norm": 1000,
    "norm_type": "ada_norm_single",
    "norm_elementwise_affine": False,
    "norm_eps": 1e-6,
    "caption_channels": 4096,
    "video_length": 16,
}
SD21_UNET: Final[Config] = {
    "sample_size": 64,
    "cross_attention_dim": 1024,
    "attention_head_dim": (5, 10, 20, 20),
    "use_linear_projection": True,
}
SDXL_UNET: Final[Config] = {
    "sample_size": 128,
    "block_out_channels": (320, 640, 1280),
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    "transformer_layers_per_block": (1, 2, 10),
    "attention_head_dim": (5, 10, 20),
    "cross_attention_dim": 2048,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 2816,
    "use_linear_projection": True,
}
ANIMATEDIFF_UNET: Final[Config] = {
    "sample_size": 64,
    "cross_attention_dim": 768,
    "use_motion_mid_block": False,
}


def deepfloyd(width: int) -> Config:
    """The UNet of an IF model whose first layers have `width` channels."""
    return {
        "sample_size": 64,
        "in_channels": 3,
        "out_channels": 6,
        "block_out_channels": (width, 2 * width, 3 * width, 4 * width),
        "layers_per_block": 3,
        "down_block_types": ("ResnetDownsampleBlock2D", *("SimpleCrossAttnDownBlock2D",) * 3),
        "mid_block_type": "UNetMidBlock2DSimpleCrossAttn",
        "up_block_types": (*("SimpleCrossAttnUpBlock2D",) * 3, "ResnetUpsampleBlock2D"),
        "attention_head_dim": 64,
        "cross_attention_dim": 4 * width,
        "cross_attention_norm": "group_norm",
        "encoder_hid_dim": 4096,
        "encoder_hid_dim_type": "text_proj",
        "addition_embed_type": "text",
        "addition_embed_type_num_heads": 64,
        "act_fn": "gelu",
        "resnet_time_scale_shift": "scale_shift",
    }


# XL as in the config.json that fine-tuned copies of it carry. Those of M and L are behind a gate:
# they are taken for XL in another width. Heads of 64 channels allow multiples of 64, and only these
# two come to the sizes that the authors tell (github.com/deep-floyd/IF, README): 0.4 B and 0.9 B.
DEEPFLOYD_M: Final = deepfloyd(192)
DEEPFLOYD_L: Final = deepfloyd(320)
DEEPFLOYD_XL: Final = deepfloyd(704)

SD3_TEXT: Final[Mapping[str, Config]] = {
    "text_encoder": CLIP_L,
    "text_encoder_2": CLIP_G,
    "text_encoder_3": T5_XXL,
}
SD3_PROMPT: Final = {"embeddings": (333, 4096), "pooled": (2048,)}

VP: Final[Config] = {"_class_name": "DDIMScheduler", "clip_sample": False}
FLOW: Final[Config] = {"_class_name": "FlowMatchEulerDiscreteScheduler"}
