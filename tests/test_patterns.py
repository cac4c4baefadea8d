"""Filtered patterns are what they say: means over an interval."""

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from motiondistill.render import patterns

SAMPLES = 20_001
# The midpoint rule misses each of a few jumps of height 2 by at most one of its samples.
QUADRATURE = 1e-3

places = st.floats(-50, 50)
widths = st.floats(0.05, 9)


def interval(place: float, width: float) -> Tensor:
    steps = (torch.arange(SAMPLES, dtype=torch.float64) + 0.5) / SAMPLES - 0.5
    return place + width * steps


def sign(points: Tensor) -> Tensor:
    return 1 - 2 * (points.floor() % 2)


@given(places, widths)
def test_the_square_wave_is_a_mean_over_its_width(place: float, width: float) -> None:
    found = patterns.square_wave(torch.tensor(place, dtype=torch.float64), width)
    assert abs(float(found - sign(interval(place, width)).mean())) < QUADRATURE * (1 + width)


@given(places, places, widths, widths)
def test_the_checkerboard_is_a_mean_over_its_box(x: float, y: float, w: float, h: float) -> None:
    place = torch.tensor([x, y], dtype=torch.float64)
    found = patterns.checker(place, torch.tensor([w, h], dtype=torch.float64))
    means = sign(interval(x, w)).mean(), sign(interval(y, h)).mean()
    assert abs(float(found - means[0] * means[1])) < QUADRATURE * (2 + w + h)


@given(st.floats(-3, 3), widths)
def test_a_step_is_a_mean_over_its_width(distance: float, width: float) -> None:
    found = patterns.step(torch.tensor(distance, dtype=torch.float64), width)
    expected = (interval(distance, width) > 0).double().mean()
    assert abs(float(found - expected)) < QUADRATURE


def test_without_width_the_pattern_is_sharp_and_over_everything_it_is_grey() -> None:
    middles = torch.arange(-6, 6) + 0.5
    assert torch.equal(patterns.square_wave(middles, 0.0).round(), sign(middles))
    assert float(patterns.square_wave(middles, 1e6).abs().max()) < 1e-5
