"""How surfaces are lit: normals, and one distant light."""

import math
from dataclasses import dataclass
from typing import Final

import torch
from jaxtyping import Float, Int
from torch import Tensor

from motiondistill.render.cpu import normals
from motiondistill.structures import Mesh


def area_vectors(
    vertices: Float[Tensor, "*batch vertices 3"], faces: Int[Tensor, "triangles 3"]
) -> Float[Tensor, "*batch vertices 3"]:
    """Sums of the adjacent triangles' normals, each as long as twice the triangle's area."""
    if vertices.device.type == "cpu":
        return normals.area_vectors(vertices, faces)
    return area_vectors_of_any_device(vertices, faces)


def area_vectors_of_any_device(
    vertices: Float[Tensor, "*batch vertices 3"], faces: Int[Tensor, "triangles 3"]
) -> Float[Tensor, "*batch vertices 3"]:
    """The same in torch: on a CPU slow, and what the kernels there are tested against."""
    corners = vertices[..., faces.flatten(), :].reshape(*vertices.shape[:-2], *faces.shape, 3)
    edges = corners[..., 1:, :] - corners[..., :1, :]
    products = torch.cross(edges[..., 0, :], edges[..., 1, :], dim=-1)
    shared = products[..., :, None, :].expand_as(corners).flatten(-3, -2)
    return torch.zeros_like(vertices).index_add(-2, faces.flatten(), shared)


def vertex_normals(
    vertices: Float[Tensor, "*batch vertices 3"], faces: Int[Tensor, "triangles 3"]
) -> Float[Tensor, "*batch vertices 3"]:
    """Unit normals at the vertices, the area-weighted mean of the adjacent triangles' normals."""
    if vertices.device.type == "cpu":
        return normals.vertex_normals(vertices, faces)
    return vertex_normals_of_any_device(vertices, faces)


def vertex_normals_of_any_device(
    vertices: Float[Tensor, "*batch vertices 3"], faces: Int[Tensor, "triangles 3"]
) -> Float[Tensor, "*batch vertices 3"]:
    """The same in torch, see `area_vectors_of_any_device`."""
    return torch.nn.functional.normalize(area_vectors_of_any_device(vertices, faces), dim=-1)


@dataclass(frozen=True)
class Light:
    """A distant light and light from everywhere, white. Together they show a colour as it is."""

    direction: tuple[float, float, float] = (0.35, 0.80, 0.49)
    """Towards the light, fixed in the world; of any length but zero."""
    ambient: float = 0.62
    """How bright a surface is that faces away from the light; 1 is unlit."""

    def __post_init__(self) -> None:
        if not math.hypot(*self.direction) > 0:
            raise ValueError(
                f"`direction` must not be zero, got {self.direction}; point it towards the light."
            )
        if not 0 <= self.ambient <= 1:
            raise ValueError(f"`ambient` must be between 0 and 1, got {self.ambient}; 1 is unlit.")

    def brightness(self, mesh: Mesh) -> Float[Tensor, "*batch frames vertices"]:
        """`ambient + (1 - ambient) max(0, n . l)` at every vertex (Lambert's law)."""
        towards = torch.nn.functional.normalize(torch.tensor(self.direction), dim=0)
        facing = vertex_normals(mesh.vertices, mesh.faces)
        lambert = (facing @ towards.to(mesh.vertices)).clamp(min=0)
        return self.ambient + (1 - self.ambient) * lambert


UNLIT: Final = Light(ambient=1.0)
"""Surfaces show their own colours."""
