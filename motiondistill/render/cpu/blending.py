"""Kernels of `antialias`, second part: colours moved across silhouettes, and their gradient.

All arrays are matrices over the flattened images: colours [B H W, channels], positions [B V, 4].
The columns of `crossings` are the pixel that the edge's surface covers, its neighbour, the edge's
two vertices, and whether the pixels lie in a column.
"""

from typing import no_type_check

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


@kernel
@no_type_check
def blend(out: Array, color: Array, crossings: Array, pos: Array, centers: Centers) -> None:
    """Move colours across the silhouettes; `out` comes in as a copy of `color`."""
    half = pos.dtype.type(0.5)  # a plain number would widen single precision
    for index in range(len(crossings)):
        front, back = crossings[index, 0], crossings[index, 1]
        _, _, _, distance = _meeting(crossings, index, pos, centers)
        alpha = min(max(half - distance, -half), half)
        target, source = (front, back) if alpha > 0 else (back, front)
        for c in range(color.shape[1]):
            out[target, c] += abs(alpha) * (color[source, c] - color[target, c])


@kernel
@no_type_check
def blend_backward(
    color_grad: Array,
    pos_grad: Array,
    grad: Array,
    color: Array,
    crossings: Array,
    pos: Array,
    centers: Centers,
) -> None:
    """Add the gradients for the positions and for the colours, which come in as `grad`."""
    half = pos.dtype.type(0.5)
    for index in range(len(crossings)):
        front, back = crossings[index, 0], crossings[index, 1]
        p, q, scale, distance = _meeting(crossings, index, pos, centers)
        alpha = min(max(half - distance, -half), half)
        target, source = (front, back) if alpha > 0 else (back, front)
        farther = half - half
        for c in range(color.shape[1]):
            moved = abs(alpha) * grad[target, c]
            color_grad[source, c] += moved
            color_grad[target, c] -= moved
            # In either pixel: a silhouette farther out shows more of the front.
            farther += grad[target, c] * (color[front, c] - color[back, c])
        if abs(half - distance) <= half:
            w = p[2] * q[1] - q[2] * p[1]
            offset, spread = farther * scale / w, -farther * distance / w
            change = (offset * q[1], -offset * q[0] - spread * q[2], spread * q[1])
            _add_end(pos_grad, change, crossings, index, 2, centers)
            change = (-offset * p[1], offset * p[0] + spread * p[2], -spread * p[1])
            _add_end(pos_grad, change, crossings, index, 3, centers)


@part
@no_type_check
def _meeting(
    crossings: Array, index: int, pos: Array, centers: Centers
) -> tuple[Around, Around, float, float]:
    """The edge's ends p and q, a scale, and where the edge crosses: 0 at the front, 1 at the back.

    The edge's point with across = 0 lies at `scale (p_along q_across - q_along p_across) /
    (p_w q_across - q_w p_across)`, in pixels from the front one's centre.
    """
    axis = crossings[index, 4]
    center = _center(crossings, index, centers)
    p = around(pos, crossings[index, 2], axis, center)
    q = around(pos, crossings[index, 3], axis, center)
    size = 0.5 * len(centers[axis])
    scale = pos.dtype.type(size if crossings[index, 1] > crossings[index, 0] else -size)
    distance = scale * (p[0] * q[1] - q[0] * p[1]) / (p[2] * q[1] - q[2] * p[1])
    return p, q, scale, distance


@part
@no_type_check
def _center(crossings: Array, index: int, centers: Centers) -> Point:
    width, height = len(centers[0]), len(centers[1])
    front = crossings[index, 0]
    return center_of((front // width % height, front % width), crossings[index, 4], centers)


@part
@no_type_check
def _add_end(
    pos_grad: Array, change: Around, crossings: Array, index: int, end: int, centers: Centers
) -> None:
    """Add a vertex' gradient, given the one for it relative to the pixel's centre."""
    vertex, axis = crossings[index, end], crossings[index, 4]
    center = _center(crossings, index, centers)
    pos_grad[vertex, axis] += change[0]
    pos_grad[vertex, 1 - axis] += change[1]
    pos_grad[vertex, 3] += change[2] - center[0] * change[0] - center[1] * change[1]
