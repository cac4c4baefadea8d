"""One framing per clip: nothing leaves the picture, and no frame has a framing of its own."""

import math

import pytest
import torch
from torch import Tensor

from motiondistill.body.skinning import SkinnedBody
from motiondistill.cameras import Orbit, azimuths_of, project
from motiondistill.data.parametric import parametric_motion
from motiondistill.framing import Framing, framing
from motiondistill.prompts import VIEW_NAMES
from motiondistill.randomness import seeded
from motiondistill.structures import Camera, Mesh, Motion

# Share of the picture; float32 at distances of some metres.
TOLERANCE = 1e-4
MARGIN = 0.05
FRAMES = 9


def clip(body: SkinnedBody, action: str, *, speed: float = 0.0) -> Mesh:
    """A parametric motion that travels diagonally at `speed` (m/s)."""
    motion = parametric_motion(action, "left", seeded(3), body.rest_joints, 8.0, FRAMES)
    way = speed * torch.arange(FRAMES)[:, None] / 8 * torch.tensor([0.6, 0.0, 0.8])
    return body(Motion(motion.rotations, motion.translation + way, motion.fps))


def reach(mesh: Mesh, found: Framing, orbit: Orbit, azimuths: Tensor) -> Tensor:
    """How far from the middle vertices are in each view and frame; 1 is the picture's edge."""
    pixels, depth = project(mesh.vertices, found(orbit, azimuths))
    assert float(depth.min()) > 0
    half = torch.tensor([orbit.size[1] / 2, orbit.size[0] / 2])
    return ((pixels - half).abs() / half).amax((-1, -2))


@pytest.mark.parametrize("size", [(64, 64), (48, 96), (96, 40)])
@pytest.mark.parametrize(
    ("action", "speed"), [("jump", 0.0), ("walk", 1.4), ("jumping jacks", 0.0)]
)
def test_nothing_leaves_the_picture_and_no_room_is_wasted(
    low_body: SkinnedBody, action: str, speed: float, size: tuple[int, int]
) -> None:
    mesh, azimuths = clip(low_body, action, speed=speed), azimuths_of(VIEW_NAMES)
    orbit = Orbit(size=size, elevation=0.3)
    found = framing(mesh, orbit, azimuths, margin=MARGIN)
    extents = reach(mesh, found, orbit, azimuths)
    assert extents.shape == (8, FRAMES)
    # The tightest view of the tightest frame touches the margin: any nearer would cross it.
    assert float(extents.max()) == pytest.approx(1 - MARGIN, abs=TOLERANCE)
    nearer = Framing(found.target, 0.99 * found.distance)
    assert float(reach(mesh, nearer, orbit, azimuths).max()) > 1 - MARGIN + TOLERANCE


def test_the_target_is_the_middle_of_all_frames(low_body: SkinnedBody) -> None:
    mesh = clip(low_body, "walk", speed=2.0)
    found = framing(mesh, Orbit(), azimuths_of(VIEW_NAMES[::2]))
    points = mesh.vertices.flatten(0, 1)
    expected = (points.amin(0) + points.amax(0)) / 2
    assert torch.allclose(found.target, expected) and found.distance.shape == ()
    # 2 m/s for a second, diagonally: the target is half-way, not at the start.
    middle = clip(low_body, "walk").joints[:, 0].mean(0) + torch.tensor([0.6, 0.0, 0.8])
    assert torch.allclose(found.target[[0, 2]], middle[[0, 2]], atol=0.2)  # a step


def test_one_camera_serves_all_frames_so_that_a_jump_is_seen_as_one(low_body: SkinnedBody) -> None:
    mesh, orbit = clip(low_body, "jump"), Orbit()
    camera = framing(mesh, orbit, azimuths_of(VIEW_NAMES[::2]))(orbit, torch.zeros(1))
    assert camera.camera_from_world.shape == (1, 1, 4, 4)
    heads = project(mesh.joints[:, 15:16], camera)[0][0, :, 0, 1]
    heights = mesh.joints[:, 15, 1]
    assert float(heights.max() - heights.min()) > 0.2
    correlation = torch.corrcoef(torch.stack([heads, -heights]))[0, 1]
    assert float(correlation) > 0.99


def test_clips_of_a_batch_are_framed_each_by_itself(low_body: SkinnedBody) -> None:
    meshes = [clip(low_body, "jump"), clip(low_body, "walk", speed=3.0)]
    batch = Mesh(
        torch.stack([mesh.vertices for mesh in meshes]),
        torch.stack([mesh.joints for mesh in meshes]),
        low_body.faces,
        low_body.parts,
    )
    orbit, azimuths = Orbit(), azimuths_of(VIEW_NAMES[::2])
    together = framing(batch, orbit, azimuths)
    for index, mesh in enumerate(meshes):
        alone = framing(mesh, orbit, azimuths)
        assert torch.equal(together.target[index], alone.target)
        assert torch.equal(together.distance[index], alone.distance)
    camera = together(orbit, torch.tensor([0.0, 1.0]))
    assert camera.camera_from_world.shape == (2, 1, 4, 4)
    assert float(together.distance[1]) > float(together.distance[0]) + 1


def test_a_point_on_the_edge_by_hand() -> None:
    # Two points 1 m left and right of the middle, seen from the front at the height of the target:
    # at 45 degrees of half field of view and without margin the camera is 1 m away.
    vertices = torch.tensor([[[-1.0, 0.5, 0.0], [1.0, 0.5, 0.0]]], requires_grad=True)
    faces, parts = torch.zeros(1, 3, dtype=torch.long), torch.zeros(2, dtype=torch.long)
    mesh = Mesh(vertices, torch.zeros(1, 22, 3), faces, parts)
    orbit = Orbit(elevation=0.0, fov_y=math.pi / 2, size=(50, 50))
    found = framing(mesh, orbit, torch.zeros(1), margin=0.0)
    assert found.target.tolist() == [0.0, 0.5, 0.0]
    assert found.distance.item() == pytest.approx(1, abs=TOLERANCE)
    assert not found.distance.requires_grad  # or an optimiser would move the body for the camera
    wide = framing(mesh, Orbit(elevation=0.0, fov_y=math.pi / 2, size=(50, 100)), torch.zeros(1))
    assert wide.distance.item() == pytest.approx(1 / (2 * 0.95), abs=TOLERANCE)
    # From the side both are in the middle, and the nearer one must not be cut off.
    side = framing(mesh, orbit, torch.tensor([math.pi / 2]), margin=0.0)
    assert side.distance.item() == pytest.approx(1 + Camera.near, abs=TOLERANCE)


@pytest.mark.parametrize("margin", [-0.1, 1.0, math.nan])
def test_a_margin_without_picture_is_refused(low_body: SkinnedBody, margin: float) -> None:
    with pytest.raises(ValueError, match="`margin` must be between 0 and 1"):
        framing(clip(low_body, "stand"), Orbit(), torch.zeros(1), margin=margin)
