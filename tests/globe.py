"""A sphere with texture coordinates, as maps have them: what is seen of it is known exactly."""

import math

import torch
from torch import Tensor

from motiondistill.structures import NUM_JOINTS, Mesh


def globe(
    centre: tuple[float, float, float] = (0.0, 1.0, 0.0),
    radius: float = 0.5,
    *,
    rings: int = 24,
    dtype: torch.dtype = torch.float32,
) -> Mesh:
    """One frame of a sphere of `rings` bands; u follows the azimuth from +X to -Z, v the height.

    The upper half is part 1, the lower half part 2. The seam u = 0 = 1 is at +X.
    """
    columns = 2 * rings
    v = torch.linspace(0, 1, rings + 1, dtype=dtype)
    u = torch.linspace(0, 1, columns + 1, dtype=dtype)
    uv = torch.cartesian_prod(v, u).flip(1)  # one more in a ring than there are vertices
    index = torch.arange((rings + 1) * (columns + 1)).view(rings + 1, columns + 1)
    quads = torch.stack([index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]], -1)
    uv_faces = torch.cat([quads[..., [0, 1, 2]].flatten(0, 1), quads[..., [0, 2, 3]].flatten(0, 1)])
    row, column = uv_faces // (columns + 1), uv_faces % (columns + 1)
    faces = row * columns + column % columns
    vertices = torch.tensor(centre, dtype=dtype) + radius * sphere(v[:, None], u[None, :-1])
    flat = vertices.reshape(-1, 3)
    parts = torch.where(flat[:, 1] > centre[1], 1, 2)
    joints = torch.zeros(1, NUM_JOINTS, 3, dtype=dtype)
    # The poles are rings of one point: their triangles without area are left out.
    solid = (flat[faces] - flat[faces].roll(1, 1)).norm(dim=-1).amin(-1) > 1e-9
    return Mesh(flat[None], joints, faces[solid], parts, uv, uv_faces[solid])


def sphere(v: Tensor, u: Tensor) -> Tensor:
    """Directions of texture coordinates."""
    height, azimuth = -torch.cos(math.pi * v), 2 * math.pi * u
    across = torch.sin(math.pi * v)
    x, z = across * azimuth.cos(), -across * azimuth.sin()
    return torch.stack([x, height.expand_as(x), z], -1)
