"""The quick rasteriser for CPUs: numba finds what is visible, torch carries the gradients."""

import itertools
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeAlias, no_type_check

import numba
import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from motiondistill.render import rasterizer
from motiondistill.render.rasterizer import (
    CROSSING_TOLERANCE,
    DEGENERATE_AREA,
    Crossings,
    Rasterizer,
)

Array: TypeAlias = NDArray[Any]
Point: TypeAlias = tuple[float, float]

# Pixels added around a triangle's projected corners, so that rounding never cuts a pixel off.
_BOX_MARGIN: Final = 1e-3

# No fastmath: triangles that share an edge must agree to the last bit on which side a pixel lies.
# The kernels carry `no_type_check` because numba cannot compile through a checker's wrapper.
_kernel = numba.njit(nogil=True, cache=True)


class CpuRasterizer(Rasterizer):
    """Rasterises on as many threads as torch uses; the same input gives the same bits."""

    def rasterize(
        self,
        pos: Float[Tensor, "batch vertices 4"],
        tri: Int[Tensor, "triangles 3"],
        resolution: tuple[int, int],
    ) -> Float[Tensor, "batch height width 4"]:
        """See `Rasterizer.rasterize`."""
        rasterizer.check_rasterize(pos, tri, resolution)
        ids = np.zeros((len(pos), *resolution), np.int32)
        centers = _centers(resolution, pos.dtype)
        _by_image(_find_visible, (ids, _array(pos)), (_array(tri.long()), *centers))
        return rasterizer.barycentrics(pos, tri, torch.from_numpy(ids))

    def interpolate(
        self,
        attr: Float[Tensor, "#batch vertices attributes"],
        rast: Float[Tensor, "batch height width 4"],
        tri: Int[Tensor, "triangles 3"],
    ) -> Float[Tensor, "batch height width attributes"]:
        """See `Rasterizer.interpolate`."""
        return rasterizer.interpolate(attr, rast, tri)

    def antialias(
        self,
        color: Float[Tensor, "batch height width channels"],
        rast: Float[Tensor, "batch height width 4"],
        pos: Float[Tensor, "batch vertices 4"],
        tri: Int[Tensor, "triangles 3"],
    ) -> Float[Tensor, "batch height width channels"]:
        """See `Rasterizer.antialias`."""
        batch, height, width, _ = rast.shape
        codes = np.full((batch, 2, height, width), -1, np.int64)
        faces, twins = tri.long(), rasterizer.twins(tri)
        shared = (_array(faces), _array(twins), *_centers((height, width), pos.dtype))
        _by_image(_find_silhouettes, (codes, _array(rast), _array(pos)), shared)
        crossings = _decode(torch.from_numpy(codes), faces, pos.shape[1])
        return rasterizer.blend(color, pos, crossings)


def _by_image(
    kernel: Callable[..., None], batched: tuple[Array, ...], shared: tuple[Array, ...]
) -> None:
    """Run `kernel` on consecutive parts of the batch, one on each of torch's threads.

    Plain threads, because numba's own pool and torch's would spin against each other for the cores.
    """
    workers = min(torch.get_num_threads(), len(batched[0]))
    if workers <= 1:
        kernel(*batched, *shared)
        return
    bounds = [len(batched[0]) * worker // workers for worker in range(workers + 1)]
    with ThreadPoolExecutor(workers) as pool:
        parts = [tuple(a[i:j] for a in batched) for i, j in itertools.pairwise(bounds)]
        for job in [pool.submit(kernel, *part, *shared) for part in parts]:
            job.result()


def _array(tensor: Tensor) -> Array:
    return tensor.detach().contiguous().numpy()


def _centers(size: tuple[int, int], dtype: torch.dtype) -> tuple[Array, Array]:
    """x of every column and y of every row, rounded as `rasterizer.pixel_centers` rounds them."""
    height, width = size
    x, _, _ = rasterizer.pixel_centers(torch.arange(width), (1, width), dtype)
    _, y, _ = rasterizer.pixel_centers(torch.arange(height), (height, 1), dtype)
    return x.numpy(), y.numpy()


def _decode(
    codes: Int[Tensor, "batch 2 height width"], tri: Int[Tensor, "triangles 3"], vertices: int
) -> Crossings:
    """Crossings from their dense codes (see `_find_silhouettes`)."""
    _, _, height, width = codes.shape
    index = (codes.view(-1) >= 0).nonzero().squeeze(1)
    code = codes.view(-1)[index]
    plane, pixel = index // (height * width), index % (height * width)
    image, vertical = plane // 2, (plane % 2).bool()
    first = image * (height * width) + pixel
    second = first + torch.where(vertical, width, 1)
    swapped, edge = (code % 2).bool(), code // 2
    corner, base = edge % 3, edge - edge % 3
    ends = torch.stack([base + (corner + 1) % 3, base + (corner + 2) % 3], -1)
    return Crossings(
        front=torch.where(swapped, second, first),
        back=torch.where(swapped, first, second),
        vertical=vertical,
        edge=tri.reshape(-1)[ends] + (image * vertices)[:, None],
    )


@_kernel
@no_type_check
def _find_visible(ids: Array, pos: Array, tri: Array, xs: Array, ys: Array) -> None:
    """Write the index + 1 of the nearest triangle at every pixel; `ids` comes in as zeros."""
    for image in range(len(pos)):
        _draw(ids[image], pos[image], tri, xs, ys)


@_kernel
@no_type_check
def _draw(ids: Array, pos: Array, tri: Array, xs: Array, ys: Array) -> None:
    nearest = np.full(ids.shape, np.inf, pos.dtype)
    zero = pos.dtype.type(0)
    for index in range(len(tri)):
        p, q, r = pos[tri[index, 0]], pos[tri[index, 1]], pos[tri[index, 2]]
        left, right, bottom, top = _box(p, q, r, len(xs), len(ys))
        if left > right or bottom > top or _degenerate(p, q, r):
            continue
        for row in range(bottom, top + 1):
            y = ys[row]
            py, qy, ry = p[1] - y * p[3], q[1] - y * q[3], r[1] - y * r[3]
            for column in range(left, right + 1):
                x = xs[column]
                px, qx, rx = p[0] - x * p[3], q[0] - x * q[3], r[0] - x * r[3]
                a, b, c = qx * ry - qy * rx, rx * py - ry * px, px * qy - py * qx
                inside = (a >= zero and b >= zero and c >= zero) or (
                    a <= zero and b <= zero and c <= zero
                )
                if not inside:
                    continue
                area = a + b + c
                w = a * p[3] + b * q[3] + c * r[3]
                # The point's own w is w / area; both shrink to 0 only at a degenerate triangle.
                if area * w <= zero:
                    continue
                depth = (a * p[2] + b * q[2] + c * r[2]) / w
                if -1 <= depth <= 1 and depth < nearest[row, column]:
                    nearest[row, column] = depth
                    ids[row, column] = index + 1


@_kernel
@no_type_check
def _degenerate(p: Array, q: Array, r: Array) -> bool:
    """Whether the triangle's projected area is below `DEGENERATE_AREA`."""
    # From differences, because the determinant of far, small triangles cancels.
    ux, uy, uw = q[0] - p[0], q[1] - p[1], q[3] - p[3]
    vx, vy, vw = r[0] - p[0], r[1] - p[1], r[3] - p[3]
    volume = p[0] * (uy * vw - uw * vy) + p[1] * (uw * vx - ux * vw) + p[3] * (ux * vy - uy * vx)
    return bool(abs(volume) <= DEGENERATE_AREA * abs(p[3] * q[3] * r[3]))


@_kernel
@no_type_check
def _box(p: Array, q: Array, r: Array, width: int, height: int) -> tuple[int, int, int, int]:
    """First and last column and row whose pixel centres the triangle may cover."""
    if p[3] <= 0 and q[3] <= 0 and r[3] <= 0:
        return 1, 0, 1, 0
    if p[3] <= 0 or q[3] <= 0 or r[3] <= 0:
        # It reaches behind the camera, so its image is unbounded.
        return 0, width - 1, 0, height - 1
    x0, x1, x2 = p[0] / p[3], q[0] / q[3], r[0] / r[3]
    y0, y1, y2 = p[1] / p[3], q[1] / q[3], r[1] / r[3]
    low_x, high_x = _span(min(x0, x1, x2), max(x0, x1, x2), width)
    low_y, high_y = _span(min(y0, y1, y2), max(y0, y1, y2), height)
    return low_x, high_x, low_y, high_y


@_kernel
@no_type_check
def _span(low: float, high: float, count: int) -> tuple[int, int]:
    first = (low + 1) * 0.5 * count - 0.5 - _BOX_MARGIN
    last = (high + 1) * 0.5 * count - 0.5 + _BOX_MARGIN
    # Clamped as floats: a far point does not fit into an integer.
    first, last = min(max(first, 0.0), float(count)), min(max(last, -1.0), count - 1.0)
    return math.ceil(first), math.floor(last)


@_kernel
@no_type_check
def _find_silhouettes(
    codes: Array, rast: Array, pos: Array, tri: Array, twins: Array, xs: Array, ys: Array
) -> None:
    """Write the silhouette edge between each pixel and its right [:, 0] and upper [:, 1] neighbour.

    -1 for none, else twice the edge's number (see `rasterizer.twins`), plus one where the edge's
    surface covers the neighbour rather than the pixel itself.
    """
    batch, _, height, width = codes.shape
    for image, axis, row, column in np.ndindex(batch, 2, height, width):
        row2, column2 = row + axis, column + 1 - axis
        if row2 == height or column2 == width:
            continue
        here, there = rast[image, row, column, 3], rast[image, row2, column2, 3]
        if here == there:
            continue
        nearer = rast[image, row2, column2, 2] <= rast[image, row, column, 2]
        swapped = here == 0 or (there != 0 and nearer)
        if swapped:
            triangle, center, step = int(there) - 1, (xs[column2], ys[row2]), -0.5
        else:
            triangle, center, step = int(here) - 1, (xs[column], ys[row]), 0.5
        size = (height, width) if axis else (width, height)
        scale = (step * size[0], 0.5 * size[1])
        edge = _walk(pos[image], tri, twins, triangle, center, axis, scale)
        if edge >= 0:
            codes[image, axis, row, column] = 2 * edge + swapped


@_kernel
@no_type_check
def _walk(
    pos: Array, tri: Array, twins: Array, triangle: int, center: Point, axis: int, scale: Point
) -> int:
    """The silhouette edge met by walking the surface a step along `axis` from the pixel centre.

    -1 if the surface goes on for the whole step, or if the edge runs more along than across it:
    such edges belong to the pairs of the other axis, else both would count them. `scale` is pixels
    per unit of clip space along (negative for a step backwards) and across the step.
    """
    entry = -1
    for _ in range(len(tri)):
        edge, distance, steep = -1, -np.inf, False
        for corner in range(3):
            if 3 * triangle + corner == entry:
                continue
            p, q = pos[tri[triangle, corner - 2]], pos[tri[triangle, corner - 1]]
            at, rise, run = _cross(p, q, center, axis, scale)
            if at > distance:
                edge, distance = 3 * triangle + corner, at
                steep = rise > run or (rise == run and axis == 0)
        if edge < 0 or not -CROSSING_TOLERANCE < distance < 1 + CROSSING_TOLERANCE:
            return -1
        entry = twins[edge // 3, edge % 3]
        if _is_silhouette(pos, tri, edge, entry):
            return edge if steep else -1
        triangle = entry // 3
    return -1


@_kernel
@no_type_check
def _cross(
    p: Array, q: Array, center: Point, axis: int, scale: Point
) -> tuple[float, float, float]:
    """Pixels along the step to where the edge crosses it, and its extents across and along.

    The distance is -infinite where the edge does not cross; the extents have a common factor.
    """
    pa, pc = p[axis] - center[axis] * p[3], p[1 - axis] - center[1 - axis] * p[3]
    qa, qc = q[axis] - center[axis] * q[3], q[1 - axis] - center[1 - axis] * q[3]
    # Homogeneous point of the edge with across = 0.
    along, w = pa * qc - qa * pc, p[3] * qc - q[3] * pc
    if (pc < 0) == (qc < 0) or w * (qc - pc) <= 0:
        return -np.inf, 0.0, 0.0
    return scale[0] * along / w, abs(scale[1] * w), abs(scale[0] * (pa * q[3] - qa * p[3]))


@_kernel
@no_type_check
def _is_silhouette(pos: Array, tri: Array, edge: int, twin: int) -> bool:
    """Whether no triangle continues the surface on the other side of the edge in the image."""
    if twin < 0:
        return True
    face, corner = edge // 3, edge % 3
    p, q = pos[tri[face, corner - 2]], pos[tri[face, corner - 1]]
    own, other = pos[tri[face, corner]], pos[tri[twin // 3, twin % 3]]
    line_x, line_y = p[1] * q[3] - p[3] * q[1], p[3] * q[0] - p[0] * q[3]
    line_w = p[0] * q[1] - p[1] * q[0]
    near_side = line_x * own[0] + line_y * own[1] + line_w * own[3] < 0
    far_side = line_x * other[0] + line_y * other[1] + line_w * other[3] < 0
    return bool(near_side == far_side)
