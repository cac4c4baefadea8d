"""Every family of models that a folder may hold; a new one is added here and nowhere else."""

from typing import Final

from motiondistill.priors.families import (
    animatediff,
    cogvideox,
    deepfloyd,
    hunyuan,
    latte,
    ltx,
    mochi,
    sd3,
    sdxl,
    stable_diffusion,
    unet3d,
    wan,
)
from motiondistill.priors.family import Family

FAMILIES: Final[tuple[Family, ...]] = (
    latte.FAMILY,
    ltx.FAMILY,
    cogvideox.FAMILY,
    wan.FAMILY,
    hunyuan.FAMILY,
    mochi.FAMILY,
    unet3d.FAMILY,
    animatediff.FAMILY,
    stable_diffusion.FAMILY,
    sdxl.FAMILY,
    sd3.FAMILY,
    deepfloyd.FAMILY,
)
