"""How kernels are compiled, handed their arrays, and shared out between threads."""

import functools
import itertools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeAlias, no_type_check

import numba
import torch
from numpy.typing import NDArray
from torch import Tensor

from motiondistill.render import rasterizer

Array: TypeAlias = NDArray[Any]
Point: TypeAlias = tuple[float, float]
Point3: TypeAlias = tuple[float, float, float]
Around: TypeAlias = tuple[float, float, float]
"""A vertex relative to a pixel's centre: along an axis, across it, and w."""
Corners: TypeAlias = tuple[int, int, int]
Row: TypeAlias = tuple[float, float, float, float]
"""A vertex (x, y, z, w) or a pixel (u, v, z/w, triangle index + 1)."""
Centers: TypeAlias = tuple[Array, Array]
"""x of every column and y of every row."""

# No fastmath: triangles that share an edge must agree to the last bit on which side a pixel lies.
# The kernels carry `no_type_check` because numba cannot compile through a checker's wrapper.
# Divisions by zero are to give infinity, as in arrays: checks of every one would cost a branch.
kernel: Final = numba.njit(nogil=True, cache=True, error_model="numpy")
# What kernels call becomes part of them: a call would count the references of its arrays, and two
# threads would wait for each other's counts. The cache looks at a kernel's own file alone: after a
# change to this one, `make clean`.
part: Final = numba.njit(nogil=True, cache=True, error_model="numpy", forceinline=True)


@part
@no_type_check
def row_of(matrix: Array, index: int) -> Row:
    """Four columns of a row as plain numbers: a view of it would count its references."""
    return matrix[index, 0], matrix[index, 1], matrix[index, 2], matrix[index, 3]


@part
@no_type_check
def center_of(pixel: tuple[int, int], axis: int, centers: Centers) -> Point:
    """A pixel's centre along an axis (0 is a row, 1 a column), and across it."""
    x, y = centers[0][pixel[1]], centers[1][pixel[0]]
    return (y, x) if axis else (x, y)


@part
@no_type_check
def around(pos: Array, index: int, axis: int, center: Point) -> Around:
    """A vertex in homogeneous coordinates around a pixel's centre, see `center_of`."""
    w = pos[index, 3]
    return pos[index, axis] - center[0] * w, pos[index, 1 - axis] - center[1] * w, w


def by_image(run: Callable[..., Any], images: int, *arguments: object) -> list[Any]:
    """What `run(first, last, *arguments)` returns for ranges of images, in their order.

    One range for each of torch's threads. No two images write to the same place, so the result does
    not depend on the number of threads. Plain threads, because numba's own pool and torch's would
    spin against each other for the cores.
    """
    workers = min(torch.get_num_threads(), images)
    if workers <= 1:
        return [run(0, images, *arguments)]
    bounds = [images * worker // workers for worker in range(workers + 1)]
    jobs = [_pool(workers).submit(run, *pair, *arguments) for pair in itertools.pairwise(bounds)]
    return [job.result() for job in jobs]


@functools.cache
def _pool(workers: int) -> ThreadPoolExecutor:
    """Threads that wait for the next call: starting them would take longer than a small image."""
    return ThreadPoolExecutor(workers, thread_name_prefix="rasterizer")


# A forked process has none of its parent's threads.
os.register_at_fork(after_in_child=_pool.cache_clear)


def array(tensor: Tensor) -> Array:
    """The tensor's values without their history, in row-major order."""
    return tensor.detach().contiguous().numpy()


@functools.lru_cache(maxsize=16)
def centers(height: int, width: int, dtype: torch.dtype) -> Centers:
    """x of every column and y of every row, rounded as `rasterizer.pixel_centers` rounds them."""
    x, _, _ = rasterizer.pixel_centers(torch.arange(width), (1, width), dtype)
    _, y, _ = rasterizer.pixel_centers(torch.arange(height), (height, 1), dtype)
    return x.numpy(), y.numpy()
