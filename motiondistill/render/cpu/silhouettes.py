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
    part,
)
from motiondistill.render.rasterizer import CROSSING_TOLERANCE

Surface: TypeAlias = tuple[Array, Array, Array]
"""One image's clip positions, the triangles, and their twins (see `rasterizer.twins`)."""


@kernel
@no_type_check
def find(
    first: int,
    last: int,
    rast: Array,
    pos: Array,
    tri: Array,
    twins: Array,
    centers: Centers,
) -> Array:
    """The silhouette edges between all pixels and their right and upper neighbours.

    In rows as `blending` takes them, from image to image.
    """
    rows, count = np.empty((256, 5), np.int64), 0
    _, height, width, _ = rast.shape
    for image in range(first, last):
        surface = (pos[image], tri, twins)
        for axis in range(2):
            for row in range(height - axis):
                pixels, beyond = rast[image, row], rast[image, row + axis]
                for column in range(width - 1 + axis):
                    here, there = pixels[column, 3], beyond[column + 1 - axis, 3]
                    if here == there:
                        continue
                    depth, behind = pixels[column, 2], beyond[column + 1 - axis, 2]
                    swapped = here == 0 or (there != 0 and behind <= depth)
                    pixel = (row + axis, column + 1 - axis) if swapped else (row, column)
                    seen, step = (there, -0.5) if swapped else (here, 0.5)
                    edge = _walk(surface, int(seen) - 1, pixel, axis, step, centers)
                    if edge < 0:
                        continue
                    if count == len(rows):
                        rows = _doubled(rows)
                    lower = (image * height + row) * width + column
                    upper = lower + (width if axis else 1)
                    face, corner = edge // 3, edge % 3
                    rows[count, 0] = upper if swapped else lower
                    rows[count, 1] = lower if swapped else upper
                    rows[count, 2] = image * pos.shape[1] + tri[face, corner - 2]
                    rows[count, 3] = image * pos.shape[1] + tri[face, corner - 1]
                    rows[count, 4] = axis
                    count += 1
    return rows[:count]


@part
@no_type_check
def _doubled(rows: Array) -> Array:
    """The rows, and as many more to be written."""
    result = np.empty((2 * len(rows), rows.shape[1]), rows.dtype)
    result[: len(rows)] = rows
    return result


@part
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

    `triangle` is seen by the pixel, `step` is 0.5, or -0.5 towards the previous pixel. -1 if the
    surface goes on for the whole step, or if the edge runs more along than across it: such edges
    belong to the pairs of the other axis, else both would count them.
    """
    pos, tri, twins = surface
    center = center_of(pixel, axis, centers)
    # Pixels per unit of clip space, along the step and across.
    scale = (step * len(centers[axis]), 0.5 * len(centers[1 - axis]))
    corner = _way_out(pos, tri[triangle], axis, center, scale[0])
    if corner < 0:
        return -1
    # The edge that is crossed has one end on either side of the step: `left` has across < 0. The
    # third corner is where the walk comes from.
    i, j = tri[triangle, (corner + 1) % 3], tri[triangle, (corner + 2) % 3]
    left, right = around(pos, i, axis, center), around(pos, j, axis, center)
    if right[1] < 0:
        i, left, right = j, right, left
    behind = around(pos, tri[triangle, corner], axis, center)
    for _ in range(len(tri)):
        along, across, w = _line(left, right)
        distance = scale[0] * along / w if w > 0 else np.inf
        if not -CROSSING_TOLERANCE < distance < 1 + CROSSING_TOLERANCE:
            return -1
        twin = twins[triangle, corner]
        following, entry = twin // 3, twin % 3
        ahead = around(pos, tri[following, entry], axis, center) if twin >= 0 else behind
        if _side(along, across, w, behind) == _side(along, across, w, ahead):
            # Nothing goes on beyond the edge, or only what is folded back.
            return 3 * triangle + corner if _steep(across, w, axis, scale) else -1
        triangle, corner = following, (entry + 1) % 3
        if (tri[triangle, corner] == i) != (ahead[1] < 0):
            corner = (entry + 2) % 3
        if ahead[1] < 0:
            i, behind, left = tri[triangle, entry], left, ahead
        else:
            behind, right = right, ahead
    return -1


@part
@no_type_check
def _way_out(pos: Array, corners: Array, axis: int, center: Point, scale: float) -> int:
    """The corner opposite to the edge by which a step leaves the triangle, -1 if by none."""
    p = around(pos, corners[0], axis, center)
    q = around(pos, corners[1], axis, center)
    r = around(pos, corners[2], axis, center)
    corner, distance = -1, -np.inf
    for index in range(3):
        left, right = (q, r) if index == 0 else (r, p) if index == 1 else (p, q)
        if (left[1] < 0) == (right[1] < 0):
            continue
        if right[1] < 0:
            left, right = right, left
        along, _, w = _line(left, right)
        if w > 0 and scale * along / w > distance:
            corner, distance = index, scale * along / w
    return corner


@part
@no_type_check
def _line(left: Around, right: Around) -> Around:
    """The line through two points, whose point on the step is `along / w` from the pixel.

    Only where w > 0 is that point before the camera: across, it is nought between its ends.
    """
    along = left[0] * right[1] - right[0] * left[1]
    across = left[0] * right[2] - right[0] * left[2]
    return along, across, left[2] * right[1] - right[2] * left[1]


@part
@no_type_check
def _steep(across: float, w: float, axis: int, scale: Point) -> bool:
    """Whether the line, see `_line`, runs more across the step than along it, in pixels."""
    rise, run = abs(scale[1] * w), abs(scale[0] * across)
    return bool(rise > run or (rise == run and axis == 0))


@part
@no_type_check
def _side(along: float, across: float, w: float, point: Around) -> bool:
    """On which side of the line, see `_line`, a point lies in the image."""
    return bool(along * point[2] - w * point[0] - across * point[1] < 0)
