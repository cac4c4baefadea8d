"""Noise levels fall from high to low, spread over the views."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from motiondistill.score.levels import annealed

ROUNDING = 1e-5  # float32, through sigma = tau / (1 - tau) and back

_FRACTIONS = st.floats(0.02, 0.98)


def taus(
    progress: float,
    count: int,
    *,
    first: float = 0.7,
    last: float = 0.3,
    jitter: float = 0.0,
    seed: int = 0,
) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    sigma = annealed(progress, count, first=first, last=last, jitter=jitter, generator=generator)
    return sigma / (1 + sigma)


@given(progress=st.floats(0, 1), count=st.integers(1, 9), first=_FRACTIONS, last=_FRACTIONS)
def test_without_jitter_every_view_has_the_centre(
    progress: float, count: int, first: float, last: float
) -> None:
    centre = first + (last - first) * progress
    levels = taus(progress, count, first=first, last=last)
    assert levels.shape == (count,)
    assert (levels - centre).abs().max() < ROUNDING


def test_levels_fall_from_first_to_last() -> None:
    centres = torch.stack([taus(step / 10, 1)[0] for step in range(11)])
    assert (centres.diff() < 0).all()
    assert abs(centres[0] - 0.7) < ROUNDING
    assert abs(centres[-1] - 0.3) < ROUNDING


@given(count=st.integers(1, 9), jitter=st.floats(0.01, 0.2), seed=st.integers(0, 1000))
def test_each_view_draws_from_a_stratum_of_its_own(count: int, jitter: float, seed: int) -> None:
    levels = taus(0.5, count, jitter=jitter, seed=seed)
    place = ((levels - 0.5) / jitter + 1) / 2 * count  # stratum k holds [k, k + 1)
    slack = ROUNDING / jitter * count
    inside = place.sort().values - torch.arange(count)
    assert (inside > -slack).all()
    assert (inside < 1 + slack).all()


def test_no_view_always_has_the_least_noise() -> None:
    """Views are ordered by azimuth: in a fixed order the front would always be the sharpest."""
    draws = torch.stack([taus(0.5, 4, jitter=0.1, seed=seed) for seed in range(400)])
    share = torch.nn.functional.one_hot(draws.argmin(1), 4).float().mean(0)
    assert (share - 0.25).abs().max() < 5 * (0.25 * 0.75 / 400) ** 0.5  # five standard errors
    assert (draws.mean(0) - 0.5).abs().max() < 5 * 0.1 / 3**0.5 / 400**0.5


def test_levels_stay_between_a_trace_of_noise_and_a_trace_of_signal() -> None:
    high = taus(0.0, 50, first=0.95, jitter=0.3)
    low = taus(1.0, 50, last=0.05, jitter=0.3)
    assert abs(high.max() - 0.98) < ROUNDING
    assert abs(low.min() - 0.02) < ROUNDING
    assert high.min() < 0.7 < high.max()


def test_the_same_generator_gives_the_same_levels() -> None:
    assert torch.equal(taus(0.5, 4, jitter=0.1, seed=3), taus(0.5, 4, jitter=0.1, seed=3))
    assert not torch.equal(taus(0.5, 4, jitter=0.1, seed=3), taus(0.5, 4, jitter=0.1, seed=4))
