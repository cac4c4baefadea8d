"""The silhouettes between neighbouring pixels, in torch, on any device: slow and readable.

For two neighbours that see different triangles, the surface in front is walked from its pixel's
centre to the other's. Where a silhouette ends it on the way, the colours of the two pixels are
blended by the place of the crossing (Laine et al. 2020, section 3.6).
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from motiondistill.render import rasterizer
from motiondistill.render.rasterizer import CROSSING_TOLERANCE, gather


@dataclass(frozen=True)
class Crossings:
    """Pairs of neighbouring pixels between whose centres a silhouette edge passes.

    Pixels are indices into the flattened [B H W], vertices into the flattened [B V].
    """

    front: Int[Tensor, " pairs"]
    """The pixel that the edge's triangle covers."""
    back: Int[Tensor, " pairs"]
    """Its neighbour, which sees something behind, or nothing."""
    vertical: Bool[Tensor, " pairs"]
    """Whether the two are neighbours in a column (else in a row)."""
    edge: Int[Tensor, "pairs 2"]
    """The two vertices of the edge."""


def find(
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
    for _ in range(len(tri)):
        if not len(walker):
            break
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


def blend(
    color: Float[Tensor, "batch height width channels"],
    pos: Float[Tensor, "batch vertices 4"],
    crossings: Crossings,
) -> Float[Tensor, "batch height width channels"]:
    """`color` after every crossing moved some of one pixel's colour into its neighbour.

    A silhouette half-way between two centres changes nothing. Further out it covers part of the
    back pixel, further in it uncovers part of the front one (Laine et al. 2020, section 3.6).
    """
    batch, height, width, channels = color.shape
    alpha = 0.5 - crossing_distance(pos, crossings, (height, width))
    uncovers = alpha.detach() > 0
    target = torch.where(uncovers, crossings.front, crossings.back)
    source = torch.where(uncovers, crossings.back, crossings.front)
    flat_color = color.reshape(-1, channels)
    # Not `alpha.abs()`: its derivative is 0 where a silhouette is exactly half-way.
    share = torch.where(uncovers, alpha, -alpha)
    change = share * (gather(flat_color, source) - gather(flat_color, target))
    flat = target * channels + torch.arange(channels, device=target.device)[:, None]
    result = color.reshape(-1).index_add(0, flat.reshape(-1), change.reshape(-1))
    return result.view(batch, height, width, channels)


def crossing_distance(
    pos: Float[Tensor, "batch vertices 4"], crossings: Crossings, size: tuple[int, int]
) -> Float[Tensor, " pairs"]:
    """Where the edge crosses on the way from the front (0) to the back pixel (1)."""
    x, y, _ = rasterizer.pixel_centers(crossings.front, size, pos.dtype)
    px, py, _, w = gather(pos.reshape(-1, 4), crossings.edge.T).unbind(0)
    ex, ey = px - x * w, py - y * w
    vertical = crossings.vertical
    along, across = torch.where(vertical, ey, ex), torch.where(vertical, ex, ey)
    # The point of the edge with across = 0, in homogeneous coordinates relative to the front pixel.
    offset = along[0] * across[1] - along[1] * across[0]
    scale = w[0] * across[1] - w[1] * across[0]
    sign = (crossings.back - crossings.front).sign().to(pos.dtype)
    half = torch.where(vertical, size[0] / 2, size[1] / 2).to(pos.dtype)
    return (sign * half * offset / scale).clamp(0, 1)
