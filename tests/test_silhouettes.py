"""What antialiasing adds: covered area, and its derivatives with respect to vertex positions.

The truth is the derivative of the exact picture's integral, which only the outlines and their
colours make up: the boundary integral. Closed forms of areas are differentiated instead.
"""

import functools
import math
from collections.abc import Callable
from typing import TypeAlias

import pytest
import torch
from polygons import WINDOW, area, fan, intersection, regular, shifts
from solids import relative
from torch import Tensor

from motiondistill.render.cpu import CpuRasterizer
from motiondistill.render.rasterizer import Rasterizer
from motiondistill.render.reference import ReferenceRasterizer
from motiondistill.render.supersampling import shrink

FLOAT32 = 1e-5
# Blending by a crossing is exact for straight edges. What remains is a pixel or so at each corner
# and where one outline disappears behind another: a share that falls as one over the resolution.
AREA, GRADIENT = 0.005, 0.02
# Pixels of an image's side, and by how much finer it is drawn where outlines meet.
SIZE, FINER = 64, 4

# A factor of supersampling and a seed, to what is drawn, what is exact, and the polygons.
Case: TypeAlias = Callable[[int, int], tuple[Tensor, Tensor, list[Tensor]]]

CPU = CpuRasterizer()
both = pytest.mark.parametrize("rasterizer", [CPU, ReferenceRasterizer()], ids=["cpu", "reference"])


def clip(points: Tensor, depth: float = 0.0) -> Tensor:
    """Clip positions, at different w, of points [V 2] given in [-1, 1]^2."""
    w = torch.linspace(1, 2, points.shape[-2])[:, None]
    flat = torch.cat(
        [points, torch.full_like(points[..., :1], depth), torch.ones_like(points[..., :1])], -1
    )
    return flat * w


def render(
    rasterizer: Rasterizer, pos: Tensor, tri: Tensor, color: Tensor, finer: int = 1
) -> Tensor:
    """Images [B C SIZE SIZE]."""
    rast = rasterizer.rasterize(pos, tri, (SIZE * finer, SIZE * finer))
    image = rasterizer.interpolate(color[None], rast, tri)
    image = rasterizer.antialias(image, rast, pos, tri)
    return shrink(image.permute(0, 3, 1, 2), finer)


def integral(images: Tensor) -> Tensor:
    """Mean over the images of the integral over [-1, 1]^2, for every channel."""
    return images.mean((0, 2, 3)) * 4


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
@pytest.mark.parametrize("edge", [1.8, 2.0, 2.3])
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
@pytest.mark.parametrize(("corners", "turn"), [(3, 0.1), (3, 0.5), (4, 0.35), (5, 0.0), (7, 1.0)])
def test_area_gradient_of_a_polygon(rasterizer: Rasterizer, corners: int, turn: float) -> None:
    polygon = regular(corners, 0.7, turn).requires_grad_()
    pos = clip(polygon + shifts(SIZE))
    total = integral(render(rasterizer, pos, fan(corners), torch.ones(corners, 1)))
    (found,) = torch.autograd.grad(total, polygon)
    (expected,) = torch.autograd.grad(area(polygon), polygon)
    assert total.item() == pytest.approx(area(polygon).item(), rel=AREA)
    assert relative(found, expected) < GRADIENT


@pytest.mark.parametrize("turn", [0.1, 0.7, 1.3])
def test_gradient_of_the_mean_colour(turn: float) -> None:
    # At equal w colours are linear, and a triangle's mean is that of its corners.
    polygon = regular(4, 0.7, turn).requires_grad_()
    color = torch.rand(4, 3, generator=torch.Generator().manual_seed(0))
    flat = polygon + shifts(SIZE * FINER)
    pos = torch.cat([flat, torch.zeros_like(flat[..., :1]), torch.ones_like(flat[..., :1])], -1)
    total = integral(render(CPU, pos, fan(4), color, FINER))
    exact = torch.stack([area(polygon[i]) * color[i].mean(0) for i in fan(4)]).sum(0)
    for value, wanted in zip(total, exact, strict=True):
        assert value.item() == pytest.approx(wanted.item(), rel=AREA)
        found, expected = (
            torch.autograd.grad(x, polygon, retain_graph=True)[0] for x in (value, wanted)
        )
        assert relative(found, expected) < GRADIENT


def occluded(finer: int, seed: int) -> tuple[Tensor, Tensor, list[Tensor]]:
    """The integral of two squares, a grey one partly in front of a white one."""
    first, second = (6 * torch.rand(2, generator=torch.Generator().manual_seed(seed))).tolist()
    behind = (regular(4, 0.6, first) - 0.2).requires_grad_()
    front = (regular(4, 0.5, second) + 0.2).requires_grad_()
    shift = shifts(SIZE * finer)
    pos = torch.cat([clip(behind + shift, 0.5), clip(front + shift, -0.5)], 1)
    grey = torch.tensor([1.0, 1, 1, 1, 0.3, 0.3, 0.3, 0.3])[:, None]
    tri = torch.cat([fan(4), fan(4, 4)])
    exact = area(behind) + 0.3 * area(front) - area(intersection(behind, front))
    return integral(render(CPU, pos, tri, grey, finer)), exact, [behind, front]


def cut_by_the_frame(finer: int, seed: int) -> tuple[Tensor, Tensor, list[Tensor]]:
    """The area of a polygon that reaches out of the image."""
    turn, place = (6 * torch.rand(2, generator=torch.Generator().manual_seed(seed))).tolist()
    corners = 3 + seed % 3
    centre = 0.85 * torch.tensor([math.cos(place), math.sin(place)])
    polygon = (regular(corners, 0.7, turn) + centre).requires_grad_()
    shift = shifts(SIZE * finer)
    images = render(CPU, clip(polygon + shift), fan(corners), torch.ones(corners, 1), finer)
    exact = torch.stack([area(intersection(polygon + s, WINDOW)) for s in shift])
    return integral(images), exact.mean(), [polygon]


@functools.cache
def errors(case: Case, finer: int, seed: int) -> tuple[float, float]:
    """Relative errors of the integral, and of its gradient for the worst of the polygons."""
    total, exact, polygons = case(finer, seed)
    found, expected = (torch.autograd.grad(x, polygons) for x in (total, exact))
    worst = max(relative(a, b) for a, b in zip(found, expected, strict=True))
    return abs(total.item() / exact.item() - 1), worst


# Seed 0 puts a corner of one square on an edge of the other, where the exact derivative jumps.
@pytest.mark.parametrize(
    ("case", "seed"),
    [(occluded, seed) for seed in range(1, 6)] + [(cut_by_the_frame, seed) for seed in range(6)],
)
def test_gradient_where_outlines_meet(case: Case, seed: int) -> None:
    whole, worst = errors(case, FINER, seed)
    assert whole < AREA and worst < GRADIENT


@pytest.mark.parametrize("case", [occluded, cut_by_the_frame])
def test_supersampling_divides_the_error_of_the_gradient(case: Case) -> None:
    coarse, fine, finest = (
        sum(errors(case, finer, seed)[1] for seed in range(1, 6)) for finer in (1, 2, 4)
    )
    # By its factor, up to chance.
    assert 1.7 < coarse / fine < 2.4 and 1.7 < fine / finest < 2.4


@pytest.mark.parametrize("rows", [6, 12, 48])
def test_area_gradient_of_a_sphere_of_any_resolution(rows: int) -> None:
    # Triangles from twenty pixels down to one: the silhouette must be found all the same.
    points, tri = sphere(rows, 2 * rows)
    turn = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(0))).Q
    points = points @ turn
    radius = torch.tensor(0.6, requires_grad=True)
    flat = points[:, :2] * radius + shifts(SIZE)
    depth = points[:, 2:].expand(64, -1, -1) / 2
    pos = torch.cat([flat, depth, torch.ones_like(depth)], -1)
    total = integral(render(CPU, pos, tri, torch.ones(len(points), 1)))
    (found,) = torch.autograd.grad(total, radius)
    # The area grows with the square of the radius, whatever the outline.
    assert found.item() == pytest.approx(2 * total.item() / 0.6, rel=GRADIENT)
    assert total.item() == pytest.approx(math.pi * 0.6**2, rel=4 / rows**2 + AREA)


@both
def test_blending_against_finite_differences(rasterizer: Rasterizer) -> None:
    polygon = regular(5, 0.71, 0.23).double()
    pos = clip(polygon).double()[None].requires_grad_()
    color = torch.rand(1, 8, 8, 2, generator=torch.Generator().manual_seed(0)).double()
    rast = rasterizer.rasterize(pos, fan(5), (8, 8)).detach()

    def functional(pos: Tensor, color: Tensor) -> Tensor:
        return rasterizer.antialias(color, rast, pos, fan(5))

    inputs = (pos, color.requires_grad_())
    assert torch.autograd.gradcheck(functional, inputs, eps=1e-7)
