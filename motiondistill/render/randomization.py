"""Scenes drawn at random around a given one: light, colours and surroundings, one draw for a clip.

A video model that is asked about one picture alone also judges its backdrop. Drawn anew for every
clip, what surrounds the motion averages out.
"""

import dataclasses
import math
from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill.randomness import uniform
from motiondistill.render.appearance import PartColours
from motiondistill.render.background import Background, Colour, Sky, Solid
from motiondistill.render.clothing import random_outfit
from motiondistill.render.scene import Scene
from motiondistill.render.shading import Light
from motiondistill.render.tailoring import Clothed
from motiondistill.structures import Mesh

Change = Callable[[Scene, torch.Generator], Scene]
"""Draws some of a scene anew, and nothing else."""


def randomized(scene: Scene, changes: Sequence[Change], generator: torch.Generator) -> Scene:
    """The scene after all changes, in their order."""
    for change in changes:
        scene = change(scene, generator)
    return scene


def random_light(scene: Scene, generator: torch.Generator) -> Scene:
    """The scene lit from any side, from 20 to 80 degrees above the horizon; unlit, it stays so."""
    if scene.light.ambient == 1:
        return scene
    azimuth = uniform(generator, 0.0, 2 * math.pi)
    elevation = uniform(generator, math.radians(20), math.radians(80))
    across = math.cos(elevation)
    direction = (across * math.sin(azimuth), math.sin(elevation), across * math.cos(azimuth))
    light = Light(direction, ambient=uniform(generator, 0.45, 0.8))
    return dataclasses.replace(scene, light=light)


def random_background(scene: Scene, generator: torch.Generator) -> Scene:
    """The scene before one colour or before a sky, and on ground of another colour."""
    background: Background = Solid(_colour(generator))
    if uniform(generator) < 0.5:
        background = Sky(_colour(generator), _colour(generator), _colour(generator))
    ground = scene.ground
    if ground is not None:
        ground = dataclasses.replace(ground, colour=_colour(generator))
        if ground.checks is not None:
            side = uniform(generator, 0.25, 1.0)
            checks = dataclasses.replace(ground.checks, second=_colour(generator), side=side)
            ground = dataclasses.replace(ground, checks=checks)
    return dataclasses.replace(scene, background=background, ground=ground)


def random_colours(scene: Scene, generator: torch.Generator) -> Scene:
    """The scene with the hues of the part colours turned together; other appearances stay.

    Turned about the axis of greys, they keep their lightness and their distances, by which limbs
    are told apart.
    """
    if not isinstance(scene.appearance, PartColours):
        return scene
    turned = turn_hues(scene.appearance.palette, uniform(generator, 0.0, 2 * math.pi))
    return dataclasses.replace(scene, appearance=PartColours(turned))


def random_clothes(rest: Mesh) -> Change:
    """A change of clothes of a body, given as one frame in the T-pose.

    Computed pixel by pixel: a baked texture would not pay for a single clip.
    """

    def change(scene: Scene, generator: torch.Generator) -> Scene:
        return dataclasses.replace(scene, appearance=Clothed(random_outfit(generator), rest))

    return change


def turn_hues(colours: Float[Tensor, "*batch 3"], angle: float) -> Float[Tensor, "*batch 3"]:
    """sRGB colours turned by `angle` (radians) about the axis of greys, then clamped to [0, 1]."""
    own, others = (1 + 2 * math.cos(angle)) / 3, (1 - math.cos(angle)) / 3
    twist = math.sin(angle) / math.sqrt(3)
    turn = torch.tensor(
        [
            [own, others - twist, others + twist],
            [others + twist, own, others - twist],
            [others - twist, others + twist, own],
        ]
    )
    return (colours @ turn.T.to(colours)).clamp(0, 1)


def _colour(generator: torch.Generator) -> Colour:
    red, green, blue = torch.rand(3, generator=generator).tolist()
    return red, green, blue
