"""The modules that build a tiny pipeline of each family; each has `save_tiny(folder)`."""

import tiny_animatediff
import tiny_cogvideox
import tiny_deepfloyd
import tiny_hunyuan
import tiny_latte
import tiny_ltx
import tiny_mochi
import tiny_sd3
import tiny_sdxl
import tiny_stable_diffusion
import tiny_unet3d
import tiny_wan

TINY = [
    tiny_animatediff,
    tiny_cogvideox,
    tiny_deepfloyd,
    tiny_hunyuan,
    tiny_latte,
    tiny_ltx,
    tiny_mochi,
    tiny_sd3,
    tiny_sdxl,
    tiny_stable_diffusion,
    tiny_unet3d,
    tiny_wan,
]
