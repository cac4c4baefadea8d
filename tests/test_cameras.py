import math
import re

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from motiondistill.cameras import (
    Orbit,
    azimuths_of,
    look_at,
    orbit_poses,
    project,
    view_azimuths,
)
from motiondistill.prompts import VIEW_NAMES, view_index, view_name
from motiondistill.randomness import seeded
from motiondistill.structures import Camera

SHAPES = [(), (1,), (2, 3)]
SIZES = [(64, 64), (48, 96), (90, 30)]
# Float32, distances of some metres.
TOLERANCE = 1e-5
# The same in pixels of images of up to a hundred.
PIXEL_TOLERANCE = 1e-3
EIGHTH = 2 * math.pi / len(VIEW_NAMES)


def pixels(camera: Camera, points: Tensor) -> Tensor:
    """Columns and rows (row 0 at the top) of world points [N 3] in the first frame."""
    return project(points[None], camera)[0][..., 0, :, :]


def pinhole(camera: Camera, points: Tensor) -> Tensor:
    """The same for one camera by OpenCV's formula, without clip space."""
    pose, (height, width) = camera.camera_from_world[0], camera.size
    x, y, z = (points @ pose[:3, :3].T + pose[:3, 3]).T
    focal = height / 2 / math.tan(float(camera.fov_y) / 2)  # pixels, the same on both axes
    return torch.stack([focal * x / z + width / 2, focal * y / z + height / 2], -1)


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
    assert matrix.shape == (*shape, 1, 4, 4)
    rotation = matrix[..., :3, :3]
    eye = torch.eye(3).expand_as(rotation)
    assert torch.allclose(rotation @ rotation.transpose(-1, -2), eye, atol=TOLERANCE)
    assert torch.allclose(torch.linalg.det(rotation), torch.ones(*shape, 1), atol=TOLERANCE)
    assert torch.equal(matrix[..., 3, :], torch.tensor([0.0, 0, 0, 1]).expand(*shape, 1, 4))


@pytest.mark.parametrize("size", SIZES)
def test_the_target_is_in_the_centre_at_the_distance(size: tuple[int, int]) -> None:
    orbit = Orbit(size=size, elevation=0.4, distance=3.0, target_height=1.1)
    camera = orbit(torch.linspace(-4, 4, 9))
    target = torch.tensor([[0.0, 1.1, 0.0]])
    centre = torch.tensor([size[1] / 2, size[0] / 2]).expand(9, 1, 2)
    assert torch.allclose(pixels(camera, target), centre, atol=PIXEL_TOLERANCE)
    assert torch.allclose(project(target[None], camera)[1], torch.tensor(3.0), atol=TOLERANCE)


@pytest.mark.parametrize("size", SIZES)
def test_clip_space_agrees_with_an_opencv_pinhole(size: tuple[int, int]) -> None:
    camera = Orbit(size=size, elevation=0.3)(torch.tensor(0.8))
    points = cloud()
    expected = pinhole(camera, points)
    assert torch.allclose(pixels(camera, points), expected, atol=PIXEL_TOLERANCE)


@pytest.mark.parametrize("size", SIZES)
def test_a_ball_is_round_in_every_aspect(size: tuple[int, int]) -> None:
    # A ball in the middle of the picture has the outline of a circle, never of an ellipse.
    directions = torch.nn.functional.normalize(torch.randn(4000, 3, generator=seeded(0)), dim=-1)
    ball = torch.tensor([0.0, 0.95, 0.0]) + 0.2 * directions
    offset = pixels(Orbit(size=size)(torch.tensor(0.3)), ball) - torch.tensor(size[::-1]) / 2
    extent = offset.amax(0) - offset.amin(0)
    # The cone that touches the ball has half the angle asin(r / d).
    expected = size[0] / math.tan(Orbit.fov_y / 2) * math.tan(math.asin(0.2 / Orbit.distance))
    assert torch.allclose(extent, torch.full((2,), expected), rtol=0.01)


def test_depth_runs_from_the_near_to_the_far_plane() -> None:
    # Looking along -Z from the origin: the third clip coordinate over w is -1 near and +1 far.
    view = look_at(torch.zeros(3), torch.tensor([0.0, 0.0, -1.0]))
    camera = Camera(view[None], fov_y=1.0, size=(8, 8), near=0.5, far=20.0)
    points = torch.tensor([[0.0, 0.0, -0.5], [0.0, 0.0, -2.0], [0.0, 0.0, -20.0]])
    near, between, far = (homogeneous(points) @ camera.clip_from_world()[0].T).unbind(0)
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
    near, far = project(torch.stack([front, back])[None], camera)[1][0]
    assert near < far


@pytest.mark.parametrize("index", range(8))
def test_view_words_name_the_side_that_is_nearest(index: int) -> None:
    sides = {"front": (0, 0, 1), "back": (0, 0, -1), "left": (1, 0, 0), "right": (-1, 0, 0)}
    azimuth = torch.tensor(index * EIGHTH)
    points = torch.tensor([sides[name] for name in sides], dtype=torch.float32)
    depth = project(points[None], Orbit()(azimuth))[1][0]
    order = [name for _, name in sorted(zip(depth.tolist(), sides, strict=True))]
    named = set(view_name(azimuth.item()).split()) & set(sides)
    assert named == set(order[: len(named)])


def test_sets_of_views_have_their_names() -> None:
    assert azimuths_of(VIEW_NAMES[:1]).tolist() == [0.0]
    for views in (VIEW_NAMES[::2], VIEW_NAMES):
        azimuths = azimuths_of(views)
        assert [view_name(azimuth) for azimuth in azimuths.tolist()] == list(views)
        assert torch.allclose(azimuths.diff(), torch.tensor(2 * math.pi / len(views)))
    assert torch.allclose(
        azimuths_of(["left side", "back view", -0.3, 7.0]),
        torch.tensor([math.pi / 2, math.pi, -0.3, 7.0]),
    )
    with pytest.raises(ValueError, match=r"`views` must hold angles or names \(front view, .*'up'"):
        azimuths_of(["up"])


def test_numbers_and_tensors_of_orbits_and_fields_of_view_agree() -> None:
    azimuth, target = torch.linspace(0, 6, 5), torch.tensor([0.0, 0.95, 0.0])
    plain = orbit_poses(azimuth, 0.3, 2.5, target)
    tensors = orbit_poses(azimuth, torch.full((5,), 0.3), torch.tensor(2.5), target.expand(5, 3))
    assert torch.allclose(plain, tensors, atol=TOLERANCE)
    one = Camera(plain[:, None], 0.7, (30, 40))
    each = Camera(plain[:, None], torch.full((5, 1), 0.7), (30, 40))
    moving = Camera(plain[None], torch.full((1, 5), 0.7), (30, 40))
    assert torch.allclose(one.clip_from_world(), each.clip_from_world(), atol=TOLERANCE)
    assert torch.equal(each.clip_from_world()[:, 0], moving.clip_from_world()[0])


def test_a_field_of_view_of_its_own_scales_each_picture() -> None:
    # Half the tangent: twice as large about the centre.
    fov_y = torch.tensor([0.8, 2 * math.atan(math.tan(0.4) / 2)])[:, None]
    pose = Orbit()(torch.zeros(2)).camera_from_world
    wide, narrow = pixels(Camera(pose, fov_y, (60, 80)), cloud()) - torch.tensor([40.0, 30.0])
    assert torch.allclose(narrow, 2 * wide, atol=PIXEL_TOLERANCE)


def test_points_of_every_frame_meet_the_camera_of_that_frame() -> None:
    points = torch.stack([cloud(), cloud() + 0.1, cloud() - 0.2])
    azimuths = torch.tensor([[0.0, 0.5, 1.0], [2.0, 2.0, 4.0]])
    poses = orbit_poses(azimuths, 0.2, 4.0, torch.tensor([0.0, 1.0, 0.0]))
    fov_y = torch.tensor([[0.5, 0.6, 0.7], [0.8, 0.8, 0.8]])
    moving, depth = project(points, Camera(poses, fov_y, (48, 64)))
    assert moving.shape == (2, 3, 20, 2) and depth.shape == (2, 3, 20)
    for view in range(2):
        for frame in range(3):
            still = Camera(poses[view, frame, None], fov_y[view, frame].item(), (48, 64))
            expected = pinhole(still, points[frame])
            assert torch.allclose(moving[view, frame], expected, atol=PIXEL_TOLERANCE)


@pytest.mark.parametrize(
    ("orbit", "message"),
    [
        ({"elevation": 1.5, "elevation_jitter": 0.1}, "`elevation` must stay between -1.5708 and"),
        ({"distance": 0.0}, "`distance` must stay between 0 and inf, got 0.0 and a jitter of 0.0"),
        ({"fov_jitter": 0.6}, "`fov_y` must stay between 0 and 3.14159, got 0.52 and a jitter"),
        ({"fov_y": math.nan}, "`fov_y` must stay between 0 and 3.14159, got nan"),
    ],
)
def test_orbits_that_no_camera_can_take_are_refused(orbit: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        Orbit(**orbit)


def test_points_behind_the_camera_have_no_positive_distance() -> None:
    camera = Orbit()(torch.tensor(0.0))
    image, depth = project(torch.tensor([[[0.0, 1.0, 9.0], [0.0, 1.0, 0.0]]]), camera)
    assert depth[0, 0] < 0 < depth[0, 1] and bool(image.isfinite().all())


def test_gradients_of_projection_match_finite_differences() -> None:
    def image(points: Tensor, azimuth: Tensor, distance: Tensor, fov_y: Tensor) -> Tensor:
        target = torch.tensor([0.1, 0.9, 0.0], dtype=torch.float64)
        poses = orbit_poses(azimuth, 0.2, distance, target)
        return project(points, Camera(poses, fov_y, (30, 50)))[0]

    frames = torch.arange(2, dtype=torch.float64)
    points = cloud()[:3].double().expand(2, 3, 3) + 0.1 * frames[:, None, None]
    leaves = (points, 0.3 + frames, 3 + frames, 0.5 + 0.1 * frames)
    assert torch.autograd.gradcheck(image, tuple(x.clone().requires_grad_() for x in leaves))


def test_varied_orbits_fill_their_ranges_and_follow_their_generator() -> None:
    orbit = Orbit(0.2, 4.0, 0.95, 0.6, elevation_jitter=0.4, distance_jitter=1.0, fov_jitter=0.25)
    azimuth = torch.linspace(0, 6, 500)
    camera = orbit.varied(azimuth, seeded(1))
    rotation = camera.camera_from_world[:, 0, :3, :3]
    eye = -(rotation.mT @ camera.camera_from_world[:, 0, :3, 3:]).squeeze(-1)
    offset = eye - torch.tensor([0.0, orbit.target_height, 0.0])
    distance = offset.norm(dim=-1)
    elevation, fov_y = (offset[:, 1] / distance).asin(), camera.fov_y.squeeze(-1).float()
    for values, low, high in ((elevation, -0.2, 0.6), (distance, 3, 5), (fov_y, 0.35, 0.85)):
        assert low - TOLERANCE <= float(values.min()) and float(values.max()) <= high + TOLERANCE
        # The gap to a bound that 500 uniform draws leave is above 2 % once in 20,000 times.
        assert float(values.min()) < low + 0.02 * (high - low)
        assert float(values.max()) > high - 0.02 * (high - low)
    seen = torch.atan2(offset[:, 0], offset[:, 2])
    assert torch.allclose(torch.remainder(seen - azimuth + 1, 2 * math.pi), torch.ones(500))
    correlation = torch.corrcoef(torch.stack([elevation, distance, fov_y]))
    assert float((correlation - torch.eye(3)).abs().max()) < 0.2  # 4.5 deviations: drawn apart
    again = orbit.varied(azimuth, seeded(1))
    assert torch.equal(again.clip_from_world(), camera.clip_from_world())
    assert not torch.equal(orbit.varied(azimuth, seeded(2)).fov_y, camera.fov_y)


@pytest.mark.parametrize("size", SIZES)
def test_without_jitter_varied_orbits_are_the_same_to_the_bit(size: tuple[int, int]) -> None:
    azimuth = torch.linspace(-3, 3, 7)
    plain, varied = Orbit(size=size)(azimuth), Orbit(size=size).varied(azimuth, seeded(0))
    assert torch.equal(plain.clip_from_world(), varied.clip_from_world())


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
