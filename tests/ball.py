"""A ball as a mesh, so that tests know every normal and every hidden point in closed form."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from motiondistill.structures import NUM_JOINTS, Mesh


def ball(
    subdivisions: int, radius: float, centre: tuple[float, float, float]
) -> tuple[Float[Tensor, "vertices 3"], Int[Tensor, "triangles 3"]]:
    """Vertices and outward triangles of an octahedron whose faces were divided and rounded."""
    points = [sign * axis for axis in torch.eye(3) for sign in (1.0, -1.0)]
    faces = [(0, 2, 4), (2, 1, 4), (1, 3, 4), (3, 0, 4), (2, 0, 5), (1, 2, 5), (3, 1, 5), (0, 3, 5)]
    for _ in range(subdivisions):
        middle: dict[tuple[int, int], int] = {}

        def between(a: int, b: int, middle: dict[tuple[int, int], int] = middle) -> int:
            key = (min(a, b), max(a, b))
            if key not in middle:
                points.append(torch.nn.functional.normalize(points[a] + points[b], dim=0))
                middle[key] = len(points) - 1
            return middle[key]

        divided = []
        for a, b, c in faces:
            ab, bc, ca = between(a, b), between(b, c), between(c, a)
            divided += [(a, ab, ca), (b, bc, ab), (c, ca, bc), (ab, bc, ca)]
        faces = divided
    return torch.stack(points) * radius + torch.tensor(centre), torch.tensor(faces)


def as_mesh(
    vertices: Float[Tensor, "frames vertices 3"], faces: Int[Tensor, "triangles 3"]
) -> Mesh:
    """A mesh of the pelvis alone, its joints at the origin."""
    parts = torch.zeros(vertices.shape[1], dtype=torch.long)
    return Mesh(vertices, torch.zeros(len(vertices), NUM_JOINTS, 3), faces, parts)
