"""The slow, readable rasteriser: every pixel against every triangle, in double precision.

It is the oracle of the quick ones, so it shares none of their decisions, only the maths of
`render.rasterizer` that follows once visibility is known.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from motiondistill.render import rasterizer
from motiondistill.render.rasterizer import (
    CROSSING_TOLERANCE,
    DEGENERATE_AREA,
    Crossings,
    Rasterizer,
)

# Triangles held against all pixels at once; bounds the memory.
_CHUNK = 256


class ReferenceRasterizer(Rasterizer):
    """Rasterises by brute force on any device."""

    def rasterize(
        self,
        pos: Float[Tensor, "batch vertices 4"],
        tri: Int[Tensor, "triangles 3"],
        resolution: tuple[int, int],
    ) -> Float[Tensor, "batch height width 4"]:
        """See `Rasterizer.rasterize`."""
        rasterizer.check_rasterize(pos, tri, resolution)
        exact = pos.detach().double()
        images = [_visible(vertices, tri.long(), resolution) for vertices in exact]
        return rasterizer.barycentrics(pos, tri, torch.stack(images))

    def interpolate(
        self,
        attr: Float[Tensor, "#batch vertices attributes"],
        rast: Float[Tensor, "batch height width 4"],
        tri: Int[Tensor, "triangles 3"],
    ) -> Float[Tensor, "batch height width attributes"]:
        """See `Rasterizer.interpolate`."""
        return rasterizer.interpolate(attr, rast, tri)

    def antialias(
        self,
        color: Float[Tensor, "batch height width channels"],
        rast: Float[Tensor, "batch height width 4"],
        pos: Float[Tensor, "batch vertices 4"],
        tri: Int[Tensor, "triangles 3"],
    ) -> Float[Tensor, "batch height width channels"]:
        """See `Rasterizer.antialias`."""
        found = _silhouettes(rast.detach(), pos.detach().double(), tri.long())
        return rasterizer.blend(color, pos, found)


def _visible(
    vertices: Float[Tensor, "vertices 4"], tri: Int[Tensor, "triangles 3"], size: tuple[int, int]
) -> Int[Tensor, "height width"]:
    """Index + 1 of the nearest triangle at every pixel, 0 for none; the first of equals."""
    height, width = size
    pixels = torch.arange(height * width, device=tri.device)
    x, y, _ = rasterizer.pixel_centers(pixels, size, torch.float64)
    rays = torch.stack([x, y, torch.ones_like(x)], -1)
    nearest = torch.full_like(x, torch.inf)
    ids = torch.zeros_like(pixels)
    for start in range(0, len(tri), _CHUNK):
        depth = _depth(vertices[tri[start : start + _CHUNK]], rays)
        lowest, index = depth.min(0).values, depth.argmin(0)
        ids = torch.where(lowest < nearest, start + index + 1, ids)
        nearest = torch.minimum(nearest, lowest)
    return ids.view(height, width)


def _depth(
    corners: Float[Tensor, "triangles 3 4"], rays: Float[Tensor, "pixels 3"]
) -> Float[Tensor, "triangles pixels"]:
    """z/w of every triangle at every pixel, infinite where it is not drawn.

    A point of the triangle is `corners^T b` with weights b that sum to 1. It projects onto a pixel
    (x, y) if its (x, y, w) is w times the ray (x, y, 1), so `b / w` solves a 3 x 3 system.
    """
    matrix = corners[..., [0, 1, 3]]
    volume = torch.linalg.det(matrix)
    drawn = volume.abs() > DEGENERATE_AREA * corners[..., 3].prod(-1).abs()
    eye = torch.eye(3, dtype=matrix.dtype, device=matrix.device)
    safe = torch.where(drawn[:, None, None], matrix, eye)
    scaled = torch.linalg.solve(safe.mT, rays.T.expand(len(corners), -1, -1))
    # Inside, all weights are positive: where all are negative, the triangle is behind the camera.
    inside = (scaled >= 0).all(1) & drawn[:, None]
    # b sums to 1, so `scaled` sums to 1 / w, and its w-weighted sum is 1.
    depth = (corners[..., 2, None] * scaled).sum(1)
    return torch.where(inside & (depth.abs() <= 1), depth, torch.inf)


def _silhouettes(
    rast: Float[Tensor, "batch height width 4"],
    pos: Float[Tensor, "batch vertices 4"],
    tri: Int[Tensor, "triangles 3"],
) -> Crossings:
    """All crossings: from the front pixel of each pair, the surface is walked until it ends."""
    front, back, vertical = _pairs(rast)
    twins = rasterizer.twins(tri).to(tri.device).flatten()
    found = torch.full_like(front, -1)
    image = front // rast[0, ..., 0].numel()
    walker = torch.arange(len(front), device=front.device)
    triangle = rast[..., 3].reshape(-1)[front].long() - 1
    entry = torch.full_like(triangle, -1)
    while len(walker):
        edges = 3 * triangle[:, None] + torch.arange(3, device=tri.device)
        pair = (front[walker], back[walker], vertical[walker])
        distance, steep = _cross(pos, _ends(tri, edges), pair, (rast.shape[1], rast.shape[2]))
        distance = torch.where(edges == entry[:, None], -torch.inf, distance)
        at, leaving = distance.max(1).values, distance.argmax(1, keepdim=True)
        edge, steep = edges.gather(1, leaving)[:, 0], steep.gather(1, leaving)[:, 0]
        reached = (at > -CROSSING_TOLERANCE) & (at < 1 + CROSSING_TOLERANCE)
        ends = _is_silhouette(pos, image[walker], tri, edge, twins[edge])
        taken = reached & ends & steep
        found[walker[taken]] = edge[taken]
        onwards = reached & ~ends
        walker, entry = walker[onwards], twins[edge[onwards]]
        triangle = entry // 3
    keep = found >= 0
    vertices = _ends(tri, found[keep]) + image[keep, None] * pos.shape[1]
    return Crossings(front[keep], back[keep], vertical[keep], vertices)


def _pairs(
    rast: Float[Tensor, "batch height width 4"],
) -> tuple[Int[Tensor, " pairs"], Int[Tensor, " pairs"], Bool[Tensor, " pairs"]]:
    """Neighbours that see different triangles: the nearer, the farther, whether in a column."""
    depth = torch.where(rast[..., 3] > 0, rast[..., 2], torch.inf).flatten()
    ids = rast[..., 3].flatten()
    pixels = torch.arange(len(ids), device=rast.device).view(rast.shape[:3])
    first = torch.cat([pixels[:, :, :-1].flatten(), pixels[:, :-1].flatten()])
    second = torch.cat([pixels[:, :, 1:].flatten(), pixels[:, 1:].flatten()])
    vertical = torch.arange(len(first), device=rast.device) >= pixels[:, :, 1:].numel()
    differ = ids[first] != ids[second]
    first, second, vertical = first[differ], second[differ], vertical[differ]
    ahead = depth[first] < depth[second]
    return torch.where(ahead, first, second), torch.where(ahead, second, first), vertical


def _ends(tri: Int[Tensor, "triangles 3"], edge: Int[Tensor, "*edges"]) -> Int[Tensor, "*edges 2"]:
    """The two vertices of numbered edges (see `rasterizer.twins`)."""
    face, corner = edge // 3, edge % 3
    return torch.stack([tri[face, (corner + 1) % 3], tri[face, (corner + 2) % 3]], -1)


def _cross(
    pos: Float[Tensor, "batch vertices 4"],
    ends: Int[Tensor, "pairs 3 2"],
    pair: tuple[Int[Tensor, " pairs"], Int[Tensor, " pairs"], Bool[Tensor, " pairs"]],
    size: tuple[int, int],
) -> tuple[Float[Tensor, "pairs 3"], Bool[Tensor, "pairs 3"]]:
    """Where three edges cross the line from the front to the back pixel, and which may count.

    The distance is in pixels from the front pixel, -infinite where an edge does not cross. An edge
    counts if it is steeper than 45 degrees against the pair: else it is a matter of the other axis.
    """
    front, back, vertical = pair
    scale = torch.tensor([size[1] / 2, size[0] / 2, 1.0], dtype=pos.dtype, device=pos.device)
    x, y, image = rasterizer.pixel_centers(front, size, pos.dtype)
    # Homogeneous pixel coordinates around the front pixel; columns: along, across, w.
    around = torch.stack([x, y, torch.zeros_like(x)], -1)[:, None, None]
    points = pos[image[:, None, None], ends][..., [0, 1, 3]]
    points = (points - around * points[..., 2:]) * scale
    points = torch.where(vertical[:, None, None, None], points[..., [1, 0, 2]], points)
    start, end = points.unbind(2)
    line = torch.linalg.cross(start, end)
    crosses = (start[..., 1] < 0) != (end[..., 1] < 0)
    # The line's meeting point with across = 0 lies at along = -line_w / line_along, in front of the
    # camera if the mean of both ends with weights that cancel `across` has a positive w.
    crosses &= line[..., 0] * (end[..., 1] - start[..., 1]) < 0
    sign = (back - front).sign()[:, None]
    distance = torch.where(crosses, -sign * line[..., 2] / line[..., 0], -torch.inf)
    rise, run = line[..., 0].abs(), line[..., 1].abs()
    return distance, torch.where(vertical[:, None], rise > run, rise >= run)


def _is_silhouette(
    pos: Float[Tensor, "batch vertices 4"],
    image: Int[Tensor, " edges"],
    tri: Int[Tensor, "triangles 3"],
    edge: Int[Tensor, " edges"],
    twin: Int[Tensor, " edges"],
) -> Bool[Tensor, " edges"]:
    """Whether nothing continues the surface beyond the edge: no twin, or one folded back."""
    apexes = tri.flatten()[torch.stack([edge, twin.clamp(0)], -1)]
    corners = torch.cat([_ends(tri, edge), apexes], 1)
    p, q, own, other = pos[image[:, None], corners][..., [0, 1, 3]].unbind(1)
    near_side: Tensor = torch.linalg.det(torch.stack([p, q, own], -2)) < 0
    far_side: Tensor = torch.linalg.det(torch.stack([p, q, other], -2)) < 0
    return (twin < 0) | (near_side == far_side)
