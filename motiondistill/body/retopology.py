"""What a detailed mesh knows, carried over to a coarse one whose vertices lie on its surface."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, final

import torch
from jaxtyping import Float, Int
from torch import Tensor

Closest = Callable[
    [Float[Tensor, "points 3"], Float[Tensor, "vertices 3"], Int[Tensor, "triangles 3"]],
    tuple[Int[Tensor, " points"], Float[Tensor, "points 3"]],
]
"""The triangle of a mesh that is closest to each point, and the closest point's barycentrics."""

# Corners of one vertex whose texture coordinates agree to this part of the texture share them.
_SAME: Final = 1 / 4096


@final
@dataclass(frozen=True)
class TexturedMesh:
    """A mesh with texture coordinates, one set of indices for positions and one for texture."""

    vertices: Float[Tensor, "vertices 3"]
    faces: Int[Tensor, "triangles 3"]
    uv: Float[Tensor, "texcoords 2"]
    uv_faces: Int[Tensor, "triangles 3"]


def carry_values(
    points: Float[Tensor, "points 3"],
    source: TexturedMesh,
    values: Float[Tensor, " vertices"],
    closest: Closest,
) -> Float[Tensor, " points"]:
    """The source's values per vertex, interpolated where the points are."""
    found, weights = closest(points, source.vertices, source.faces)
    return (weights.to(values) * values[source.faces[found]]).sum(1)


def carry_texture(
    points: Float[Tensor, "points 3"],
    faces: Int[Tensor, "coarse 3"],
    source: TexturedMesh,
    closest: Closest,
) -> tuple[Float[Tensor, "texcoords 2"], Int[Tensor, "coarse 3"]]:
    """Texture coordinates and their faces for the coarse mesh, on the source's texture.

    The corners of a triangle are looked up by walking over the source from what lies under its
    centre, never across a seam: so no triangle spans two sides of one. A corner beyond a seam
    takes the nearest place on this side of it.
    """
    under, _ = closest(points[faces].mean(1), source.vertices, source.faces)
    found, weights = _walk(points[faces.flatten()], under.repeat_interleave(3), source)
    uv = (weights[..., None].to(source.uv) * source.uv[source.uv_faces[found]]).sum(1)
    keys = torch.cat([faces.reshape(-1, 1), (uv / _SAME).round().long()], 1)
    _, corners = torch.unique(keys, dim=0, return_inverse=True)
    merged = torch.zeros(int(corners.max()) + 1, 2).to(uv)
    merged[corners] = uv  # any of the equal ones
    return merged, corners.reshape(faces.shape)


def _walk(
    points: Float[Tensor, "points 3"], start: Int[Tensor, " points"], source: TexturedMesh
) -> tuple[Int[Tensor, " points"], Float[Tensor, "points 3"]]:
    """The closest triangles to the points that a descent without crossing seams finds.

    Each step goes to the closest of the triangles that share a texture coordinate with this one,
    until none is closer. Returned with the closest points' barycentrics.
    """
    incident = _incident(source.uv_faces)
    here = start.clone()
    weights, distance = _closest_on(points, source.vertices[source.faces[here]])
    moving = torch.arange(len(points))
    while len(moving):
        nearby = incident[source.uv_faces[here[moving]]].flatten(1)
        corners = source.vertices[source.faces[nearby]]
        tried, apart = _closest_on(points[moving, None], corners)
        best = apart.argmin(1)
        rows = torch.arange(len(moving))
        closer = apart[rows, best] < distance[moving]
        rows, best, moving = rows[closer], best[closer], moving[closer]
        here[moving] = nearby[rows, best]
        weights[moving], distance[moving] = tried[rows, best], apart[rows, best]
    return here, weights


def _incident(uv_faces: Int[Tensor, "triangles 3"]) -> Int[Tensor, "texcoords most"]:
    """The triangles at every texture coordinate, one of them repeated to fill the row."""
    order = uv_faces.flatten().argsort(stable=True)
    count = uv_faces.flatten().bincount()
    first = count.cumsum(0) - count
    place = torch.arange(int(count.max())).minimum((count - 1).clamp(min=0)[:, None])
    return (order // 3)[(first[:, None] + place).clamp(max=len(order) - 1)]


def _closest_on(
    points: Float[Tensor, "*#batch 3"], corners: Float[Tensor, "*batch 3 3"]
) -> tuple[Float[Tensor, "*batch 3"], Float[Tensor, "*batch"]]:
    """Barycentrics of the closest points on triangles, and the distances to them."""
    after = corners.roll(-1, -2)
    edges, towards = after - corners, points[..., None, :] - corners
    # On the edges: the nearest point of each, as a share of the way to its end.
    share = (towards * edges).sum(-1) / edges.square().sum(-1).clamp(min=1e-30)
    share = share.clamp(0, 1)
    apart = (towards - share[..., None] * edges).norm(dim=-1)
    eye = torch.eye(3, dtype=corners.dtype)
    weights = (1 - share)[..., None] * eye + share[..., None] * eye.roll(-1, 0)
    # Inside: the signed areas that the projected point makes with each edge.
    normal = torch.linalg.cross(edges[..., 0, :], edges[..., 1, :])
    size = normal.square().sum(-1).clamp(min=1e-30)
    areas = (torch.linalg.cross(edges, towards) * normal[..., None, :]).sum(-1)
    inside = (areas / size[..., None]).roll(-1, -1)  # corner k is opposite edge k + 1
    height = (towards[..., 0, :] * normal).sum(-1).abs() / size.sqrt()
    height = torch.where((inside >= 0).all(-1), height, torch.inf)
    apart = torch.cat([apart, height[..., None]], -1)
    weights = torch.cat([weights, inside[..., None, :]], -2)
    best = apart.argmin(-1, keepdim=True)
    chosen = weights.gather(-2, best[..., None].expand(*best.shape, 3))[..., 0, :]
    return chosen, apart.gather(-1, best)[..., 0]
