"""Kernels of `rasterize`: the nearest triangle at every pixel, its weights, and their gradient."""

import math
from typing import Final, TypeAlias, no_type_check

import numpy as np

from motiondistill.render.cpu.kernels import (
    Array,
    Centers,
    Corners,
    Point,
    Row,
    kernel,
    part,
    row_of,
)
from motiondistill.render.rasterizer import DEGENERATE_AREA

Box: TypeAlias = tuple[int, int, int, int]
"""First and last column, first and last row; those between may be covered."""

# Pixels added around a triangle's projected corners, so that rounding never cuts a pixel off, not
# even in single precision and an image of 30,000 pixels.
_BOX_MARGIN: Final = 1 / 64


@kernel
@no_type_check
def draw(first: int, last: int, rast: Array, pos: Array, tri: Array, centers: Centers) -> None:
    """Write (u, v, z/w, triangle index + 1) of what each pixel sees; `rast` comes in as zeros."""
    width, height = len(centers[0]), len(centers[1])
    places = np.empty((pos.shape[1], 2), pos.dtype)
    for image in range(first, last):
        vertices, picture = pos[image], rast[image]
        _project(places, vertices, (width, height))
        for index in range(len(tri)):
            i, j, k = tri[index, 0], tri[index, 1], tri[index, 2]
            left, right = _span(places[i, 0], places[j, 0], places[k, 0], width)
            bottom, top = _span(places[i, 1], places[j, 1], places[k, 1], height)
            if left > right or bottom > top:
                continue
            p, q, r = row_of(vertices, i), row_of(vertices, j), row_of(vertices, k)
            if not _degenerate(p, q, r):
                _draw_triangle(picture, index + 1, p, q, r, (left, right, bottom, top), centers)


@part
@no_type_check
def _project(places: Array, vertices: Array, size: tuple[int, int]) -> None:
    """Write every vertex' column and row in the image, both infinite for one behind the camera."""
    half = vertices.dtype.type(0.5)  # a plain number would widen single precision
    for index in range(len(vertices)):
        w = vertices[index, 3]
        for axis in range(2):
            place = (vertices[index, axis] / w) * (half * size[axis]) + half * (size[axis] - 1)
            places[index, axis] = place if w > 0 else np.inf


@part
@no_type_check
def _span(a: float, b: float, c: float, count: int) -> tuple[int, int]:
    """First and last of the pixels whose centres a triangle may cover, along one axis.

    Its image is unbounded where one corner is behind the camera, and empty where all are.
    """
    low, high = min(a, min(b, c)), max(a, max(b, c))
    if high == np.inf:
        return (1, 0) if low == np.inf else (0, count - 1)
    # Clamped before they become integers: a far point does not fit into one.
    low, high = max(low - _BOX_MARGIN, 0.0), min(high + _BOX_MARGIN, count - 1.0)
    return math.ceil(low) if low <= high else 1, math.floor(high) if low <= high else 0


@part
@no_type_check
def _draw_triangle(
    rast: Array,
    label: int,
    p: Row,
    q: Row,
    r: Row,
    box: tuple[int, int, int, int],
    centers: Centers,
) -> None:
    xs, ys = centers
    left, right, bottom, top = box
    for row in range(bottom, top + 1):
        y = ys[row]
        py, qy, ry = p[1] - y * p[3], q[1] - y * q[3], r[1] - y * r[3]
        for column in range(left, right + 1):
            x = xs[column]
            px, qx, rx = p[0] - x * p[3], q[0] - x * q[3], r[0] - x * r[3]
            a, b, c = qx * ry - qy * rx, rx * py - ry * px, px * qy - py * qx
            if min(a, b, c) < 0 < max(a, b, c):
                continue
            area = a + b + c
            w = a * p[3] + b * q[3] + c * r[3]
            # The point's own w is w / area; both shrink to 0 only at a degenerate triangle.
            if area * w <= 0:
                continue
            depth = (a * p[2] + b * q[2] + c * r[2]) / w
            nearer = rast[row, column, 3] == 0 or depth < rast[row, column, 2]
            if nearer and -1 <= depth <= 1:
                rast[row, column, 0] = a / area
                rast[row, column, 1] = b / area
                rast[row, column, 2] = depth
                rast[row, column, 3] = label


@kernel
@no_type_check
def draw_backward(
    first: int,
    last: int,
    pos_grad: Array,
    grad: Array,
    rast: Array,
    pos: Array,
    tri: Array,
    centers: Centers,
) -> None:
    """Add the gradient for the positions; `grad` is the one for (u, v, z/w)."""
    xs, ys = centers
    for image in range(first, last):
        vertices, vertices_grad = pos[image], pos_grad[image]
        for row in range(len(ys)):
            pixels, changes = rast[image, row], grad[image, row]
            for column in range(len(xs)):
                seen, change = row_of(pixels, column), row_of(changes, column)
                if seen[3] == 0 or (change[0] == 0 and change[1] == 0 and change[2] == 0):
                    continue
                face, center = int(seen[3]) - 1, (xs[column], ys[row])
                corners = (tri[face, 0], tri[face, 1], tri[face, 2])
                _add_gradient(vertices_grad, change, seen, vertices, corners, center)


@part
@no_type_check
def _add_gradient(
    pos_grad: Array, grad: Row, seen: Row, pos: Array, corners: Corners, center: Point
) -> None:
    """The chain rule through u = a / area, v = b / area and z/w = (a pz + b qz + c rz) / w."""
    p, q, r = row_of(pos, corners[0]), row_of(pos, corners[1]), row_of(pos, corners[2])
    x, y = center
    px, qx, rx = p[0] - x * p[3], q[0] - x * q[3], r[0] - x * r[3]
    py, qy, ry = p[1] - y * p[3], q[1] - y * q[3], r[1] - y * r[3]
    a, b, c = qx * ry - qy * rx, rx * py - ry * px, px * qy - py * qx
    area = a + b + c
    deep = grad[2] / (a * p[3] + b * q[3] + c * r[3])
    common = (grad[0] * seen[0] + grad[1] * seen[1]) / area
    da = grad[0] / area - common + deep * (p[2] - seen[2] * p[3])
    db = grad[1] / area - common + deep * (q[2] - seen[2] * q[3])
    dc = deep * (r[2] - seen[2] * r[3]) - common
    ray = (x, y, seen[2])
    _add_row_of(pos_grad, corners[0], (dc * qy - db * ry, db * rx - dc * qx, deep * a), ray)
    _add_row_of(pos_grad, corners[1], (da * ry - dc * py, dc * px - da * rx, deep * b), ray)
    _add_row_of(pos_grad, corners[2], (db * py - da * qy, da * qx - db * px, deep * c), ray)


@part
@no_type_check
def _add_row_of(
    pos_grad: Array,
    index: int,
    grad: tuple[float, float, float],
    ray: tuple[float, float, float],
) -> None:
    """A vertex enters as (x, y, z) minus its w times the pixel's (x, y, z/w)."""
    pos_grad[index, 0] += grad[0]
    pos_grad[index, 1] += grad[1]
    pos_grad[index, 2] += grad[2]
    pos_grad[index, 3] -= ray[0] * grad[0] + ray[1] * grad[1] + ray[2] * grad[2]


@part
@no_type_check
def _degenerate(p: Row, q: Row, r: Row) -> bool:
    """Whether the triangle's projected area is below `DEGENERATE_AREA`."""
    # From differences, because the determinant of far, small triangles cancels.
    ux, uy, uw = q[0] - p[0], q[1] - p[1], q[3] - p[3]
    vx, vy, vw = r[0] - p[0], r[1] - p[1], r[3] - p[3]
    volume = p[0] * (uy * vw - uw * vy) + p[1] * (uw * vx - ux * vw) + p[3] * (ux * vy - uy * vx)
    return bool(abs(volume) <= DEGENERATE_AREA * abs(p[3] * q[3] * r[3]))
