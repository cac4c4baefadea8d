"""Clothes on a body: baked into its texture, or else computed pixel by pixel."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional

from motiondistill.render.appearance import Appearance, textured
from motiondistill.render.clothing import Outfit, wear
from motiondistill.render.rasterizer import Rasterizer, gather, scatter
from motiondistill.render.rays import pixel_rays
from motiondistill.render.shading import Light, area_vectors
from motiondistill.render.view import View
from motiondistill.structures import Mesh


@dataclass(frozen=True)
class Clothed(Appearance):
    """Clothes computed at every pixel: for bodies without texture coordinates, and sharp on all."""

    outfit: Outfit
    rest: Mesh
    """One frame of the body in the T-pose."""

    def __call__(
        self, view: View, light: Light, floor: Float[Tensor, "3"]
    ) -> Float[Tensor, "images height width 3"]:
        """See `Appearance.__call__`."""
        mesh, body = view.mesh, view.sees_body()
        brightness = light.brightness(mesh)[..., None]
        places = self.rest.vertices.to(mesh.vertices)[0].expand_as(mesh.vertices)
        attributes = view.interpolate(torch.cat([places, brightness], -1), floor.new_zeros(4))
        pixel = body.flatten().nonzero().squeeze(1)
        *place, shade = gather(attributes.reshape(-1, 4), pixel).unbind(0)
        colours = wear(self.outfit, torch.stack(place, -1), self.rest, _width(view, pixel))
        image = scatter((colours * shade[:, None]).T, pixel, body.numel())
        return torch.where(view.sees_ground(), floor, image.view(*body.shape[:-1], 3))


def clothed(outfit: Outfit, rest: Mesh, rasterizer: Rasterizer, *, side: int = 512) -> Appearance:
    """The outfit on a body, given as one frame in the T-pose.

    A texture of `side` x `side` pixels where the body has texture coordinates, else `Clothed`.
    """
    if rest.uv is None:
        return Clothed(outfit, rest)
    return textured(bake(outfit, rest, rasterizer, side=side))


def bake(
    outfit: Outfit, rest: Mesh, rasterizer: Rasterizer, *, side: int
) -> Float[Tensor, "3 side side"]:
    """The outfit as an image for the body's texture coordinates, row 0 at the top.

    `side` must be a power of two. Pixels that no triangle has get the colour of those around, so
    that nothing foreign bleeds in at the seams.
    """
    if side < 1 or side & (side - 1):
        raise ValueError(f"`side` must be a power of two, got {side}; 512 and 1024 are usual.")
    assert rest.uv is not None and rest.uv_faces is not None
    flat = torch.cat([2 * rest.uv - 1, torch.zeros_like(rest.uv)], -1)
    flat[:, 3] = 1
    rast = rasterizer.rasterize(flat[None], rest.uv_faces, (side, side))
    points = rasterizer.interpolate(rest.vertices, rast, rest.faces)
    known = rast[..., 3] > 0
    area = area_vectors(rest.vertices, rest.faces).norm(dim=-1).sum() / 6
    texel = float((area / known.sum()).sqrt())
    image = wear(outfit, points, rest, texel)
    return fill(image.permute(0, 3, 1, 2), known[:, None]).flip(2)[0]


def fill(
    image: Float[Tensor, "1 3 rows columns"], known: Bool[Tensor, "1 1 rows columns"]
) -> Float[Tensor, "1 3 rows columns"]:
    """The image with smooth colours where it is not known, from the nearest that are.

    By averages over ever larger squares (Gortler et al. 1996, The Lumigraph, push and pull).
    """
    if known.all() or known.shape[-1] == 1:
        return image
    weight = known.to(image)
    share = functional.avg_pool2d(weight, 2)
    coarse = functional.avg_pool2d(image * weight, 2) / share.clamp(min=0.25)
    around = fill(coarse, share > 0)
    finer = functional.interpolate(around, scale_factor=2.0, mode="bilinear")
    return torch.where(known, image, finer)


def _width(view: View, pixel: Int[Tensor, " pixels"]) -> Float[Tensor, " pixels"]:
    """How much of the body each pixel covers, metres, if it is seen face on."""
    distances = view.rasterizer.interpolate(view.positions[..., 3:], view.rast, view.faces)
    _, step = pixel_rays(view.clip_from_world, view.size).pixel_steps()
    width = distances * view.per_image(step.norm(dim=-1)[..., None, None, None])
    return width.flatten()[pixel]
