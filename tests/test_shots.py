"""Filmed motions stay in the picture, from the sides that were named and along the paths."""

import dataclasses
import math
from typing import Any

import pytest
import torch
from torch import Tensor

from motiondistill import rotations
from motiondistill.body.skinning import SkinnedBody
from motiondistill.building.film import _make_path
from motiondistill.cameras import heading, project
from motiondistill.data.parametric import parametric_motion
from motiondistill.film.drawing import meshes
from motiondistill.film.shots import (
    CameraKey,
    ShotSettings,
    cameras_along,
    view_azimuth,
    view_label,
)
from motiondistill.prompts import VIEW_NAMES
from motiondistill.randomness import seeded
from motiondistill.structures import Camera, Motion

# Share of the picture: float32 at distances of metres, and poses rounded to 1e-6.
TOLERANCE = 1e-4
# Metres, at the same distances.
PLACE = 1e-4
FRAMES, FPS = 9, 8.0
RISING = [CameraKey(0.0), CameraKey(0.5, 1.0, elevation=0.9), CameraKey(1.0, 2.5, pan=0.3)]


@pytest.fixture(scope="module")
def walk(low_body: SkinnedBody) -> Motion:
    """A walk over two metres towards the subject's front left."""
    motion = parametric_motion("walk", "left", seeded(3), low_body.rest_joints, FPS, FRAMES)
    way = 2 * torch.linspace(0, 1, FRAMES)[:, None] * torch.tensor([0.6, 0.0, 0.8])
    return Motion(motion.rotations, motion.translation + way, FPS)


def filmed(body: SkinnedBody, motion: Motion, **knobs: Any) -> Camera:
    settings = ShotSettings(**knobs)
    return cameras_along(
        lambda orbit, azimuth: _make_path(settings, FRAMES, FPS, orbit, azimuth),
        settings,
        torch.arange(FRAMES) / FPS,
        heading(motion),
        lambda: meshes(body, motion),
    )


def reach(body: SkinnedBody, motion: Motion, camera: Camera) -> Tensor:
    """How far from the middle vertices are, [views frames]; 1 is the picture's edge."""
    pixels, depth = project(body(motion).vertices, camera)
    assert float(depth.min()) > 0
    half = torch.tensor([camera.size[1] / 2, camera.size[0] / 2])
    return ((pixels - half).abs() / half).amax((-1, -2))


def eyes(camera: Camera) -> Tensor:
    pose = camera.camera_from_world
    return -(pose[..., :3, :3].mT @ pose[..., :3, 3:]).squeeze(-1)


def unpanned(keys: list[CameraKey]) -> list[CameraKey]:
    return [dataclasses.replace(key, pan=0.0) for key in keys]


@pytest.mark.parametrize("size", [(64, 64), (48, 96), (96, 40)])
@pytest.mark.parametrize(
    "knobs",
    [
        {"views": ("front", "left", "back right")},
        {"path": "turn"},
        {"path": "turn", "turn_angle": -2.0, "views": ("0.4",), "elevation": 0.6},
        {"path": "key_frames", "key_frames": unpanned(RISING)},
    ],
)
def test_the_whole_motion_is_in_the_picture_from_everywhere_on_the_path(
    low_body: SkinnedBody, walk: Motion, knobs: dict[str, Any], size: tuple[int, int]
) -> None:
    camera = filmed(low_body, walk, size=size, margin=0.1, **knobs)
    # Every frame from every place on the path: what is framed once must hold for all.
    for step in range(FRAMES):
        still = Camera(camera.camera_from_world[:, step : step + 1], 0.52, size)
        assert float(reach(low_body, walk, still).max()) <= 0.9 + TOLERANCE
    places = [Camera(camera.camera_from_world[:, [step]], 0.52, size) for step in range(FRAMES)]
    tightest = max(float(reach(low_body, walk, place).max()) for place in places)
    assert tightest == pytest.approx(0.9, abs=TOLERANCE)  # and no room is wasted


def middle(body: SkinnedBody, motion: Motion) -> Tensor:
    points = body(motion).vertices.flatten(0, 1)
    return (points.amin(0) + points.amax(0)) / 2


@pytest.mark.parametrize("path", ["dolly", "zoom"])
def test_a_way_in_begins_with_all_in_the_picture_and_ends_nearer(
    low_body: SkinnedBody, walk: Motion, path: Any
) -> None:
    amounts = {"dolly": {"dolly_factor": 0.5}, "zoom": {"zoom_factor": 2.0}}[path]
    camera, alone = filmed(low_body, walk, path=path, **amounts), filmed(low_body, walk)
    assert torch.allclose(camera.camera_from_world[:, 0], alone.camera_from_world[:, 0], atol=PLACE)
    away = (eyes(camera)[0] - middle(low_body, walk)).norm(dim=-1)
    tangents = (torch.as_tensor(camera.fov_y)[0] / 2).tan()
    nearer, larger = (0.5, 1.0) if path == "dolly" else (1.0, 2.0)
    assert (away[-1] / away[0]).item() == pytest.approx(nearer, rel=1e-4)
    assert (tangents[0] / tangents[-1]).item() == pytest.approx(larger, rel=1e-4)


def test_a_pan_sweeps_over_the_target_from_its_left_to_its_right(
    low_body: SkinnedBody, walk: Motion
) -> None:
    camera = filmed(low_body, walk, path="pan", pan_angle=0.3, elevation=0.0)
    target = middle(low_body, walk).expand(FRAMES, 1, 3)
    seen = camera.camera_from_world[0, :, :3] @ torch.cat([target, torch.ones(FRAMES, 1, 1)], -1).mT
    angles = torch.atan2(seen[:, 0, 0], seen[:, 2, 0])
    # A camera that looks left of the target has it on its right.
    assert torch.allclose(angles, torch.linspace(0.15, -0.15, FRAMES), atol=1e-4)


def test_a_whole_turn_has_no_frame_twice_and_its_frames_are_evenly_spread(
    low_body: SkinnedBody, walk: Motion
) -> None:
    offset = eyes(filmed(low_body, walk, path="turn"))[0] - middle(low_body, walk)
    azimuths = torch.atan2(offset[:, 0], offset[:, 2])
    steps = torch.cat([azimuths, azimuths[:1]]).diff()
    assert torch.allclose(steps.remainder(2 * math.pi), torch.tensor(math.tau / FRAMES), atol=1e-4)


def test_key_frames_take_from_the_camera_what_they_leave_open(
    low_body: SkinnedBody, walk: Motion
) -> None:
    keys = [CameraKey(0.0), CameraKey(0.5, 1.0, 0.9, 5.0, 0.3, 1.4), CameraKey(1.0, 2.5)]
    knobs: dict[str, Any] = {"distance": 3.0, "elevation": 0.2, "fov_y": 0.4, "views": ("left",)}
    camera = filmed(low_body, walk, path="key_frames", key_frames=keys, **knobs)
    front = math.pi / 2 + heading(walk).item()
    for frame, (azimuth, elevation, distance, height) in {
        0: (front, 0.2, 3.0, None),
        4: (front + 1.0, 0.9, 5.0, 1.4),
        8: (front + 2.5, 0.2, 3.0, None),
    }.items():
        target = middle(low_body, walk)
        if height is not None:
            target[1] = height
        level = math.cos(elevation)
        way = (level * math.sin(azimuth), math.sin(elevation), level * math.cos(azimuth))
        expected = target + distance * torch.tensor(way)
        assert torch.allclose(eyes(camera)[0, frame], expected, atol=PLACE)
    assert torch.as_tensor(camera.fov_y)[0, [0, 4, 8]].tolist() == pytest.approx([0.4, 0.3, 0.4])


@pytest.mark.parametrize("path", ["still", "turn", "pan"])
def test_views_and_paths_turn_with_the_subject(
    low_body: SkinnedBody, walk: Motion, path: Any
) -> None:
    angle = torch.tensor(2.1)
    about = rotations.about_y(angle)
    root = about @ walk.rotations[:, :1]
    turned = Motion(
        torch.cat([root, walk.rotations[:, 1:]], 1), walk.translation @ about.T, walk.fps
    )
    # The box round a turned motion is another; with a place to look at and a distance, only the
    # horizontal middle differs, so the angles of the cameras are compared.
    knobs: dict[str, Any] = {"path": path, "views": ("front left", "2.5"), "distance": 6.0}
    first, second = (filmed(low_body, motion, **knobs) for motion in (walk, turned))
    expected = first.camera_from_world[..., :3, :3] @ about.T
    assert torch.allclose(second.camera_from_world[..., :3, :3], expected, atol=1e-5)


def test_height_and_distance_that_are_given_are_kept(low_body: SkinnedBody, walk: Motion) -> None:
    camera = filmed(low_body, walk, distance=7.0, target_height=0.3, elevation=0.0)
    place = eyes(camera)[0, 0]
    assert place[1].item() == pytest.approx(0.3, abs=PLACE)
    level = (place - middle(low_body, walk))[[0, 2]]
    assert level.norm().item() == pytest.approx(7.0, abs=PLACE)


@pytest.mark.parametrize("index", range(8))
def test_views_have_long_and_short_names_and_numbers(index: int) -> None:
    name = VIEW_NAMES[index]
    short = name.removesuffix(" view").removesuffix(" side")
    angle = index * math.pi / 4
    assert view_azimuth(name) == view_azimuth(short) == pytest.approx(angle)
    assert view_azimuth(str(angle)) == pytest.approx(angle)
    assert view_label(short) == view_label(name) == name
    assert view_label("1.25") == "1.25 rad"


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        ({"views": ("top",)}, "`camera.views` must hold angles or names"),
        ({"views": ("nan",)}, "`camera.views` must hold angles within 1000 radians, got nan"),
        ({"views": ()}, "`camera.views` must be 1 to 16 views, got 0"),
        ({"views": ("front",) * 17}, "`camera.views` must be 1 to 16 views, got 17"),
        ({"turn_angle": 1.0}, "`camera.turn_angle` must be left out with camera.path=still"),
        ({"zoom_factor": 2.0, "path": "dolly"}, "`camera.zoom_factor` must be left out with"),
        ({"key_frames": RISING, "path": "turn"}, "`camera.key_frames` must be left out with"),
        ({"path": "key_frames"}, "`camera.key_frames` must hold at least one for camera.path="),
        (
            {"path": "key_frames", "key_frames": RISING[::-1]},
            "`camera.key_frames` must be in the order of their times",
        ),
    ],
)
def test_mistakes_are_told(knobs: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as caught:
        ShotSettings(**knobs)
    assert str(caught.value).startswith(message)
