"""Configurations of released weights, for what can be known without downloading them.

Each names what differs from the defaults of its class in diffusers or transformers, after the
conversion scripts of diffusers and the models' own files. The page that `prior_costs.py` writes
shows the parameters that follow from them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, final

from motiondistill.priors.base import VideoFormat

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
DEEPFLOYD_XL: Final[Config] = {
    "sample_size": 64,
    "in_channels": 3,
    "out_channels": 6,
    "block_out_channels": (704, 1408, 2112, 2816),
    "layers_per_block": 3,
    "down_block_types": ("ResnetDownsampleBlock2D", *("SimpleCrossAttnDownBlock2D",) * 3),
    "mid_block_type": "UNetMidBlock2DSimpleCrossAttn",
    "up_block_types": (*("SimpleCrossAttnUpBlock2D",) * 3, "ResnetUpsampleBlock2D"),
    "attention_head_dim": 64,
    "cross_attention_dim": 2816,
    "cross_attention_norm": "group_norm",
    "encoder_hid_dim": 4096,
    "addition_embed_type": "text",
    "addition_embed_type_num_heads": 64,
    "act_fn": "gelu",
    "time_embedding_act_fn": "gelu",
    "resnet_time_scale_shift": "scale_shift",
    "resnet_skip_time_act": True,
}
SD3_TEXT: Final[Mapping[str, Config]] = {
    "text_encoder": CLIP_L,
    "text_encoder_2": CLIP_G,
    "text_encoder_3": T5_XXL,
}
SD3_PROMPT: Final = {"embeddings": (333, 4096), "pooled": (2048,)}

VP: Final[Config] = {"_class_name": "DDIMScheduler", "clip_sample": False}
FLOW: Final[Config] = {"_class_name": "FlowMatchEulerDiscreteScheduler"}


@final
@dataclass(frozen=True)
class Published:
    """What a release's own files say of its networks."""

    parts: Mapping[str, Config]
    """The configuration of every network, by its name in the pipeline."""
    prompt: Mapping[str, tuple[int, ...]]
    """Shapes of one prompt's conditioning."""
    scheduler: Config
    """One of the same kind; costs do not depend on it."""
    pipeline: str = ""
    """Of those that have no short name in the package."""
    native: VideoFormat | None = None
    """Of those whose clips are not their family's."""


def _sd(unet: Config, text: Config, channels: int) -> Published:
    parts = {"vae": SD_VAE, "unet": unet, "text_encoder": text}
    return Published(parts, {"embeddings": (77, channels)}, VP)


def _sd3(transformer: Config) -> Published:
    return Published({"vae": SD3_VAE, "transformer": transformer, **SD3_TEXT}, SD3_PROMPT, FLOW)


def _cogvideox(transformer: Config) -> Published:
    parts = {"vae": {}, "transformer": transformer, "text_encoder": T5_XXL}
    return Published(parts, {"embeddings": (226, 4096), "mask": (226,)}, VP)


def _wan(vae: Config, *transformers: Config) -> Published:
    networks = dict(zip(("transformer", "transformer_2"), transformers, strict=False))
    prompt = {"embeddings": (512, 4096), "mask": (512,)}
    return Published({"vae": vae, **networks, "text_encoder": UMT5_XXL}, prompt, FLOW)


PUBLISHED: Final[Mapping[str, Published]] = {
    "modelscope": _sd({"sample_size": 32}, CLIP_H, 1024),
    "zeroscope": _sd({"sample_size": 32}, CLIP_H, 1024),
    "videocrafter2": Published(
        {"vae": SD_VAE, "unet": {"sample_size": 32}, "text_encoder": CLIP_H},
        {"embeddings": (77, 1024)},
        VP,
        "TextToVideoSDPipeline",
        VideoFormat(fps=8.0, frames=16, height=320, width=512),
    ),
    "animatediff": Published(
        {"vae": SD_VAE, "unet": ANIMATEDIFF_UNET, "text_encoder": CLIP_L},
        {"embeddings": (77, 768)},
        VP,
        "AnimateDiffPipeline",
    ),
    "latte": Published(
        {"vae": SD_VAE, "transformer": LATTE, "text_encoder": T5_XXL},
        {"embeddings": (120, 4096), "mask": (120,)},
        VP,
    ),
    "cogvideox-2b": _cogvideox({}),
    "cogvideox-5b": _cogvideox(COGVIDEOX_5B),
    "cogvideox-1.5-5b": _cogvideox(
        {
            **COGVIDEOX_5B,
            "patch_size_t": 2,
            "patch_bias": False,
            "sample_height": 300,
            "sample_width": 300,
            "sample_frames": 81,
        }
    ),
    "ltx": Published(
        {"vae": {}, "transformer": {}, "text_encoder": T5_XXL},
        {"embeddings": (128, 4096), "mask": (128,)},
        FLOW,
    ),
    "wan2.1-1.3b": _wan({}, {"num_attention_heads": 12, "ffn_dim": 8960, "num_layers": 30}),
    "wan2.1-14b": _wan({}, {}),
    "wan2.2-5b": _wan(
        WAN22_VAE,
        {
            "num_attention_heads": 24,
            "ffn_dim": 14336,
            "num_layers": 30,
            "in_channels": 48,
            "out_channels": 48,
        },
    ),
    "wan2.2-a14b": _wan({}, {}, {}),
    "hunyuanvideo": Published(
        {"vae": {}, "transformer": {}, "text_encoder": LLAMA_8B, "text_encoder_2": CLIP_L},
        {"embeddings": (256, 4096), "mask": (256,), "pooled": (768,)},
        FLOW,
    ),
    "mochi": Published(
        {"vae": {}, "transformer": {}, "text_encoder": T5_XXL},
        {"embeddings": (256, 4096), "mask": (256,)},
        FLOW,
    ),
    "stable-diffusion-1.5": _sd({"sample_size": 64, "cross_attention_dim": 768}, CLIP_L, 768),
    "stable-diffusion-2.1-base": _sd(SD21_UNET, CLIP_H, 1024),
    "stable-diffusion-2.1": _sd({**SD21_UNET, "sample_size": 96}, CLIP_H, 1024),
    "sdxl": Published(
        {"vae": SD_VAE, "unet": SDXL_UNET, "text_encoder": CLIP_L, "text_encoder_2": CLIP_G},
        {"embeddings": (77, 2048), "pooled": (1280,)},
        VP,
    ),
    "sd3-medium": _sd3(
        {"num_layers": 24, "num_attention_heads": 24, "pos_embed_max_size": 192}
        | {"caption_projection_dim": 1536}
    ),
    "sd3.5-medium": _sd3(
        {"num_layers": 24, "num_attention_heads": 24, "pos_embed_max_size": 384}
        | {"caption_projection_dim": 1536, "qk_norm": "rms_norm"}
        | {"dual_attention_layers": tuple(range(13))}
    ),
    "sd3.5-large": _sd3(
        {"num_layers": 38, "num_attention_heads": 38, "pos_embed_max_size": 192}
        | {"caption_projection_dim": 2432, "qk_norm": "rms_norm"}
    ),
    "deepfloyd-xl": Published(
        {"unet": DEEPFLOYD_XL, "text_encoder": T5_XXL},
        {"embeddings": (77, 4096), "mask": (77,)},
        {**VP, "variance_type": "learned_range"},
    ),
}
"""By the short name of the checkpoint."""
