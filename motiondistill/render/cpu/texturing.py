"""Kernels of `texture`: bilinear look-ups, and their gradients."""

from typing import TypeAlias, no_type_check

import numpy as np

from motiondistill.render.cpu.kernels import Array, kernel, part

Taps: TypeAlias = tuple[int, int, float, float]
"""The texels on both sides, the fraction of the way to the second, and its derivative."""


@kernel
@no_type_check
def sample(first: int, last: int, out: Array, tex: Array, uv: Array, wrap: bool) -> None:
    """Write `(1 - t) ((1 - s) a + s b) + t ((1 - s) c + s d)`; see `texture.bilinear`."""
    for image in range(first, last):
        texels = tex[image if len(tex) > 1 else 0]
        for row in range(uv.shape[1]):
            for column in range(uv.shape[2]):
                left, right, s, _ = _taps(uv[image, row, column, 0], tex.shape[2], wrap)
                lower, upper, t, _ = _taps(uv[image, row, column, 1], tex.shape[1], wrap)
                for k in range(tex.shape[3]):
                    a, b = texels[lower, left, k], texels[lower, right, k]
                    c, d = texels[upper, left, k], texels[upper, right, k]
                    low, high = a + s * (b - a), c + s * (d - c)
                    out[image, row, column, k] = low + t * (high - low)


@kernel
@no_type_check
def places_backward(
    first: int, last: int, uv_grad: Array, grad: Array, tex: Array, uv: Array, wrap: bool
) -> None:
    """Write the gradient for the places."""
    for image in range(first, last):
        texels = tex[image if len(tex) > 1 else 0]
        for row in range(uv.shape[1]):
            for column in range(uv.shape[2]):
                left, right, s, ds = _taps(uv[image, row, column, 0], tex.shape[2], wrap)
                lower, upper, t, dt = _taps(uv[image, row, column, 1], tex.shape[1], wrap)
                du = dv = 0.0
                for k in range(tex.shape[3]):
                    a, b = texels[lower, left, k], texels[lower, right, k]
                    c, d = texels[upper, left, k], texels[upper, right, k]
                    along = b - a + t * (d - c - b + a)
                    across = c - a + s * (d - c - b + a)
                    change = grad[image, row, column, k]
                    du += change * along * ds
                    dv += change * across * dt
                uv_grad[image, row, column, 0] = du
                uv_grad[image, row, column, 1] = dv


@kernel
@no_type_check
def texels_backward(
    first: int, last: int, tex_grad: Array, grad: Array, uv: Array, wrap: bool
) -> None:
    """Add the gradient for the texels; those of a shared texture bear only one thread."""
    _, rows, columns, channels = tex_grad.shape
    for image in range(first, last):
        texels = tex_grad[image if len(tex_grad) > 1 else 0]
        for row in range(uv.shape[1]):
            for column in range(uv.shape[2]):
                left, right, s, _ = _taps(uv[image, row, column, 0], columns, wrap)
                lower, upper, t, _ = _taps(uv[image, row, column, 1], rows, wrap)
                for k in range(channels):
                    change = grad[image, row, column, k]
                    texels[lower, left, k] += (1 - t) * (1 - s) * change
                    texels[lower, right, k] += (1 - t) * s * change
                    texels[upper, left, k] += t * (1 - s) * change
                    texels[upper, right, k] += t * s * change


@part
@no_type_check
def _taps(place: float, count: int, wrap: bool) -> Taps:
    if wrap:
        along = (place - np.floor(place)) * count - 0.5
        index = int(np.floor(along))
        left = count - 1 if index < 0 else index
        right = 0 if index + 1 == count else index + 1
        return left, right, along - index, float(count)
    free = place * count - 0.5
    along = min(max(free, 0.0), count - 1.0)
    index = int(np.floor(along))
    return index, min(index + 1, count - 1), along - index, count if free == along else 0.0
