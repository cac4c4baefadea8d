"""Tracks of vertices: exact places, and the truth about what is hidden."""

import math

import pytest
import torch
from ball import as_mesh, ball
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from motiondistill.cameras import Orbit, azimuths_of, project
from motiondistill.data.parametric import parametric_motion
from motiondistill.randomness import seeded
from motiondistill.render.cpu import CpuRasterizer
from motiondistill.render.tracklets import OCCLUSION_BIAS, spread, tracklets
from motiondistill.structures import Camera, Mesh
from motiondistill.trajectories import turn

SIZES = [(64, 64), (40, 90), (120, 50)]


def eye_of(camera: Camera) -> Tensor:
    pose = camera.camera_from_world[0, 0].double()
    return -(pose[:3, :3].T @ pose[:3, 3])


def sheets(gap: float) -> Mesh:
    """A square of 60 cm facing +Z at z = 0 and a smaller one `gap` behind it; 4 corners each."""
    square = torch.tensor([[-1.0, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]])
    behind = 0.2 * square + torch.tensor([0.0, 0.0, -gap])
    vertices = torch.cat([0.3 * square, behind]) + torch.tensor([0.0, 1.0, 0.0])
    faces = torch.tensor([[0, 1, 2], [0, 2, 3]])
    return as_mesh(vertices[None], torch.cat([faces, faces + 4]))


def by_rays(mesh: Mesh, eye: Tensor, vertices: Tensor) -> Tensor:
    """Visibility by exact rays (Moller & Trumbore 1997) against all triangles, [F P]."""
    result = []
    for frame in mesh.vertices.double():
        first, second, third = frame[mesh.faces].unbind(1)
        edges = second - first, third - first
        outside = ((eye - first) * torch.linalg.cross(*edges)).sum(-1) > 0
        row = []
        for vertex in vertices.tolist():
            own = (mesh.faces == vertex).any(1)
            ray = frame[vertex] - eye
            p = torch.linalg.cross(ray.expand_as(first), edges[1])
            q = torch.linalg.cross(eye - first, edges[0])
            det = (edges[0] * p).sum(-1)
            u, v = ((eye - first) * p).sum(-1) / det, (q * ray).sum(-1) / det
            t = (edges[1] * q).sum(-1) / det
            hit = (u >= 0) & (v >= 0) & (u + v <= 1) & (t > 0) & (t < 1) & ~own
            row.append(bool(outside[own].any()) and not bool(hit.any()))
        result.append(row)
    return torch.tensor(result)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("view", ["front", "left side", "back right"])
def test_half_of_a_ball_is_seen(view: str, size: tuple[int, int]) -> None:
    centre, radius = torch.tensor([0.1, 1.0, -0.2]), 0.4
    vertices, faces = ball(4, radius, tuple(centre.tolist()))
    camera = Orbit(size=size, elevation=0.4)(azimuths_of([view]))
    everything = torch.arange(len(vertices))
    found = tracklets(as_mesh(vertices[None], faces), camera, everything, CpuRasterizer())
    assert found.pixels.shape == (1, 1, len(vertices), 2)
    pixels, _ = project(vertices[None], camera)
    assert torch.equal(found.pixels, pixels)
    normals = (vertices - centre) / radius
    towards = torch.nn.functional.normalize(eye_of(camera).float() - vertices, dim=-1)
    cosine = (normals * towards).sum(-1)
    inside = ((pixels >= 0) & (pixels < torch.tensor(size[::-1]))).all(-1)[0, 0]
    # Within 9 degrees of the rim the facets decide, and the bias.
    sure = (cosine.abs() > 0.15) & inside
    assert int(sure.sum()) > 0.5 * len(vertices)
    assert torch.equal(found.visible[0, 0][sure], (cosine > 0)[sure])
    assert not bool(found.visible[0, 0][~inside].any())


@pytest.mark.parametrize("size", SIZES)
def test_what_lies_behind_is_hidden_and_what_touches_is_not(size: tuple[int, int]) -> None:
    camera = Orbit(elevation=0.0, target_height=1.0, size=size)(torch.tensor([0.2]))
    corners = torch.arange(8)
    for gap, seen in ((0.5, False), (2 * OCCLUSION_BIAS, False), (OCCLUSION_BIAS / 2, True)):
        visible = tracklets(sheets(gap), camera, corners, CpuRasterizer()).visible[0, 0]
        assert visible[:4].tolist() == [True] * 4
        assert visible[4:].tolist() == [seen] * 4
    # From behind both show their insides, which closed surfaces hide.
    behind = Orbit(elevation=0.0, target_height=1.0, size=size)(torch.tensor([math.pi]))
    assert not bool(tracklets(sheets(0.5), behind, corners, CpuRasterizer()).visible.any())


def test_steep_surfaces_do_not_hide_themselves() -> None:
    # Seen along its length, a floor's depth changes by a metre from pixel to pixel; only the plane
    # tells that its vertices lie on it.
    side = torch.linspace(-8, 1, 30)
    x, z = torch.meshgrid(torch.linspace(-0.4, 0.4, 5), side, indexing="ij")
    vertices = torch.stack([x, torch.zeros_like(x), z], -1).reshape(1, -1, 3)
    first = (torch.arange(4)[:, None] * 30 + torch.arange(29)).flatten()
    faces = torch.cat(
        [
            torch.stack([first, first + 31, first + 30], -1),
            torch.stack([first, first + 1, first + 31], -1),
        ]
    )
    camera = Orbit(elevation=0.02, target_height=0.0, distance=5.0)(torch.zeros(1))
    found = tracklets(as_mesh(vertices, faces), camera, torch.arange(150), CpuRasterizer())
    assert bool(found.visible.all())


def test_the_visible_part_of_a_body_is_what_rays_reach(low_body) -> None:
    motion = parametric_motion("jumping jacks", "left", seeded(3), low_body.rest_joints, 8.0, 3)
    mesh = low_body(motion)
    vertices = spread(mesh.vertices[0], 150)
    camera = Orbit(distance=5.0)(torch.tensor([1.0]))
    visible = tracklets(mesh, camera, vertices, CpuRasterizer()).visible[0]
    truth = by_rays(mesh, eye_of(camera), vertices)
    assert 0.3 < float(truth.float().mean()) < 0.7
    # The bias shows a few that are barely hidden; grazing surfaces, finer than the pixels, hide a
    # few that are barely seen.
    assert float((visible & ~truth).float().mean()) < 0.02
    assert float((truth & ~visible).float().mean()) < 0.03


def test_moving_cameras_and_several_views(low_body) -> None:
    motion = parametric_motion("walk", "left", seeded(3), low_body.rest_joints, 8.0, 3)
    mesh, vertices = low_body(motion), torch.tensor([5, 900])
    camera = turn(Orbit(), math.pi, 2.0)(torch.tensor([0.0, 1.0, 2.0]), torch.tensor([0.0, 1.0]))
    found = tracklets(mesh, camera, vertices, CpuRasterizer(), resolution=64)
    assert found.pixels.shape == (2, 3, 2, 2) and found.visible.shape == (2, 3, 2)
    for view in range(2):
        for frame in range(3):
            still = Camera(camera.camera_from_world[view, None, frame, None], 0.52, (64, 64))
            single = as_mesh(mesh.vertices[frame, None], mesh.faces)
            alone = tracklets(single, still, vertices, CpuRasterizer(), resolution=64)
            assert torch.allclose(found.pixels[view, frame], alone.pixels[0, 0], atol=1e-3)
            assert torch.equal(found.visible[view, frame], alone.visible[0, 0])


def test_behind_the_camera_nothing_is_seen() -> None:
    vertices, faces = ball(1, 0.2, (0.0, 1.0, 9.0))
    found = tracklets(
        as_mesh(vertices[None], faces), Orbit()(torch.zeros(1)), torch.arange(18), CpuRasterizer()
    )
    assert not bool(found.visible.any()) and bool(found.pixels.isfinite().all())


def test_gradients_reach_the_vertices_through_the_pixels() -> None:
    vertices, faces = ball(0, 0.4, (0.0, 1.0, 0.0))
    leaf = vertices.double()[None].requires_grad_()
    camera = Orbit(size=(30, 50))(torch.tensor([0.4], dtype=torch.float64))
    chosen = torch.tensor([3, 4])

    def pixels(moved: Tensor) -> Tensor:
        found = tracklets(as_mesh(moved, faces), camera, chosen, CpuRasterizer(), resolution=8)
        assert not found.visible.requires_grad
        return found.pixels

    assert torch.autograd.gradcheck(pixels, (leaf,))


def test_tracklets_measure_how_alike_two_motions_are(low_body) -> None:
    # Motion fidelity (Yatim et al. 2024) compares the directions in which tracks go.
    def directions(action: str, side: str) -> tuple[Tensor, Tensor]:
        motion = parametric_motion(action, side, seeded(2), low_body.rest_joints, 8.0, 6)
        mesh = low_body(motion)
        found = tracklets(mesh, Orbit()(torch.zeros(1)), chosen, CpuRasterizer(), resolution=64)
        way = found.pixels[0].diff(dim=0)
        tracked = found.visible[0, 1:] & found.visible[0, :-1] & (way.norm(dim=-1) > 0.01)
        return torch.nn.functional.normalize(way, dim=-1), tracked

    rest = parametric_motion("stand", "left", seeded(2), low_body.rest_joints, 8.0, 1)
    chosen = spread(low_body(rest).vertices[0], 60)
    first, seen = directions("wave", "left")

    def fidelity(action: str, side: str) -> float:
        other, also = directions(action, side)
        return float((first * other).sum(-1)[seen & also].mean())

    assert fidelity("wave", "left") == pytest.approx(1, abs=1e-5)
    assert fidelity("wave", "right") < 0.9


@given(seed=st.integers(0, 1000), count=st.integers(1, 12))
def test_spread_points_are_even(seed: int, count: int) -> None:
    points = torch.randn(40, 3, generator=torch.Generator().manual_seed(seed))
    chosen = spread(points, count)
    assert len(set(chosen.tolist())) == count
    distances = torch.cdist(points[chosen], points)
    among = distances[:, chosen] + torch.eye(count) * 1e9
    # No point is farther from the chosen than these are from each other.
    assert float(distances.amin(0).max()) <= float(among.min()) + 1e-5
    assert int(chosen[0]) == int((points - points.mean(0)).norm(dim=-1).argmax())


@pytest.mark.parametrize("count", [0, 6])
def test_more_points_than_there_are_are_refused(count: int) -> None:
    with pytest.raises(
        ValueError, match=f"`count` must be between 1 and the 5 points, got {count}"
    ):
        spread(torch.zeros(5, 3), count)
