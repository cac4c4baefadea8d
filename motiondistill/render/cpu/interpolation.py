"""Kernels of `interpolate`: mixed vertex attributes, and their gradient."""

from typing import no_type_check

from motiondistill.render.cpu.kernels import Array, kernel


@kernel
@no_type_check
def mix(first: int, last: int, out: Array, attr: Array, rast: Array, tri: Array) -> None:
    """Write `u a0 + v a1 + (1 - u - v) a2` to the covered pixels; `out` comes in as zeros."""
    one = attr.dtype.type(1)  # the integer would widen single precision
    for image in range(first, last):
        values = attr[image if len(attr) > 1 else 0]
        for row in range(rast.shape[1]):
            pixels, mixed = rast[image, row], out[image, row]
            for column in range(len(pixels)):
                face = int(pixels[column, 3]) - 1
                if face < 0:
                    continue
                i, j, k = tri[face, 0], tri[face, 1], tri[face, 2]
                u, v = pixels[column, 0], pixels[column, 1]
                rest = one - u - v
                for a in range(mixed.shape[1]):
                    mixed[column, a] = u * values[i, a] + v * values[j, a] + rest * values[k, a]


@kernel
@no_type_check
def mix_backward(
    first: int,
    last: int,
    grads: tuple[Array, Array],
    grad: Array,
    attr: Array,
    rast: Array,
    tri: Array,
) -> None:
    """Add the gradients for every image's attributes, and for `rast`."""
    one = attr.dtype.type(1)  # the integer would widen single precision
    for image in range(first, last):
        values, values_grad = attr[image if len(attr) > 1 else 0], grads[0][image]
        for row in range(rast.shape[1]):
            pixels, pixels_grad = rast[image, row], grads[1][image, row]
            changes = grad[image, row]
            for column in range(len(pixels)):
                face = int(pixels[column, 3]) - 1
                if face < 0:
                    continue
                i, j, k = tri[face, 0], tri[face, 1], tri[face, 2]
                u, v = pixels[column, 0], pixels[column, 1]
                rest = one - u - v
                du = dv = one - one
                for a in range(changes.shape[1]):
                    change = changes[column, a]
                    du += change * (values[i, a] - values[k, a])
                    dv += change * (values[j, a] - values[k, a])
                    values_grad[i, a] += u * change
                    values_grad[j, a] += v * change
                    values_grad[k, a] += rest * change
                pixels_grad[column, 0], pixels_grad[column, 1] = du, dv
