"""Cameras that move: exact at their key frames, smooth between them, and named by what they see."""

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from motiondistill import rotations
from motiondistill.cameras import Orbit, project
from motiondistill.trajectories import (
    KeyFrame,
    Trajectory,
    dolly,
    monotone_cubic,
    pan,
    still,
    turn,
    zoom,
)

# Float32 at distances of some metres, and the same in pixels of images of about a hundred.
TOLERANCE = 1e-5
PIXEL_TOLERANCE = 1e-3
TIMES = torch.linspace(0, 2, 17)
FRONT = torch.tensor(0.0)


def eyes(camera: object) -> Tensor:
    """Where the cameras are [F 3]."""
    pose = camera.camera_from_world
    return -(pose[..., :3, :3].mT @ pose[..., :3, 3:]).squeeze(-1)


@given(
    st.lists(
        st.tuples(st.floats(0.05, 3), st.floats(-9, 9)),
        min_size=1,
        max_size=6,
    )
)
def test_the_cubic_is_exact_at_keys_and_stays_between_them(rows: list[tuple[float, float]]) -> None:
    steps, values = torch.tensor(rows, dtype=torch.float64).T
    keys = steps.cumsum(0)
    assert torch.equal(monotone_cubic(keys, values[:, None], keys).squeeze(1), values)
    for index in range(len(keys) - 1):
        at = torch.linspace(keys[index], keys[index + 1], 40, dtype=torch.float64)
        between = monotone_cubic(keys, values[:, None], at).squeeze(1)
        low, high = values[index : index + 2].aminmax()
        assert bool((between >= low - 1e-12).all() and (between <= high + 1e-12).all())
        steps = between.diff() * (values[index + 1] - values[index]).sign()
        assert bool((steps >= -1e-12).all())  # and monotone, too
    outside = monotone_cubic(keys, values[:, None], torch.stack([keys[0] - 1, keys[-1] + 1]))
    assert torch.equal(outside.squeeze(1), values[[0, -1]])


def test_the_cubic_keeps_lines_and_has_no_corners() -> None:
    keys = torch.tensor([0.0, 0.5, 2.0, 2.2, 4.0], dtype=torch.float64)
    at = torch.linspace(0, 4, 4001, dtype=torch.float64)
    line = monotone_cubic(keys, (3 - 2 * keys)[:, None], at)[:, 0]
    assert torch.allclose(line, 3 - 2 * at, atol=1e-12)
    hills = torch.tensor([0.0, 1.0, 1.2, 3.0, -1.0], dtype=torch.float64)
    values = monotone_cubic(keys, hills[:, None], at)[:, 0]
    slopes = values.diff() / at.diff()
    # A cubic over 1.8 within 0.2 bends by at most 6 * 1.8 / 0.2^2 = 270: by 0.3 in a thousandth. A
    # corner would show as a jump of the order of the slopes.
    assert float(slopes.abs().max()) > 5 and float(slopes.diff().abs().max()) < 0.3


def test_the_cubic_has_the_slopes_of_fritsch_and_butland() -> None:
    # Steps 1 and 2 with slopes 1 and 4: (w1 + w2) / (w1 / 1 + w2 / 4), w1 = 2*2 + 1, w2 = 2 + 2*1.
    keys = torch.tensor([0.0, 1.0, 3.0], dtype=torch.float64)
    values = torch.tensor([[0.0], [1.0], [9.0]], dtype=torch.float64)
    step = 1e-6
    around = monotone_cubic(keys, values, 1 + torch.tensor([-step, step], dtype=torch.float64))
    expected = 9 / (5 / 1 + 4 / 4)
    assert float(around.diff(dim=0)) / (2 * step) == pytest.approx(expected, rel=1e-5)


def test_the_camera_passes_its_key_frames_exactly() -> None:
    keys = (
        KeyFrame(0.0, 0.0, 0.1, 4.0, 0.5, (0.0, 1.0, 0.0)),
        KeyFrame(0.5, 2.0, 0.4, 2.0, 0.7, (0.5, 1.2, -0.3)),
        KeyFrame(2.0, 9.0, -0.2, 3.0, 0.3, (1.0, 0.8, 0.4)),
    )
    camera = Trajectory(keys, (48, 80))(torch.tensor([key.time for key in keys]), FRONT)
    assert camera.camera_from_world.shape == (3, 4, 4) and camera.size == (48, 80)
    for frame, key in enumerate(keys):
        orbit = Orbit(key.elevation, key.distance, 0.0, key.fov_y, (48, 80))
        expected = eyes(orbit(torch.tensor(key.azimuth)))[0] + torch.tensor(key.target)
        assert torch.allclose(eyes(camera)[frame], expected, atol=TOLERANCE)
        assert float(camera.fov_y[frame]) == pytest.approx(key.fov_y)
    targets = torch.tensor([key.target for key in keys])
    centres, depth = project(targets[:, None], camera)
    assert torch.allclose(centres[:, 0], torch.tensor([40.0, 24.0]), atol=PIXEL_TOLERANCE)
    assert torch.allclose(depth[:, 0], torch.tensor([4.0, 2.0, 3.0]), atol=TOLERANCE)


@given(seed=st.integers(0, 1000))
def test_moving_cameras_are_rotated_never_mirrored_and_level(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.rand(4, 4, generator=generator).tolist()
    keys = tuple(
        KeyFrame(float(time), 20 * a - 10, 2 * b - 1, 1 + 4 * c, pan=2 * d - 1)
        for time, (a, b, c, d) in enumerate(drawn)
    )
    heading = torch.rand(2, 3, generator=generator)
    pose = Trajectory(keys)(torch.linspace(-1, 4, 23), heading).camera_from_world
    assert pose.shape == (2, 3, 23, 4, 4)
    rotation = pose[..., :3, :3]
    assert torch.allclose(rotation @ rotation.mT, torch.eye(3).expand_as(rotation), atol=TOLERANCE)
    assert torch.allclose(torch.linalg.det(rotation), torch.ones(2, 3, 23), atol=TOLERANCE)
    # The horizon stays level: the picture's right is horizontal in the world.
    assert float(rotation[..., 0, 1].abs().max()) < TOLERANCE


def test_the_whole_path_turns_with_the_subject() -> None:
    keys = (
        KeyFrame(0.0, 0.3, 0.1, 4.0, target=(0.4, 1.0, 0.2), tilt=0.1),
        KeyFrame(2.0, 1.0, 0.3, 3.0, target=(0.0, 1.1, 0.5), pan=0.2),
    )
    points = torch.randn(5, 3, generator=torch.Generator().manual_seed(0)) * 0.4
    path, heading = Trajectory(keys), torch.tensor([0.0, 2.1])
    turned = torch.stack([points, points @ rotations.about_y(heading[1]).T])
    image, _ = project(turned[:, None], path(TIMES, heading))
    assert torch.allclose(image[0], image[1], atol=PIXEL_TOLERANCE)


def test_a_turn_goes_all_the_way_round_at_constant_speed() -> None:
    orbit = Orbit(size=(32, 48))
    path = turn(orbit, 4 * math.pi, 2.0, azimuth=0.5)
    expected = torch.linspace(0.5, 0.5 + 4 * math.pi, 17)  # twice round: nothing is wrapped
    moving, still = path(TIMES, FRONT), orbit(expected)
    assert torch.allclose(moving.camera_from_world, still.camera_from_world[:, 0], atol=TOLERANCE)
    assert torch.allclose(moving.fov_y, torch.full((17,), orbit.fov_y))


def test_a_dolly_keeps_its_direction_and_changes_its_distance() -> None:
    path = dolly(Orbit(), 2.0, 2.0, azimuth=0.7)
    target = torch.tensor([0.0, Orbit.target_height, 0.0])
    offset = eyes(path(TIMES, FRONT)) - target
    assert torch.allclose(offset.norm(dim=-1), torch.linspace(4, 2, 17), atol=TOLERANCE)
    directions = torch.nn.functional.normalize(offset, dim=-1)
    assert torch.allclose(directions, directions[:1].expand(17, 3), atol=TOLERANCE)


@pytest.mark.parametrize("factor", [2.0, 0.5])
def test_a_zoom_scales_the_picture_without_moving_the_camera(factor: float) -> None:
    camera = zoom(Orbit(size=(60, 80)), factor, 2.0, azimuth=-1.0)(TIMES, FRONT)
    assert torch.allclose(eyes(camera), eyes(camera)[:1].expand(17, 3), atol=TOLERANCE)
    points = torch.randn(1, 6, 3, generator=torch.Generator().manual_seed(0)) * 0.3
    image = project(points, camera)[0] - torch.tensor([40.0, 30.0])
    assert torch.allclose(image[-1], factor * image[0], atol=PIXEL_TOLERANCE)
    sizes = image.norm(dim=(-1, -2))
    assert bool((sizes.diff() * (factor - 1) > 0).all())


def test_a_pan_turns_on_the_spot_to_the_right() -> None:
    orbit = Orbit(size=(60, 80))
    camera = pan(orbit, 0.3, 2.0)(TIMES, FRONT)
    assert torch.allclose(eyes(camera), eyes(camera)[:1].expand(17, 3), atol=TOLERANCE)
    target = torch.tensor([[[0.0, orbit.target_height, 0.0]]])
    columns = project(target, camera)[0][:, 0, 0]
    assert bool((columns.diff() < 0).all())  # what stands still wanders to the left
    assert float(columns[8]) == pytest.approx(40, abs=PIXEL_TOLERANCE)
    assert float(columns[0] + columns[-1]) == pytest.approx(80, abs=PIXEL_TOLERANCE)
    # About the vertical: level sight is off the target's direction by the pan, at any elevation.
    forward = camera.camera_from_world[:, 2, :3]
    angles = torch.atan2(forward[:, 0], -forward[:, 2])
    assert torch.allclose(angles, torch.linspace(-0.15, 0.15, 17), atol=TOLERANCE)


def test_a_tilt_looks_up() -> None:
    path = Trajectory((KeyFrame(0.0), KeyFrame(1.0, tilt=0.1)), (60, 80))
    camera = path(torch.tensor([0.0, 1.0]), FRONT)
    image = project(torch.tensor([[[0.0, Orbit.target_height, 0.0]]]), camera)[0][:, 0]
    focal = 30 / math.tan(Orbit.fov_y / 2)
    assert image[1].tolist() == pytest.approx([40, 30 + focal * math.tan(0.1)], abs=PIXEL_TOLERANCE)
    assert torch.allclose(eyes(camera)[0], eyes(camera)[1], atol=TOLERANCE)


def test_a_single_key_frame_is_a_camera_that_stands_still() -> None:
    camera = Trajectory((KeyFrame(1.0, 0.4),))(TIMES, FRONT)
    expected = Orbit()(torch.tensor(0.4)).camera_from_world.expand(17, 4, 4)
    assert torch.allclose(camera.camera_from_world, expected, atol=TOLERANCE)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Trajectory(()), "`key_frames` must be at least one, .* got times \\[\\]; sort"),
        (
            lambda: Trajectory((KeyFrame(1.0), KeyFrame(1.0))),
            "`key_frames` must be .* in the order of their times, got times \\[1.0, 1.0\\]",
        ),
        (lambda: KeyFrame(0.0, elevation=1.6), "`elevation` must lie between -1.5708 and 1.5708"),
        (lambda: KeyFrame(0.0, distance=0.0), "`distance` must lie between 0 and inf, got 0.0"),
        (lambda: KeyFrame(0.0, fov_y=math.nan), "`fov_y` must lie between 0 and 3.14159, got nan"),
    ],
)
def test_mistakes_are_told(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_a_camera_that_stands_still_is_the_orbits() -> None:
    orbit = Orbit(elevation=0.4, distance=3.0)
    camera = still(orbit, azimuth=0.7)(TIMES, torch.tensor(0.2))
    expected = orbit(torch.tensor(0.9)).camera_from_world
    assert torch.allclose(camera.camera_from_world, expected.expand(17, 4, 4), atol=TOLERANCE)
