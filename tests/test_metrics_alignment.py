"""Procrustes and warps in time: exact copies, brute force, shifted and slowed motions."""

import itertools
import math

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given
from recogniser_motions import performed

from motiondistill import rotations
from motiondistill.metrics.alignment import (
    RATE,
    at_rate,
    nearest_reference,
    pa_mpjpe,
    procrustes,
    warp,
)

ROUNDING = 1e-5  # float32 positions of about a metre


def drawn(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def brute_force(costs: torch.Tensor) -> float:
    """The least mean over all paths, one by one."""
    frames, others = costs.shape
    totals = []
    for start in range(others):
        for steps in itertools.product((0, 1, 2), repeat=frames - 1):
            path = np.cumsum([start, *steps])
            if path[-1] < others:
                totals.append(float(costs[range(frames), path].mean()))
    return min(totals)


@given(seed=st.integers(0, 99), size=st.floats(0.2, 5), batch=st.sampled_from([(), (1,), (2, 3)]))
def test_a_turned_scaled_and_moved_copy_is_no_distance_away(
    seed: int, size: float, batch: tuple[int, ...]
) -> None:
    poses = drawn(seed, *batch, 22, 3)
    turn = rotations.from_axis_angle(drawn(seed + 1, *batch, 3) * 2)
    copies = size * poses @ turn.transpose(-1, -2) + drawn(seed + 2, *batch, 1, 3)
    assert pa_mpjpe(poses, copies).shape == batch
    assert float(pa_mpjpe(poses, copies).max()) < ROUNDING * max(size, 1) * 3


def test_a_mirror_image_is_a_distance_away_and_a_joint_out_of_place_too() -> None:
    poses = drawn(0, 22, 3)
    assert float(pa_mpjpe(poses * torch.tensor([-1.0, 1.0, 1.0]), poses)) > 0.1
    # Two points 2 apart on a line, and their middle moved aside by h: by symmetry nothing turns,
    # and the middle keeps 2/3 of its way, the ends get 1/3, but for the scale.
    line = torch.tensor([[-1.0, 0, 0], [0.0, 0, 0], [1.0, 0, 0]])
    bent = line + torch.tensor([[0.0, 0, 0], [0.0, 0.3, 0], [0.0, 0, 0]])
    expected = (0.1 + 0.2 + 0.1) / 3
    assert float(pa_mpjpe(line, bent)) == pytest.approx(expected, abs=1e-6)


@given(seed=st.integers(0, 30))
def test_the_alignment_is_the_least_squared_one(seed: int) -> None:
    poses, targets = drawn(seed, 22, 3), drawn(seed + 100, 22, 3)
    best = float((procrustes(poses, targets) - targets).square().sum())
    centred = poses - poses.mean(0)
    for other in range(4):
        turn = rotations.from_axis_angle(drawn(other, 3))
        turned = centred @ turn.T
        scale = (turned * targets).sum() / turned.square().sum()
        tried = scale * turned + targets.mean(0)
        assert float((tried - targets).square().sum()) >= best - 1e-3


@given(seed=st.integers(0, 99), frames=st.integers(1, 5), others=st.integers(1, 6))
def test_the_warp_is_the_best_of_all_paths(seed: int, frames: int, others: int) -> None:
    costs = drawn(seed, frames, others).abs()
    found = warp(costs)
    assert float(found.cost) == pytest.approx(brute_force(costs), rel=1e-5)
    along = costs[torch.arange(frames), found.frames].mean()
    torch.testing.assert_close(along, found.cost)
    steps = found.frames.diff()
    assert bool(((steps >= 0) & (steps <= 2)).all())


@pytest.mark.parametrize("shift", [0, 3, 9])
def test_a_part_of_a_motion_is_found_where_it_is(shift: int) -> None:
    whole = performed("kick", "left", 3, RATE, 24)
    found = nearest_reference(whole[shift : shift + 12], [whole])
    assert found.distance < ROUNDING
    torch.testing.assert_close(found.frames, torch.arange(shift, shift + 12))


def test_half_and_double_tempo_are_followed_and_reverse_is_not() -> None:
    whole = performed("kick", "left", 3, RATE, 24)
    assert nearest_reference(whole[::2], [whole]).distance < ROUNDING
    assert nearest_reference(whole.repeat_interleave(2, 0), [whole]).distance < ROUNDING
    assert nearest_reference(whole.flip(0), [whole]).distance > 0.01


def test_the_nearest_is_the_same_action_turned_scaled_and_elsewhere() -> None:
    turn = rotations.about_y(torch.tensor(2.0))
    motion = 1.3 * performed("wave", "left", 8) @ turn.T + torch.tensor([3.0, 0.0, 1.0])
    names = ["kick", "wave", "squat"]
    references = [performed(name, "left", 4) for name in names]
    found = nearest_reference(motion, references)
    assert names[found.index] == "wave"
    assert 0 < found.distance < 0.1
    with pytest.raises(ValueError, match="`references` must hold a motion, got none"):
        nearest_reference(motion, [])


def test_a_motion_at_another_rate_keeps_its_times() -> None:
    times = torch.arange(61) / 30
    ramp = times[:, None, None].expand(-1, 22, 3)
    at = at_rate(ramp, 30.0)
    assert len(at) == 17
    torch.testing.assert_close(at[:, 0, 0], torch.arange(17) / RATE)
    assert len(at_rate(ramp[:1], 30.0)) == 1


def test_frame_rates_agree() -> None:
    fast, slow = (performed("walk", "left", 5, fps, int(2 * fps)) for fps in (60.0, 30.0))
    reference = [performed("walk", "left", 9, RATE, 24)]
    found = [
        nearest_reference(at_rate(joints, fps), reference).distance
        for joints, fps in ((fast, 60.0), (slow, 30.0))
    ]
    assert found[0] == pytest.approx(found[1], rel=0.03)
    assert math.isfinite(found[0])
