"""Noise levels fall from high to low, spread over the views."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from motiondistill.score.levels import (
    Draw,
    annealed,
    antithetic,
    independent,
    inverse_cdf,
    linear,
    log_snr,
    sigma_of,
    square_root,
    stratified,
    tau_of,
    windowed,
)

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


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@given(tau=st.floats(0.01, 0.99))
def test_a_level_is_the_same_in_every_measure(tau: float) -> None:
    level = torch.tensor(tau, dtype=torch.float64)
    sigma = sigma_of(level)
    assert float(tau_of(sigma)) == pytest.approx(tau)
    assert float(log_snr(sigma)) == pytest.approx(2 * math.log((1 - tau) / tau), abs=1e-9)
    # Signal over noise in power, of `(1 - tau) x0 + tau n`.
    assert float(log_snr(sigma).exp()) == pytest.approx((1 - tau) ** 2 / tau**2)


@given(first=_FRACTIONS, last=_FRACTIONS)
def test_every_path_goes_from_first_to_last_without_turning(first: float, last: float) -> None:
    for path in (linear, square_root, inverse_cdf):
        levels = torch.tensor([path(step / 20, first, last) for step in range(21)])
        assert abs(levels[0] - first) < ROUNDING
        assert abs(levels[-1] - last) < ROUNDING
        assert (levels.diff() * (last - first) >= -ROUNDING).all()


def test_the_square_root_is_half_way_after_a_quarter() -> None:
    assert square_root(0.25, 0.9, 0.5) == pytest.approx(0.7)


@given(progress=st.floats(0, 1), low=st.floats(0.02, 0.4), high=st.floats(0.5, 0.98))
def test_the_inverse_cdf_undoes_the_integral_of_its_density(
    progress: float, low: float, high: float
) -> None:
    """Below the level lies the share `1 - progress` of tau on [low, high], summed finely."""
    tau = torch.linspace(low, high, 4001, dtype=torch.float64)
    mass = torch.cat([tau.new_zeros(1), torch.cumulative_trapezoid(tau, tau)])
    level = inverse_cdf(progress, high, low)
    below = torch.searchsorted(tau, torch.tensor(level, dtype=torch.float64)).clamp(max=4000)
    assert float(mass[below] / mass[-1]) == pytest.approx(1 - progress, abs=1e-3)  # a cell's mass


def test_the_inverse_cdf_stays_longer_at_high_noise_than_a_line() -> None:
    assert inverse_cdf(0.5, 0.9, 0.1) > linear(0.5, 0.9, 0.1)


@given(count=st.integers(1, 9), first=_FRACTIONS, last=_FRACTIONS, seed=st.integers(0, 99))
def test_a_window_is_drawn_from_at_any_progress(
    count: int, first: float, last: float, seed: int
) -> None:
    begin, end = (
        windowed(progress, count, first=first, last=last, generator=generator(seed))
        for progress in (0.0, 1.0)
    )
    assert torch.equal(begin, end)
    levels = tau_of(begin)
    assert levels.min() > min(first, last) - ROUNDING
    assert levels.max() < max(first, last) + ROUNDING


def test_a_window_is_filled_evenly() -> None:
    levels = tau_of(windowed(0.0, 1000, first=0.9, last=0.1, generator=generator())).sort().values
    even = 0.1 + 0.8 * (torch.arange(1000) + 0.5) / 1000
    assert (levels - even).abs().max() < 0.8 / 1000  # one of each part


@given(count=st.integers(1, 12), seed=st.integers(0, 1000))
def test_antithetic_draws_are_pairs_about_the_centre(count: int, seed: int) -> None:
    ordered = antithetic(count, generator(seed)).sort().values
    assert ordered.shape == (count,)
    mirrored = -ordered.flip(0)
    # An odd one has no partner.
    alone = sum(bool((mirrored - value).abs().min() > 1e-6) for value in ordered)
    assert alone == count % 2 or (count % 2 == 1 and alone == 0)
    if count % 2 == 0:
        assert abs(ordered.sum()) < ROUNDING


@pytest.mark.parametrize("draw", [stratified, antithetic, independent])
@pytest.mark.parametrize("count", [1, 3, 4])
def test_every_view_draws_uniformly_on_the_whole_range(draw: Draw, count: int) -> None:
    """The Kolmogorov-Smirnov distance of each view's draws; order tells nothing."""
    draws = torch.stack([draw(count, generator(seed)) for seed in range(2000)]).sort(0).values
    assert draws.min() >= -1 and draws.max() <= 1
    share = (torch.arange(2000) + 0.5) / 2000
    distance = ((draws + 1) / 2 - share[:, None]).abs().amax(0)
    assert (distance < 2.2 / 2000**0.5).all()  # by chance 1 in 8000


def test_independent_draws_fill_no_strata() -> None:
    places = [((independent(4, generator(seed)) + 1) * 2).floor() for seed in range(50)]
    assert any(place.unique().numel() < 4 for place in places)


def test_the_default_is_a_line_with_stratified_draws() -> None:
    ends = {"first": 0.9, "last": 0.6, "jitter": 0.1}
    plain = annealed(0.3, 4, **ends, generator=generator())
    named = annealed(0.3, 4, **ends, generator=generator(), path=linear, draw=stratified)
    assert torch.equal(plain, named)
    # As the first implementation drew them.
    again = generator()
    stratum = torch.randperm(4, generator=again)
    offset = (stratum + torch.rand(4, generator=again)) / 4 * 2 - 1
    tau = (0.9 + (0.6 - 0.9) * 0.3 + 0.1 * offset).clamp(0.02, 0.98)
    assert torch.equal(plain, tau / (1 - tau))
