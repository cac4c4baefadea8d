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
from motiondistill.priors.family import Checkpoint, Family, Recipe

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


def known(model: str) -> tuple[Family, Checkpoint | Recipe] | None:
    """The released weights, or the folder that can be made, of that short name or hub id."""
    for family in FAMILIES:
        for checkpoint in family.checkpoints:
            if model in (checkpoint.name, checkpoint.hub_id):
                return family, checkpoint
        for recipe in family.recipes:
            if model == recipe.name:
                return family, recipe
    return None
