"""Times of motions, windows of them, loops, and motions at other rates."""

import math
from collections import Counter

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from motiondistill import rotations
from motiondistill.motion.encodings import FourierEncoding, fourier, periodic
from motiondistill.motion.field import MotionField
from motiondistill.motion.free_field import FreeField
from motiondistill.motion.hash_grid import GridShape, HashEncoding
from motiondistill.motion.legacy_field import LegacyField
from motiondistill.motion.pose_field import PoseField
from motiondistill.motion.timeline import Timeline, even_times
from motiondistill.randomness import seeded
from motiondistill.structures import Motion

ROUNDING = 1e-5  # float32 networks and rotations
FRAMES = 12


def moving(field: MotionField, scale: float = 1.0) -> MotionField:
    """The field with random numbers, so that it moves."""
    with torch.no_grad():
        for index, parameter in enumerate(field.parameters()):
            noise = torch.randn(parameter.shape, generator=seeded(index))
            parameter.add_(scale / parameter.shape[-1] ** 0.5 * noise)
    return field


def loops() -> list[MotionField]:
    encoding = HashEncoding(GridShape(), loop=True, generator=seeded(0))
    return [
        PoseField(encoding=FourierEncoding(4, loop=True), loop=True, generator=seeded(0)),
        PoseField(encoding=encoding, loop=True, generator=seeded(0)),
        FreeField(FRAMES, loop=True),
    ]


def lines() -> list[MotionField]:
    encoding = HashEncoding(GridShape(), generator=seeded(0))
    return [
        PoseField(generator=seeded(0)),
        PoseField(encoding=encoding, generator=seeded(0)),
        LegacyField(FRAMES, generator=seeded(0)),
        FreeField(FRAMES),
    ]


def apart(a: Motion, b: Motion) -> float:
    """The largest angle or distance between two motions, radians or metres."""
    turn = rotations.geodesic(a.rotations, b.rotations).max()
    return max(turn.item(), (a.translation - b.translation).abs().max().item())


def test_whole_motions_have_the_times_that_they_always_had() -> None:
    assert torch.equal(Timeline(16, 8.0).times(), torch.linspace(0, 1, 16))
    assert Timeline(16, 8.0).seconds == 15 / 8
    assert torch.equal(Timeline(16, 8.0, loop=True).times(), torch.arange(16) / 16)
    assert Timeline(16, 8.0, loop=True).seconds == 2.0


@given(frames=st.integers(3, 200), fps=st.floats(1, 60), part=st.floats(0, 1))
def test_seconds_become_normalised_times(frames: int, fps: float, part: float) -> None:
    line, loop = Timeline(frames, fps), Timeline(frames, fps, loop=True)
    moments = torch.arange(frames) / fps
    assert torch.allclose(line.at(moments), line.times(), atol=1e-5)
    moments = moments.double() + part / fps
    again = loop.at(moments + 3 * loop.seconds) * 2 * math.pi
    once = loop.at(moments) * 2 * math.pi
    assert torch.allclose(again.cos(), once.cos(), atol=1e-6)
    with pytest.raises(ValueError, match="`seconds` must be from 0 to "):
        line.at(torch.tensor([line.seconds * 1.01]))
    with pytest.raises(ValueError, match="`seconds` must be from 0 to "):
        line.at(torch.tensor([-0.01 * line.seconds]))


@pytest.mark.parametrize("field", lines())
def test_a_window_is_a_part_of_the_whole(field: MotionField) -> None:
    timeline, whole = Timeline(FRAMES, 8.0), moving(field)(FRAMES, 8.0)
    for start in (0, 3, FRAMES - 5):
        part = field.at(timeline.window(5, start), 8.0)
        assert apart(part, whole.frames(slice(start, start + 5))) < 20 * ROUNDING
    for start in (-1, FRAMES - 4):
        with pytest.raises(ValueError, match=r"`start` must leave 5 of 12 frames, got "):
            timeline.window(5, start)


@pytest.mark.parametrize("field", loops())
def test_a_loops_window_goes_round_and_its_first_frame_follows_the_last(
    field: MotionField,
) -> None:
    timeline, whole = Timeline(FRAMES, 8.0, loop=True), moving(field)(FRAMES, 8.0)
    order = (7 + torch.arange(20)) % FRAMES
    assert apart(field.at(timeline.window(20, 7), 8.0), whole.frames(order)) < ROUNDING
    # The seam is as smooth as the rest: at a hundred times the rate, no step is larger there.
    fine = field(100 * FRAMES, 800.0)
    closed = fine.frames(torch.arange(100 * FRAMES + 1) % (100 * FRAMES))
    steps = rotations.geodesic(closed.rotations[:-1].double(), closed.rotations[1:].double())
    assert steps[-1].max() <= steps[:-1].max() + 1e-4
    assert float(steps.detach().max()) < 0.2
    assert apart(fine.frames(slice(0, 1)), fine.frames(slice(600, 601))) > 0.02


def test_fourier_features_of_a_loop_have_all_derivatives_alike_at_the_seam() -> None:
    time = torch.tensor([0.0, 1.0], dtype=torch.float64, requires_grad=True)
    features = periodic(time, 5)
    assert features.shape == (2, 10)
    assert torch.allclose(features[0], features[1], atol=1e-12)
    weights = torch.randn(10, dtype=torch.float64, generator=seeded(0))
    value = features @ weights
    for _ in range(3):
        (value,) = torch.autograd.grad(value.sum(), time, create_graph=True)
        assert value[0].item() == pytest.approx(value[1].item(), rel=1e-9)
    k = torch.arange(1, 6)
    quarter = periodic(torch.tensor([0.25], dtype=torch.float64), 5)[0]
    assert torch.allclose(quarter[:5], (math.pi / 2 * k).sin().double(), atol=1e-6)


def test_without_a_loop_the_ends_are_free() -> None:
    for field in lines():
        whole = moving(field)(FRAMES, 8.0)
        assert apart(whole.frames(slice(0, 1)), whole.frames(slice(FRAMES - 1, FRAMES))) > 0.05
    assert not torch.allclose(fourier(torch.tensor([0.0, 1.0]), 3)[0], torch.zeros(7))


@pytest.mark.parametrize("field", lines() + loops())
def test_other_rates_agree_at_shared_moments(field: MotionField) -> None:
    timeline = Timeline(FRAMES, 8.0, field.loop)
    coarse = moving(field).at(*timeline.resampled(8.0))
    assert coarse.num_frames == FRAMES
    times, fps = timeline.resampled(24.0)
    fine = field.at(times, fps)
    assert fine.fps == 24.0
    assert fine.num_frames == (3 * FRAMES if field.loop else 3 * (FRAMES - 1) + 1)
    assert apart(fine.frames(slice(0, None, 3)), coarse) < 20 * ROUNDING


@given(frames=st.integers(3, 100), fps=st.floats(1, 60), other=st.floats(1, 240))
def test_resampled_frames_are_a_frame_apart_and_within_the_motion(
    frames: int, fps: float, other: float
) -> None:
    line = Timeline(frames, fps)
    times, rate = line.resampled(other)
    assert times[0] == 0 and bool((times <= 1).all())
    if other != fps:
        assert rate == other
        assert torch.allclose(times.diff() * line.seconds, torch.tensor(1 / other), atol=1e-4)
        assert (1 - float(times[-1])) * line.seconds < 1 / other + 1e-4  # no later one would fit
    loop = Timeline(frames, fps, loop=True)
    times, rate = loop.resampled(other)
    assert len(times) / rate == pytest.approx(loop.seconds)
    assert abs(len(times) - loop.seconds * other) <= 1


def test_the_ends_are_drawn_as_often_as_the_middle() -> None:
    timeline, seen = Timeline(20, 8.0), Counter[float]()
    draws = 4000
    for draw in range(draws):
        window = timeline.random_window(6, seeded(0, draw))
        assert len(window) == 6
        seen.update(window.tolist())
    share = 6 / 25
    deviation = math.sqrt(share * (1 - share) / draws)
    counts = [seen[time] / draws for time in timeline.times().tolist()]
    # The frames of the middle, and the ends; those between come more often.
    assert min(counts) > share - 4 * deviation
    for frame in (0, 9, 10, 19):
        assert counts[frame] == pytest.approx(share, abs=4 * deviation)


def test_a_loops_windows_start_anywhere() -> None:
    timeline = Timeline(5, 8.0, loop=True)
    starts = Counter(float(timeline.random_window(5, seeded(0, k))[0]) for k in range(500))
    assert sorted(starts) == even_times(5, loop=True).tolist()
    assert min(starts.values()) > 60
