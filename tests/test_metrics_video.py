"""Motion fidelity of known tracks, and flickering of known videos."""

import math

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given

from motiondistill.metrics.video import STILL, Tracks, motion_fidelity, temporal_flickering

EXACT = 1e-6


def tracks(*ways: tuple[float, float], frames: int = 5, visible: bool = True) -> Tracks:
    """Points that move evenly, by these pixels a frame."""
    steps = torch.arange(frames)[:, None, None] * torch.tensor(ways)
    return Tracks(steps + 10.0, torch.full(steps.shape[:2], visible))


def test_equal_tracks_are_wholly_alike_and_reversed_ones_the_opposite() -> None:
    right, left = tracks((1.0, 0.0)), tracks((-2.0, 0.0))
    assert float(motion_fidelity(right, right)) == pytest.approx(1, abs=EXACT)
    assert float(motion_fidelity(right, left)) == pytest.approx(-1, abs=EXACT)
    assert float(motion_fidelity(right, tracks((0.0, 3.0)))) == pytest.approx(0, abs=EXACT)


def test_both_at_rest_is_alike_and_one_at_rest_is_not() -> None:
    still, moving = tracks((0.0, 0.0)), tracks((1.0, 0.0))
    assert float(motion_fidelity(still, still)) == 1
    assert float(motion_fidelity(still, moving)) == 0
    assert float(motion_fidelity(tracks((STILL / 2, 0.0)), still)) == 1


def test_both_directions_count() -> None:
    """A source of two ways of which the result has one: (mean(1) + mean(1, 0)) / 2."""
    source, result = tracks((1.0, 0.0), (0.0, 1.0)), tracks((1.0, 0.0))
    assert float(motion_fidelity(source, result)) == pytest.approx(0.75, abs=EXACT)
    assert float(motion_fidelity(result, source)) == pytest.approx(0.75, abs=EXACT)


def test_steps_that_are_not_seen_do_not_count() -> None:
    right = tracks((1.0, 0.0))
    turned = right.pixels.clone()
    turned[3:] = turned[2] - (turned[3:] - turned[2])  # turns back after the third frame
    seen = torch.ones(5, 1, dtype=torch.bool)
    assert float(motion_fidelity(right, Tracks(turned, seen))) == pytest.approx(0, abs=EXACT)
    seen[3:] = False
    assert float(motion_fidelity(right, Tracks(turned, seen))) == pytest.approx(1, abs=EXACT)
    seen = torch.tensor([[False], [False], [True], [True], [True]])
    assert float(motion_fidelity(right, Tracks(turned, seen))) == pytest.approx(-1, abs=EXACT)
    never = Tracks(turned, ~torch.ones_like(seen))
    assert math.isnan(float(motion_fidelity(right, never)))


@given(seed=st.integers(0, 50), angle=st.floats(-math.pi, math.pi))
def test_fidelity_is_symmetric_bounded_and_turns_with_the_image(seed: int, angle: float) -> None:
    generator = torch.Generator().manual_seed(seed)

    def some(points: int) -> Tracks:
        pixels = torch.randn(6, points, 2, generator=generator, dtype=torch.float64).cumsum(0)
        return Tracks(pixels, torch.rand(6, points, generator=generator) < 0.9)

    source, result = some(7), some(5)
    value = motion_fidelity(source, result)
    torch.testing.assert_close(value, motion_fidelity(result, source))
    assert -1 <= float(value) <= 1
    c, s = math.cos(angle), math.sin(angle)
    turn = torch.tensor([[c, -s], [s, c]], dtype=torch.float64)
    turned = [Tracks(each.pixels @ turn.T, each.visible) for each in (source, result)]
    torch.testing.assert_close(value, motion_fidelity(turned[0], turned[1]))


def test_clips_of_unequal_length_are_refused() -> None:
    with pytest.raises(ValueError, match="equally many frames, at least 2, got 5 and 4"):
        motion_fidelity(tracks((1.0, 0.0)), tracks((1.0, 0.0), frames=4))


def test_flickering_of_known_videos() -> None:
    still = torch.rand(1, 3, 4, 6, generator=torch.Generator().manual_seed(0)).expand(5, -1, -1, -1)
    assert float(temporal_flickering(still)) == 1
    blinking = (torch.arange(6) % 2).float()[:, None, None, None].expand(-1, 3, 4, 6)
    assert float(temporal_flickering(blinking)) == 0
    fading = torch.linspace(0, 1, 11)[:, None, None, None].expand(-1, 3, 4, 6)
    assert float(temporal_flickering(fading)) == pytest.approx(0.9, abs=EXACT)
    with pytest.raises(ValueError, match="`video` must have at least 2 frames, got 1"):
        temporal_flickering(still[:1])


def test_noise_flickers_by_a_third() -> None:
    """Two independent uniform numbers are 1/3 apart on average."""
    noise = torch.rand(20, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    assert float(temporal_flickering(noise)) == pytest.approx(2 / 3, abs=0.005)
