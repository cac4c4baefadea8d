import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from standin_skeleton import rest_joints
from torch import Tensor

from motiondistill import rotations
from motiondistill.cameras import Orbit, facing_forward, heading, look_at, view_azimuths
from motiondistill.kinematics import forward_kinematics
from motiondistill.prompts import VIEW_NAMES, view_index, view_name
from motiondistill.structures import JOINT_INDEX, NUM_JOINTS, Camera, Motion

SHAPES = [(), (1,), (2, 3)]
SIZES = [(64, 64), (48, 96), (90, 30)]
# Float32, distances of some metres.
TOLERANCE = 1e-5
# The same in pixels of images of up to a hundred.
PIXEL_TOLERANCE = 1e-3
EIGHTH = 2 * math.pi / len(VIEW_NAMES)


def pixels(camera: Camera, points: Tensor) -> Tensor:
    """Columns and rows (row 0 at the top) of world points [N 3], by way of clip space."""
    clip = homogeneous(points) @ camera.clip_from_world().transpose(-1, -2)
    ndc = clip[..., :2] / clip[..., 3:]
    height, width = camera.size
    return torch.stack([(ndc[..., 0] + 1) / 2 * width, (1 - ndc[..., 1]) / 2 * height], -1)


def homogeneous(points: Tensor) -> Tensor:
    return torch.cat([points, torch.ones_like(points[..., :1])], -1)


def cloud() -> Tensor:
    """Points of about a person's extent."""
    generator = torch.Generator().manual_seed(0)
    return torch.randn(20, 3, generator=generator) * 0.4 + torch.tensor([0.0, 0.9, 0.0])


@pytest.mark.parametrize("shape", SHAPES)
@given(seed=st.integers(0, 1000), elevation=st.floats(-1.2, 1.2))
def test_cameras_are_rotated_and_never_mirrored(
    shape: tuple[int, ...], seed: int, elevation: float
) -> None:
    azimuth = 20 * torch.rand(shape, generator=torch.Generator().manual_seed(seed)) - 10
    matrix = Orbit(elevation=elevation)(azimuth).camera_from_world
    assert matrix.shape == (*shape, 4, 4)
    rotation = matrix[..., :3, :3]
    eye = torch.eye(3).expand_as(rotation)
    assert torch.allclose(rotation @ rotation.transpose(-1, -2), eye, atol=TOLERANCE)
    assert torch.allclose(torch.linalg.det(rotation), torch.ones(shape), atol=TOLERANCE)
    assert torch.equal(matrix[..., 3, :], torch.tensor([0.0, 0, 0, 1]).expand(*shape, 4))


@pytest.mark.parametrize("size", SIZES)
def test_the_target_is_in_the_centre_at_the_distance(size: tuple[int, int]) -> None:
    orbit = Orbit(size=size, elevation=0.4, distance=3.0, target_height=1.1)
    camera = orbit(torch.linspace(-4, 4, 9))
    target = torch.tensor([[0.0, 1.1, 0.0]])
    centre = torch.tensor([size[1] / 2, size[0] / 2]).expand(9, 1, 2)
    assert torch.allclose(pixels(camera, target), centre, atol=PIXEL_TOLERANCE)
    seen = homogeneous(target) @ camera.camera_from_world.transpose(-1, -2)
    assert torch.allclose(seen[..., 2], torch.tensor(3.0), atol=TOLERANCE)


@pytest.mark.parametrize("size", SIZES)
def test_clip_space_agrees_with_an_opencv_pinhole(size: tuple[int, int]) -> None:
    height, width = size
    camera = Orbit(size=size, elevation=0.3)(torch.tensor(0.8))
    points = cloud()
    x, y, z = (points @ camera.camera_from_world[:3, :3].T + camera.camera_from_world[:3, 3]).T
    focal = height / 2 / math.tan(camera.fov_y / 2)  # pixels, the same on both axes
    expected = torch.stack([focal * x / z + width / 2, focal * y / z + height / 2], -1)
    assert torch.allclose(pixels(camera, points), expected, atol=PIXEL_TOLERANCE)


def test_depth_runs_from_the_near_to_the_far_plane() -> None:
    # Looking along -Z from the origin: the third clip coordinate over w is -1 near and +1 far.
    view = look_at(torch.zeros(3), torch.tensor([0.0, 0.0, -1.0]))
    camera = Camera(view, fov_y=1.0, size=(8, 8), near=0.5, far=20.0)
    points = torch.tensor([[0.0, 0.0, -0.5], [0.0, 0.0, -2.0], [0.0, 0.0, -20.0]])
    near, between, far = (homogeneous(points) @ camera.clip_from_world().T).unbind(0)
    assert near[3] == pytest.approx(0.5) and far[3] == pytest.approx(20.0)  # w is the distance
    assert near[2] / near[3] == pytest.approx(-1) and far[2] / far[3] == pytest.approx(1)
    assert -1 < between[2] / between[3] < 1


def test_azimuth_zero_sees_the_front_unmirrored() -> None:
    camera = Orbit()(torch.tensor(0.0))
    left, right, above, below = pixels(
        camera,
        torch.tensor([[0.5, 0.95, 0.0], [-0.5, 0.95, 0.0], [0.0, 1.5, 0.0], [0.0, 0.1, 0.0]]),
    )
    assert left[0] > 32 > right[0]  # the subject's left is on the image's right
    assert above[1] < 32 < below[1]
    front, back = torch.tensor([[0.0, 0.95, 0.2], [0.0, 0.95, -0.2]])
    depth = homogeneous(torch.stack([front, back])) @ camera.camera_from_world.T
    assert depth[0, 2] < depth[1, 2]


@pytest.mark.parametrize("index", range(8))
def test_view_words_name_the_side_that_is_nearest(index: int) -> None:
    sides = {"front": (0, 0, 1), "back": (0, 0, -1), "left": (1, 0, 0), "right": (-1, 0, 0)}
    azimuth = torch.tensor(index * EIGHTH)
    points = torch.tensor([sides[name] for name in sides], dtype=torch.float32)
    depth = (homogeneous(points) @ Orbit()(azimuth).camera_from_world.T)[:, 2]
    order = [name for _, name in sorted(zip(depth.tolist(), sides, strict=True))]
    named = set(view_name(azimuth.item()).split()) & set(sides)
    assert named == set(order[: len(named)])


@given(seed=st.integers(0, 10**6), count=st.integers(1, 20), jitter=st.floats(0, EIGHTH / 2.1))
def test_view_azimuths_cover_the_circle(seed: int, count: int, jitter: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    azimuths = view_azimuths(count, jitter=jitter, generator=generator)
    centres = torch.tensor([view_index(azimuth) for azimuth in azimuths.tolist()])
    offset = torch.remainder(azimuths - centres * EIGHTH + math.pi, 2 * math.pi) - math.pi
    assert azimuths.shape == (count,) and float(offset.abs().max()) <= jitter + TOLERANCE
    around = torch.cat([centres, centres[:1] + 8])
    gaps = around.diff() % 8 if count > 1 else torch.tensor([8])
    # As even as eight views allow: whole steps of the circle's share, rounded.
    assert math.floor(8 / count) <= int(gaps.min()) and int(gaps.max()) <= math.ceil(8 / count)
    assert int(gaps.sum()) == 8


def test_every_view_is_drawn_equally_often() -> None:
    generator = torch.Generator().manual_seed(0)
    drawn = torch.cat([view_azimuths(1, jitter=0.1, generator=generator) for _ in range(800)])
    counts = torch.bincount(torch.tensor([view_index(a) for a in drawn.tolist()]), minlength=8)
    assert int(counts.min()) > 60 and int(counts.max()) < 150  # 100 each, within five deviations


def motion(*batch: int, frames: int = 4, seed: int = 0) -> Motion:
    generator = torch.Generator().manual_seed(seed)
    vectors = 0.3 * torch.randn(*batch, frames, NUM_JOINTS, 3, generator=generator)
    translation = torch.randn(*batch, frames, 3, generator=generator)
    return Motion(rotations.from_axis_angle(vectors), translation, fps=8.0)


def turned(clip: Motion, angle: Tensor) -> Motion:
    """The clip turned about the vertical through the origin."""
    turn = rotations.about_y(angle)[..., None, :, :]
    root = turn @ clip.rotations[..., 0, :, :]
    joints = torch.cat([root[..., None, :, :], clip.rotations[..., 1:, :, :]], -3)
    return Motion(joints, (turn @ clip.translation[..., None])[..., 0], clip.fps)


@pytest.mark.parametrize("shape", SHAPES)
def test_heading_turns_with_the_subject_and_faces_its_camera(shape: tuple[int, ...]) -> None:
    clip = motion(*shape)
    angle = torch.linspace(-0.9, 0.9, max(1, math.prod(shape))).reshape(shape)
    difference = heading(turned(clip, angle)) - heading(clip)
    assert torch.allclose(difference, angle, atol=TOLERANCE)
    still = Motion(rotations.identity(*shape, 2, NUM_JOINTS), torch.zeros(*shape, 2, 3), 8.0)
    assert torch.allclose(heading(turned(still, angle)), angle, atol=TOLERANCE)


def test_heading_is_the_mean_of_the_frames_and_carries_no_gradient() -> None:
    angles = torch.tensor([-0.5, 0.7], requires_grad=True)
    root = rotations.about_y(angles)[:, None]
    clip = Motion(
        torch.cat([root, rotations.identity(2, NUM_JOINTS - 1)], 1), torch.zeros(2, 3), 8.0
    )
    assert heading(clip).item() == pytest.approx(0.1, abs=TOLERANCE)
    assert not heading(clip).requires_grad


@pytest.mark.parametrize("shape", SHAPES)
def test_facing_forward_turns_the_whole_clip_rigidly(shape: tuple[int, ...]) -> None:
    clip = turned(motion(*shape), torch.full(shape, 2.0))
    forward = facing_forward(clip)
    assert torch.allclose(heading(forward), torch.zeros(shape), atol=TOLERANCE)
    assert torch.equal(forward.rotations[..., 1:, :, :], clip.rotations[..., 1:, :, :])
    turn = rotations.about_y(-heading(clip))[..., None, None, :, :]
    rest = rest_joints()

    def joints(of: Motion) -> Tensor:
        """Relative to where the pelvis rests, about which a clip turns."""
        positions = forward_kinematics(of.rotations, rest)[1] + of.translation[..., None, :]
        return positions - rest[JOINT_INDEX["pelvis"]]

    expected = (turn @ joints(clip)[..., None]).squeeze(-1)
    assert torch.allclose(joints(forward), expected, atol=TOLERANCE)
    again = facing_forward(forward)
    assert torch.allclose(again.rotations, forward.rotations, atol=TOLERANCE)
