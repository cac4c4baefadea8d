"""Do intervals hold the truth as often as they say, although motions are few and rows alike?"""

import math
from collections.abc import Callable

import pytest
import torch

from motiondistill.probing.intervals import (
    SHARES,
    Estimate,
    certain,
    clustered_mean,
    clustered_share,
    independent,
    jackknife_variance,
    means_without,
    student,
    t_quantile,
)
from motiondistill.randomness import seeded

TRIALS = 600
# Four standard errors of a share of 0.95 in so many trials.
TOLERANCE = 4 * math.sqrt(0.95 * 0.05 / TRIALS)
ROWS = 4
TRUTH = 0.3


def covered(motions: int, *, alone: bool) -> float:
    """The share of trials whose interval holds the truth; `alone` takes every row for a motion."""
    hits = 0
    for trial in range(TRIALS):
        generator = seeded(1, trial, "rows")
        shared = torch.randn(motions, 1, generator=generator)
        own = 0.3 * torch.randn(motions, ROWS, generator=generator)
        rows = torch.arange(motions * ROWS)
        found = clustered_mean((TRUTH + shared + own).flatten(), rows if alone else rows // ROWS)
        hits += found.holds(TRUTH)
    return hits / TRIALS


@pytest.mark.parametrize("motions", [2, 3, 5, 20])
def test_intervals_hold_the_truth_as_often_as_they_say(motions: int) -> None:
    assert covered(motions, alone=False) == pytest.approx(0.95, abs=TOLERANCE)


def test_rows_of_one_motion_are_no_further_evidence() -> None:
    assert covered(10, alone=True) < 0.8


def test_pairs_count_against_both_of_their_motions() -> None:
    """Each row owes as much to its partner; `alone` counts it against one of them."""
    hits = alone = 0
    for trial in range(TRIALS):
        generator = seeded(4, trial, "pairs")
        effects = torch.randn(20, generator=generator)
        first = torch.arange(20).repeat(2)
        second = (first + torch.randint(1, 20, (40,), generator=generator)) % 20
        rows = TRUTH + effects[first] + effects[second]
        hits += clustered_mean(rows, torch.stack([first, second], 1)).holds(TRUTH)
        alone += clustered_mean(rows, first).holds(TRUTH)
    assert hits / TRIALS > 0.95 - TOLERANCE
    assert alone / TRIALS < 0.85


def test_a_pair_without_which_nothing_is_left_has_no_interval() -> None:
    pairs = torch.tensor([[0, 1], [1, 0]])
    assert means_without(torch.tensor([1.0, 0.0]), pairs).isnan().all()
    for estimated in (clustered_mean, clustered_share):
        assert estimated(torch.tensor([1.0, 0.0]), pairs) == Estimate(0.5, None, None)


@pytest.mark.parametrize("motions", [2, 4, 12])
@pytest.mark.parametrize("mean", [0.5, 0.8])
def test_shares_of_few_motions_are_held_as_well(motions: int, mean: float) -> None:
    """Each motion has a share of its own, and few rows; agreement by chance is no certainty."""
    hits = 0
    for trial in range(TRIALS):
        generator = seeded(3, trial, "shares")
        own = (mean + 0.2 * (torch.rand(motions, 1, generator=generator) - 0.5)).clamp(0, 1)
        rows = (torch.rand(motions, 8, generator=generator) < own).double().flatten()
        hits += clustered_share(rows, torch.arange(motions * 8) // 8).holds(mean)
    assert hits / TRIALS > 0.95 - TOLERANCE


def test_one_motion_has_no_interval() -> None:
    values, clusters = torch.tensor([0.0, 1.0]), torch.tensor([0, 0])
    for estimated in (clustered_mean, clustered_share):
        found = estimated(values, clusters)
        assert found == Estimate(0.5, None, None)
        assert found.holds(7.0)


def test_the_mean_is_that_of_the_rows_however_they_are_dealt_out() -> None:
    values, clusters = torch.tensor([1.0, 0, 0, 4]), torch.tensor([0, 1, 1, 1])
    found = clustered_mean(values, clusters)
    assert found.value == pytest.approx(1.25)
    # Without either cluster the means are 4 / 3 and 1.
    reach = t_quantile(1) * math.sqrt(0.5 * 2 * (1 / 6) ** 2)
    assert (found.low, found.high) == (pytest.approx(1.25 - reach), pytest.approx(1.25 + reach))


def variance_of(statistic: Callable[[torch.Tensor], torch.Tensor], values: torch.Tensor) -> float:
    rows = range(len(values))
    without = [statistic(values[[r for r in rows if r != left_out]]) for left_out in rows]
    return jackknife_variance(torch.stack(without))


def test_the_jackknife_of_a_mean_is_its_usual_variance() -> None:
    values = torch.randn(9, generator=seeded(0)).double()
    usual = float(values.var()) / 9
    assert variance_of(torch.mean, values) == pytest.approx(usual)
    assert jackknife_variance(means_without(values, torch.arange(9))) == pytest.approx(usual)


def test_the_jackknife_of_a_curved_statistic_is_near_the_delta_method() -> None:
    """`exp(mean)` of 400 numbers of spread 0.1: `exp(2 mean) s^2 / n`."""
    values = 0.1 * torch.randn(400, generator=seeded(0)).double()
    expected = math.exp(2 * float(values.mean())) * float(values.var()) / 400
    assert variance_of(lambda rows: rows.mean().exp(), values) == pytest.approx(expected, rel=1e-3)


def test_intervals_end_where_values_do() -> None:
    found = student(0.9, 0.04, 3, SHARES)
    assert found.high == 1.0 and found.low == pytest.approx(0.9 - 0.2 * 3.1824, rel=3e-3)
    assert student(0.9, 0.04, 0) == Estimate(0.9, None, None)


def test_a_share_that_all_agree_on_is_not_certain() -> None:
    sure = clustered_share(torch.ones(16), torch.arange(16) // 2)
    assert sure.low is not None and sure.low**8 == pytest.approx(0.025)
    assert (sure.value, sure.high) == (1.0, 1.0)
    none = certain(Estimate(0.0, 0.0, 0.0), 8)
    assert (none.low, none.high) == (0.0, pytest.approx(1 - sure.low))
    open_ended = Estimate(0.9, 0.7, 1.0)
    assert certain(open_ended, 8) is open_ended


def test_motions_that_agree_by_chance_are_no_more_certain_than_their_rows() -> None:
    found = clustered_share(torch.tensor([1.0, 0, 1, 0]), torch.tensor([0, 0, 1, 1]))
    assert independent(0.5, 4) == 1 / 16
    assert (found.low, found.high) == (0.0, 1.0), "0.5 +- 12.7 / 4"


@pytest.mark.parametrize(
    ("freedom", "quantile", "off"),
    [
        (1, 12.7062, 1e-5),
        (2, 4.30265, 1e-5),
        (3, 3.1824, 3e-3),
        (5, 2.5706, 3e-3),
        (10, 2.2281, 3e-3),
    ],
)
def test_quantiles_of_student_are_the_tables(freedom: int, quantile: float, off: float) -> None:
    assert t_quantile(freedom) == pytest.approx(quantile, rel=off)
