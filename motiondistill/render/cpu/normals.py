"""Normals at a mesh's vertices, and their gradient: kernels, and their places in torch's graph."""

import math
from typing import Any, Final, no_type_check

import torch
from jaxtyping import Float, Int
from torch import Tensor

from motiondistill.render.cpu.kernels import Array, Point3, array, by_image, kernel, part

SHORTEST: Final = 1e-12
"""Vectors shorter than this are divided by it rather than by their length, as in torch."""


def area_vectors(
    vertices: Float[Tensor, "*batch vertices 3"], faces: Int[Tensor, "triangles 3"]
) -> Float[Tensor, "*batch vertices 3"]:
    """See `shading.area_vectors`."""
    sums: Tensor = _AreaVectors.apply(vertices, faces)  # type: ignore[no-untyped-call]
    return sums


def vertex_normals(
    vertices: Float[Tensor, "*batch vertices 3"], faces: Int[Tensor, "triangles 3"]
) -> Float[Tensor, "*batch vertices 3"]:
    """See `shading.vertex_normals`."""
    normals: Tensor = _VertexNormals.apply(vertices, faces)  # type: ignore[no-untyped-call]
    return normals


class _AreaVectors(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, vertices: Tensor, faces: Tensor) -> Tensor:
        ctx.save_for_backward(vertices, faces)
        return _sums(vertices, faces)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        vertices, faces = ctx.saved_tensors
        return _sums_backward(grad, vertices, faces), None


class _VertexNormals(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, vertices: Tensor, faces: Tensor) -> Tensor:
        normals = _sums(vertices, faces)
        lengths = normals.new_empty(normals.shape[:-1])
        by_image(normalize, _count(vertices), _clips(normals), _clips(lengths, 1))
        ctx.save_for_backward(vertices, faces, normals, lengths)
        return normals

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        vertices, faces, normals, lengths = ctx.saved_tensors
        inner = torch.empty_like(normals)
        arrays = [_clips(inner), _clips(grad), _clips(normals), _clips(lengths, 1)]
        by_image(normalize_backward, _count(vertices), *arrays)
        return _sums_backward(inner, vertices, faces), None


def _sums(vertices: Tensor, faces: Tensor) -> Tensor:
    sums = torch.zeros(vertices.shape, dtype=vertices.dtype)
    by_image(add_areas, _count(vertices), _clips(sums), _clips(vertices), array(faces))
    return sums


def _sums_backward(grad: Tensor, vertices: Tensor, faces: Tensor) -> Tensor:
    result = torch.zeros(vertices.shape, dtype=vertices.dtype)
    arrays = [_clips(result), _clips(grad), _clips(vertices), array(faces)]
    by_image(add_areas_backward, _count(vertices), *arrays)
    return result


def _clips(tensor: Tensor, inner: int = 2) -> Array:
    """The tensor's values with all but the last dimensions as one."""
    return array(tensor).reshape(-1, *tensor.shape[-inner:])


def _count(vertices: Tensor) -> int:
    return math.prod(vertices.shape[:-2])


@kernel
@no_type_check
def add_areas(first: int, last: int, sums: Array, vertices: Array, faces: Array) -> None:
    """Add every triangle's cross product `(q - p) x (r - p)` at its three corners."""
    for image in range(first, last):
        points, total = vertices[image], sums[image]
        for face in range(len(faces)):
            u, v = _edges(points, faces, face)
            normal = _cross(u, v)
            for corner in range(3):
                _add(total, faces[face, corner], normal)


@kernel
@no_type_check
def add_areas_backward(
    first: int, last: int, out: Array, grad: Array, vertices: Array, faces: Array
) -> None:
    """Add the gradient for the vertices: `v x g` for q and `g x u` for r, where n = u x v."""
    for image in range(first, last):
        points, change, total = vertices[image], grad[image], out[image]
        for face in range(len(faces)):
            p, q, r = faces[face, 0], faces[face, 1], faces[face, 2]
            g = (
                change[p, 0] + change[q, 0] + change[r, 0],
                change[p, 1] + change[q, 1] + change[r, 1],
                change[p, 2] + change[q, 2] + change[r, 2],
            )
            u, v = _edges(points, faces, face)
            of_q, of_r = _cross(v, g), _cross(g, u)
            _add(total, q, of_q)
            _add(total, r, of_r)
            _add(total, p, (-of_q[0] - of_r[0], -of_q[1] - of_r[1], -of_q[2] - of_r[2]))


@kernel
@no_type_check
def normalize(first: int, last: int, vectors: Array, lengths: Array) -> None:
    """Divide the vectors by their lengths, which are kept, and not below `SHORTEST`."""
    shortest = vectors.dtype.type(SHORTEST)
    for image in range(first, last):
        for index in range(vectors.shape[1]):
            x, y, z = vectors[image, index, 0], vectors[image, index, 1], vectors[image, index, 2]
            length = max(math.sqrt(x * x + y * y + z * z), shortest)
            vectors[image, index, 0] = x / length
            vectors[image, index, 1] = y / length
            vectors[image, index, 2] = z / length
            lengths[image, index] = length


@kernel
@no_type_check
def normalize_backward(
    first: int, last: int, out: Array, grad: Array, normals: Array, lengths: Array
) -> None:
    """Write `(g - n (n . g)) / length`, or `g / SHORTEST` where that was the divisor."""
    shortest = out.dtype.type(SHORTEST)
    for image in range(first, last):
        for index in range(out.shape[1]):
            x, y, z = normals[image, index, 0], normals[image, index, 1], normals[image, index, 2]
            gx, gy, gz = grad[image, index, 0], grad[image, index, 1], grad[image, index, 2]
            length = lengths[image, index]
            along = x * gx + y * gy + z * gz
            if length == shortest:
                along = length - length
            out[image, index, 0] = (gx - along * x) / length
            out[image, index, 1] = (gy - along * y) / length
            out[image, index, 2] = (gz - along * z) / length


@part
@no_type_check
def _edges(points: Array, faces: Array, face: int) -> tuple[Point3, Point3]:
    """From the first corner to the second and to the third."""
    p, q, r = faces[face, 0], faces[face, 1], faces[face, 2]
    x, y, z = points[p, 0], points[p, 1], points[p, 2]
    u = (points[q, 0] - x, points[q, 1] - y, points[q, 2] - z)
    return u, (points[r, 0] - x, points[r, 1] - y, points[r, 2] - z)


@part
@no_type_check
def _cross(u: Point3, v: Point3) -> Point3:
    return u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]


@part
@no_type_check
def _add(matrix: Array, row: int, change: Point3) -> None:
    matrix[row, 0] += change[0]
    matrix[row, 1] += change[1]
    matrix[row, 2] += change[2]
