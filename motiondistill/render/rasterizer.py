"""The rasteriser's interface (nvdiffrast's operations) and the differentiable maths it rests on.

A leaf decides what is discrete: which triangle a pixel sees, and between which pixels a silhouette
passes. Everything that carries a gradient is here, in torch, on the covered pixels only.

Conventions: clip space and images as in OpenGL. Row 0 is the bottom of the image, and the centre of
pixel (row, column) lies at x = (column + 0.5) / W * 2 - 1, y = (row + 0.5) / H * 2 - 1. A point is
visible where w > 0 and -1 <= z/w <= 1. Both sides of a triangle are drawn.

Reference: Laine et al. 2020, Modular Primitives for High-Performance Differentiable Rendering.
"""

import abc
import functools
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

DEGENERATE_AREA: Final = 1e-8
"""Triangles with a smaller doubled area in [-1, 1]^2 are not drawn: their inverse area, hence their
gradients, would be noise. At 1000 x 1000 pixels this is 0.2 % of a pixel."""

CROSSING_TOLERANCE: Final = 1 / 16
"""How far beyond the two pixel centres a silhouette may cross, in pixels: rounding does that."""


class Rasterizer(abc.ABC):
    """Draws triangle meshes with gradients for vertex positions and attributes."""

    @abc.abstractmethod
    def rasterize(
        self,
        pos: Float[Tensor, "batch vertices 4"],
        tri: Int[Tensor, "triangles 3"],
        resolution: tuple[int, int],
    ) -> Float[Tensor, "batch height width 4"]:
        """What each pixel sees: (u, v, z/w, triangle index + 1), all zero where it sees nothing.

        u and v are the perspective-correct weights of the triangle's first and second vertex.
        u, v and z/w are differentiable with respect to `pos`; which triangle is seen is not.

        Args:
            pos: Vertices in clip space.
            tri: Vertex indices of every triangle, shared by the batch.
            resolution: Image height and width, pixels.
        """

    @abc.abstractmethod
    def interpolate(
        self,
        attr: Float[Tensor, "#batch vertices attributes"],
        rast: Float[Tensor, "batch height width 4"],
        tri: Int[Tensor, "triangles 3"],
    ) -> Float[Tensor, "batch height width attributes"]:
        """Vertex attributes at every pixel, zero where `rast` is empty; differentiable in both."""

    @abc.abstractmethod
    def antialias(
        self,
        color: Float[Tensor, "batch height width channels"],
        rast: Float[Tensor, "batch height width 4"],
        pos: Float[Tensor, "batch vertices 4"],
        tri: Int[Tensor, "triangles 3"],
    ) -> Float[Tensor, "batch height width channels"]:
        """`color` blended across silhouettes by where they cross between two pixel centres.

        This is what makes visibility differentiable: the gradient with respect to `pos` flows
        through the crossings. Differentiable in `color` and `pos`, not in `rast`.

        Departs from Laine et al. 2020, section 3.6, who only look at the edges of the triangle seen
        at the pixel centre: here the surface is walked from there to its silhouette, or else meshes
        with triangles the size of a pixel would lose most of their silhouettes.
        """


@dataclass(frozen=True)
class Crossings:
    """Pairs of neighbouring pixels between whose centres a silhouette edge passes.

    Pixels are indices into the flattened [B H W], vertices into the flattened [B V].
    """

    front: Int[Tensor, " pairs"]
    """The pixel that the edge's triangle covers."""
    back: Int[Tensor, " pairs"]
    """Its neighbour, which sees something behind, or nothing."""
    vertical: Bool[Tensor, " pairs"]
    """Whether the two are neighbours in a column (else in a row)."""
    edge: Int[Tensor, "pairs 2"]
    """The two vertices of the edge."""


def check_rasterize(
    pos: Float[Tensor, "batch vertices 4"],
    tri: Int[Tensor, "triangles 3"],
    resolution: tuple[int, int],
) -> None:
    """Raise `ValueError` for an image without pixels, missing vertices or positions not finite."""
    if min(resolution) < 1:
        raise ValueError(
            f"`resolution` must be at least 1 x 1, got {resolution[0]} x {resolution[1]}; "
            "pass (height, width) in pixels."
        )
    count = pos.shape[1]
    if tri.numel() and not (0 <= int(tri.min()) and int(tri.max()) < count):
        raise ValueError(
            f"`tri` must index the {count} vertices of `pos`, got indices from {int(tri.min())} to "
            f"{int(tri.max())}; use 0 to {count - 1}."
        )
    finite = pos.detach().isfinite().all(-1).all(-1)
    if not finite.all():
        # Such vertices would vanish from the picture, and their loss would look fine.
        raise ValueError(
            f"`pos` must be finite, got NaN or infinity in image {int(finite.long().argmin())} of "
            f"{len(pos)}; look for the step that diverged."
        )


def twins(tri: Int[Tensor, "triangles 3"]) -> Int[Tensor, "triangles 3"]:
    """For the edge opposite each corner, the same edge seen from the neighbouring triangle.

    Edges are named by their opposite corner's position in the flattened `tri`, so that
    `tri.flatten()[twin]` is the neighbour's far vertex. -1 where no other triangle has the edge, or
    more than one.
    """
    faces = np.ascontiguousarray(tri.cpu().numpy(), dtype=np.int64)
    return torch.from_numpy(_twins(faces.tobytes()).copy())


@functools.lru_cache(maxsize=16)
def _twins(faces: bytes) -> "np.ndarray[tuple[int, int], np.dtype[np.int64]]":
    # The key is the content itself: hashing a body's 60 kB takes microseconds, and an address could
    # come back with other triangles.
    tri = np.frombuffer(faces, dtype=np.int64).reshape(-1, 3)
    ends = np.sort(tri[:, [[1, 2], [2, 0], [0, 1]]].reshape(-1, 2), axis=1)
    _, inverse, counts = np.unique(ends, axis=0, return_inverse=True, return_counts=True)
    order = np.argsort(inverse.reshape(-1), kind="stable")
    starts = (np.cumsum(counts) - counts)[counts == 2]
    first, second = order[starts], order[starts + 1]
    result = np.full(len(ends), -1, dtype=np.int64)
    result[first], result[second] = second, first
    return result.reshape(-1, 3)


def gather(
    source: Float[Tensor, "rows columns"], index: Int[Tensor, "*picked"]
) -> Float[Tensor, "columns *picked"]:  # noqa: F821 (reads as a product, but is a shape)
    """The rows `index` of a matrix, column by column, so that what follows runs along memory.

    The gradient adds up quickly and in a fixed order. Indexing the matrix itself would sum it row
    by row, slowly, or in no fixed order.
    """
    flat = index * source.shape[1] + _leading(source.shape[1], index)
    return source.reshape(-1).index_select(0, flat.reshape(-1)).view(flat.shape)


def scatter(
    values: Float[Tensor, "columns picked"], index: Int[Tensor, " picked"], rows: int
) -> Float[Tensor, "rows columns"]:
    """A matrix of zeros but for `values` in the rows `index`, each of which occurs once."""
    flat = index * len(values) + _leading(len(values), index)
    zeros = values.new_zeros(rows * len(values))
    return zeros.scatter(0, flat.reshape(-1), values.reshape(-1)).view(rows, -1)


def _leading(count: int, index: Tensor) -> Tensor:
    """0 to `count` - 1 along a new first dimension before those of `index`."""
    return torch.arange(count, device=index.device).view(-1, *[1] * index.ndim)


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
    x, y, image = pixel_centers(pixel, (height, width), pos.dtype)
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
    # One gather for u and v alone, two of the four columns.
    uv = rast.reshape(-1).index_select(0, (pixel * 4 + _leading(2, pixel)).reshape(-1))
    u, v = uv.view(2, -1).unbind(0)
    mixed = u * first + v * second + (1 - u - v) * third
    return scatter(mixed, pixel, ids.numel()).view(batch, height, width, attributes)


def blend(
    color: Float[Tensor, "batch height width channels"],
    pos: Float[Tensor, "batch vertices 4"],
    crossings: Crossings,
) -> Float[Tensor, "batch height width channels"]:
    """`color` after every crossing moved some of one pixel's colour into its neighbour.

    A silhouette half-way between two centres changes nothing. Further out it covers part of the
    back pixel, further in it uncovers part of the front one (Laine et al. 2020, section 3.6).
    """
    batch, height, width, channels = color.shape
    alpha = 0.5 - crossing_distance(pos, crossings, (height, width))
    uncovers = alpha.detach() > 0
    target = torch.where(uncovers, crossings.front, crossings.back)
    source = torch.where(uncovers, crossings.back, crossings.front)
    flat_color = color.reshape(-1, channels)
    change = alpha.abs() * (gather(flat_color, source) - gather(flat_color, target))
    flat = target * channels + _leading(channels, target)
    result = color.reshape(-1).index_add(0, flat.reshape(-1), change.reshape(-1))
    return result.view(batch, height, width, channels)


def crossing_distance(
    pos: Float[Tensor, "batch vertices 4"], crossings: Crossings, size: tuple[int, int]
) -> Float[Tensor, " pairs"]:
    """Where the edge crosses on the way from the front (0) to the back pixel (1)."""
    x, y, _ = pixel_centers(crossings.front, size, pos.dtype)
    px, py, _, w = gather(pos.reshape(-1, 4), crossings.edge.T).unbind(0)
    ex, ey = px - x * w, py - y * w
    vertical = crossings.vertical
    along, across = torch.where(vertical, ey, ex), torch.where(vertical, ex, ey)
    # The point of the edge with across = 0, in homogeneous coordinates relative to the front pixel.
    offset = along[0] * across[1] - along[1] * across[0]
    scale = w[0] * across[1] - w[1] * across[0]
    sign = (crossings.back - crossings.front).sign().to(pos.dtype)
    half = torch.where(vertical, size[0] / 2, size[1] / 2).to(pos.dtype)
    return (sign * half * offset / scale).clamp(0, 1)


def pixel_centers(
    pixel: Int[Tensor, " pixels"], size: tuple[int, int], dtype: torch.dtype
) -> tuple[Float[Tensor, " pixels"], Float[Tensor, " pixels"], Int[Tensor, " pixels"]]:
    """x and y in [-1, 1] of pixels of the flattened [B H W], and the image each belongs to."""
    height, width = size
    line = pixel // width
    image = line // height
    x = ((pixel - line * width).to(dtype) + 0.5) * (2 / width) - 1
    y = ((line - image * height).to(dtype) + 0.5) * (2 / height) - 1
    return x, y, image
