"""The ground plane: plain or checkered, and darker under the body."""

from dataclasses import dataclass
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill.render.background import Colour
from motiondistill.render.patterns import checker
from motiondistill.render.rays import pixel_rays
from motiondistill.render.shadow import ContactShadow
from motiondistill.render.view import View

LEVEL_HALF_SIZE: Final = 1000.0
"""Half the side of a ground whose horizon tilts by at most 0.1 degrees, metres."""

# Level rays meet the ground nowhere; no pixel of the ground is that near the horizon.
_LEVEL = 1e-6
# Towards the horizon, a pixel is a long strip of ground, and slanting against the squares. It is
# averaged in so many parts, each over the box around it.
_STRIPS = 4
# Points of the ground that are computed at once.
_BAND = 1 << 17


@dataclass(frozen=True)
class Checks:
    """A checkerboard in the world, with a corner at the origin."""

    second: Colour = (0.60, 0.60, 0.60)
    """The other squares' colour."""
    side: float = 0.5
    """Of one square, metres."""


@dataclass(frozen=True)
class Ground:
    """A square at y = 0 around the origin, unlit."""

    colour: Colour = (0.74, 0.73, 0.70)
    half_size: float = 100.0
    """Half its side, metres. Its edge is the horizon, which looks level from everywhere with
    `LEVEL_HALF_SIZE`; the shipped prior knows that of 100 m, whose corners show in large images."""
    checks: Checks | None = None
    shadow: ContactShadow | None = None

    def __call__(
        self, view: View, image: Float[Tensor, "images height width 3"]
    ) -> Float[Tensor, "images height width 3"]:
        """The image with the ground's pattern and the body's shadow on it."""
        if self.checks is None and self.shadow is None:
            return image
        floor = view.sees_ground()
        if self.checks is not None:
            share = _second_share(view, self.checks.side)
            first, second = torch.tensor([self.colour, self.checks.second]).to(image)
            image = torch.where(floor, view.per_image(first + share * (second - first)), image)
        if self.shadow is not None:
            points = ground_points(view.clip_from_world, view.size)
            image = torch.where(floor, image * self.shadow(view, points), image)
        return image


def _second_share(view: View, side: float) -> Float[Tensor, "*cameras #frames height width 1"]:
    """How much of every pixel shows squares of the second kind.

    From band to band of the image: what is needed on the way would else take far more memory than
    the image, and most of the time to get it.
    """
    height, width = view.size
    cameras = max(1, view.clip_from_world[..., 0, 0].numel())
    step = max(1, _BAND // (cameras * width * _STRIPS))
    bands = []
    for first in range(0, height, step):
        rows = slice(first * _STRIPS, min(first + step, height) * _STRIPS)
        points, extent = ground_patches(view.clip_from_world, (_STRIPS * height, width), rows)
        strips = (1 - checker(points / side, extent / side)) / 2
        parts = strips.reshape(*strips.shape[:-2], -1, _STRIPS, width)
        bands.append(parts.mean(-2))
    return torch.cat(bands, -2)[..., None]


def ground_points(
    clip_from_world: Float[Tensor, "*cameras 4 4"], size: tuple[int, int]
) -> Float[Tensor, "*cameras height width 2"]:
    """World x and z of the ground at every pixel's centre, metres, row 0 at the bottom.

    Of no meaning in pixels whose ray misses the ground.
    """
    rays = pixel_rays(clip_from_world, size)
    directions = rays.directions()
    distance = rays.eye[..., None, None, 1:2] / _fall(directions)
    return rays.eye[..., None, None, ::2] + distance * directions[..., ::2]


def ground_patches(
    clip_from_world: Float[Tensor, "*cameras 4 4"], size: tuple[int, int], rows: slice = slice(None)
) -> tuple[Float[Tensor, "*cameras rows width 2"], Float[Tensor, "*cameras rows width 2"]]:
    """`ground_points` of some of the image's rows, and every pixel's extent along x and z."""
    rays = pixel_rays(clip_from_world, size)
    directions = rays.directions(rows)
    fall, along = _fall(directions), directions[..., ::2]
    distance = rays.eye[..., None, None, 1:2] / fall
    # Both steps of one pixel, slid along the ray until they lie in the plane again.
    extent = torch.zeros_like(along)
    for change in rays.pixel_steps():
        step = change[..., None, None, :]
        extent = extent + (distance * (step[..., ::2] + along * (step[..., 1:2] / fall))).abs()
    return rays.eye[..., None, None, ::2] + distance * along, extent


def _fall(directions: Float[Tensor, "*pixels 3"]) -> Float[Tensor, "*pixels 1"]:
    """How steeply rays go down; level ones a little, so that all meet the ground somewhere."""
    fall = -directions[..., 1:2]
    return torch.where(fall.abs() < _LEVEL, _LEVEL, fall)
