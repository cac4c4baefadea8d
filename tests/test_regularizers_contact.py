"""Feet on the floor: contacts, sliding, floating, the centre of mass and what holds it up."""

import dataclasses
import itertools
import math

import pytest
import torch
from regularizer_cases import skeleton_mesh
from standin_skeleton import rest_joints
from test_physical import stepping
from torch import Tensor

from motiondistill.metrics import physical
from motiondistill.regularizers.balance import (
    SLOW,
    balance,
    centre_of_mass,
    squared_distance_to_hull,
)
from motiondistill.regularizers.contact import (
    Contact,
    contact,
    contact_weights,
    fade,
    foot_floating,
    foot_sliding,
)
from motiondistill.structures import JOINT_INDEX as J
from motiondistill.structures import MIRROR, Mesh

FPS = 8.0
ROUNDING = 1e-9  # the skeleton's places are float32
LEFT_LEG = [J[f"left_{name}"] for name in ("knee", "ankle", "foot")]
RIGHT_FOOT = [J["right_ankle"], J["right_foot"]]


def gliding(velocity: tuple[float, float, float], height: float = 0.0) -> Mesh:
    """The T-pose moved evenly, at first at this height."""
    path = torch.arange(9, dtype=torch.float64)[:, None] / FPS * torch.tensor(velocity).double()
    return skeleton_mesh(path + torch.tensor([0.0, height, 0.0]))


def on_one_leg(shift: tuple[float, float], frames: int = 3, drift: float = 0.0) -> Mesh:
    """Only the left foot is down; all but it is shifted along x and z, and drifts along x, m/s."""
    paths = torch.zeros(frames, 22, 3, dtype=torch.float64)
    paths[..., [0, 2]] = torch.tensor(shift).double()
    paths[..., 0] += drift * torch.arange(frames)[:, None] / FPS
    paths[:, LEFT_LEG] = 0
    paths[:, RIGHT_FOOT, 1] = 0.3
    return skeleton_mesh(paths)


def cost_of_balance(mesh: Mesh) -> float:
    return float(balance(mesh, FPS, contact(mesh, FPS)))


@pytest.mark.parametrize("velocity", [(0.7, 0.0, 0.0), (1.5, 0.0, -2.0), (0.0, 0.0, 0.0)])
def test_an_even_glide_costs_the_square_of_its_speed(velocity: tuple[float, float, float]) -> None:
    squared = velocity[0] ** 2 + velocity[2] ** 2
    cost = foot_sliding(contact(gliding(velocity), FPS))
    assert float(cost) == pytest.approx(squared, rel=1e-6, abs=ROUNDING)


def test_in_flight_there_is_neither_sliding_nor_floating_nor_balance() -> None:
    mesh = gliding((0.1, 0.0, 0.0), height=2 * physical.CONTACT_HEIGHT)
    feet = contact(mesh, FPS)
    assert foot_sliding(feet) == foot_floating(feet) == balance(mesh, FPS, feet) == 0


@pytest.mark.parametrize("height", [0.02, 0.0, -0.05])
def test_a_statue_floats_by_its_height_and_only_upwards(height: float) -> None:
    feet = contact(gliding((0.0, 0.0, 0.0), height), FPS)
    assert float(foot_floating(feet)) == pytest.approx(max(height, 0) ** 2, abs=ROUNDING)
    assert foot_sliding(feet) == 0


def test_a_contact_fades_between_half_and_one_and_a_half_of_its_thresholds() -> None:
    values = torch.tensor([0.0, 0.5, 1.0, 1.5, 3.0]) * 0.05
    torch.testing.assert_close(fade(values, 0.05), torch.tensor([1.0, 1.0, 0.5, 0.0, 0.0]))
    steps = fade(torch.linspace(0, 0.1, 100), 0.05).diff()
    assert (steps <= 0).all() and (steps.diff().abs() < 0.005).all()  # no step, and no kink


def test_a_foot_is_in_contact_unless_it_is_high_or_hurries_past_the_other_one() -> None:
    heights = torch.tensor([[physical.CONTACT_HEIGHT, 1.0], [0.0, 0.0], [0.0, 0.5]])
    speeds = torch.tensor([[0.0, 0.0], [physical.TOGETHER, 0.0], [9.0, 0.0]])
    velocities = torch.stack([0.6 * speeds, 0.8 * speeds], -1)
    # Who stands alone is in contact however fast.
    expected = torch.tensor([[0.5, 0.0], [0.5, 1.0], [1.0, 0.0]])
    torch.testing.assert_close(contact_weights(heights, velocities), expected)


@pytest.mark.parametrize("travel", [True, False])
def test_soft_contacts_see_the_sliding_that_the_metric_sees(travel: bool) -> None:
    soles = physical.soles_of_joints(stepping(30.0, travel), rest_joints())
    heights, velocities = physical.lowest_points(soles, 30.0)
    feet = Contact(heights, velocities, contact_weights(heights, velocities))
    speed = (feet.weights * velocities.norm(dim=-1)).sum() / feet.weights.sum()
    hard = physical.foot_sliding(soles, 30.0).speed
    # The soft one counts both feet where the swing begins and ends.
    assert float(speed) == pytest.approx(float(hard), abs=0.05)


def test_contacts_have_no_gradient_and_sliding_has_one_along_the_floor_alone() -> None:
    noise = torch.rand(4, 22, 3, generator=torch.Generator().manual_seed(0)).double()
    vertices = skeleton_mesh(0.06 * noise).vertices.requires_grad_()
    mesh = skeleton_mesh(torch.zeros(4, 3, dtype=torch.float64))
    mesh = Mesh(vertices, mesh.joints, mesh.faces, mesh.parts)
    feet = contact(mesh, FPS)
    assert feet.weights.min() < 0.9 < feet.weights.max() and not feet.weights.requires_grad
    foot_sliding(feet).backward()
    assert vertices.grad is not None
    assert (vertices.grad[..., 1] == 0).all() and (vertices.grad[..., [0, 2]] != 0).any()


def test_the_centre_of_mass_lies_where_tables_say() -> None:
    joints = rest_joints().double()
    centre = centre_of_mass(joints)
    # Winter (2009): at 0.53 to 0.56 of the stature with hanging arms; 4 cm more with spread ones.
    assert 0.55 < float(centre[1]) / 1.70 < 0.60
    mirrored = centre_of_mass(joints[list(MIRROR)] * torch.tensor([-1.0, 1.0, 1.0]).double())
    torch.testing.assert_close(mirrored, centre * torch.tensor([-1.0, 1.0, 1.0]).double())
    shift = torch.tensor([0.3, -2.0, 5.0]).double()
    torch.testing.assert_close(centre_of_mass(joints + shift), centre + shift)
    # A forearm and hand that move at the wrist alone: 1.5 % at 45.67 %, and 0.585 %.
    joints[J["left_wrist"], 0] += 1
    moved = centre_of_mass(joints) - centre
    assert float(moved[0]) == pytest.approx(0.0150 * 0.4567 + 0.00585, rel=1e-3)


def test_standing_on_both_feet_is_free_and_leaning_costs_the_distance_to_the_toes() -> None:
    still = torch.zeros(3, 22, 3, dtype=torch.float64)
    assert cost_of_balance(skeleton_mesh(still)) == 0
    lean = still.clone()
    lean[..., 2] = 0.5
    lean[:, [*LEFT_LEG[1:], *RIGHT_FOOT]] = 0
    mesh = skeleton_mesh(lean)
    beyond = float(centre_of_mass(mesh.joints)[0, 2]) - 0.1  # the balls' z
    assert cost_of_balance(mesh) == pytest.approx(beyond**2, rel=1e-6)


def test_standing_on_one_foot_costs_the_distance_to_it() -> None:
    mesh = on_one_leg((0.0, 0.0))
    x, _, z = centre_of_mass(mesh.joints)[0].tolist()
    # From the segment of ankle and ball, (0.09, -0.02) to (0.11, 0.1) along x and z.
    along = ((x - 0.09) * 0.02 + (z + 0.02) * 0.12) / (0.02**2 + 0.12**2)
    assert 0 < along < 1
    expected = (x - 0.09 - along * 0.02) ** 2 + (z + 0.02 - along * 0.12) ** 2
    assert cost_of_balance(mesh) == pytest.approx(expected, rel=1e-6)
    # With the mass over the middle of the foot it is free.
    shift = torch.tensor([0.1 - x, 0.0, 0.04 - z], dtype=torch.float64)
    over = dataclasses.replace(mesh, joints=mesh.joints + shift)
    assert cost_of_balance(over) < ROUNDING


def test_a_fast_body_need_not_stand_over_its_feet() -> None:
    slow = cost_of_balance(on_one_leg((0.0, 0.0)))
    assert 0 < cost_of_balance(on_one_leg((0.0, 0.0), drift=0.1 * SLOW))
    assert cost_of_balance(on_one_leg((-1.0, 0.0), drift=3 * SLOW)) == 0
    assert slow > 0.005


def oracle(point: Tensor, corners: Tensor) -> float:
    """The squared distance from the triangles of all triples of corners, one by one."""
    nearest = math.inf
    for a, b, c in itertools.combinations(corners, 3):
        turns = []
        for start, stop in ((a, b), (b, c), (c, a)):
            edge, gap = stop - start, point - start
            along = ((gap @ edge) / (edge @ edge)).clamp(0, 1)
            nearest = min(nearest, float((gap - along * edge).square().sum()))
            turns.append(float(edge[0] * gap[1] - edge[1] * gap[0]))
        if min(turns) > 0 or max(turns) < 0:
            return 0.0
    return nearest


def test_distances_to_hulls_are_those_to_their_triangles() -> None:
    generator = torch.Generator().manual_seed(0)
    inside = 0
    for count in (3, 4, 7, 10):
        corners = torch.randn(12, count, 2, dtype=torch.float64, generator=generator)
        points = 1.5 * torch.randn(12, 2, dtype=torch.float64, generator=generator)
        found = squared_distance_to_hull(points, corners)
        expected = [oracle(*pair) for pair in zip(points, corners, strict=True)]
        inside += expected.count(0.0)
        torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64))
    assert 5 < inside < 40


def test_blunt_corners_between_the_directions_tried_count_too() -> None:
    half = math.pi / 64  # between two of 64 directions
    turn = torch.tensor([[math.cos(half), -math.sin(half)], [math.sin(half), math.cos(half)]])
    corners = torch.tensor([[0.0, 0.0], [1.0, 0.02], [2.0, 0.0], [1.0, -3.0]]) @ turn.T
    point = torch.tensor([1.0, 0.52]) @ turn.T
    assert float(squared_distance_to_hull(point, corners)) == pytest.approx(0.25, rel=1e-5)


@pytest.mark.parametrize("corners", [[[0.0, 0.0]] * 3, [[0.0, 0.0], [1.0, 0.0], [0.5, 0.0]]])
def test_a_hull_without_an_area_is_its_segment_or_point(corners: list[list[float]]) -> None:
    points = torch.tensor([[3.0, 4.0], [-1.0, 0.0], [0.0, 0.0]])
    reach = max(x for x, _ in corners)
    expected = torch.tensor([(3.0 - reach) ** 2 + 16, 1.0, 0.0])
    found = squared_distance_to_hull(points, torch.tensor(corners).expand(3, -1, -1))
    torch.testing.assert_close(found, expected)


def test_slopes_of_distances_to_hulls_are_those_of_finite_differences() -> None:
    generator = torch.Generator().manual_seed(2)
    corners = torch.randn(6, 5, 2, dtype=torch.float64, generator=generator)
    points = 4 + torch.randn(6, 2, dtype=torch.float64, generator=generator)
    inputs = (points.requires_grad_(), corners.requires_grad_())
    assert torch.autograd.gradcheck(squared_distance_to_hull, inputs)
