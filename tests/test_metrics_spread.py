"""Diversity in joint space: known distances, and what must not count."""

import math

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given
from recogniser_motions import performed

from motiondistill import rotations
from motiondistill.metrics.spread import (
    diversity_joints,
    joint_distance,
    multimodality_joints,
    started_alike,
)
from motiondistill.structures import JOINT_INDEX as J

ROUNDING = 1e-5  # float32 positions of metres


@given(turn=st.floats(-math.pi, math.pi), x=st.floats(-3, 3), z=st.floats(-3, 3))
def test_place_and_heading_do_not_count(turn: float, x: float, z: float) -> None:
    joints = performed("walk", "left", 2)
    moved = joints @ rotations.about_y(torch.tensor(turn)).T + torch.tensor([x, 0.0, z])
    assert float(joint_distance(started_alike(joints), started_alike(moved))) < ROUNDING


def test_motions_start_over_the_origin_and_face_ahead() -> None:
    moved = performed("kick", "left", 2) @ rotations.about_y(torch.tensor(1.0)).T + 2.0
    started = started_alike(moved)
    torch.testing.assert_close(started[0, 0, [0, 2]], torch.zeros(2), atol=ROUNDING, rtol=0)
    across = started[0, J["left_hip"]] - started[0, J["right_hip"]]
    assert float(across[0]) > 0.05 and float(across[2]) == pytest.approx(0, abs=ROUNDING)
    # Heights stay.
    torch.testing.assert_close(started[..., 1], moved[..., 1])


def test_motions_a_known_way_apart() -> None:
    base = torch.zeros(10, 22, 3)
    apart = [base, base + torch.tensor([3.0, 0, 4.0]), (base + torch.tensor([0.0, 1, 0]))[:4]]
    expected = (5 + 1 + math.sqrt(9 + 16 + 1)) / 3
    assert float(diversity_joints(apart)) == pytest.approx(expected, rel=1e-6)
    assert float(multimodality_joints([apart[:2], apart[::2]])) == pytest.approx(3, rel=1e-6)
    assert float(diversity_joints([base, base])) == 0


def test_seeds_differ_less_than_actions() -> None:
    one = [started_alike(performed("wave", "left", seed)) for seed in range(4)]
    kinds = ("wave", "kick", "squat", "walk")
    others = [started_alike(performed(action, "left", 0)) for action in kinds]
    assert float(diversity_joints(one)) < float(diversity_joints(others))


def test_too_few_motions_are_told() -> None:
    with pytest.raises(ValueError, match="`motions` must be at least 2 to differ, got 1"):
        diversity_joints([torch.zeros(4, 22, 3)])
    with pytest.raises(ValueError, match="`groups` must hold two motions of one prompt, got none"):
        multimodality_joints([])
