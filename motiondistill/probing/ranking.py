"""Of all pairs, how often the natural clip is preferred: paired, and among strangers."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, final

import torch
from jaxtyping import Float, Int
from torch import Tensor

from motiondistill.probing.intervals import (
    Estimate,
    certain,
    clustered_mean,
    draws_of,
    interval,
)
from motiondistill.probing.study import GIVEN, PairRow
from motiondistill.randomness import seeded

TIE: Final = 1e-6
"""Differences below this share of the denoising error are of rounding: a tie, which counts half."""

Verdict = Literal["above", "below", "holds"]


@final
@dataclass(frozen=True)
class Ranking:
    """What pairs of one sort come to; intervals are of motions drawn anew."""

    auc: Estimate
    """Share of the pairs, each under one draw of noise, whose natural member is preferred."""
    unpaired: Estimate
    """The same share of all natural members against all others at the same level and view."""
    margin: Estimate
    """Mean difference of what the words explain, in units of the noise's power."""
    null: Estimate | None
    """`auc` of the copies with random weights; None without copies."""
    above_null: Estimate | None
    """`auc` minus `null`, of the same motions; its interval is that of single copies."""
    clips: int
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


def ranked(rows: Sequence[PairRow], *, count: int, seed: int) -> Ranking:
    """What the rows come to, of the prior and of its copies together; `count` bootstraps."""
    given = [row for row in rows if row.network == GIVEN]
    names = {name: place for place, name in enumerate(dict.fromkeys(row.clip for row in given))}
    clips = torch.tensor([names[row.clip] for row in given])

    def mean_of(values: Float[Tensor, " rows"]) -> Estimate:
        generator = seeded(seed, 0, "bootstrap")
        return clustered_mean(values, clips, count=count, generator=generator)

    auc = certain(mean_of(wins(given)), len(names))
    margins = torch.tensor([row.preferred - row.other for row in given], dtype=torch.float64)
    null, above = _against_null(rows, names, count=count, seed=seed)
    unpaired = _unpaired(given, clips, len(names), count=count, seed=seed)
    return Ranking(auc, unpaired, mean_of(margins), null, above, len(names), len(given))


def grouped(
    rows: Sequence[PairRow], key: Callable[[PairRow], Hashable], *, count: int, seed: int
) -> dict[Hashable, Ranking]:
    """The ranking of the rows of each key, in the order of their first rows."""
    groups: dict[Hashable, list[PairRow]] = defaultdict(list)
    for row in rows:
        groups[key(row)].append(row)
    return {name: ranked(group, count=count, seed=seed) for name, group in groups.items()}


def wins(rows: Sequence[PairRow]) -> Float[Tensor, " rows"]:
    """1 where the natural clip is preferred, 0 where the other is, a half where they tie."""
    apart = torch.tensor([row.preferred - row.other for row in rows], dtype=torch.float64)
    least = TIE * torch.tensor([row.error for row in rows], dtype=torch.float64)
    return _won(apart, least)


def _won(apart: Float[Tensor, "*pairs"], least: Float[Tensor, "*#pairs"]) -> Float[Tensor, "..."]:
    return torch.where(apart.abs() <= least, 0.5, (apart > 0).double())


def _against_null(
    rows: Sequence[PairRow], names: dict[str, int], *, count: int, seed: int
) -> tuple[Estimate | None, Estimate | None]:
    """The copies' share, and what the prior's has above it; motions are drawn, and a copy."""
    copies = list(dict.fromkeys(row.network for row in rows if row.network != GIVEN))
    if not copies:
        return None, None
    number, drawn = len(names), draws_of(len(names), count, seeded(seed, 0, "bootstrap"))
    sizes = torch.zeros(number, dtype=torch.float64)
    own, sums = torch.zeros_like(sizes), torch.zeros(number, len(copies), dtype=torch.float64)
    for row, won in zip(rows, wins(rows).tolist(), strict=True):
        place = names[row.clip]
        if row.network == GIVEN:
            sizes[place] += 1
            own[place] += won
        else:
            sums[place, copies.index(row.network)] += won
    # One of them at a time: what is told from a copy must be told from what any copy may prefer.
    chosen = torch.randint(len(copies), (count,), generator=seeded(seed, 0, "bootstrap of copies"))
    total = drawn @ sizes
    nulls = (drawn @ sums)[torch.arange(count), chosen] / total
    null = float(sums.mean(1).sum() / sizes.sum())
    apart = float(own.sum() / sizes.sum()) - null
    spread = (drawn @ own) / total - nulls
    return interval(null, nulls, number), interval(apart, spread, number)


def _unpaired(
    rows: Sequence[PairRow],
    clips: Int[Tensor, " rows"],
    number: int,
    *,
    count: int,
    seed: int,
) -> Estimate:
    """Mann and Whitney's statistic within each level and view, both sides' motions drawn alike."""
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
        of = torch.nn.functional.one_hot(clips[places], number).double()
        won += of.T @ found @ of
        pairs += of.T @ torch.ones_like(found) @ of
    drawn = draws_of(number, count, seeded(seed, 0, "bootstrap"))
    shares = ((drawn @ won) * drawn).sum(1) / ((drawn @ pairs) * drawn).sum(1)
    return interval(float(won.sum() / pairs.sum()), shares, number)
