"""What is seen where neither body nor ground is."""

import abc
import math
from dataclasses import dataclass
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from motiondistill.render.rasterizer import Rasterizer
from motiondistill.render.rays import pixel_rays

Colour = tuple[float, float, float]
"""sRGB in [0, 1]."""

FACE_NAMES: Final = ("right", "left", "top", "bottom", "front", "back")
"""The faces of a cube map, in its order."""


class Background(abc.ABC):
    """A surrounding infinitely far away, or a plain one."""

    @abc.abstractmethod
    def __call__(
        self,
        clip_from_world: Float[Tensor, "*cameras 4 4"],
        size: tuple[int, int],
        rasterizer: Rasterizer,
    ) -> Float[Tensor, "*#cameras #height #width 3"]:
        """The pixels of each camera (see `Camera.clip_from_world`), row 0 at the bottom."""


@dataclass(frozen=True)
class Solid(Background):
    """One colour."""

    colour: Colour = (0.90, 0.93, 0.97)

    def __call__(
        self,
        clip_from_world: Float[Tensor, "*cameras 4 4"],
        size: tuple[int, int],
        rasterizer: Rasterizer,
    ) -> Float[Tensor, "*#cameras #height #width 3"]:
        """See `Background.__call__`."""
        shape = (1,) * clip_from_world.ndim
        return torch.tensor(self.colour).to(clip_from_world).expand(*shape, 3)


@dataclass(frozen=True)
class Sky(Background):
    """A clear sky: paler towards the horizon, and a haze below it."""

    zenith: Colour = (0.33, 0.55, 0.86)
    horizon: Colour = (0.90, 0.94, 0.98)
    haze: Colour = (0.72, 0.72, 0.71)

    def __call__(
        self,
        clip_from_world: Float[Tensor, "*cameras 4 4"],
        size: tuple[int, int],
        rasterizer: Rasterizer,
    ) -> Float[Tensor, "*#cameras #height #width 3"]:
        """See `Background.__call__`."""
        directions = functional.normalize(pixel_rays(clip_from_world, size).directions(), dim=-1)
        zenith, horizon, haze = torch.tensor([self.zenith, self.horizon, self.haze]).to(directions)
        rise = directions[..., 1:2]
        # A square root, because most of a real sky's change of colour is near the horizon.
        above = horizon + (zenith - horizon) * rise.clamp(min=0).sqrt()
        below = horizon + (haze - horizon) * (-rise).clamp(min=0).sqrt()
        return torch.where(rise >= 0, above, below)


@dataclass(frozen=True)
class Backdrop(Background):
    """An image behind everything, the same for every camera, as if each carried its own.

    It keeps its aspect: it is scaled until it covers the frame, and what hangs over is cut off
    evenly on both sides.
    """

    image: Float[Tensor, "3 rows columns"]
    """sRGB in [0, 1], row 0 at the top."""

    def __call__(
        self,
        clip_from_world: Float[Tensor, "*cameras 4 4"],
        size: tuple[int, int],
        rasterizer: Rasterizer,
    ) -> Float[Tensor, "*#cameras #height #width 3"]:
        """See `Background.__call__`."""
        picture = cover(self.image.to(clip_from_world), size)
        shape = (1,) * (clip_from_world.ndim - 2)
        return picture.flip(1).permute(1, 2, 0).expand(*shape, *size, 3)


@dataclass(frozen=True)
class CubeMap(Background):
    """Six images around the scene, seen from its middle.

    Each face is what a camera with a field of view of 90 degrees sees there, upright and not
    mirrored. `front` is straight ahead for a camera at azimuth 0, the world's -Z; then `right` is
    +X, `left` -X, `back` +Z, `top` +Y and `bottom` -Y. The lower edge of `top` and the upper edge
    of `bottom` touch `front`. So the usual cross (left, front, right and back in a row, top above
    and bottom below front) folds up with its picture inside.
    """

    faces: Float[Tensor, "6 3 side side"]
    """sRGB in [0, 1], row 0 at the top, in the order of `FACE_NAMES`."""

    def __call__(
        self,
        clip_from_world: Float[Tensor, "*cameras 4 4"],
        size: tuple[int, int],
        rasterizer: Rasterizer,
    ) -> Float[Tensor, "*#cameras #height #width 3"]:
        """See `Background.__call__`."""
        rays = pixel_rays(clip_from_world, size)
        face, x, y = locate(rays.directions())
        _, step = rays.pixel_steps()
        faces = _shrink(self.faces.to(clip_from_world), float(step.norm(dim=-1).min()))
        # The faces one above another are one texture; half a pixel within each nothing bleeds.
        side = faces.shape[-1]
        strip = faces.permute(0, 2, 3, 1).flatten(0, 1).flip(0)
        half = 0.5 / side
        u = ((x + 1) / 2).clamp(half, 1 - half)
        v = (5 - face + ((y + 1) / 2).clamp(half, 1 - half)) / 6
        places = torch.stack([u, v], -1)
        cameras = places.reshape(-1, *size, 2)
        return rasterizer.texture(strip[None], cameras).view(*places.shape[:-1], 3)


def locate(
    directions: Float[Tensor, "*points 3"],
) -> tuple[Float[Tensor, "*points"], Float[Tensor, "*points"], Float[Tensor, "*points"]]:
    """Where a ray from the middle of a cube map meets it.

    The face's index in `FACE_NAMES`, and x (right) and y (up) in [-1, 1] on it as one looks at it
    from inside.
    """
    x, y, z = directions.unbind(-1)
    size = directions.abs()
    axis = size.argmax(-1)
    largest = size.amax(-1)
    # Rows: right, left, top, bottom, front, back.
    right = torch.stack([z, -z, x, x, x, -x], -1)
    up = torch.stack([y, y, z, -z, y, y], -1)
    towards = directions.gather(-1, axis[..., None]).squeeze(-1) > 0
    # Front is -Z, so that the third axis counts backwards.
    face = 2 * axis + torch.where(axis == 2, towards, ~towards).long()
    pick = face[..., None]
    return (
        face.to(directions),
        right.gather(-1, pick).squeeze(-1) / largest,
        up.gather(-1, pick).squeeze(-1) / largest,
    )


def cover(
    image: Float[Tensor, "3 rows columns"], size: tuple[int, int]
) -> Float[Tensor, "3 height width"]:
    """The image scaled to cover height and width (pixels), its middle cut out; never stretched."""
    scale = max(side / own for side, own in zip(size, image.shape[1:], strict=True))
    height, width = (
        max(side, round(own * scale)) for side, own in zip(size, image.shape[1:], strict=True)
    )
    resized = functional.interpolate(image[None], (height, width), mode="bilinear", antialias=True)
    top, left = (height - size[0]) // 2, (width - size[1]) // 2
    return resized[0, :, top : top + size[0], left : left + size[1]].clamp(0, 1)


def _shrink(
    faces: Float[Tensor, "6 3 side side"], pixel: float
) -> Float[Tensor, "6 3 smaller smaller"]:
    """The faces halved until their pixels are no finer than half a `pixel` (as a tangent).

    Whole halvings, so that rounding does not decide on the size.
    """
    side = faces.shape[-1]
    # At the middle of a face, one of its pixels is 2 / side high at distance 1.
    halvings = max(0, math.floor(math.log2(pixel * side / 2)))
    if halvings == 0:
        return faces
    smaller = max(1, side >> halvings)
    return functional.interpolate(faces, (smaller, smaller), mode="bilinear", antialias=True)
