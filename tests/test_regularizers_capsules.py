"""Capsules: distances of segments, what a body's capsules are, and what overlaps cost."""

import dataclasses
import math
from typing import Any

import pytest
import torch
from torch import Tensor

from motiondistill import rotations
from motiondistill.body.skinning import SkinnedBody
from motiondistill.building.objects import at_rest
from motiondistill.motion.limits import anatomical_limits
from motiondistill.regularizers.capsules import (
    Capsules,
    capsules_of,
    segment_distance,
    self_penetration,
)
from motiondistill.structures import JOINT_INDEX as J
from motiondistill.structures import PART_NAMES, Mesh, Motion

GRID = 401
EXACT = 1e-9


def neutral() -> Tensor:
    """One frame of joint rotations, [1 22 3 3]."""
    return torch.cat([torch.eye(3)[None], anatomical_limits().neutral])[None]


def bent(**axis_angles: tuple[float, float, float]) -> Motion:
    """The neutral stance with some joints turned from it."""
    pose = neutral()
    for name, axis_angle in axis_angles.items():
        pose[0, J[name]] = rotations.from_axis_angle(torch.tensor(axis_angle)) @ pose[0, J[name]]
    return Motion(pose, torch.zeros(1, 3), fps=8.0)


def brute_force(ends: Tensor) -> Tensor:
    """The smallest distance over a grid of points on both segments, ends [N 4 3]."""
    shares = torch.linspace(0, 1, GRID, dtype=torch.float64)[:, None]
    a, b, c, d = ends[:, :, None].unbind(1)
    return torch.cdist(a + shares * (b - a), c + shares * (d - c)).amin((-1, -2))


def awkward_segments() -> Tensor:
    """Parallel, collinear, crossing, touching and pointlike segments."""
    return torch.tensor(
        [
            [[0, 0, 0], [1, 0, 0], [0.5, 1, 0], [2, 1, 0]],  # parallel, side by side: 1
            [[0, 0, 0], [1, 0, 0], [3, 1, 0], [2, 1, 0]],  # parallel, one after the other: sqrt 2
            [[0, 0, 0], [1, 0, 0], [3, 0, 0], [5, 0, 0]],  # on one line: 2
            [[-1, 0, 0], [1, 0, 0], [0, -1, 0.3], [0, 1, 0.3]],  # crossing: 0.3
            [[0, 0, 0], [1, 0, 0], [1, 0, 0], [1, 1, 0]],  # touching: 0
            [[0, 0, 0], [0, 0, 0], [1, 1, 0], [1, -1, 0]],  # a point and a segment: 1
            [[0, 0, 0], [0, 0, 0], [0, 3, 4], [0, 3, 4]],  # two points: 5
        ],
        dtype=torch.float64,
    )


def test_distances_of_awkward_segments() -> None:
    found = segment_distance(*awkward_segments().unbind(1))
    expected = torch.tensor([1, 2**0.5, 2, 0.3, 0, 1, 5], dtype=torch.float64)
    torch.testing.assert_close(found, expected, rtol=0, atol=2e-6)  # the root of the smallest


@pytest.mark.parametrize("flatness", [1.0, 0.0])
def test_distances_of_segments_are_the_smallest_of_all_points(flatness: float) -> None:
    generator = torch.Generator().manual_seed(0)
    ends = torch.randn(40, 4, 3, dtype=torch.float64, generator=generator)
    ends[..., 2] *= flatness  # in one plane many of them cross
    found, searched = segment_distance(*ends.unbind(1)), brute_force(ends)
    spacing = (ends[:, ::2] - ends[:, 1::2]).norm(dim=-1).sum(-1) / (GRID - 1)
    assert (found <= searched + 2e-6).all()
    assert (searched - found <= spacing / 2).all()


def test_slopes_of_distances_are_those_of_finite_differences() -> None:
    generator = torch.Generator().manual_seed(1)
    ends = torch.randn(8, 4, 3, dtype=torch.float64, generator=generator)
    inputs = tuple(end.clone().requires_grad_() for end in ends.unbind(1))
    assert torch.autograd.gradcheck(segment_distance, inputs)


@pytest.mark.parametrize(("height", "depth"), [(0.3, 0.0), (0.15, 0.05), (0.0, 0.2)])
def test_two_crossing_capsules_cost_their_squared_overlap(height: float, depth: float) -> None:
    joints = torch.zeros(2, 22, 3)
    joints[:, :4] = torch.tensor([[-1, 0, 0], [1, 0, 0], [0, height, -1], [0, height, 1]])
    joints[1, 2:4, 1] += 5  # only in the first frame
    vertices = torch.zeros(2, len(PART_NAMES), 3)
    mesh = Mesh(vertices, joints, torch.zeros(1, 3).long(), torch.arange(len(PART_NAMES)))
    radii = torch.tensor([0.12, 0.08])
    capsules = Capsules(torch.tensor([[0, 1], [2, 3]]), radii, torch.tensor([[0, 1]]))
    cost = self_penetration(mesh, capsules)
    assert float(cost) == pytest.approx(depth**2 / 2, rel=1e-4, abs=EXACT)


def test_a_bodys_capsules_are_as_thick_as_its_limbs_and_alike_on_both_sides(
    low_body: Any,
) -> None:
    capsules = capsules_of(at_rest(low_body))
    assert ((capsules.radii > 0.02) & (capsules.radii < 0.16)).all()
    left, right = capsules.radii[3:9], capsules.radii[9:15]
    torch.testing.assert_close(left, right, rtol=0, atol=0.002)
    twins = [0, 1, 2, *range(9, 15), *range(3, 9)]
    pairs = {tuple(pair) for pair in capsules.pairs.tolist()}
    assert {tuple(sorted((twins[a], twins[b]))) for a, b in pairs} == pairs


def test_rest_and_neutral_stance_and_a_deep_squat_are_free(low_body: Any) -> None:
    capsules = capsules_of(at_rest(low_body))
    squat = {f"{side}_{joint}": (bend, 0.0, 0.0) for side in ("left", "right") for joint, bend in
             (("hip", -1.4), ("knee", 1.8))}  # fmt: skip
    for mesh in (at_rest(low_body), low_body(bent()), low_body(bent(**squat))):
        assert self_penetration(mesh, capsules) == 0


@pytest.mark.parametrize(
    "pose",
    [
        {"left_hip": (-0.1, 0.0, -0.25), "right_hip": (0.0, 0.0, 0.25)},  # crossed legs
        {"right_shoulder": (0.0, 0.0, 0.6)},  # an arm in the trunk
        {"left_elbow": (0.0, -2.0, 0.0), "left_shoulder": (0.0, -1.2, 0.0)},  # a forearm, too
    ],
)
def test_limbs_in_each_other_cost_and_the_gradient_parts_them(
    pose: dict[str, tuple[float, float, float]], low_body: SkinnedBody
) -> None:
    capsules = capsules_of(at_rest(low_body))
    motion = bent(**pose)
    offsets = torch.zeros(1, 22, 3, requires_grad=True)

    def cost() -> Tensor:
        turned = rotations.from_axis_angle(offsets) @ motion.rotations
        return self_penetration(low_body(dataclasses.replace(motion, rotations=turned)), capsules)

    before = cost()
    assert before > 0.01**2
    optimizer = torch.optim.Adam([offsets], lr=0.02)
    for _ in range(40):
        optimizer.zero_grad()
        cost().backward()
        optimizer.step()
    assert cost() < 0.05 * before
    assert offsets.norm(dim=-1).max() < math.pi / 2
