"""Speeds along the arc, limits of joints and usual poses, against closed forms."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from regularizer_cases import slope_gap
from test_regularizers import spinning
from torch import Tensor

from motiondistill import regularizers, rotations
from motiondistill.motion.limits import anatomical_limits
from motiondistill.regularizers.statistics import UsualPoses
from motiondistill.structures import JOINT_INDEX as J
from motiondistill.structures import NUM_JOINTS, Motion

EXACT = 1e-9  # float64
BELOW = NUM_JOINTS - 1


def swinging(angles: Tensor, fps: float) -> Motion:
    """One joint turns about a fixed oblique axis, hung on a parent that is turned, too."""
    axis = torch.nn.functional.normalize(torch.tensor([1.0, 2.0, -0.5]).double(), dim=0)
    vectors = torch.zeros(len(angles), NUM_JOINTS, 3, dtype=torch.float64)
    vectors[:, J["left_hip"]] = torch.tensor([0.4, -1.0, 0.3], dtype=torch.float64)
    vectors[:, J["left_knee"]] = angles[:, None] * axis
    return Motion(rotations.from_axis_angle(vectors), torch.zeros(len(angles), 3), fps)


def posed(offsets: Tensor) -> Motion:
    """Offsets [F 21 3] from the neutral stance."""
    turned = rotations.from_axis_angle(offsets) @ anatomical_limits().neutral.double()
    root = torch.eye(3, dtype=torch.float64).expand(len(offsets), 1, 3, 3)
    return Motion(torch.cat([root, turned], 1), torch.zeros(len(offsets), 3), 8.0)


@pytest.mark.parametrize("fps", [8.0, 30.0])
@pytest.mark.parametrize("omega", [0.5, 20.0])  # at 8 fps the latter is 2.5 rad from frame to frame
def test_constant_angular_velocity_costs_exactly_its_square(omega: float, fps: float) -> None:
    motion = spinning(3, omega, fps)
    velocity = float(regularizers.geodesic_velocity(motion))
    assert velocity * NUM_JOINTS == pytest.approx(omega**2, rel=1e-9)
    assert float(regularizers.geodesic_acceleration(motion)) < EXACT * fps**2


@pytest.mark.parametrize("fps", [8.0, 30.0])
def test_a_pendulum_has_its_angular_acceleration(fps: float) -> None:
    """The second difference of a sine is it times `(2 fps sin(omega / 2 fps))^2`."""
    amplitude, omega = 0.8, 3.0
    times = torch.arange(int(4 * fps), dtype=torch.float64) / fps
    motion = swinging(amplitude * (omega * times).sin(), fps)
    factor = (2 * fps * math.sin(omega / fps / 2)) ** 2
    expected = (factor * amplitude * (omega * times[1:-1]).sin()).square().mean()
    found = regularizers.geodesic_acceleration(motion) * NUM_JOINTS
    torch.testing.assert_close(found, expected, rtol=1e-8, atol=0)
    assert factor == pytest.approx(omega**2, rel=(omega / fps) ** 2 / 12)


def test_a_turning_axis_accelerates_by_the_cross_product() -> None:
    """A top that spins with `s` about an axis that is carried round with `c`: `|c x s|`."""
    fps, spin, carried = 1000.0, 3.0, 2.0
    times = torch.arange(20, dtype=torch.float64) / fps
    zero = torch.zeros_like(times)
    turns = rotations.about_y(carried * times) @ rotations.from_axis_angle(
        torch.stack([spin * times, zero, zero], -1)
    )
    everywhere = rotations.identity(len(times), NUM_JOINTS).double().clone()
    everywhere[:, 4] = turns
    motion = Motion(everywhere, torch.zeros(len(times), 3), fps)
    found = float(regularizers.geodesic_acceleration(motion)) * NUM_JOINTS
    assert found == pytest.approx((spin * carried) ** 2, rel=1e-3)


@pytest.mark.parametrize("angle", [0.0, 1e-5, 1e-3, 1.0, 3.0, 3.1])
def test_slopes_along_the_arc_hold_from_rest_to_almost_half_turns(angle: float) -> None:
    step = torch.linspace(0, 2, 3, dtype=torch.float64)[:, None]
    vectors = 0.7 * angle * step * torch.tensor([0.6, 0.0, 0.8]).double()
    vectors[1] += 0.3 * angle * torch.tensor([0.6, 0.0, 0.8]).double()

    def cost(turns: Tensor) -> Tensor:
        joints = rotations.from_axis_angle(turns)[:, None].expand(-1, NUM_JOINTS, 3, 3)
        motion = Motion(joints, torch.zeros(3, 3), 2.0)
        return regularizers.geodesic_velocity(motion) + regularizers.geodesic_acceleration(motion)

    assert torch.autograd.gradcheck(cost, vectors.requires_grad_(), atol=1e-4)


def test_half_turns_from_frame_to_frame_have_a_finite_gradient() -> None:
    vectors = torch.zeros(4, 3)
    vectors[1::2, 0] = math.pi
    vectors.requires_grad_()
    joints = rotations.from_axis_angle(vectors)[:, None].expand(-1, NUM_JOINTS, 3, 3)
    motion = Motion(joints, torch.zeros(4, 3), 2.0)
    cost = regularizers.geodesic_velocity(motion)
    cost.backward()
    assert float(cost.detach()) == pytest.approx((2 * math.pi) ** 2, rel=1e-4)
    assert vectors.grad is not None and vectors.grad.isfinite().all()


@pytest.mark.parametrize(
    ("joint", "axis", "offset", "excess"),
    [
        ("left_knee", 0, 2.8, 0.3),
        ("left_knee", 0, -0.25, 0.2),
        ("right_elbow", 1, 2.5, 0.2),
        ("right_elbow", 1, -0.6, 0.4),
        ("left_elbow", 1, -2.3, 0.0),
    ],
)
def test_a_joint_beyond_its_range_costs_the_squared_excess(
    joint: str, axis: int, offset: float, excess: float
) -> None:
    offsets = torch.zeros(2, BELOW, 3, dtype=torch.float64)
    offsets[:, J[joint] - 1, axis] = offset
    cost = regularizers.joint_limits(posed(offsets), anatomical_limits())
    assert float(cost) * BELOW == pytest.approx(excess**2, abs=1e-6)


@given(st.integers(0, 10_000))
def test_what_the_limits_allow_is_free_also_beyond_half_turns(seed: int) -> None:
    limits = anatomical_limits()
    raw = 5 * torch.randn(3, BELOW, 3, generator=torch.Generator().manual_seed(seed)).double()
    turned = torch.cat([torch.eye(3).expand(3, 1, 3, 3).double(), limits(raw)], 1)
    motion = Motion(turned, torch.zeros(3, 3), 8.0)
    assert float(regularizers.joint_limits(motion, limits)) < EXACT


def test_slopes_of_the_excess_are_those_of_finite_differences() -> None:
    generator = torch.Generator().manual_seed(0)
    offsets = 0.8 * torch.randn(2, BELOW, 3, dtype=torch.float64, generator=generator)

    def cost(offsets: Tensor) -> Tensor:
        return regularizers.joint_limits(posed(offsets), anatomical_limits())

    assert cost(offsets) > 0.01
    assert slope_gap(cost, offsets) < 1e-6


def some_statistics() -> tuple[UsualPoses, Tensor]:
    """Statistics of four joints, and a root of their covariance."""
    generator = torch.Generator().manual_seed(3)
    mean = rotations.from_axis_angle(torch.randn(4, 3, dtype=torch.float64, generator=generator))
    root = 0.05 * torch.randn(12, 12, dtype=torch.float64, generator=generator)
    return UsualPoses(mean, torch.linalg.inv(root @ root.T)), root


def test_poses_drawn_from_the_statistics_cost_one_and_the_mean_nothing() -> None:
    statistics, root = some_statistics()
    generator = torch.Generator().manual_seed(0)
    drawn = torch.randn(4000, 12, dtype=torch.float64, generator=generator) @ root.T
    poses = rotations.from_axis_angle(drawn.reshape(-1, 4, 3)) @ statistics.mean
    # The mean of n chi-squared numbers by dimension is off by sqrt(2 / n).
    noise = 4 * math.sqrt(2 / drawn.numel())
    assert float(regularizers.pose_deviation(poses, statistics)) == pytest.approx(1, abs=noise)
    assert float(regularizers.pose_deviation(statistics.mean[None], statistics)) < EXACT


def test_one_joint_off_costs_its_mahalanobis_distance() -> None:
    statistics, _ = some_statistics()
    offset = torch.zeros(4, 3, dtype=torch.float64)
    offset[2] = torch.tensor([0.1, -0.7, 0.4])
    pose = (rotations.from_axis_angle(offset) @ statistics.mean)[None]
    expected = offset.flatten() @ statistics.precision @ offset.flatten() / 12
    torch.testing.assert_close(regularizers.pose_deviation(pose, statistics), expected)
