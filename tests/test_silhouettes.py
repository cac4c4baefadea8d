"""What antialiasing adds: covered area, and its derivatives with respect to vertex positions."""

import math

import pytest
import torch
from torch import Tensor

from motiondistill.render.cpu import CpuRasterizer
from motiondistill.render.rasterizer import Rasterizer
from motiondistill.render.reference import ReferenceRasterizer

FLOAT32 = 1e-5
# Blending by a crossing is exact for straight edges. What remains is a pixel or so at each corner
# and where one outline disappears behind another: a share that falls as one over the resolution.
AREA, AREA_GRADIENT = 0.005, 0.04
SIZE = 64

CPU = CpuRasterizer()
both = pytest.mark.parametrize("rasterizer", [CPU, ReferenceRasterizer()], ids=["cpu", "reference"])


def shifts() -> Tensor:
    """64 displacements that put a corner anywhere within a pixel, in clip space."""
    steps = (torch.arange(8) + 0.5) / 8 * 2 / SIZE
    return torch.cartesian_prod(steps, steps)[:, None]


def clip(points: Tensor, depth: float = 0.0) -> Tensor:
    """Clip positions, at different w, of points [V 2] given in [-1, 1]^2."""
    w = torch.linspace(1, 2, points.shape[-2])[:, None]
    flat = torch.cat(
        [points, torch.full_like(points[..., :1], depth), torch.ones_like(points[..., :1])], -1
    )
    return flat * w


def fan(corners: int, first: int = 0) -> Tensor:
    """Triangles of a convex polygon."""
    return torch.tensor([[0, i, i + 1] for i in range(1, corners - 1)]) + first


def area(polygon: Tensor) -> Tensor:
    """Pixels inside a polygon [V 2] in [-1, 1]^2, counter-clockwise (shoelace formula)."""
    x, y = polygon.unbind(-1)
    return (x * y.roll(-1) - x.roll(-1) * y).sum() / 2 * (SIZE / 2) ** 2


def intersection(subject: Tensor, window: Tensor) -> Tensor:
    """The part of a convex polygon inside another (Sutherland & Hodgman 1974), differentiable."""
    for start, end in zip(window, window.roll(-1, 0), strict=True):
        edge, kept = end - start, []
        side = edge[0] * (subject[:, 1] - start[1]) - edge[1] * (subject[:, 0] - start[0])
        for i in range(len(subject)):
            if side[i - 1] * side[i] < 0:
                share = side[i - 1] / (side[i - 1] - side[i])
                kept.append(subject[i - 1] + share * (subject[i] - subject[i - 1]))
            if side[i] >= 0:
                kept.append(subject[i])
        subject = torch.stack(kept)
    return subject


def render(rasterizer: Rasterizer, pos: Tensor, tri: Tensor, color: Tensor) -> Tensor:
    rast = rasterizer.rasterize(pos, tri, (SIZE, SIZE))
    return rasterizer.antialias(rasterizer.interpolate(color[None], rast, tri), rast, pos, tri)


def regular(corners: int, radius: float, turn: float) -> Tensor:
    angle = torch.arange(corners) / corners * 2 * math.pi + turn
    return radius * torch.stack([angle.cos(), angle.sin()], -1)


def sphere(rows: int, columns: int) -> tuple[Tensor, Tensor]:
    """A closed unit sphere with its poles up and down."""
    polar = (torch.arange(rows + 1) / rows * math.pi)[:, None]
    around = torch.arange(columns) / columns * 2 * math.pi
    parts = [
        polar.sin() * around.cos(),
        polar.cos().expand(-1, columns),
        polar.sin() * around.sin(),
    ]
    # The rows at the poles are drawn together to one vertex each.
    index = torch.arange((rows + 1) * columns).view(rows + 1, columns)
    index[0], index[-1] = index[0, 0], index[-1, 0]
    a, b, c, d = index[:-1], index[:-1].roll(-1, 1), index[1:], index[1:].roll(-1, 1)
    tri = torch.cat(
        [torch.stack([a, c, b], -1).flatten(0, 1), torch.stack([b, c, d], -1).flatten(0, 1)]
    )
    return torch.stack(parts, -1).flatten(0, 1), tri


@both
@pytest.mark.parametrize("edge", [1.8, 2.3])
def test_straight_edge_gives_exact_coverage(rasterizer: Rasterizer, edge: float) -> None:
    # A white square from beyond the left border to `edge` pixels from it, in a row of four pixels.
    right = torch.tensor(edge / 2 - 1, requires_grad=True)
    x = torch.stack([torch.tensor(-3.0), right, right, torch.tensor(-3.0)])
    pos = torch.stack([x, torch.tensor([-3.0, -3, 3, 3]), torch.zeros(4), torch.ones(4)], -1)[None]
    rast = rasterizer.rasterize(pos, fan(4), (1, 4))
    white = rasterizer.interpolate(torch.ones(1, 4, 1), rast, fan(4))
    image = rasterizer.antialias(white, rast, pos, fan(4)).flatten()
    expected = (edge - torch.arange(4)).clamp(0, 1)
    assert (image - expected).abs().max() < FLOAT32
    (gradient,) = torch.autograd.grad(image.sum(), right)
    assert gradient.item() == pytest.approx(2, rel=FLOAT32)


@both
def test_inner_edges_are_not_blended(rasterizer: Rasterizer) -> None:
    # One colour a triangle: their common edge is no silhouette, and the border is out of sight.
    pos = clip(regular(4, 3, 0.3))[None]
    rast = rasterizer.rasterize(pos, fan(4), (SIZE, SIZE))
    color = rast[..., 3:].clone()
    assert color.unique().tolist() == [1, 2]
    assert torch.equal(rasterizer.antialias(color, rast, pos, fan(4)), color)


@both
@pytest.mark.parametrize(("corners", "turn"), [(3, 0.1), (4, 0.35), (5, 0.0), (7, 1.0)])
def test_area_gradient_of_a_polygon(rasterizer: Rasterizer, corners: int, turn: float) -> None:
    polygon = regular(corners, 0.7, turn).requires_grad_()
    pos = clip(polygon - 1 / SIZE + shifts())
    total = render(rasterizer, pos, fan(corners), torch.ones(corners, 1)).sum() / len(pos)
    (found,) = torch.autograd.grad(total, polygon)
    (expected,) = torch.autograd.grad(area(polygon), polygon)
    assert total.item() == pytest.approx(area(polygon).item(), rel=AREA)
    assert (found - expected).norm() < AREA_GRADIENT * expected.norm()


@both
def test_area_gradient_under_occlusion(rasterizer: Rasterizer) -> None:
    # A grey quadrilateral partly in front of a white one: derivatives of the sum of all pixels.
    behind = (regular(4, 0.6, 0.2) - 0.2).requires_grad_()
    front = (regular(4, 0.5, 0.6) + 0.2).requires_grad_()
    shift = shifts() - 1 / SIZE
    pos = torch.cat([clip(behind + shift, 0.5), clip(front + shift, -0.5)], 1)
    grey = torch.tensor([1.0, 1, 1, 1, 0.3, 0.3, 0.3, 0.3])[:, None]
    total = render(rasterizer, pos, torch.cat([fan(4), fan(4, 4)]), grey).sum() / len(pos)
    exact = area(behind) + 0.3 * area(front) - area(intersection(behind, front))
    assert total.item() == pytest.approx(exact.item(), rel=AREA)
    found = torch.autograd.grad(total, [behind, front])
    expected = torch.autograd.grad(exact, [behind, front])
    for value, wanted in zip(found, expected, strict=True):
        assert (value - wanted).norm() < AREA_GRADIENT * wanted.norm()


@pytest.mark.parametrize("rows", [6, 12, 48])
def test_area_gradient_of_a_sphere_of_any_resolution(rows: int) -> None:
    # Triangles from twenty pixels down to one: the silhouette must be found all the same.
    points, tri = sphere(rows, 2 * rows)
    turn = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(0))).Q
    points = points @ turn
    radius = torch.tensor(0.6, requires_grad=True)
    flat = points[:, :2] * radius + shifts() - 1 / SIZE
    depth = points[:, 2:].expand(64, -1, -1) / 2
    pos = torch.cat([flat, depth, torch.ones_like(depth)], -1)
    total = render(CPU, pos, tri, torch.ones(len(points), 1)).sum() / 64
    (found,) = torch.autograd.grad(total, radius)
    # The area grows with the square of the radius, whatever the outline.
    assert found.item() == pytest.approx(2 * total.item() / 0.6, rel=AREA_GRADIENT)
    assert total.item() == pytest.approx(math.pi * (0.6 * SIZE / 2) ** 2, rel=4 / rows**2 + AREA)


def test_blending_against_finite_differences() -> None:
    polygon = regular(5, 0.71, 0.23).double()
    pos = clip(polygon).double()[None].requires_grad_()
    color = torch.rand(1, 8, 8, 2, generator=torch.Generator().manual_seed(0)).double()
    rast = CPU.rasterize(pos, fan(5), (8, 8)).detach()

    def functional(pos: Tensor, color: Tensor) -> Tensor:
        return CPU.antialias(color, rast, pos, fan(5))

    inputs = (pos, color.requires_grad_())
    assert torch.autograd.gradcheck(functional, inputs, eps=1e-7)
