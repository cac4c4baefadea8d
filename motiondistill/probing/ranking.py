"""Of all pairs, how often the natural side is preferred: paired, and among strangers."""

import math
from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, final

import torch
from jaxtyping import Float, Int
from torch import Tensor

from motiondistill.probing.asking import PairRow
from motiondistill.probing.intervals import (
    DIFFERENCES,
    SHARES,
    Estimate,
    Limits,
    by_chance,
    certain,
    clustered_mean,
    clustered_share,
    independent,
    jackknife_variance,
    means_without,
    student,
)
from motiondistill.probing.study import GIVEN

TIE: Final = 1e-6
"""Differences below this share of the denoising error are of rounding: a tie, which counts half."""

# Of ratios that are whole numbers of degrees of freedom but for rounding.
_ROUNDING: Final = 1e-9

Verdict = Literal["above", "below", "undecided"]
VERDICTS: Final[tuple[Verdict, ...]] = ("above", "below", "undecided")


@final
@dataclass(frozen=True)
class Ranking:
    """What pairs of one sort come to; intervals are of other recordings than these."""

    auc: Estimate
    """Share of the pairs, each under one draw of noise, whose natural side is preferred."""
    unpaired: Estimate
    """The same share of all natural sides against all others at the same level and view."""
    margin: Estimate
    """Mean difference of what the words explain, in units of the noise's power."""
    null: Estimate | None
    """`auc` of the copies with random weights, its interval that of one more; None without any."""
    above_null: Estimate | None
    """`auc` minus that of one more copy, of the same recordings."""
    recordings: int
    rows: int

    @property
    def verdict(self) -> Verdict | None:
        """On which side of 0 the interval of `above_null` lies, if on one; None without copies."""
        found = self.above_null
        if found is None:
            return None
        if found.holds(0.0):
            return "undecided"
        return "above" if found.value > 0 else "below"


def ranked(rows: Sequence[PairRow]) -> Ranking:
    """What the rows come to, of the prior and of its copies together."""
    given = [row for row in rows if row.network == GIVEN]
    recordings = _recordings(given)
    margins = torch.tensor([row.preferred - row.other for row in given], dtype=torch.float64)
    null, above = _against_null(rows, recordings)
    return Ranking(
        clustered_share(wins(given), recordings),
        _unpaired(given, recordings),
        clustered_mean(margins, recordings),
        null,
        above,
        int(recordings.max()) + 1,
        len(given),
    )


def _recordings(rows: Sequence[PairRow]) -> Int[Tensor, "rows 2"]:
    """Numbers of the recordings of each row, its clip's and its partner's."""
    pairs = [(row.recording, row.partner_recording) for row in rows]
    numbers = {name: n for n, name in enumerate(dict.fromkeys(each for p in pairs for each in p))}
    return torch.tensor([[numbers[name] for name in pair] for pair in pairs])


def grouped(rows: Sequence[PairRow], key: Callable[[PairRow], Hashable]) -> dict[Hashable, Ranking]:
    """The ranking of the rows of each key, in the order of their first rows."""
    groups: dict[Hashable, list[PairRow]] = defaultdict(list)
    for row in rows:
        groups[key(row)].append(row)
    return {name: ranked(group) for name, group in groups.items()}


def wins(rows: Sequence[PairRow]) -> Float[Tensor, " rows"]:
    """1 where the natural side is preferred, 0 where the other is, a half where they tie."""
    apart = torch.tensor([row.preferred - row.other for row in rows], dtype=torch.float64)
    least = TIE * torch.tensor([row.error for row in rows], dtype=torch.float64)
    return _won(apart, least)


def _won(apart: Float[Tensor, "*pairs"], least: Float[Tensor, "*#pairs"]) -> Float[Tensor, "..."]:
    return torch.where(apart.abs() <= least, 0.5, (apart > 0).double())


def _against_null(
    rows: Sequence[PairRow], recordings: Int[Tensor, "given 2"]
) -> tuple[Estimate | None, Estimate | None]:
    """The copies' mean share, and what the prior's has above it."""
    by_network: dict[str, list[PairRow]] = defaultdict(list)
    for row in rows:
        by_network[row.network].append(row)
    own = wins(by_network.pop(GIVEN))
    if not by_network:
        return None, None
    # All networks answered the same questions in the same order.
    copies = torch.stack([wins(answers) for answers in by_network.values()])
    mean = copies.mean(0)
    of_one = _Copies(copies.mean(1), recordings)
    return of_one.next(mean, mean, SHARES), of_one.next(own - mean, own, DIFFERENCES)


@final
@dataclass(frozen=True)
class _Copies:
    """What intervals of one more copy follow from."""

    shares: Float[Tensor, " copies"]
    recordings: Int[Tensor, "rows 2"]

    def next(
        self, values: Float[Tensor, " rows"], won: Float[Tensor, " rows"], limits: Limits
    ) -> Estimate:
        """The mean of the values, with room for other recordings and for one more copy.

        What is told from k copies must be told from what any copy may prefer: the variance of one,
        and of the mean of k, `s^2 (1 + 1 / k)`, comes on top of that over recordings, which is at
        least that of the independent rows of `won`. Degrees of freedom of the sum are
        Satterthwaite's (1946), rounded down. One recording tells nothing of others, and one copy
        neither; where all recordings agree on 0 or 1 the interval is no narrower than `by_chance`.
        """
        value, share, copies = float(values.mean()), float(won.mean()), len(self.shares)
        freedom = int(self.recordings.max())
        if copies < 2 or freedom < 1:
            return Estimate(value, None, None)
        least = independent(share, len(won))
        over_recordings = max(jackknife_variance(means_without(values, self.recordings)), least)
        over_copies = float(self.shares.var()) * (1 + 1 / copies)
        total = over_recordings + over_copies
        apart = over_recordings**2 / freedom + over_copies**2 / (copies - 1)
        if 0 < apart < math.inf:
            freedom = math.floor(total**2 / apart + _ROUNDING)
        found = student(value, total, freedom, limits)
        if share not in SHARES or found.low is None or found.high is None:
            return found
        reach, (low, high) = by_chance(int(self.recordings.max()) + 1), limits
        return Estimate(
            value,
            max(low, min(found.low, value - reach)),
            min(high, max(found.high, value + reach)),
        )


def _unpaired(rows: Sequence[PairRow], recordings: Int[Tensor, "rows 2"]) -> Estimate:
    """Mann and Whitney's statistic within each level and view; both sides lack a recording."""
    cells: dict[tuple[float, float], list[int]] = defaultdict(list)
    for place, row in enumerate(rows):
        cells[row.level, row.view].append(place)
    own, other, error = (
        torch.tensor([getattr(row, name) for row in rows], dtype=torch.float64)
        for name in ("preferred", "other", "error")
    )
    number = int(recordings.max()) + 1
    touching = torch.nn.functional.one_hot(recordings, number).amax(1).double()
    won, without, pairs, left = 0.0, torch.zeros(number).double(), 0.0, torch.zeros(number).double()
    for places in cells.values():
        found = _won(own[places][:, None] - other[places], TIE * error[places][:, None])
        kept = 1 - touching[places]
        won, pairs = won + float(found.sum()), pairs + found.numel()
        without += (kept * (found @ kept)).sum(0)
        left += kept.sum(0).square()
    value = won / pairs
    if number < 3:  # of two, either alone is all that is left
        return Estimate(value, None, None)
    variance = max(jackknife_variance(without / left), independent(value, len(rows)))
    return certain(student(value, variance, number - 1, SHARES), number)
