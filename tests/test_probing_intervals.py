"""Do intervals hold the truth as often as they say, although motions are few and rows alike?"""

import math

import pytest
import torch

from motiondistill.probing.intervals import (
    Estimate,
    _t_quantile,
    certain,
    clustered_mean,
    draws_of,
    interval,
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
        found = clustered_mean(
            (TRUTH + shared + own).flatten(),
            rows if alone else rows // ROWS,
            count=300,
            generator=seeded(2, trial),
        )
        hits += found.holds(TRUTH)
    return hits / TRIALS


@pytest.mark.parametrize("motions", [8, 20])
def test_intervals_hold_the_truth_as_often_as_they_say(motions: int) -> None:
    assert covered(motions, alone=False) == pytest.approx(0.95, abs=TOLERANCE)


def test_rows_of_one_motion_are_no_further_evidence() -> None:
    assert covered(10, alone=True) < 0.8


def test_one_motion_has_no_interval() -> None:
    found = clustered_mean(
        torch.tensor([0.0, 1.0]), torch.tensor([0, 0]), count=50, generator=seeded(0)
    )
    assert found == Estimate(0.5, None, None)
    assert found.holds(7.0)


def test_the_mean_is_that_of_the_rows_however_they_are_dealt_out() -> None:
    values, clusters = torch.tensor([1.0, 0, 0, 4]), torch.tensor([0, 1, 1, 1])
    found = clustered_mean(values, clusters, count=400, generator=seeded(0))
    assert found.value == pytest.approx(1.25)
    # Of two clusters only these means can be drawn.
    assert (found.low, found.high) == (pytest.approx(1.0), pytest.approx(4 / 3))


def test_draws_are_with_replacement() -> None:
    drawn = draws_of(5, 1000, seeded(0))
    assert (drawn.sum(1) == 5).all()
    assert drawn.mean(0) == pytest.approx([1.0] * 5, abs=0.15)
    # A cluster is left out of (4 / 5)^5 of the draws.
    assert float((drawn == 0).double().mean()) == pytest.approx(0.8**5, abs=0.02)


def test_a_share_that_all_agree_on_is_not_certain() -> None:
    sure = interval(1.0, torch.ones(100), 8)
    assert sure == Estimate(1.0, 1.0, 1.0)
    low = certain(sure, 8).low
    assert low is not None and low**8 == pytest.approx(0.025)
    none = certain(Estimate(0.0, 0.0, 0.0), 8)
    assert (none.low, none.high) == (0.0, pytest.approx(1 - low))
    open_ended = Estimate(0.9, 0.7, 1.0)
    assert certain(open_ended, 8) is open_ended


@pytest.mark.parametrize(("freedom", "quantile"), [(3, 3.1824), (5, 2.5706), (10, 2.2281)])
def test_quantiles_of_student_are_the_tables(freedom: int, quantile: float) -> None:
    assert _t_quantile(freedom) == pytest.approx(quantile, rel=3e-3)
