"""Released models by their published configurations, for what can be known without a download.

The parameters that follow from them stand in the table of `motiondistill priors`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, final

from motiondistill.priors.published_parts import (
    ANIMATEDIFF_UNET,
    CLIP_G,
    CLIP_H,
    CLIP_L,
    COGVIDEOX_5B,
    DEEPFLOYD_L,
    DEEPFLOYD_M,
    DEEPFLOYD_XL,
    FLOW,
    LATTE,
    LLAMA_8B,
    SD3_PROMPT,
    SD3_TEXT,
    SD3_VAE,
    SD21_UNET,
    SD_VAE,
    SDXL_UNET,
    T5_XXL,
    UMT5_XXL,
    VP,
    WAN22_VAE,
    Config,
)


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
    index: Config = field(default_factory=dict)
    """What `model_index.json` says beside the parts: some of it changes how networks are asked."""


def _sd(unet: Config, text: Config, channels: int) -> Published:
    parts = {"vae": SD_VAE, "unet": unet, "text_encoder": text}
    return Published(parts, {"embeddings": (77, channels)}, VP)


def _sd3(transformer: Config) -> Published:
    return Published({"vae": SD3_VAE, "transformer": transformer, **SD3_TEXT}, SD3_PROMPT, FLOW)


def _cogvideox(transformer: Config) -> Published:
    parts = {"vae": {}, "transformer": transformer, "text_encoder": T5_XXL}
    return Published(parts, {"embeddings": (226, 4096), "mask": (226,)}, VP)


def _wan(vae: Config, *transformers: Config, **index: Any) -> Published:
    networks = dict(zip(("transformer", "transformer_2"), transformers, strict=False))
    prompt = {"embeddings": (512, 4096), "mask": (512,)}
    return Published({"vae": vae, **networks, "text_encoder": UMT5_XXL}, prompt, FLOW, index)


def _deepfloyd(unet: Config) -> Published:
    return Published(
        {"unet": unet, "text_encoder": T5_XXL},
        {"embeddings": (77, 4096), "mask": (77,)},
        {**VP, "variance_type": "learned_range"},
    )


PUBLISHED: Final[Mapping[str, Published]] = {
    "modelscope": _sd({"sample_size": 32}, CLIP_H, 1024),
    "zeroscope": _sd({"sample_size": 32}, CLIP_H, 1024),
    "videocrafter2": Published(
        {"vae": SD_VAE, "unet": {"sample_size": 32}, "text_encoder": CLIP_H},
        {"embeddings": (77, 1024)},
        VP,
    ),
    "animatediff": Published(
        {"vae": SD_VAE, "unet": ANIMATEDIFF_UNET, "text_encoder": CLIP_L},
        {"embeddings": (77, 768)},
        VP,
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
        expand_timesteps=True,
    ),
    "wan2.2-a14b": _wan({}, {}, {}, boundary_ratio=0.875),
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
    "deepfloyd-m": _deepfloyd(DEEPFLOYD_M),
    "deepfloyd-l": _deepfloyd(DEEPFLOYD_L),
    "deepfloyd-xl": _deepfloyd(DEEPFLOYD_XL),
}
"""By the short name of the checkpoint, or of the recipe."""
