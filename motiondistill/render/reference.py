"""The slow, readable rasteriser: every pixel against every triangle, in double precision.

It is the oracle of the quick ones. torch differentiates it, while they write their gradients down.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from motiondistill.render import rasterizer, silhouettes
from motiondistill.render.rasterizer import (
    DEGENERATE_AREA,
    Boundary,
    Rasterizer,
    gather,
    scatter,
)
from motiondistill.render.texture import bilinear

# Triangles held against all pixels at once; bounds the memory.
_CHUNK = 256


class ReferenceRasterizer(Rasterizer):
    """Rasterises by brute force on any device."""

    def rasterize(
        self,
        pos: Float[Tensor, "batch vertices 4"],
        tri: Int[Tensor, "triangles 3"],
        resolution: tuple[int, int],
    ) -> Float[Tensor, "batch height width 4"]:
        """See `Rasterizer.rasterize`."""
        rasterizer.check_rasterize(pos, tri, resolution)
        exact = pos.detach().double()
        images = [_visible(vertices, tri.long(), resolution) for vertices in exact]
        return barycentrics(pos, tri, torch.stack(images))

    def interpolate(
        self,
        attr: Float[Tensor, "#batch vertices attributes"],
        rast: Float[Tensor, "batch height width 4"],
        tri: Int[Tensor, "triangles 3"],
    ) -> Float[Tensor, "batch height width attributes"]:
        """See `Rasterizer.interpolate`."""
        return interpolate(attr, rast, tri)

    def texture(
        self,
        tex: Float[Tensor, "#batch rows columns channels"],
        uv: Float[Tensor, "batch height width 2"],
        boundary: Boundary = "wrap",
    ) -> Float[Tensor, "batch height width channels"]:
        """See `Rasterizer.texture`."""
        return bilinear(tex, uv, boundary)

    def antialias(
        self,
        color: Float[Tensor, "batch height width channels"],
        rast: Float[Tensor, "batch height width 4"],
        pos: Float[Tensor, "batch vertices 4"],
        tri: Int[Tensor, "triangles 3"],
    ) -> Float[Tensor, "batch height width channels"]:
        """See `Rasterizer.antialias`."""
        found = silhouettes.find(rast.detach(), pos.detach().double(), tri.long())
        return silhouettes.blend(color, pos, found)


def _visible(
    vertices: Float[Tensor, "vertices 4"], tri: Int[Tensor, "triangles 3"], size: tuple[int, int]
) -> Int[Tensor, "height width"]:
    """Index + 1 of the nearest triangle at every pixel, 0 for none; the first of equals."""
    height, width = size
    pixels = torch.arange(height * width, device=tri.device)
    x, y, _ = rasterizer.pixel_centers(pixels, size, torch.float64)
    rays = torch.stack([x, y, torch.ones_like(x)], -1)
    nearest = torch.full_like(x, torch.inf)
    ids = torch.zeros_like(pixels)
    for start in range(0, len(tri), _CHUNK):
        depth = _depth(vertices[tri[start : start + _CHUNK]], rays)
        lowest, index = depth.min(0).values, depth.argmin(0)
        ids = torch.where(lowest < nearest, start + index + 1, ids)
        nearest = torch.minimum(nearest, lowest)
    return ids.view(height, width)


def _depth(
    corners: Float[Tensor, "triangles 3 4"], rays: Float[Tensor, "pixels 3"]
) -> Float[Tensor, "triangles pixels"]:
    """z/w of every triangle at every pixel, infinite where it is not drawn.

    A point of the triangle is `corners^T b` with weights b that sum to 1. It projects onto a pixel
    (x, y) if its (x, y, w) is w times the ray (x, y, 1), so `b / w` solves a 3 x 3 system.
    """
    matrix = corners[..., [0, 1, 3]]
    volume = torch.linalg.det(matrix)
    drawn = volume.abs() > DEGENERATE_AREA * corners[..., 3].prod(-1).abs()
    eye = torch.eye(3, dtype=matrix.dtype, device=matrix.device)
    safe = torch.where(drawn[:, None, None], matrix, eye)
    scaled = torch.linalg.solve(safe.mT, rays.T.expand(len(corners), -1, -1))
    # Inside, all weights are positive: where all are negative, the triangle is behind the camera.
    inside = (scaled >= 0).all(1) & drawn[:, None]
    # b sums to 1, so `scaled` sums to 1 / w, and its w-weighted sum is 1.
    depth = (corners[..., 2, None] * scaled).sum(1)
    return torch.where(inside & (depth.abs() <= 1), depth, torch.inf)


def barycentrics(
    pos: Float[Tensor, "batch vertices 4"],
    tri: Int[Tensor, "triangles 3"],
    ids: Int[Tensor, "batch height width"],
) -> Float[Tensor, "batch height width 4"]:
    """The `rast` image of known visibility: `ids` holds triangle index + 1, or 0 for nothing.

    Homogeneous edge functions (Olano & Greer 1997) relative to the pixel: nothing is divided by a
    vertex' w, so triangles may reach behind the camera.
    """
    batch, height, width = ids.shape
    vertices = pos.shape[1]
    pixel = ids.reshape(-1).nonzero().squeeze(1)
    seen = ids.reshape(-1)[pixel].long()
    x, y, image = rasterizer.pixel_centers(pixel, (height, width), pos.dtype)
    corners = tri.long()[seen - 1].T + image * vertices
    px, py, pz, pw = gather(pos.reshape(-1, 4), corners).unbind(0)
    ex, ey = (px - x * pw).unbind(0), (py - y * pw).unbind(0)
    areas = torch.stack([ex[i - 2] * ey[i - 1] - ey[i - 2] * ex[i - 1] for i in range(3)])
    weights = areas / areas.sum(0)
    depth = (areas * pz).sum(0) / (areas * pw).sum(0)
    values = torch.stack([weights[0], weights[1], depth, seen.to(pos.dtype)])
    return scatter(values, pixel, ids.numel()).view(batch, height, width, 4)


def interpolate(
    attr: Float[Tensor, "#batch vertices attributes"],
    rast: Float[Tensor, "batch height width 4"],
    tri: Int[Tensor, "triangles 3"],
) -> Float[Tensor, "batch height width attributes"]:
    """`u a0 + v a1 + (1 - u - v) a2` at the covered pixels, zero elsewhere."""
    batch, height, width, _ = rast.shape
    vertices, attributes = attr.shape[1:]
    ids = rast.detach()[..., 3].reshape(-1)
    pixel = ids.nonzero().squeeze(1)
    corners = tri.long()[ids[pixel].long() - 1].T
    if attr.shape[0] > 1:
        corners = corners + pixel // (height * width) * vertices
    first, second, third = gather(attr.reshape(-1, attributes), corners).unbind(1)
    u, v = gather(rast[..., :2].reshape(-1, 2), pixel).unbind(0)
    mixed = u * first + v * second + (1 - u - v) * third
    return scatter(mixed, pixel, ids.numel()).view(batch, height, width, attributes)
