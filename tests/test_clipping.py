"""Triangles that reach through the near plane, or behind the camera, against clipped polygons."""

import pytest
import torch
from polygons import WINDOW, area, cut, fan, intersection, shifts
from solids import draw, project, relative
from torch import Tensor

from motiondistill.render.cpu import CpuRasterizer
from motiondistill.render.rasterizer import Rasterizer
from motiondistill.render.reference import ReferenceRasterizer

# Double precision, through the inverse areas of thin slices.
EXACT = 1e-7
# See `test_silhouettes`: what remains at corners falls as one over the resolution.
AREA, GRADIENT = 0.005, 0.02
SIZE = 128

CPU = CpuRasterizer()
both = pytest.mark.parametrize("rasterizer", [CPU, ReferenceRasterizer()], ids=["cpu", "reference"])


def clipped(points: Tensor) -> Tensor:
    """The part of a polygon of clip positions and attributes [V 4+] between near and far plane."""
    points = cut(points, points[:, 2] + points[:, 3])
    return cut(points, points[:, 3] - points[:, 2]) if len(points) else points


def triangles(seed: int) -> Tensor:
    """Clip positions of 40 triangles that reach from before the camera to behind it [40 3 4]."""
    generator = torch.Generator().manual_seed(seed)
    points = torch.randn(400, 3, 3, generator=generator, dtype=torch.float64)
    depth = points[..., 2]
    return project(points[(depth.amin(1) < -0.1) & (depth.amax(1) > 0.1)][:40])


@both
@pytest.mark.parametrize("seed", range(3))
def test_what_is_drawn_is_the_clipped_polygon(rasterizer: Rasterizer, seed: int) -> None:
    corners = triangles(seed)
    colours = torch.rand(3, 2, generator=torch.Generator().manual_seed(seed)).double()
    shown = 0
    for triangle in corners:
        rast = rasterizer.rasterize(triangle[None], fan(3), (32, 32))
        values = rasterizer.interpolate(colours[None], rast, fan(3))
        polygon = clipped(torch.cat([triangle, colours], 1))
        if len(polygon) == 0:
            assert rast.abs().max() == 0
            continue
        # All of it is in front of the camera, so that drawing it needs no care.
        assert polygon[:, 3].min() > 0
        pos, attributes, tri = polygon[None, :, :4], polygon[None, :, 4:], fan(len(polygon))
        simple = rasterizer.rasterize(pos, tri, (32, 32))
        seen = simple[..., 3] > 0
        assert torch.equal(rast[..., 3] > 0, seen)
        if seen.any():
            shown += 1
            assert (rast - simple)[..., 2][seen].abs().max() < EXACT
            expected = rasterizer.interpolate(attributes, simple, tri)
            assert (values - expected)[seen].abs().max() < EXACT
            assert -EXACT < rast[..., :2].min() and rast[..., :2].sum(-1).max() < 1 + EXACT
    assert shown > 10


@pytest.mark.slow
@both
def test_silhouettes_of_a_triangle_that_ends_behind_the_camera(rasterizer: Rasterizer) -> None:
    # Its near end is cut off far below the picture.
    points = torch.tensor([[1.3, 0.9, -2.5], [-0.9, -0.5, -3.0], [0.2, -1.0, 2.0]]).double()
    points.requires_grad_()
    pos = project(points)
    offsets = shifts(SIZE).double()
    moved = torch.cat([pos[:, :2] + offsets * pos[:, 3:], pos[:, 2:].expand(64, -1, -1)], -1)
    _, image = draw(rasterizer, moved, fan(3), torch.ones(1, 3, 1).double(), (SIZE, SIZE))
    total = image.mean() * 4
    visible = clipped(pos)
    outline = visible[:, :2] / visible[:, 3:]
    assert outline[:, 1].min() < -5
    window = WINDOW.double()
    exact = torch.stack([area(intersection(outline + shift, window)) for shift in offsets]).mean()
    assert total.item() == pytest.approx(exact.item(), rel=AREA)
    found, expected = (torch.autograd.grad(x, points, retain_graph=True)[0] for x in (total, exact))
    assert relative(found, expected) < GRADIENT


@both
def test_gradients_stay_finite_however_close_a_corner_is_to_the_camera_plane(
    rasterizer: Rasterizer,
) -> None:
    for distance in (1e-2, 1e-4, 1e-8, 0.0, -1e-8, -1e-4):
        points = torch.tensor([[-0.9, -0.5, -3], [1.3, 0.9, -2.5], [0.2, -1.0, -distance]])
        points.requires_grad_()
        rast, image = draw(rasterizer, project(points)[None], fan(3), torch.ones(1, 3, 1))
        assert (rast[..., 3] > 0).any()
        (gradient,) = torch.autograd.grad(image.sum() + rast[..., :3].sum(), points)
        assert gradient.isfinite().all() and gradient.abs().max() < 1e3
