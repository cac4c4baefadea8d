"""Intervals for figures of which many rows come from few motions: the motion is what counts."""

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final, final

import torch
from jaxtyping import Float, Int
from torch import Tensor

_TAIL: Final = 0.025  # of either side: intervals hold 95 %
_NORMAL: Final = NormalDist()
Limits = tuple[float, float]
ANYTHING: Final[Limits] = (-math.inf, math.inf)
SHARES: Final[Limits] = (0.0, 1.0)
DIFFERENCES: Final[Limits] = (-1.0, 1.0)
"""Of two shares, and of correlations."""


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


Clusters = Int[Tensor, "rows *touched"]
"""Of each row, the cluster to which it belongs, or all that it touches; numbered from 0."""


def clustered_mean(
    values: Float[Tensor, " rows"], clusters: Clusters, limits: Limits = ANYTHING
) -> Estimate:
    """The mean of all rows; whole clusters are what might have been others."""
    variance = jackknife_variance(means_without(values, clusters))
    return student(float(values.double().mean()), variance, _freedom(clusters), limits)


def clustered_share(wins: Float[Tensor, " rows"], clusters: Clusters) -> Estimate:
    """`clustered_mean` of rows of which each is 0 or 1, or a tie.

    Few clusters may agree by chance; so the variance is at least that of independent rows, and
    where all agree on 0 or on 1 the interval is `certain`'s.
    """
    share, freedom = float(wins.double().mean()), _freedom(clusters)
    variance = jackknife_variance(means_without(wins, clusters))
    least = independent(share, len(wins))
    return certain(student(share, max(variance, least), freedom, SHARES), freedom + 1)


def means_without(values: Float[Tensor, " rows"], clusters: Clusters) -> Float[Tensor, " clusters"]:
    """The mean of all rows that do not touch each cluster; NaN where there are none.

    For rows that touch two clusters, as pairs do, each counts against both (a U-statistic).
    """
    touched = clusters.view(len(values), -1)
    kept = torch.stack([(touched != c).all(1) for c in range(int(touched.max()) + 1)]).double()
    return (kept @ values.double()) / kept.sum(1)


def _freedom(clusters: Clusters) -> int:
    return int(clusters.max())


def independent(share: float, rows: int) -> float:
    """The variance of a share of independent rows, p (1 - p) / n."""
    return share * (1 - share) / rows


def jackknife_variance(without: Float[Tensor, " clusters"]) -> float:
    """Of a statistic, from its values without each of n clusters (Efron and Stein 1981).

    `(n - 1) / n sum (t_i - mean t)^2`: of a mean of equally large clusters it is the usual s^2 / n.
    Infinite where nothing is left without one of them.
    """
    number = len(without)
    if without.isnan().any():
        return math.inf
    return (number - 1) / number * float((without - without.mean()).double().square().sum())


def student(value: float, variance: float, freedom: int, limits: Limits = ANYTHING) -> Estimate:
    """`value +- t sqrt(variance)` with the 97.5 % point of Student's t, cut off at the limits.

    Without a degree of freedom, or with a variance that nobody knows, there is no interval.
    """
    if freedom < 1 or math.isinf(variance):
        return Estimate(value, None, None)
    reach = t_quantile(freedom) * math.sqrt(variance)
    low, high = limits
    return Estimate(value, max(low, value - reach), min(high, value + reach))


def certain(share: Estimate, clusters: int) -> Estimate:
    """A share whose interval has no width because all clusters agree on 0 or on 1, with one.

    Exact for shares of clusters (Clopper and Pearson 1934): of n that all agree, as many would by
    chance with `0.025^(1 / n)`.
    """
    bound = 1 - by_chance(clusters)
    if share.low is not None and share.low == share.high and share.value in SHARES:
        return Estimate(share.value, *((bound, 1.0) if share.value else (0.0, 1 - bound)))
    return share


def by_chance(clusters: int) -> float:
    """How far a share may be from 0 or 1 on which so many clusters agree, `1 - 0.025^(1 / n)`."""
    return 1 - float(_TAIL ** (1 / clusters))


def t_quantile(freedom: int) -> float:
    """The 97.5 % point of Student's t: exact for 1 and 2 degrees of freedom.

    From 3 on 0.2 % off or less (Abramowitz and Stegun 26.7.5).
    """
    half = 0.5 - _TAIL
    if freedom == 1:
        return math.tan(math.pi * half)
    if freedom == 2:
        return half * math.sqrt(2 / (_TAIL * (1 - _TAIL)))
    z = _NORMAL.inv_cdf(1 - _TAIL)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + math.fsum(term / freedom**power for power, term in enumerate(terms, 1))
