"""Of all pairs, how often the natural side is preferred: paired, and among strangers."""

import math
from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
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

Verdict = Literal["above", "below", "holds"]


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
        """Where the difference from the null lies; None without copies."""
        found = self.above_null
        if found is None:
            return None
        if found.holds(0.0):
            return "holds"
        return "above" if found.value > 0 else "below"


def ranked(rows: Sequence[PairRow]) -> Ranking:
    """What the rows come to, of the prior and of its copies together."""
    given = [row for row in rows if row.network == GIVEN]
    names = {name: place for place, name in enumerate(dict.fromkeys(r.recording for r in given))}
    recordings = torch.tensor([names[row.recording] for row in given])
    margins = torch.tensor([row.preferred - row.other for row in given], dtype=torch.float64)
    null, above = _against_null(rows, names)
    return Ranking(
        clustered_share(wins(given), recordings),
        _unpaired(given, recordings, len(names)),
        clustered_mean(margins, recordings),
        null,
        above,
        len(names),
        len(given),
    )


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
    rows: Sequence[PairRow], names: Mapping[str, int]
) -> tuple[Estimate | None, Estimate | None]:
    """The copies' mean share, and what the prior's has above it."""
    copies = list(dict.fromkeys(row.network for row in rows if row.network != GIVEN))
    if not copies:
        return None, None
    sizes = torch.zeros(len(names), dtype=torch.float64)
    own, sums = torch.zeros_like(sizes), torch.zeros(len(names), len(copies), dtype=torch.float64)
    for row, won in zip(rows, wins(rows).tolist(), strict=True):
        place = names[row.recording]
        if row.network == GIVEN:
            sizes[place] += 1
            own[place] += won
        else:
            sums[place, copies.index(row.network)] += won
    shares, mean = sums.sum(0) / sizes.sum(), sums.mean(1)
    rows_of_one = float(sizes.sum())
    null, share = float(shares.mean()), float(own.sum()) / rows_of_one
    return (
        _of_next_copy(mean, sizes, shares, independent(null, rows_of_one), SHARES),
        _of_next_copy(own - mean, sizes, shares, independent(share, rows_of_one), DIFFERENCES),
    )


def _of_next_copy(
    sums: Float[Tensor, " recordings"],
    sizes: Float[Tensor, " recordings"],
    shares: Float[Tensor, " copies"],
    least: float,
    limits: Limits,
) -> Estimate:
    """The mean of all rows, with room for other recordings and for one more copy.

    The variance over recordings is at least `least`: few may agree by chance.

    What is told from k copies must be told from what any copy may prefer: the variance of one, and
    of the mean of k, `s^2 (1 + 1 / k)`, comes on top of that over recordings. Degrees of freedom
    of the sum are Satterthwaite's (1946), rounded down. One recording tells nothing of others, and
    one copy neither.
    """
    value, copies = float(sums.sum() / sizes.sum()), len(shares)
    if copies < 2 or len(sizes) < 2:
        return Estimate(value, None, None)
    over_recordings = max(jackknife_variance(means_without(sums, sizes)), least)
    over_copies = float(shares.var()) * (1 + 1 / copies)
    total = over_recordings + over_copies
    apart = over_recordings**2 / (len(sizes) - 1) + over_copies**2 / (copies - 1)
    freedom = math.floor(total**2 / apart) if apart else len(sizes) - 1
    return student(value, total, freedom, limits)


def _unpaired(rows: Sequence[PairRow], recordings: Int[Tensor, " rows"], number: int) -> Estimate:
    """Mann and Whitney's statistic within each level and view; both sides lack a recording."""
    cells: dict[tuple[float, float], list[int]] = defaultdict(list)
    for place, row in enumerate(rows):
        cells[row.level, row.view].append(place)
    won = torch.zeros(number, number, dtype=torch.float64)
    pairs = torch.zeros_like(won)
    for places in cells.values():
        own = torch.tensor([rows[place].preferred for place in places], dtype=torch.float64)
        other = torch.tensor([rows[place].other for place in places], dtype=torch.float64)
        error = torch.tensor([rows[place].error for place in places], dtype=torch.float64)
        found = _won(own[:, None] - other, TIE * error[:, None])
        of = torch.nn.functional.one_hot(recordings[places], number).double()
        won += of.T @ found @ of
        pairs += of.T @ torch.ones_like(found) @ of
    value = float(won.sum() / pairs.sum())
    if number < 2:
        return Estimate(value, None, None)
    without = _sums_without(won) / _sums_without(pairs)
    return student(value, jackknife_variance(without), number - 1, SHARES)


def _sums_without(table: Float[Tensor, "n n"]) -> Float[Tensor, " n"]:
    """Of each recording, the sum of the table without its row and column."""
    return table.sum() - table.sum(0) - table.sum(1) + table.diagonal()
