"""Physical metrics against closed forms: slides, jumps, sines, treadmills, frame rates."""

import math

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given
from standin_skeleton import rest_joints

from motiondistill import rotations
from motiondistill.metrics.physical import (
    CONTACT_HEIGHT,
    SKATING_SPEED,
    PhysicalMetrics,
    floor_velocity,
    jerk,
    joint_speed,
    metrics_of_joints,
    metrics_of_mesh,
    soles_of_joints,
)
from motiondistill.structures import JOINT_INDEX as J
from motiondistill.structures import Mesh

FPS = 30.0
ROUNDING = 1e-5  # float32 positions of about a metre
# The third difference at 30 fps divides by (1/30)^3, and so magnifies that of positions.
JERK_ROUNDING = 2e-7 * FPS**3 * 4
GRAVITY = 9.81
# A foot that starts to swing already moves a little while both are on the floor, m/s.
SWINGS_START = 0.02


def times(seconds: float, fps: float = FPS) -> torch.Tensor:
    return torch.arange(round(seconds * fps) + 1) / fps


def carried(x: torch.Tensor, y: torch.Tensor | None = None) -> torch.Tensor:
    """The T-pose, stiff, displaced by x and y metres at each frame."""
    zero = torch.zeros_like(x)
    path = torch.stack([x, zero if y is None else y, zero], -1)
    return rest_joints() + path[:, None]


def measured(joints: torch.Tensor, fps: float = FPS) -> PhysicalMetrics:
    return metrics_of_joints(joints, fps, rest_joints())


def stepping(fps: float, travel: bool = True) -> torch.Tensor:
    """A stiff-kneed gait at 1.2 m/s: each foot in turn is planted, then swings 2 cm high.

    Swings last half a second, and smoothly double the body's way meanwhile.
    """
    t, speed, half = times(4.0, fps), 1.2, 0.5
    joints = carried(torch.zeros_like(t))
    joints[..., 2] += speed * t[:, None]
    for side, offset in (("left", 0.0), ("right", half)):
        phase = (t + offset) / (2 * half)
        count, part = phase.floor(), phase % 1.0
        swing = ((part - 0.5) / 0.5).clamp(0, 1)
        moved = swing - (2 * math.pi * swing).sin() / (2 * math.pi)
        place = 2 * half * speed * (count + moved) - speed * t
        for name in ("ankle", "foot"):
            joints[:, J[f"{side}_{name}"], 2] += place
            joints[:, J[f"{side}_{name}"], 1] += 0.02 * (math.pi * swing).sin()
    if not travel:
        joints[..., 2] -= speed * t[:, None]
    return joints


@pytest.mark.parametrize("speed", [0.1, 1.3, 4.0])
def test_a_gliding_statue_slides_at_its_speed(speed: float) -> None:
    found = measured(carried(speed * times(2.0)))
    assert float(found.sliding.speed) == pytest.approx(speed, rel=1e-3)
    assert float(found.sliding.contact) == 1
    assert float(found.sliding.skating) == (speed > SKATING_SPEED)
    assert float(found.joint_speed) == pytest.approx(speed, rel=1e-3)
    assert float(found.relative_joint_speed) == pytest.approx(0, abs=ROUNDING)
    assert float(found.jerk) == pytest.approx(0, abs=JERK_ROUNDING * max(speed, 1) * 4)
    # A treadmill explains an even glide.
    assert float(found.treadmill_sliding.speed) == pytest.approx(0, abs=1e-3)


def test_a_statue_has_no_speed_at_all() -> None:
    found = measured(carried(0 * times(1.0)))
    values = (found.sliding.speed, found.jerk, found.joint_speed, found.penetration_max)
    assert all(float(value) == 0 for value in values)
    assert float(found.floating_max) == pytest.approx(0, abs=ROUNDING)


@pytest.mark.parametrize("fps", [30.0, 8.0])
def test_planted_feet_do_not_slide_though_the_other_one_swings_low(fps: float) -> None:
    found = measured(stepping(fps))
    assert float(found.sliding.contact) == 1
    assert float(found.sliding.speed) < SWINGS_START
    assert float(found.sliding.skating) == 0


def test_a_gait_in_place_slides_on_the_floor_and_not_on_a_treadmill() -> None:
    on_the_way, in_place = measured(stepping(FPS)), measured(stepping(FPS, travel=False))
    # Sometimes the swinging foot is the slower one for a moment.
    assert 0.8 < float(in_place.sliding.speed) < 1.2
    assert float(in_place.treadmill_sliding.speed) == pytest.approx(
        float(on_the_way.sliding.speed), abs=1e-3
    )
    soles = soles_of_joints(stepping(FPS, travel=False), rest_joints())
    torch.testing.assert_close(
        floor_velocity(soles, FPS), torch.tensor([0.0, -1.2]), atol=1e-3, rtol=0
    )


def test_a_foot_that_rolls_over_its_ball_does_not_slide() -> None:
    joints = carried(0 * times(1.0))
    for side in ("left", "right"):
        ball, ankle = joints[:, J[f"{side}_foot"]], joints[:, J[f"{side}_ankle"]]
        turned = rotations.from_axis_angle(times(1.0)[:, None] * torch.tensor([1.0, 0.0, 0.0]))
        joints[:, J[f"{side}_ankle"]] = ball + (turned @ (ankle - ball)[..., None])[..., 0]
    found = measured(joints)
    assert float(found.sliding.contact) == 1
    assert float(found.sliding.speed) == pytest.approx(0, abs=0.01)


def test_a_ballistic_jump_has_its_height_no_contact_and_no_jerk() -> None:
    rise = 3.0  # m/s
    t = times(2 * rise / GRAVITY)[:-1]
    found = measured(carried(t, rise * t - GRAVITY * t**2 / 2))
    peak = rise**2 / (2 * GRAVITY)
    assert float(found.floating_max) == pytest.approx(peak, rel=0.01)
    # The mean of a parabola is two thirds of its peak; the end points are sampled coarsely.
    assert float(found.floating_mean) == pytest.approx(2 / 3 * peak, rel=0.06)
    assert float(found.jerk) == pytest.approx(0, abs=JERK_ROUNDING)
    assert float(found.sliding.contact) <= 2 / (len(t) - 1)
    assert float(found.penetration_max) == pytest.approx(0, abs=ROUNDING)


def test_who_never_touches_the_floor_has_no_sliding() -> None:
    found = measured(carried(times(1.0), 0 * times(1.0) + 2 * CONTACT_HEIGHT))
    assert float(found.sliding.contact) == 0
    assert math.isnan(float(found.sliding.speed)) and math.isnan(float(found.sliding.skating))


def test_a_foot_that_is_low_at_one_end_of_a_step_only_is_not_in_contact() -> None:
    t = times(1.0)
    bouncing = 0.2 * (torch.arange(len(t)) % 2)
    assert float(measured(carried(t, bouncing)).sliding.contact) == 0


@pytest.mark.parametrize("height", [-0.04, 0.03])
def test_a_shifted_statue_penetrates_or_floats_by_the_shift(height: float) -> None:
    found = measured(carried(0 * times(1.0), 0 * times(1.0) + height))
    values = (found.penetration_mean, found.penetration_max, found.floating_mean)
    depth, rise = max(-height, 0), max(height, 0)
    assert [float(value) for value in values] == pytest.approx([depth, depth, rise], abs=ROUNDING)
    assert float(found.floating_max) == pytest.approx(rise, abs=ROUNDING)


@pytest.mark.parametrize("fps", [30.0, 8.0])
def test_a_sine_has_the_derivatives_of_its_finite_differences(fps: float) -> None:
    """The n-th difference of a sine is its n-th derivative times sinc(f / fps)^n."""
    amplitude, frequency = 0.3, 1.0
    seconds = 40.0
    # Hence phases of all samples are spread evenly, and the mean of |cos| is 2 / pi.
    omega = 2 * math.pi * frequency * 1.0137
    joints = carried(amplitude * (omega * times(seconds, fps)).sin())
    shrink = math.sin(omega / (2 * fps)) / (omega / (2 * fps))
    for value, order in ((joint_speed(joints, fps), 1), (jerk(joints, fps), 3)):
        expected = amplitude * (omega * shrink) ** order * 2 / math.pi
        assert float(value) == pytest.approx(expected, rel=0.01)


def test_frame_rates_agree() -> None:
    """A sine of 1 Hz keeps 0.975 of its speed and 0.925 of its jerk at 8 fps."""
    joints = {fps: carried(0.2 * (2 * math.pi * times(20.0, fps)).sin()) for fps in (30.0, 8.0)}
    fast, slow = (measured(one, fps) for fps, one in joints.items())
    assert float(slow.joint_speed) == pytest.approx(float(fast.joint_speed), rel=0.06)
    assert float(slow.jerk) == pytest.approx(float(fast.jerk), rel=0.12)
    fast, slow = (measured(stepping(fps), fps) for fps in (30.0, 8.0))
    assert float(slow.sliding.speed) == pytest.approx(float(fast.sliding.speed), abs=SWINGS_START)
    assert float(slow.joint_speed) == pytest.approx(float(fast.joint_speed), rel=0.05)
    assert float(slow.floating_max) == pytest.approx(float(fast.floating_max), abs=0.002)


@given(st.floats(-math.pi, math.pi), st.floats(-3, 3), st.floats(-3, 3), st.integers(0, 9))
def test_shifts_and_turns_change_nothing(turn: float, x: float, z: float, seed: int) -> None:
    noise = torch.randn(16, 22, 3, generator=torch.Generator().manual_seed(seed))
    joints = stepping(8.0)[:16] + 0.02 * noise
    about = rotations.from_axis_angle(torch.tensor([0.0, turn, 0.0]))
    moved = joints @ about.transpose(-1, -2) + torch.tensor([x, 0.0, z])
    before, after = measured(joints, 8.0), measured(moved, 8.0)
    # `floor_velocity` is a median along each axis, which a turn may change.
    for name in ("penetration_mean", "floating_max", "jerk", "joint_speed", "relative_joint_speed"):
        torch.testing.assert_close(
            getattr(before, name), getattr(after, name), atol=ROUNDING, rtol=1e-4
        )
    torch.testing.assert_close(before.sliding.speed, after.sliding.speed, atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(before.sliding.contact, after.sliding.contact)


@pytest.mark.parametrize("shape", [(), (1,), (2, 3)])
def test_batches_are_measured_one_by_one(shape: tuple[int, ...]) -> None:
    one = stepping(8.0)
    found = measured(one.expand(*shape, *one.shape), 8.0)
    single = measured(one, 8.0)
    assert found.jerk.shape == found.sliding.speed.shape == shape
    torch.testing.assert_close(found.jerk, single.jerk.expand(shape))
    torch.testing.assert_close(
        found.treadmill_sliding.speed, single.treadmill_sliding.speed.expand(shape)
    )


def test_joints_that_a_source_lacks_do_not_count() -> None:
    joints = carried(0.5 * times(1.0))
    joints[:, [J["left_foot"], J["right_foot"], J["spine1"]]] = torch.nan
    found = measured(joints)
    assert float(found.sliding.speed) == pytest.approx(0.5, rel=1e-3)
    assert float(found.joint_speed) == pytest.approx(0.5, rel=1e-3)
    assert float(found.floating_max) == pytest.approx(0, abs=ROUNDING)


def test_a_mesh_is_measured_by_its_vertices() -> None:
    """Each foot is a plate of four vertices; a hand reaches 10 cm below the floor."""
    joints = carried(0.8 * times(1.0))
    plate = torch.tensor([[x, 0.0, z] for x in (-0.03, 0.03) for z in (-0.05, 0.15)])
    level = torch.tensor([1.0, 0.0, 1.0])
    feet = [joints[:, [J[f"{side}_ankle"]]] * level + plate for side in ("left", "right")]
    hand = joints[:, [J["left_wrist"]]] * level - torch.tensor([0.0, 0.1, 0.0])
    sides = [J["left_ankle"]] * 2 + [J["left_foot"]] * 2
    parts = [*sides, J["right_ankle"], *[J["right_foot"]] * 3, J["left_wrist"]]
    mesh = Mesh(torch.cat([*feet, hand], 1), joints, torch.tensor([[0, 1, 2]]), torch.tensor(parts))
    found = metrics_of_mesh(mesh, FPS)
    assert float(found.sliding.speed) == pytest.approx(0.8, rel=1e-3)
    assert float(found.sliding.contact) == 1
    assert float(found.penetration_max) == pytest.approx(0.1, abs=ROUNDING)


def test_three_frames_have_no_jerk() -> None:
    with pytest.raises(ValueError, match="`fps` must be positive, got 0"):
        metrics_of_joints(torch.zeros(8, 22, 3), 0.0, torch.zeros(22, 3))
    with pytest.raises(ValueError, match="at least 4 frames"):
        measured(carried(torch.zeros(3)))
