"""The regularisers against closed forms, across frame rates, and their gradients."""

import math

import pytest
import torch

from motiondistill import regularizers, rotations
from motiondistill.structures import JOINT_INDEX, NUM_JOINTS, Mesh, Motion

EXACT = 1e-10  # float64
RATES = (8.0, 16.0, 30.0)


def spinning(joint: int, omega: float, fps: float, seconds: float = 2.0) -> Motion:
    """One joint turns about an oblique axis at a constant speed, rad/s; all others rest."""
    times = torch.arange(int(seconds * fps) + 1, dtype=torch.float64) / fps
    axis = torch.nn.functional.normalize(torch.tensor([1.0, 2.0, -0.5], dtype=torch.float64), dim=0)
    vectors = torch.zeros(len(times), NUM_JOINTS, 3, dtype=torch.float64)
    vectors[:, joint] = omega * times[:, None] * axis
    return Motion(
        rotations.from_axis_angle(vectors), torch.zeros(len(times), 3, dtype=torch.float64), fps
    )


def mesh_of(vertices: torch.Tensor, joints: torch.Tensor) -> Mesh:
    faces = torch.tensor([[0, 1, 2]])
    return Mesh(vertices, joints, faces, torch.zeros(vertices.shape[-2], dtype=torch.long))


@pytest.mark.parametrize("fps", RATES)
@pytest.mark.parametrize("omega", [0.5, 4.0])
def test_constant_angular_velocity_costs_its_square(omega: float, fps: float) -> None:
    cost = regularizers.angular_speed(spinning(3, omega, fps)) * NUM_JOINTS
    chord = (2 * fps * math.sin(omega / fps / 2)) ** 2
    assert abs(cost - chord) < EXACT
    # The chord is shorter than the arc by the factor 1 - angle^2 / 24.
    assert cost == pytest.approx(omega**2, rel=(omega / fps) ** 2 / 12)


@pytest.mark.parametrize("fps", RATES)
def test_constant_acceleration_costs_its_square_at_any_rate(fps: float) -> None:
    times = torch.arange(20, dtype=torch.float64) / fps
    acceleration = torch.tensor([0.3, -9.81, 1.0], dtype=torch.float64)
    path = times[:, None] + acceleration * times[:, None].square() / 2
    joints = path[:, None] + torch.rand(
        NUM_JOINTS, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)
    )
    cost = regularizers.joint_acceleration(mesh_of(joints, joints), fps)
    # fps^4 amplifies the rounding of positions.
    assert abs(cost - acceleration.square().sum()) < 1e-6


def test_uniform_motion_is_free() -> None:
    joints = torch.arange(9.0)[:, None, None] * torch.tensor([0.5, -0.25, 1.0])
    joints = joints.expand(9, NUM_JOINTS, 3)
    assert regularizers.joint_acceleration(mesh_of(joints, joints), 8.0) == 0
    assert regularizers.angular_speed(spinning(5, 0.0, 8.0)) == 0


def test_penetration_is_the_lowest_vertex_depth() -> None:
    vertices = torch.ones(4, 3, 3)
    vertices[1, 2, 1] = -0.2  # 0.2 m in one frame
    vertices[2, :, 1] = torch.tensor([-0.05, -0.1, 0.3])  # 0.1 m in another
    vertices[3, 0, 1] = 0.0  # touching is free
    cost = regularizers.ground_penetration(mesh_of(vertices, vertices))
    assert cost == pytest.approx((0.2**2 + 0.1**2) / 4, rel=1e-6)


@pytest.mark.parametrize("heading", [0.0, 2.5])
@pytest.mark.parametrize("angle", [0.0, 0.3, math.pi / 2])
def test_tilt_sees_the_lean_and_not_the_heading(angle: float, heading: float) -> None:
    lean = rotations.from_axis_angle(torch.tensor([angle, 0.0, 0.0], dtype=torch.float64))
    turn = rotations.about_y(torch.tensor(heading, dtype=torch.float64))
    for root in (turn @ lean, lean @ turn):
        joints = torch.eye(3, dtype=torch.float64).repeat(5, NUM_JOINTS, 1, 1)
        joints[:, 0] = root
        joints[:, JOINT_INDEX["spine1"]] = lean  # a bent back is no tilt
        cost = regularizers.tilt(Motion(joints, torch.zeros(5, 3, dtype=torch.float64), 8.0))
        assert abs(cost - (1 - math.cos(angle))) < EXACT


def test_batches_cost_the_mean_of_their_clips() -> None:
    clips = [spinning(3, omega, 8.0) for omega in (1.0, 2.0)]
    single = [regularizers.angular_speed(clip) for clip in clips]
    assert abs(regularizers.angular_speed(Motion.stack(clips)) - sum(single) / 2) < EXACT


def test_gradients() -> None:
    generator = torch.Generator().manual_seed(0)
    vectors = torch.randn(4, NUM_JOINTS, 3, dtype=torch.float64, generator=generator)
    points = 0.3 * torch.randn(4, 5, 3, dtype=torch.float64, generator=generator)
    still = torch.zeros(4, 3, dtype=torch.float64)

    def of_motion(axis_angle: torch.Tensor) -> torch.Tensor:
        motion = Motion(rotations.from_axis_angle(axis_angle), still, 2.0)
        return regularizers.angular_speed(motion) + regularizers.tilt(motion)

    def of_mesh(vertices: torch.Tensor) -> torch.Tensor:
        mesh = mesh_of(vertices, vertices)
        acceleration = regularizers.joint_acceleration(mesh, 2.0)
        return acceleration + regularizers.ground_penetration(mesh)

    assert torch.autograd.gradcheck(of_motion, vectors.requires_grad_())
    assert torch.autograd.gradcheck(of_mesh, points.requires_grad_())


def test_the_motionless_start_has_a_finite_gradient() -> None:
    """Every optimisation starts there, and a norm in place of a square would give no number."""
    vectors = torch.zeros(4, NUM_JOINTS, 3, requires_grad=True)
    motion = Motion(rotations.from_axis_angle(vectors), torch.zeros(4, 3), 8.0)
    regularizers.angular_speed(motion).backward()
    assert vectors.grad is not None
    assert (vectors.grad == 0).all()
