"""Depth and parts are what the picture shows, from one geometry pass."""

import dataclasses
from collections.abc import Callable

import pytest
import torch
from globe import globe
from jaxtyping import Float, Int
from torch import Tensor

from motiondistill import rotations
from motiondistill.cameras import Orbit
from motiondistill.render.cpu import CpuRasterizer
from motiondistill.render.outputs import depth, part_mask
from motiondistill.render.rays import pixel_rays
from motiondistill.render.reference import ReferenceRasterizer
from motiondistill.render.scene import Scene
from motiondistill.render.view import draw
from motiondistill.structures import NUM_JOINTS, PART_NAMES, Mesh, Motion

# How far the triangles of a ball of 24 rings lie within the sphere, metres, times two for slant.
FACETS = 0.004
STEP = 1e-6  # of finite differences in float64
GRADIENT = 1e-5  # their relative error


class CountingRasterizer(CpuRasterizer):
    """Counts geometry passes."""

    passes = 0

    def rasterize(
        self,
        pos: Float[Tensor, "batch vertices 4"],
        tri: Int[Tensor, "triangles 3"],
        resolution: tuple[int, int],
    ) -> Float[Tensor, "batch height width 4"]:
        self.passes += 1
        return super().rasterize(pos, tri, resolution)


def test_depth_is_the_distance_along_the_axis_to_sphere_and_ground() -> None:
    mesh, camera = globe(radius=0.5), Orbit(size=(40, 50))(torch.tensor([0.7]))
    scene = Scene(CpuRasterizer())
    view = scene.draw(mesh, camera)
    found = depth(view)[0, 0]
    rays = pixel_rays(camera.clip_from_world(), camera.size)
    eye, directions = rays.eye[0, 0], rays.directions()[0, 0].flip(0)
    # |eye + s d - centre| = r, and the ground at eye_y + s d_y = 0.
    offset = eye - torch.tensor([0.0, 1.0, 0.0])
    a, b = directions.square().sum(-1), (directions @ offset)
    root = (b.square() - a * (offset.square().sum() - 0.25)).clamp(min=0).sqrt()
    sphere, ground = (-b - root) / a, -eye[1] / directions[..., 1]
    mask = part_mask(view)[0, 0]
    inside = (mask >= 0) & (root > 0.3)
    assert int(inside.sum()) > 100
    assert torch.allclose(found[inside], sphere[inside], atol=FACETS)
    floor = (mask < 0) & found.isfinite()
    assert int(floor.sum()) > 500
    assert torch.allclose(found[floor], ground[floor], rtol=1e-3)
    assert bool(found[0].isinf().all()) and bool((found[0] > 0).all()), "the sky is infinitely far"


def test_parts_are_those_of_the_nearest_corners(low_body_mesh: Mesh) -> None:
    camera = Orbit(size=(96, 96))(torch.tensor([0.0, 2.0]))
    view = draw(CpuRasterizer(), low_body_mesh, camera, ground_half_size=50.0)
    mask = part_mask(view)
    assert mask.shape == (2, 1, 96, 96) and mask.dtype == torch.int64
    # How much of each part the pixel's triangle has there.
    shares = torch.nn.functional.one_hot(low_body_mesh.parts, len(PART_NAMES)).float()
    seen = view.upright(view.interpolate(shares, torch.zeros(len(PART_NAMES)))).movedim(2, -1)
    body = mask >= 0
    assert torch.equal(body, seen.sum(-1) > 0.5)
    own = seen[body].gather(1, mask[body][:, None])
    assert float(own.min()) > 1 / 3 - 1e-4, "the largest of three weights is a third at least"
    most, part = seen[body].max(-1)
    sure = most > 0.999
    assert float(sure.float().mean()) > 0.3 and torch.equal(part[sure], mask[body][sure])
    found = {PART_NAMES[index] for index in mask.unique().tolist() if index >= 0}
    assert {"head", "face", "left_wrist", "right_wrist", "left_ankle", "right_knee"} <= found


@pytest.fixture(scope="module")
def low_body_mesh(low_body: Callable[[Motion], Mesh]) -> Mesh:
    return low_body(Motion(rotations.identity(1, NUM_JOINTS), torch.zeros(1, 3), 8.0))


def test_left_and_right_parts_are_on_their_sides(low_body_mesh: Mesh) -> None:
    view = draw(CpuRasterizer(), low_body_mesh, Orbit()(torch.tensor([0.0])))
    mask = part_mask(view)[0, 0]
    columns = torch.arange(64).expand(64, 64)
    left, right = (PART_NAMES.index(f"{side}_wrist") for side in ("left", "right"))
    assert float(columns[mask == left].float().mean()) > 40
    assert float(columns[mask == right].float().mean()) < 24
    rows = torch.arange(64)[:, None].expand(64, 64)
    head, foot = PART_NAMES.index("face"), PART_NAMES.index("left_ankle")
    assert float(rows[mask == head].float().mean()) < float(rows[mask == foot].float().mean())
    assert set(mask[0].tolist()) == {-1}


def test_picture_depth_and_parts_share_one_pass(low_body_mesh: Mesh) -> None:
    rasterizer = CountingRasterizer()
    scene = Scene(rasterizer)
    view = scene.draw(low_body_mesh, Orbit()(torch.tensor([0.0, 1.0])))
    video, distances, mask = scene.paint(view), depth(view), part_mask(view)
    assert rasterizer.passes == 1
    assert torch.equal(video, scene(low_body_mesh, Orbit()(torch.tensor([0.0, 1.0]))))
    assert distances.shape == mask.shape == (2, 1, 64, 64)


def test_without_ground_what_is_not_body_is_empty() -> None:
    view = draw(CpuRasterizer(), globe(), Orbit()(torch.tensor([0.0])))
    assert torch.equal(depth(view).isinf(), part_mask(view) < 0)
    assert not bool(view.sees_ground().any())


def test_the_gradient_of_depth_is_that_of_finite_differences() -> None:
    mesh, camera = (
        globe(rings=6, dtype=torch.float64),
        Orbit(size=(16, 16))(torch.tensor([0.4], dtype=torch.float64)),
    )
    generator = torch.Generator().manual_seed(1)
    weights = torch.rand(1, 1, 16, 16, generator=generator, dtype=torch.float64)
    direction = torch.randn(mesh.vertices.shape, generator=generator, dtype=torch.float64)

    def loss(vertices: Tensor) -> Tensor:
        view = draw(
            ReferenceRasterizer(),
            dataclasses.replace(mesh, vertices=vertices),
            camera,
            ground_half_size=10.0,
        )
        found = depth(view)
        return (weights * torch.where(found.isinf(), 0, found)).sum()

    vertices = mesh.vertices.requires_grad_()
    (gradient,) = torch.autograd.grad(loss(vertices), vertices)
    with torch.no_grad():
        ahead, behind = (loss(vertices + sign * STEP * direction) for sign in (1, -1))
    expected = float(ahead - behind) / (2 * STEP)
    assert abs(expected) > 0.1
    assert float((gradient * direction).sum()) == pytest.approx(expected, rel=GRADIENT)
