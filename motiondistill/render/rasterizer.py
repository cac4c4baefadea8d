"""The rasteriser's interface, which is nvdiffrast's operations, and what its leaves share.

Conventions: clip space and images as in OpenGL. Row 0 is the bottom of the image, and the centre of
pixel (row, column) lies at x = (column + 0.5) / W * 2 - 1, y = (row + 0.5) / H * 2 - 1. A point is
visible where w > 0 and -1 <= z/w <= 1. Both sides of a triangle are drawn.

Reference: Laine et al. 2020, Modular Primitives for High-Performance Differentiable Rendering.
"""

import abc
import functools
from typing import Final, Literal, TypeAlias

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

DEGENERATE_AREA: Final = 1e-8
"""Triangles with a smaller doubled area in [-1, 1]^2 are not drawn: their inverse area, hence their
gradients, would be noise. At 1000 x 1000 pixels this is 0.2 % of a pixel."""

CROSSING_TOLERANCE: Final = 1 / 16
"""How far beyond the two pixel centres a silhouette may cross, in pixels.

Rounding does that. And where a surface ends right behind the second centre, counting it from both
sides smooths the image: without, the error of a body's gradient is a tenth larger at 64 pixels."""

Boundary: TypeAlias = Literal["wrap", "clamp"]
"""How a texture goes on beyond [0, 1]: repeated, or with its outermost texels."""


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
    def texture(
        self,
        tex: Float[Tensor, "#batch rows columns channels"],
        uv: Float[Tensor, "batch height width 2"],
        boundary: Boundary = "wrap",
    ) -> Float[Tensor, "batch height width channels"]:
        """Texture images at every pixel's place, bilinear between texels; differentiable in both.

        The first texel of the first row lies around uv = (0, 0): u runs along a row, v along a
        column, both from 0 to 1, and the centre of texel (row, column) is at
        ((column + 0.5) / columns, (row + 0.5) / rows). Images with row 0 at the top are flipped to
        have v upwards.

        Args:
            tex: One texture, or one for every image.
            uv: Places; see `interpolate`.
            boundary: Beyond [0, 1], `wrap` repeats the texture, `clamp` its outermost texels.
        """

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

        Exact, with its gradient, on straight silhouettes. Where two lie within a pixel (at tips, or
        where an outline goes on behind another), and in the last half pixel before the frame, the
        error is up to a pixel's worth; `render.supersampling` divides it. The cut of the near plane
        through a surface is no silhouette.

        Departs from Laine et al. 2020, section 3.6, who only look at the edges of the triangle seen
        at the pixel centre: here the surface is walked from there to its silhouette, or else meshes
        with triangles the size of a pixel would lose most of their silhouettes.
        """


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
    # The sum is quick, and finite only if all are; where it overflows, they are looked at singly.
    if not pos.detach().sum().isfinite():
        finite = pos.detach().isfinite().all(-1).all(-1)
        if not finite.all():
            # Such vertices would vanish from the picture, and their loss would look fine.
            raise ValueError(
                f"`pos` must be finite, got NaN or infinity in image {int(finite.long().argmin())} "
                f"of {len(pos)}; look for the step that diverged."
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
