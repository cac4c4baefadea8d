"""The ground's pattern where the world has it, and a shadow that tells how high a body is."""

import dataclasses
import math

import pytest
import torch
from globe import globe
from torch import Tensor

from motiondistill.cameras import Orbit, project
from motiondistill.render import shadow
from motiondistill.render.appearance import plain
from motiondistill.render.background import Solid
from motiondistill.render.cpu import CpuRasterizer
from motiondistill.render.ground import (
    LEVEL_HALF_SIZE,
    Checks,
    Ground,
    ground_patches,
    ground_points,
)
from motiondistill.render.outputs import depth
from motiondistill.render.rasterizer import Rasterizer
from motiondistill.render.reference import ReferenceRasterizer
from motiondistill.render.scene import Scene
from motiondistill.render.shading import UNLIT
from motiondistill.render.shadow import CELL, CELLS, ContactShadow
from motiondistill.render.view import View, draw
from motiondistill.structures import Camera, Mesh

CPU = CpuRasterizer()
PIXEL = 2e-3  # of a projection, in pixels
# Every quarter of a pixel is averaged over the box around it, which is a little too wide; and where
# a square is sampled, a difference of two integrals is divided by a small width.
BOX, SQUARE = 0.04, 0.01
# Areas of a sphere of triangles, and what a Gaussian loses at the end of its table.
COVERAGE = 0.02
FIELDS = ("vertices", "joints")


def camera(azimuth: float = 0.4, size: tuple[int, int] = (64, 64), **orbit: float) -> Camera:
    return Orbit(size=size, **orbit)(torch.tensor([azimuth]))


def view_of(mesh: Mesh, seen_by: Camera) -> View:
    return draw(CPU, mesh, seen_by, ground_half_size=100.0)


def at_height(height: float, x: float = 0.0, z: float = 0.0) -> Mesh:
    """A ball of 20 cm whose lowest point has this height."""
    return globe((x, height + 0.2, z), 0.2)


def covered(mesh: Mesh) -> Tensor:
    return shadow.coverage(mesh, shadow.lit_corner(mesh))[0]


def test_ground_points_are_projected_onto_their_pixels() -> None:
    seen_by = camera(size=(20, 30), elevation=0.5)
    points = ground_points(seen_by.clip_from_world(), seen_by.size)
    x, z = points[0, 0].unbind(-1)
    world = torch.stack([x, torch.zeros_like(x), z], -1).flatten(0, 1)
    places, _ = project(world[None], seen_by)
    rows, columns = torch.arange(20) + 0.5, torch.arange(30) + 0.5
    expected = torch.stack(torch.meshgrid(columns, rows.flip(0), indexing="xy"), -1)
    assert torch.allclose(places[0, 0], expected.flatten(0, 1), atol=PIXEL)


def test_a_footprint_is_what_lies_between_neighbours() -> None:
    seen_by = camera(size=(100, 100), elevation=0.5)
    points, extent = ground_patches(seen_by.clip_from_world(), seen_by.size)
    assert torch.equal(points, ground_points(seen_by.clip_from_world(), seen_by.size))
    points, extent = points[0, 0], extent[0, 0]
    across = (points[1:-1, 2:] - points[1:-1, :-2]).abs() / 2
    up = (points[2:, 1:-1] - points[:-2, 1:-1]).abs() / 2
    assert torch.allclose(extent[1:-1, 1:-1], across + up, rtol=0.01, atol=1e-4)


def floor_only(size: int, checks: Checks | None) -> Tensor:
    """Red on the ground where no body is; the red of one kind of square is 1, of the other 0."""
    ground = Ground((1.0, 1.0, 1.0), checks=checks)
    away = globe((0.0, -50.0, 0.0))
    return Scene(CPU, ground=ground)(away, camera(size=(size, size)))[0, 0, 0]


def test_squares_lie_where_the_world_has_them() -> None:
    side = 0.7
    image = floor_only(256, Checks((0.0, 0.0, 0.0), side))
    points, extent = ground_patches(camera().clip_from_world(), (256, 256))
    x, z = (points[0, 0].flip(0) / side).unbind(-1)
    white = (x.floor() + z.floor()) % 2 == 0
    # Inside of a square the pixel does not reach the next.
    reach = extent[0, 0].flip(0) / side / 2
    inside = ((torch.stack([x, z], -1) % 1 - 0.5).abs() < 0.5 - reach).all(-1)
    inside[:128] = False
    assert float(inside.float().mean()) > 0.1
    assert torch.allclose(image[inside], white[inside].float(), atol=SQUARE)


def test_the_pattern_does_not_alias() -> None:
    """Against the truth of 256 rays a pixel, the filter errs far less than one ray a pixel does."""
    fine = floor_only(1024, Checks((0.0, 0.0, 0.0), 0.5))
    truth = fine.view(64, 16, 64, 16).mean((1, 3))
    one_ray = fine.view(64, 16, 64, 16)[:, 8, :, 8].round()
    filtered = floor_only(64, Checks((0.0, 0.0, 0.0), 0.5))
    ground = slice(24, 64)  # below the horizon

    def error(image: Tensor) -> float:
        return float((image[ground] - truth[ground]).square().mean().sqrt())

    assert error(filtered) < BOX < error(one_ray) / 5
    # Towards the horizon, squares fade to their mean.
    assert float((filtered[17:20] - 0.5).abs().max()) < 0.05


@pytest.mark.parametrize("azimuth", [0.0, 0.4, math.pi / 4, 2.0])
def test_a_large_ground_has_a_level_horizon(azimuth: float) -> None:
    side = 200
    black, white = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    away = globe((0.0, -50.0, 0.0))

    def tilt(half_size: float) -> float:
        """How much higher the horizon is in one column than in another, pixels."""
        ground = Ground(white, half_size)
        scene = Scene(CPU, background=Solid(black), ground=ground)
        columns = scene(away, camera(azimuth, (side, side)))[0, 0, 0].sum(0)
        return float(columns.max() - columns.min())

    assert tilt(LEVEL_HALF_SIZE) < math.tan(math.radians(0.1)) * side
    assert azimuth == 0 or tilt(100.0) > 2 * tilt(LEVEL_HALF_SIZE)


def test_a_large_ground_is_as_exact_under_the_feet() -> None:
    seen_by = camera(0.7, (100, 100))
    view = draw(CPU, globe((0.0, -50.0, 0.0)), seen_by, ground_half_size=LEVEL_HALF_SIZE)
    points = ground_points(view.clip_from_world, view.size)
    x, z = points[0, 0].flip(0).unbind(-1)
    world = torch.stack([x, torch.zeros_like(x), z], -1).flatten(0, 1)
    _, truth = project(world[None], seen_by)
    found = depth(view).flatten()
    near = found < 6.0
    assert int(near.sum()) > 1000
    assert torch.allclose(found[near], truth.flatten()[near], atol=1e-3)


@pytest.mark.parametrize("rasterizer", [CPU, ReferenceRasterizer()], ids=["cpu", "reference"])
def test_a_camera_below_the_ground_looks_through_it(rasterizer: Rasterizer) -> None:
    body = globe((0.0, 0.7, 0.0), 0.3, rings=8)
    poses = torch.cat([camera(0.3, elevation=lift).camera_from_world for lift in (-0.6, 0.3)])
    for mixed in (poses, poses.transpose(0, 1)):  # two cameras, and one that moves
        seen_by = Camera(mixed, 0.52, (40, 40))
        scene = Scene(rasterizer, ground=Ground(checks=Checks(), shadow=ContactShadow()))
        with_ground, without = (
            each(body, seen_by).flatten(0, 1)
            for each in (scene, dataclasses.replace(scene, ground=None))
        )
        below, above = (with_ground - without).abs().flatten(1).amax(1).tolist()
        assert below == 0 and above > 0.1
        assert float(without[0].std()) > 0.02, "the body is seen"


@pytest.mark.parametrize("height", [0.0, 0.3, 1.0, 2.0])
def test_a_shadow_covers_the_bodys_area_seen_from_above(height: float) -> None:
    area = float(covered(at_height(height)).sum()) * CELL**2
    assert area == pytest.approx(math.pi * 0.2**2, rel=COVERAGE)


def test_the_higher_a_body_the_paler_and_wider_its_shadow() -> None:
    steps = torch.arange(CELLS) - CELLS / 2 + 0.5
    previous = None
    for height in (0.0, 0.1, 0.3, 0.6, 1.2):
        cells = covered(at_height(height))
        peak = float(cells.max())
        spread = float(((cells.sum(0) * steps.square()).sum() / cells.sum()).sqrt())
        if previous is not None:
            assert peak < 0.95 * previous[0] and spread > 1.02 * previous[1]
        previous = peak, spread


def test_a_shadow_lies_below_its_body_and_moves_with_it() -> None:
    here, there = at_height(0.1), at_height(0.1, 20 * CELL, -7 * CELL)
    steps = (torch.arange(CELLS) + 0.5) * CELL
    for mesh, middle in ((here, (0.0, 0.0)), (there, (20 * CELL, -7 * CELL))):
        corner, cells = shadow.lit_corner(mesh)[0], covered(mesh)
        x = float((cells.sum(0) * steps).sum() / cells.sum() + corner[0])
        z = float((cells.sum(1) * steps).sum() / cells.sum() + corner[1])
        assert (x, z) == pytest.approx(middle, abs=0.1 * CELL)
    # By whole cells, so that the square around the body goes along.
    assert torch.allclose(covered(here), covered(there), atol=1e-3)


def test_the_square_that_holds_the_shadow_does_not_show() -> None:
    """A far vertex moves the square, but not the shadow of the rest."""
    mesh = at_height(0.05)
    far = torch.tensor([[[0.9, 3.0, 0.4]]]).expand(1, 400, 3)
    parts = torch.cat([mesh.parts, mesh.parts[:400]])
    vertices = torch.cat([mesh.vertices, far], 1)
    wider = dataclasses.replace(mesh, vertices=vertices, parts=parts)
    assert not torch.equal(shadow.lit_corner(mesh), shadow.lit_corner(wider))
    points = torch.cartesian_prod(torch.linspace(-1, 1, 40), torch.linspace(-1, 1, 40))
    lights = [
        ContactShadow()(view_of(each, camera(size=(40, 40))), points.view(1, 1, 40, 40, 2))
        for each in (mesh, wider)
    ]
    assert torch.allclose(*lights, atol=1e-4)
    assert float(lights[0].min()) < 0.6 and float(lights[0].max()) == pytest.approx(1.0)


def test_the_ground_is_dark_under_a_standing_body_only() -> None:
    ground = Ground((1.0, 1.0, 1.0), shadow=ContactShadow(0.5))
    # A white ball in full light: what is dark is shadow.
    scene = Scene(CPU, plain((1.0, 1.0, 1.0)), UNLIT, Solid((1.0, 1.0, 1.0)), ground)
    standing, jumping = (scene(at_height(height), camera())[0, 0] for height in (0.0, 0.4))
    assert 0.5 <= float(standing.min()) < float(jumping.min()) - 0.1
    assert float(standing[:, :26].min()) == pytest.approx(1.0, abs=1e-3), "far away it is bright"
    column = standing[0].min(0).values
    assert 24 < int(column.argmin()) < 40, "it is in the middle, where the ball is"


def test_several_cameras_share_a_clips_shadow() -> None:
    scene = Scene(CPU, ground=Ground(checks=Checks(), shadow=ContactShadow()))
    low, high = at_height(0.0), at_height(0.5)
    vertices, joints = (torch.cat([getattr(mesh, name) for mesh in (low, high)]) for name in FIELDS)
    mesh = dataclasses.replace(low, vertices=vertices, joints=joints)
    both = Orbit(size=(24, 24))(torch.tensor([0.0, 1.5]))
    together = scene(mesh, both)
    assert together.shape == (2, 2, 3, 24, 24)
    for index, azimuth in enumerate((0.0, 1.5)):
        alone = scene(mesh, camera(azimuth, size=(24, 24)))[0]
        assert torch.allclose(together[index], alone, atol=1e-5)


def test_a_plain_ground_leaves_the_image_as_it_is() -> None:
    view = view_of(globe(), camera())
    image = torch.rand(1, 64, 64, 3)
    assert Ground()(view, image) is image


@pytest.mark.parametrize("strength", [-0.1, 1.5, float("nan")])
def test_a_strength_beyond_its_range_is_refused(strength: float) -> None:
    with pytest.raises(ValueError, match="`strength` must be between 0 and 1"):
        ContactShadow(strength)
