"""Light, colours and surroundings of training clips, drawn closely around the default scene."""

import dataclasses

import torch

from motiondistill.randomness import uniform
from motiondistill.render.appearance import PartColours
from motiondistill.render.background import Colour, Solid
from motiondistill.render.scene import Scene
from motiondistill.render.shading import Light

# Of the light's direction, whose length is 1, in every axis: about 15 degrees to each side.
_TURN = 0.25
_AMBIENT = 0.08
# Of all part colours together, as a factor, and of each one by itself, in every channel. Left and
# right limbs differ by 0.23 (shoes) and more in some channel, so that they are always told apart.
_BRIGHTNESS, _SHADE = 0.08, 0.04
# Of ground and background: of all channels together, and of each one.
_GREY, _TINT = 0.05, 0.015


def random_look(scene: Scene, generator: torch.Generator) -> Scene:
    """The scene with its light, part colours, ground and background moved a little.

    The given scene is the middle of every range. Appearances that are not part colours, and
    backgrounds that are not one colour, stay as they are.
    """
    light, appearance, background = scene.light, scene.appearance, scene.background
    x, y, z = (axis + uniform(generator, -_TURN, _TURN) for axis in light.direction)
    ambient = light.ambient + uniform(generator, -_AMBIENT, _AMBIENT)
    light = Light((x, y, z), min(max(ambient, 0.0), 1.0))
    if isinstance(appearance, PartColours):
        # Parts of one colour keep it in common: a body of patches would be another body.
        colours, kind = appearance.palette.unique(dim=0, return_inverse=True)
        shade = _SHADE * (2 * torch.rand(colours.shape, generator=generator) - 1)
        factor = 1 + uniform(generator, -_BRIGHTNESS, _BRIGHTNESS)
        appearance = PartColours((colours * factor + shade).clamp(0, 1)[kind])
    if isinstance(background, Solid):
        background = Solid(_near(background.colour, generator))
    ground = scene.ground
    if ground is not None:
        ground = dataclasses.replace(ground, colour=_near(ground.colour, generator))
    return dataclasses.replace(
        scene, light=light, appearance=appearance, background=background, ground=ground
    )


def _near(colour: Colour, generator: torch.Generator) -> Colour:
    grey = uniform(generator, -_GREY, _GREY)
    red, green, blue = (
        min(max(channel + grey + uniform(generator, -_TINT, _TINT), 0.0), 1.0) for channel in colour
    )
    return red, green, blue
