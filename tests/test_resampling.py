"""Motions at other frame rates: the same frames, even turns, and velocities without jumps."""

import math

import pytest
import torch
from random_motions import largest_angle, random_motion
from torch import Tensor

from motiondistill import rotations
from motiondistill.data.windows import resample
from motiondistill.motion.resampling import smoothly_resampled
from motiondistill.structures import Motion

TINY = 1e-9
FRAMES = 9


def wild(frames: int = FRAMES) -> Motion:
    return random_motion(0, frames, fps=8.0, spread=0.4)


def turning(times: Tensor, fps: float) -> Motion:
    """Every joint about an axis of its own at two radians a second, the pelvis on a line."""
    axes = torch.nn.functional.normalize(torch.randn(22, 3, generator=torch.manual_seed(0)), dim=-1)
    turns = rotations.from_axis_angle(2 * times[:, None, None] * axes.double())
    return Motion(turns, times[:, None] * torch.tensor([1.0, 0.5, -2.0]).double(), fps)


@pytest.mark.parametrize("factor", [1, 3, 4])
def test_frames_that_both_have_are_kept(factor: int) -> None:
    motion = wild()
    finer = smoothly_resampled(motion, 8.0 * factor, (FRAMES - 1) * factor + 1)
    kept = finer.frames(slice(None, None, factor))
    assert finer.fps == 8.0 * factor
    assert largest_angle(kept, motion) < 1e-6
    assert torch.allclose(kept.translation, motion.translation, atol=TINY)


def test_what_turns_and_moves_evenly_goes_on_to_do_so() -> None:
    times = torch.arange(FRAMES).double() / 8
    finer = torch.arange(29).double() / 28
    found = smoothly_resampled(turning(times, 8.0), 28.0, 29)
    expected = turning(finer, 28.0)
    assert largest_angle(found, expected) < 1e-6
    assert torch.allclose(found.translation, expected.translation, atol=TINY)


def velocities(motion: Motion) -> list[Tensor]:
    """Per frame: those of all rotations, in the body, and of the pelvis."""
    every = [motion.rotations]
    if motion.hands is not None and motion.jaw is not None:
        every += [motion.hands, motion.jaw[:, None]]
    turns = torch.cat(every, 1)
    return [
        rotations.to_axis_angle(turns[:-1].transpose(-1, -2) @ turns[1:]),
        motion.translation.diff(dim=0),
    ]


def test_velocities_do_not_jump_where_those_of_lines_do() -> None:
    """At a frame of the motion, the velocity before and after: their difference falls with the
    step between frames for curves, and stays for straight lines."""

    def jumps(change: object, factor: int) -> list[float]:
        fps, count = 8.0 * factor, (FRAMES - 1) * factor + 1
        finer = (
            resample(wild(), 0.0, fps, count)
            if change is resample
            else smoothly_resampled(wild(), fps, count)
        )
        return [
            float((v[factor::factor] - v[factor - 1 : -1 : factor]).norm(dim=-1).max()) * factor
            for v in velocities(finer)
        ]

    for fine, coarse, lines in zip(
        jumps(None, 400), jumps(None, 100), jumps(resample, 400), strict=True
    ):
        assert fine < 0.3 * coarse and fine < 0.05 * lines


def test_backwards_is_the_same_way() -> None:
    motion = wild()
    backwards = motion.frames(torch.arange(FRAMES).flip(0))
    there = smoothly_resampled(motion, 24.0, 25)
    again = smoothly_resampled(backwards, 24.0, 25).frames(torch.arange(25).flip(0))
    assert torch.allclose(again.translation, there.translation, atol=TINY)
    # The way of rotations is defined from its beginning, so only nearly so.
    assert largest_angle(again, there) < 0.1


def test_a_wave_at_eight_frames_is_met_better_than_by_lines() -> None:
    """A hand that waves once a second: the closed form between the frames."""

    def waving(fps: float, frames: int) -> Motion:
        angles = torch.sin(2 * math.pi * torch.arange(frames).double() / fps)
        vectors = torch.zeros(frames, 22, 3).double()
        vectors[:, :, 2] = angles[:, None]
        place = torch.stack([angles, 0 * angles, 0 * angles], -1)
        return Motion(rotations.from_axis_angle(vectors), place, fps)

    truth, motion = waving(40.0, 81), waving(8.0, 17)
    inner = slice(10, 71)  # at the ends curves know one neighbour alone
    smooth, lines = smoothly_resampled(motion, 40.0, 81), resample(motion, 0.0, 40.0, 81)
    for found in (smooth, lines):
        found.translation.sub_(truth.translation)
    errors = [float(found.translation[inner].abs().max()) for found in (smooth, lines)]
    assert errors[0] < 0.35 * errors[1]
    turns = [largest_angle(m.frames(inner), truth.frames(inner)) for m in (smooth, lines)]
    assert turns[0] < 0.35 * turns[1]


def test_one_frame_stays_and_the_end_repeats() -> None:
    one = wild(1)
    still = smoothly_resampled(one, 30.0, 4)
    assert still.fps == 30.0 and still.num_frames == 4
    assert largest_angle(still, one.frames(torch.zeros(4, dtype=torch.long))) < TINY
    longer = smoothly_resampled(wild(), 8.0, FRAMES + 3)
    assert torch.equal(longer.translation[-3:], longer.translation[-4:-3].expand(3, 3))
