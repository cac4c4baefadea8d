"""Exact tracks of points on the body: where each is in every frame, and whether it is seen."""

import dataclasses
import math
from dataclasses import dataclass
from typing import Final

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from motiondistill.cameras import project
from motiondistill.render.rasterizer import Rasterizer
from motiondistill.render.view import View, draw
from motiondistill.structures import Camera, Mesh

OCCLUSION_BIAS: Final = 5e-3
"""A point counts as hidden by what is this much nearer, metres. The surface is known at pixels and
continued to the point by its triangle's plane; on curved parts the two differ by millimetres."""


@dataclass(frozen=True)
class Tracklets:
    """Points of a clip as a camera sees them."""

    pixels: Float[Tensor, "*views frames points 2"]
    """x from the left and y from the top edge, pixels (see `cameras.project`); differentiable."""
    visible: Bool[Tensor, "*views frames points"]
    """Whether the point is in the picture, on a side that faces the camera, and not hidden."""


def tracklets(
    mesh: Mesh,
    camera: Camera,
    vertices: Int[Tensor, " points"],
    rasterizer: Rasterizer,
    *,
    resolution: int = 512,
) -> Tracklets:
    """The tracks of these vertices; clips and cameras broadcast as in `Scene`.

    Surfaces are closed: their insides are never seen. What hides a point is found in an image of
    the body alone, drawn finer than the camera's: depth is compared on the plane of the triangle
    that the point's pixel sees.

    Args:
        mesh: The posed body.
        camera: Who looks.
        vertices: Indices of the vertices to follow; see `spread`.
        rasterizer: Draws.
        resolution: The shorter side of the image in which hidden points are found has at least this
            many pixels.
    """
    pixels, depth = project(mesh.vertices[..., vertices, :], camera)
    height, width = camera.size
    scale = math.ceil(resolution / min(height, width))
    fine = dataclasses.replace(camera, size=(height * scale, width * scale))
    with torch.no_grad():
        view = draw(rasterizer, mesh, fine)
        at = (pixels * scale).flatten(0, -3)
        inside = ((at >= 0) & (at < torch.tensor(view.size[::-1]).to(at))).all(-1)
        distance = depth.flatten(0, -2)
        inside &= (distance >= camera.near) & (distance <= camera.far)
        nearest = _surface_depth(view, torch.where(inside[..., None], at, 0.0))
        visible = inside & _faces_camera(view, vertices) & (distance <= nearest + OCCLUSION_BIAS)
    return Tracklets(pixels, visible.reshape(depth.shape))


def spread(points: Float[Tensor, "vertices 3"], count: int) -> Int[Tensor, " count"]:
    """Indices of `count` points, evenly spread: each is the farthest from those before it.

    The first is the farthest from the middle. Vertices lie dense on hands and faces; a share of
    them drawn at random would follow little else.
    """
    if not 1 <= count <= len(points):
        raise ValueError(
            f"`count` must be between 1 and the {len(points)} points, got {count}; choose fewer."
        )
    distance = (points - points.mean(0)).norm(dim=-1)
    chosen: list[int] = []
    for _ in range(count):
        chosen.append(int(distance.argmax()))
        gap = (points - points[chosen[-1]]).norm(dim=-1)
        distance = gap if len(chosen) == 1 else torch.minimum(distance, gap)
    return torch.tensor(chosen, device=points.device)


def _surface_depth(
    view: View, at: Float[Tensor, "images points 2"]
) -> Float[Tensor, "images points"]:
    """Distance of the surface seen by the pixels round these places, infinite where there is none.

    At the place itself, on the plane of the triangle that the pixel's centre sees: the depth at the
    centre would be far off on steep surfaces.
    """
    height, width = view.size
    column, row = at.long().unbind(-1)
    image = torch.arange(len(at), device=at.device)[:, None]
    triangle = view.rast[image, height - 1 - row, column, 3].long() - 1
    corners = view.positions[image[..., None], view.faces[triangle.clamp(min=0)]]
    x, y = 2 * at[..., 0] / width - 1, 1 - 2 * at[..., 1] / height
    px, py, _, pw = corners.unbind(-1)
    # Homogeneous edge functions, as in `reference.barycentrics`.
    ex, ey = px - x[..., None] * pw, py - y[..., None] * pw
    areas = torch.stack(
        [ex[..., i - 2] * ey[..., i - 1] - ey[..., i - 2] * ex[..., i - 1] for i in range(3)], -1
    )
    depth = (areas * pw).sum(-1) / areas.sum(-1)
    return torch.where(triangle >= 0, depth, torch.inf)


def _faces_camera(view: View, vertices: Int[Tensor, " points"]) -> Bool[Tensor, "images points"]:
    """Whether any triangle round the vertex shows its outside."""
    x, y, _, w = view.positions[:, view.faces].unbind(-1)
    corners = torch.stack([x, y, w], -1)
    # The triple product of the corners seen from the camera; outside they go round anticlockwise.
    turn = torch.linalg.det(corners)
    outside = (turn > 0).to(turn)[..., None].expand(*turn.shape, 3).flatten(1)
    count = torch.zeros_like(view.positions[..., 0]).index_add(1, view.faces.flatten(), outside)
    return count[:, vertices] > 0
