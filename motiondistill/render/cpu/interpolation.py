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
            for column in range(rast.shape[2]):
                face = int(rast[image, row, column, 3]) - 1
                if face < 0:
                    continue
                i, j, k = tri[face, 0], tri[face, 1], tri[face, 2]
                u, v = rast[image, row, column, 0], rast[image, row, column, 1]
                rest = one - u - v
                for a in range(attr.shape[2]):
                    mixed = u * values[i, a] + v * values[j, a] + rest * values[k, a]
                    out[image, row, column, a] = mixed


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
        values = attr[image if len(attr) > 1 else 0]
        attr_grad, rast_grad = grads[0][image], grads[1][image]
        for row in range(rast.shape[1]):
            for column in range(rast.shape[2]):
                face = int(rast[image, row, column, 3]) - 1
                if face < 0:
                    continue
                i, j, k = tri[face, 0], tri[face, 1], tri[face, 2]
                u, v = rast[image, row, column, 0], rast[image, row, column, 1]
                rest = one - u - v
                for a in range(attr.shape[2]):
                    change = grad[image, row, column, a]
                    rast_grad[row, column, 0] += change * (values[i, a] - values[k, a])
                    rast_grad[row, column, 1] += change * (values[j, a] - values[k, a])
                    attr_grad[i, a] += u * change
                    attr_grad[j, a] += v * change
                    attr_grad[k, a] += rest * change
