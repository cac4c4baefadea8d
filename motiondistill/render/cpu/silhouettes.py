"""Kernels of `antialias`, first part: the silhouette edges between neighbouring pixels."""

from typing import TypeAlias, no_type_check

import numpy as np

from motiondistill.render.cpu.kernels import (
    Around,
    Array,
    Centers,
    Point,
    around,
    center_of,
    kernel,
    row_of,
)
from motiondistill.render.rasterizer import CROSSING_TOLERANCE

Surface: TypeAlias = tuple[Array, Array, Array]
"""One image's clip positions, the triangles, and their twins (see `rasterizer.twins`)."""


@kernel
@no_type_check
def find(
    first: int,
    last: int,
    codes: Array,
    rast: Array,
    pos: Array,
    tri: Array,
    twins: Array,
    centers: Centers,
) -> None:
    """Write the silhouette edge between each pixel and its right [:, 0] and upper [:, 1] neighbour.

    -1 for none, else twice the edge's number (see `rasterizer.twins`), plus one where the edge's
    surface covers the neighbour rather than the pixel itself.
    """
    _, _, height, width = codes.shape
    for image in range(first, last):
        surface = (pos[image], tri, twins)
        for axis in range(2):
            for row in range(height - axis):
                pixels, beyond = rast[image, row], rast[image, row + axis]
                for column in range(width - 1 + axis):
                    here, there = row_of(pixels, column), row_of(beyond, column + 1 - axis)
                    if here[3] == there[3]:
                        continue
                    swapped = here[3] == 0 or (there[3] != 0 and there[2] <= here[2])
                    pixel = (row + axis, column + 1 - axis) if swapped else (row, column)
                    seen, step = (there[3], -0.5) if swapped else (here[3], 0.5)
                    edge = _walk(surface, int(seen) - 1, pixel, axis, step, centers)
                    if edge >= 0:
                        codes[image, axis, row, column] = 2 * edge + swapped


@kernel
@no_type_check
def _walk(
    surface: Surface,
    triangle: int,
    pixel: tuple[int, int],
    axis: int,
    step: float,
    centers: Centers,
) -> int:
    """The silhouette edge met by walking the surface from the pixel to the next along `axis`.

    -1 if the surface goes on for the whole step, or if the edge runs more along than across it:
    such edges belong to the pairs of the other axis, else both would count them. `step` is 0.5, or
    -0.5 towards the previous pixel.
    """
    pos, tri, twins = surface
    center = center_of(pixel, axis, centers)
    # Pixels per unit of clip space, along the step and across.
    scale = (step * len(centers[axis]), 0.5 * len(centers[1 - axis]))
    entry = -1
    for _ in range(len(tri)):
        edge, distance, steep = -1, -np.inf, False
        start = around(pos, tri[triangle, 1], axis, center)
        for corner in range(3):
            end = around(pos, tri[triangle, corner - 1], axis, center)
            if 3 * triangle + corner != entry:
                at, rise, run = _cross(start, end, scale)
                if at > distance:
                    edge, distance = 3 * triangle + corner, at
                    steep = rise > run or (rise == run and axis == 0)
            start = end
        if edge < 0 or not -CROSSING_TOLERANCE < distance < 1 + CROSSING_TOLERANCE:
            return -1
        entry = twins[edge // 3, edge % 3]
        if _is_silhouette(pos, tri, edge, entry):
            return edge if steep else -1
        triangle = entry // 3
    return -1


@kernel
@no_type_check
def _cross(p: Around, q: Around, scale: Point) -> tuple[float, float, float]:
    """Pixels along the step to where the edge crosses it, and its extents across and along.

    The distance is -infinite where the edge does not cross; the extents have a common factor.
    """
    # Homogeneous point of the edge with across = 0.
    along, w = p[0] * q[1] - q[0] * p[1], p[2] * q[1] - q[2] * p[1]
    if (p[1] < 0) == (q[1] < 0) or w * (q[1] - p[1]) <= 0:
        return -np.inf, 0.0, 0.0
    return scale[0] * along / w, abs(scale[1] * w), abs(scale[0] * (p[0] * q[2] - q[0] * p[2]))


@kernel
@no_type_check
def _is_silhouette(pos: Array, tri: Array, edge: int, twin: int) -> bool:
    """Whether no triangle continues the surface on the other side of the edge in the image."""
    if twin < 0:
        return True
    face, corner = edge // 3, edge % 3
    p, q = row_of(pos, tri[face, corner - 2]), row_of(pos, tri[face, corner - 1])
    own, other = row_of(pos, tri[face, corner]), row_of(pos, tri[twin // 3, twin % 3])
    line_x, line_y = p[1] * q[3] - p[3] * q[1], p[3] * q[0] - p[0] * q[3]
    line_w = p[0] * q[1] - p[1] * q[0]
    near_side = line_x * own[0] + line_y * own[1] + line_w * own[3] < 0
    far_side = line_x * other[0] + line_y * other[1] + line_w * other[3] < 0
    return bool(near_side == far_side)


@kernel
@no_type_check
def collect(codes: Array, tri: Array, vertices: int) -> Array:
    """The silhouettes found, as `blending` takes them."""
    batch, _, height, width = codes.shape
    rows = np.empty(((codes >= 0).sum(), 5), np.int64)
    count = 0
    for image in range(batch):
        for axis in range(2):
            for row in range(height):
                for column in range(width):
                    code = codes[image, axis, row, column]
                    if code < 0:
                        continue
                    pixel = (image * height + row) * width + column
                    other = pixel + (width if axis else 1)
                    face, corner = code // 6, code // 2 % 3
                    rows[count, 0] = other if code % 2 else pixel
                    rows[count, 1] = pixel if code % 2 else other
                    rows[count, 2] = image * vertices + tri[face, corner - 2]
                    rows[count, 3] = image * vertices + tri[face, corner - 1]
                    rows[count, 4] = axis
                    count += 1
    return rows
