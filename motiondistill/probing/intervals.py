"""Intervals for figures of which many rows come from few motions: the motion is what is drawn."""

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final, final

import torch
from jaxtyping import Float, Int
from torch import Tensor

_TAIL: Final = 0.025  # of either side: intervals hold 95 %
_NORMAL: Final = NormalDist()


@final
@dataclass(frozen=True)
class Estimate:
    """A value and its interval of 95 %, None where one motion alone tells nothing of others."""

    value: float
    low: float | None
    high: float | None

    def holds(self, value: float) -> bool:
        """Whether the interval holds this value, as one without ends does."""
        if self.low is None or self.high is None:
            return True
        return self.low <= value <= self.high


def draws_of(
    clusters: int, count: int, generator: torch.Generator
) -> Float[Tensor, "count clusters"]:
    """How often each cluster is drawn in each of `count` bootstraps, with replacement."""
    chosen = torch.randint(clusters, (count, clusters), generator=generator)
    return torch.zeros(count, clusters, dtype=torch.float64).scatter_add_(
        1, chosen, torch.ones(count, clusters, dtype=torch.float64)
    )


def clustered_mean(
    values: Float[Tensor, " rows"],
    clusters: Int[Tensor, " rows"],
    *,
    count: int,
    generator: torch.Generator,
) -> Estimate:
    """The mean of all rows; whole clusters, numbered from 0, are drawn for its interval."""
    number = int(clusters.max()) + 1
    sums = torch.zeros(number, dtype=torch.float64).index_add_(0, clusters, values.double())
    sizes = torch.bincount(clusters, minlength=number).double()
    drawn = draws_of(number, count, generator)
    spread = (drawn @ sums) / (drawn @ sizes)
    return interval(float(sums.sum() / sizes.sum()), spread, number)


def interval(value: float, spread: Float[Tensor, " count"], clusters: int) -> Estimate:
    """The expanded percentile interval of bootstrapped values (Hesterberg 2015, Section 3.3).

    Percentiles of a bootstrap of n clusters are too narrow, by sqrt((n - 1) / n) and because they
    know no t distribution; the tails are made as small as makes up for both. Where no draw differs
    there is no width, which says little of few clusters; see `certain`.
    """
    if clusters < 2:
        return Estimate(value, None, None)
    reach = math.sqrt(clusters / (clusters - 1)) * _t_quantile(clusters - 1)
    tail = _NORMAL.cdf(-reach)
    ends = torch.tensor([tail, 1 - tail], dtype=torch.float64)
    low, high = torch.quantile(spread.double(), ends).tolist()
    return Estimate(value, low, high)


def certain(share: Estimate, clusters: int) -> Estimate:
    """A share whose interval has no width because all clusters agree on 0 or on 1, with one.

    Exact for shares of clusters (Clopper and Pearson 1934): of n that all agree, as many would by
    chance with `0.025^(1 / n)`.
    """
    bound = _TAIL ** (1 / clusters)
    if share.low is not None and share.low == share.high and share.value in (0.0, 1.0):
        return Estimate(share.value, *((bound, 1.0) if share.value else (0.0, 1 - bound)))
    return share


def _t_quantile(freedom: int) -> float:
    """The 97.5 % point of Student's t (Abramowitz and Stegun 26.7.5); 0.2 % off from 3 on."""
    z = _NORMAL.inv_cdf(1 - _TAIL)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + math.fsum(term / freedom**power for power, term in enumerate(terms, 1))
