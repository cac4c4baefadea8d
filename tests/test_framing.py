"""One framing per clip: nothing leaves the picture, and no frame has a framing of its own."""

import dataclasses
import math

import pytest
import torch
from torch import Tensor

from motiondistill.body.skinning import SkinnedBody
from motiondistill.cameras import Orbit, azimuths_of, orbit_poses, project
from motiondistill.data.parametric import parametric_motion
from motiondistill.framing import distance_to_see, middle
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


def framed(
    mesh: Mesh, orbit: Orbit, azimuths: Tensor, *, margin: float = MARGIN
) -> tuple[Tensor, Tensor]:
    """The target and the distance of the nearest framing that serves these views."""
    target = middle([mesh])
    looks = orbit_poses(azimuths, orbit.elevation, 1.0, torch.zeros(len(azimuths), 3))[:, :3, :3]
    offsets = mesh.vertices.detach().flatten(0, 1) - target
    return target, distance_to_see(offsets, looks, orbit, margin=margin)


def seen_from(target: Tensor, distance: Tensor, orbit: Orbit, azimuths: Tensor) -> Camera:
    poses = orbit_poses(azimuths, orbit.elevation, distance, target)
    return Camera(poses[:, None], orbit.fov_y, orbit.size)


def reach(mesh: Mesh, camera: Camera) -> Tensor:
    """How far from the middle vertices are in each view and frame; 1 is the picture's edge."""
    pixels, depth = project(mesh.vertices, camera)
    assert float(depth.min()) > 0
    half = torch.tensor([camera.size[1] / 2, camera.size[0] / 2])
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
    target, distance = framed(mesh, orbit, azimuths)
    extents = reach(mesh, seen_from(target, distance, orbit, azimuths))
    assert extents.shape == (8, FRAMES)
    # The tightest view of the tightest frame touches the margin: any nearer would cross it.
    assert float(extents.max()) == pytest.approx(1 - MARGIN, abs=TOLERANCE)
    nearer = seen_from(target, 0.99 * distance, orbit, azimuths)
    assert float(reach(mesh, nearer).max()) > 1 - MARGIN + TOLERANCE


def test_the_target_is_the_middle_of_all_frames(low_body: SkinnedBody) -> None:
    mesh = clip(low_body, "walk", speed=2.0)
    parts = [
        dataclasses.replace(mesh, vertices=mesh.vertices[part], joints=mesh.joints[part])
        for part in (slice(0, 4), slice(4, 8), slice(8, None))
    ]
    target = middle(parts)
    points = mesh.vertices.flatten(0, 1)
    assert torch.equal(target, (points.amin(0) + points.amax(0)) / 2)
    # 2 m/s for a second, diagonally: the target is half-way, not at the start.
    halfway = clip(low_body, "walk").joints[:, 0].mean(0) + torch.tensor([0.6, 0.0, 0.8])
    assert torch.allclose(target[[0, 2]], halfway[[0, 2]], atol=0.2)  # a step


def test_one_camera_serves_all_frames_so_that_a_jump_is_seen_as_one(low_body: SkinnedBody) -> None:
    mesh, orbit = clip(low_body, "jump"), Orbit()
    found = framed(mesh, orbit, azimuths_of(VIEW_NAMES[::2]))
    camera = seen_from(*found, orbit, torch.zeros(1))
    assert camera.camera_from_world.shape == (1, 1, 4, 4)
    heads = project(mesh.joints[:, 15:16], camera)[0][0, :, 0, 1]
    heights = mesh.joints[:, 15, 1]
    assert float(heights.max() - heights.min()) > 0.2
    correlation = torch.corrcoef(torch.stack([heads, -heights]))[0, 1]
    assert float(correlation) > 0.99


def test_clips_of_a_batch_are_seen_each_from_its_own_distance(low_body: SkinnedBody) -> None:
    meshes = [clip(low_body, "jump"), clip(low_body, "walk", speed=3.0)]
    offsets = torch.stack([mesh.vertices.flatten(0, 1) - middle([mesh]) for mesh in meshes])
    orbit, looks = Orbit(), torch.eye(3)[None]
    together = distance_to_see(offsets, looks, orbit)
    alone = [distance_to_see(each, looks, orbit) for each in offsets]
    assert together.tolist() == [distance.item() for distance in alone]
    assert float(together[1]) > float(together[0]) + 1


def test_a_point_on_the_edge_by_hand() -> None:
    # Two points 1 m left and right of the middle, seen from the front at the height of the target:
    # at 45 degrees of half field of view and without margin the camera is 1 m away.
    vertices = torch.tensor([[[-1.0, 0.5, 0.0], [1.0, 0.5, 0.0]]], requires_grad=True)
    faces, parts = torch.zeros(1, 3, dtype=torch.long), torch.zeros(2, dtype=torch.long)
    mesh = Mesh(vertices, torch.zeros(1, 22, 3), faces, parts)
    orbit = Orbit(elevation=0.0, fov_y=math.pi / 2, size=(50, 50))
    target, distance = framed(mesh, orbit, torch.zeros(1), margin=0.0)
    assert target.tolist() == [0.0, 0.5, 0.0]
    assert not target.requires_grad  # or an optimiser would move the body for the camera
    assert distance.item() == pytest.approx(1, abs=TOLERANCE)
    broad = Orbit(elevation=0.0, fov_y=math.pi / 2, size=(50, 100))
    _, wide = framed(mesh, broad, torch.zeros(1))
    assert wide.item() == pytest.approx(1 / (2 * 0.95), abs=TOLERANCE)
    # From the side both are in the middle, and the nearer one must not be cut off.
    _, side = framed(mesh, orbit, torch.tensor([math.pi / 2]), margin=0.0)
    assert side.item() == pytest.approx(1 + Camera.near, abs=TOLERANCE)


@pytest.mark.parametrize("margin", [-0.1, 1.0, math.nan])
def test_a_margin_without_picture_is_refused(low_body: SkinnedBody, margin: float) -> None:
    with pytest.raises(ValueError, match="`margin` must be between 0 and 1"):
        framed(clip(low_body, "stand"), Orbit(), torch.zeros(1), margin=margin)
