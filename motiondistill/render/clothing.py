"""Procedural clothes: an outfit drawn from a generator, and where it lies on a body.

An outfit is a colour for every point of the body at rest, in the T-pose. So it fits any body, and
patterns run on across the seams of texture coordinates.
"""

import math
from dataclasses import dataclass
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill.randomness import uniform
from motiondistill.render.patterns import square_wave, step
from motiondistill.structures import JOINT_INDEX, Mesh

# Radii of trunk, arm and leg, around which stripes are counted, metres. Bodies differ from them a
# little, and their stripes are as much wider or narrower.
_TRUNK, _ARM, _LEG = 0.14, 0.05, 0.08
_TRUNK_ASPECT = 1.5
# How far below the shoulder a sleeve reaches at rest, in lengths of the upper arm: the thickest
# arms reach 0.36. Wide hips and bellies are as far out, but lower.
_ARMPIT = 0.4
_MOTTLES: Final = 8
"""Waves that make up the unevenness of cloth."""
_UNEVENNESS: Final = 0.015

_SKINS = ((0.98, 0.84, 0.74), (0.91, 0.71, 0.56), (0.70, 0.48, 0.34), (0.40, 0.26, 0.18))
_HAIRS = ((0.10, 0.08, 0.07), (0.30, 0.19, 0.12), (0.55, 0.36, 0.20), (0.80, 0.66, 0.40))


@dataclass(frozen=True)
class Fabric:
    """Cloth of one or two colours."""

    colours: Float[Tensor, "2 3"]
    """sRGB in [0, 1]. The second one is the pattern's."""
    pattern: tuple[float, float, float]
    """Weights of rings around the limb, of stripes along it, and of checks; all zero is plain.

    Their sum, at most 1, is the second colour's share where it is strongest.
    """
    stripe: float
    """Width of one stripe, metres."""


@dataclass(frozen=True)
class Outfit:
    """Skin, hair, a shirt, trousers and shoes."""

    skin: Float[Tensor, "3"]
    hair: Float[Tensor, "3"]
    shoes: Float[Tensor, "3"]
    shirt: Fabric
    trousers: Fabric
    sleeve: float
    """How much of the arm the shirt covers: 0 to the shoulder, 1 to the wrist."""
    leg: float
    """How much of the leg the trousers cover: 0 to the hip, 1 to the ankle."""
    badge: float
    """Radius of a spot on the chest in the shirt's second colour, metres; 0 is none."""
    mottles: Float[Tensor, "waves 4"]
    """Wave vector (radians a metre) and phase (radians) of each wave of the cloth's unevenness."""


def random_outfit(generator: torch.Generator) -> Outfit:
    """An outfit as people wear them, in any colours."""

    def one_of(colours: tuple[tuple[float, float, float], ...]) -> Float[Tensor, "3"]:
        chosen = torch.randperm(len(colours), generator=generator)[:2]
        first, second = torch.tensor(colours)[chosen].unbind(0)
        return torch.lerp(first, second, uniform(generator, 0.0, 0.3))

    def fabric(plain: float, darkest: float) -> Fabric:
        value = uniform(generator, darkest, 0.95)
        first = from_hsv(uniform(generator), uniform(generator, 0.1, 0.8), value)
        # Far enough apart in lightness that the pattern can be seen.
        other = value - 0.4 if value > 0.6 else value + 0.4
        second = from_hsv(uniform(generator), uniform(generator, 0.0, 0.6), other)
        patterns = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0), (0.5, 0.5, 0.0))
        chosen = patterns[int(torch.randint(len(patterns), (), generator=generator))]
        pattern = (0.0, 0.0, 0.0) if uniform(generator) < plain else chosen
        return Fabric(torch.stack([first, second]), pattern, uniform(generator, 0.02, 0.06))

    shirt, trousers = fabric(plain=0.3, darkest=0.3), fabric(plain=0.75, darkest=0.15)
    lengths = torch.exp(torch.empty(_MOTTLES, 1).uniform_(-4.2, -2.3, generator=generator))
    vectors = torch.randn(_MOTTLES, 3, generator=generator)
    waves = torch.nn.functional.normalize(vectors, dim=-1) * (2 * math.pi / lengths)
    phases = 2 * math.pi * torch.rand(_MOTTLES, 1, generator=generator)
    return Outfit(
        skin=one_of(_SKINS),
        hair=one_of(_HAIRS),
        shoes=from_hsv(
            uniform(generator), uniform(generator, 0.0, 0.5), uniform(generator, 0.08, 0.9)
        ),
        shirt=shirt,
        trousers=trousers,
        sleeve=uniform(generator, 0.15, 0.95),
        leg=1.0 if uniform(generator) < 0.7 else uniform(generator, 0.3, 0.6),
        badge=uniform(generator, 0.03, 0.06) if shirt.pattern == (0.0, 0.0, 0.0) else 0.0,
        mottles=torch.cat([waves, phases], -1),
    )


def from_hsv(hue: float, saturation: float, value: float) -> Float[Tensor, "3"]:
    """sRGB of hue, saturation and value in [0, 1]; red has hue 0, green 1/3, blue 2/3."""
    wheel = (6 * hue + torch.tensor([0.0, 4.0, 2.0])) % 6
    colour = ((wheel - 3).abs() - 1).clamp(0, 1)
    return (1 - saturation + saturation * colour) * value


def wear(
    outfit: Outfit,
    points: Float[Tensor, "*points 3"],
    rest: Mesh,
    width: Float[Tensor, "*#points"] | float,
) -> Float[Tensor, "*points 3"]:
    """The outfit's sRGB colour in [0, 1] at points (metres) of the body in the T-pose, `rest`.

    `width` is how much of the body one sample stands for, metres: edges and stripes are averaged
    over it. Differentiable in the points.
    """
    joints = rest.joints.to(points)[0]
    top = float(rest.vertices[..., 1].max())
    at = {name: joints[index].tolist() for name, index in JOINT_INDEX.items()}
    x, y, z = points.unbind(-1)
    side = x.abs()
    hem = at["left_hip"][1] + 0.03
    waist = hem + 0.02 - y

    cloth = _mottled(outfit, points, width)
    colours = outfit.skin.to(points).expand_as(points)
    ankle = at["left_ankle"][1] + 0.02
    leg_end = ankle + (1 - outfit.leg) * (hem - ankle)
    trousers = step(waist, width) * step(y - leg_end, width)
    colours = _over(colours, _trousers(outfit, points, at, width) * cloth, trousers)
    # The neckline is lower in front; an arm is what is further out than the shoulder.
    neckline = at["neck"][1] + 0.015 - 0.5 * (z - at["neck"][2])
    arm_end = at["left_shoulder"][0] + 0.03
    arm_end += outfit.sleeve * (at["left_wrist"][0] - 0.02 - arm_end)
    covered = torch.maximum(step(arm_end - side, width), step(_armpit(at) - y, width))
    shirt = step(y - hem, width) * step(neckline - y, width) * covered
    colours = _over(colours, _shirt(outfit, points, at, width) * cloth, shirt)
    shoes = step(at["left_ankle"][1] + 0.03 - y, width)
    colours = _over(colours, outfit.shoes.to(points), shoes)
    soles = step(0.018 - y, width)
    colours = _over(colours, 0.35 * outfit.shoes.to(points), soles)
    # The hairline falls from the forehead to the nape.
    hairline = top - 0.105 + 0.85 * (z - at["head"][2])
    hair = step(y - hairline, width) * step(y - at["neck"][1], width)
    # Bright cloth is uneven beyond white.
    return _over(colours, outfit.hair.to(points), hair).clamp(0, 1)


def _over(
    below: Float[Tensor, "*points 3"],
    above: Float[Tensor, "*#points 3"],
    cover: Float[Tensor, "*points"],
) -> Float[Tensor, "*points 3"]:
    return below + cover[..., None] * (above - below)


def _shirt(
    outfit: Outfit,
    points: Float[Tensor, "*points 3"],
    at: dict[str, list[float]],
    width: Float[Tensor, "*#points"] | float,
) -> Float[Tensor, "*points 3"]:
    x, y, z = points.unbind(-1)
    chest, shoulder = at["spine3"], at["left_shoulder"]
    # A trunk is wider than deep: around an ellipse, stripes are about as wide on all sides.
    angle = torch.atan2(x / _TRUNK_ASPECT, z - shoulder[2])
    trunk = _cloth(outfit.shirt, y, angle, _TRUNK, width)
    around = torch.atan2(z - shoulder[2], y - shoulder[1])
    sleeve = _cloth(outfit.shirt, x.abs(), around, _ARM, width)
    on_sleeve = (x.abs() > shoulder[0]) & (y > _armpit(at))
    colours = torch.where(on_sleeve[..., None], sleeve, trunk)
    if outfit.badge == 0:
        return colours
    from_badge = torch.hypot(x, y - (chest[1] + shoulder[1]) / 2)
    badge = step(outfit.badge - from_badge, width) * step(z - chest[2], width)
    return _over(colours, outfit.shirt.colours[1].to(points), badge)


def _armpit(at: dict[str, list[float]]) -> float:
    """Below this height, what is further out than the shoulder is no arm; metres."""
    shoulder, elbow = at["left_shoulder"], at["left_elbow"]
    return shoulder[1] - _ARMPIT * (elbow[0] - shoulder[0])


def _trousers(
    outfit: Outfit,
    points: Float[Tensor, "*points 3"],
    at: dict[str, list[float]],
    width: Float[Tensor, "*#points"] | float,
) -> Float[Tensor, "*points 3"]:
    x, y, z = points.unbind(-1)
    hip = at["left_hip"]
    around = torch.atan2(x.abs() - hip[0], z - hip[2])
    return _cloth(outfit.trousers, y, around, _LEG, width)


def _cloth(
    fabric: Fabric,
    along: Float[Tensor, "*points"],
    angle: Float[Tensor, "*points"],
    radius: float,
    width: Float[Tensor, "*#points"] | float,
) -> Float[Tensor, "*points 3"]:
    """The fabric's colours along a limb (metres) and around it (radians)."""
    rings = square_wave(along / fabric.stripe, width / fabric.stripe)
    # As many stripes as fit, so that the pattern closes around the limb.
    count = max(1, round(math.pi * radius / fabric.stripe))
    stripe = math.pi / count
    stripes = square_wave(angle / stripe, width / (radius * stripe))
    ring, lengthwise, check = fabric.pattern
    light = ring * rings + lengthwise * stripes + check * rings * stripes
    first, second = fabric.colours.to(along).unbind(0)
    return first + ((sum(fabric.pattern) - light) / 2)[..., None] * (second - first)


def _mottled(
    outfit: Outfit,
    points: Float[Tensor, "*points 3"],
    width: Float[Tensor, "*#points"] | float,
) -> Float[Tensor, "*points 1"]:
    """The cloth's unevenness, a factor about 1."""
    waves = outfit.mottles.to(points)
    width = torch.as_tensor(width).to(points)
    # A wave's mean over a box is close to that over a Gaussian of the same variance.
    seen = torch.exp(-(waves[:, :3].norm(dim=-1) * width[..., None]).square() / 24)
    ripples = torch.sin(points @ waves[:, :3].T + waves[:, 3])
    return 1 + _UNEVENNESS * (seen * ripples).sum(-1, keepdim=True)
