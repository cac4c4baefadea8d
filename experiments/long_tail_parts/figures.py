"""What the cells of the squares come to: shares by count, gains, rank correlations, failures."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import torch
from jaxtyping import Float, Int
from torch import Tensor

from long_tail_parts.design import COUNTS, Model
from motiondistill.probing.intervals import (
    DIFFERENCES,
    SHARES,
    Estimate,
    Limits,
    by_chance,
    certain,
    independent,
    jackknife_variance,
    student,
)

Measure = Literal["count", "probe", "sampled", "distilled", "probability"]
COMMON: Final = COUNTS[-2:]
RARE: Final = COUNTS[:2]
"""The counts that a gain lies between."""
HALF: Final = 0.5
# Variances of shares that agree, but for rounding.
_ROUNDING: Final = 1e-18


@dataclass(frozen=True)
class Cell:
    """A model and an action, and what was measured of them."""

    model: Model
    action: str
    probe: float
    """Share of pairs in which its words explain its own held-out clip better than another's."""
    sampled: float
    """Share of samples recognised as the action, after a body was fitted to them."""
    distilled: float
    """Share of distilled motions recognised as the action."""
    probability: float
    """Of the action, by the recogniser, the mean over distilled motions."""

    @property
    def count(self) -> int:
        """Distinct clips of the action that the model learned from."""
        return self.model.count(self.action)


Statistic: TypeAlias = Callable[[Int[Tensor, "choices cells"]], Float[Tensor, " choices"]]
"""Of each of many choices of cells."""


def values_of(cells: Sequence[Cell], measure: Measure) -> Float[Tensor, " cells"]:
    """One measure of all cells."""
    return torch.tensor([getattr(cell, measure) for cell in cells], dtype=torch.float64)


def at_count(cells: Sequence[Cell], count: int, measure: Measure) -> Estimate:
    """The mean of a count's cells, each of which is another action or model.

    Where cells agree, others need not: the variance is that of as many independent shares.
    """
    values = values_of([cell for cell in cells if cell.count == count], measure)
    share, number = float(values.mean()), len(values)
    variance = float(values.var()) / number if number > 1 else math.inf
    if variance < _ROUNDING:
        variance = independent(share, number)
    return certain(student(share, variance, number - 1, SHARES), number)


def mean_over(cells: Sequence[Cell], counts: Sequence[int], measure: Measure) -> Estimate:
    """The mean share of the cells of these counts; the interval is of other models with such."""
    having = {cell.model for cell in cells if cell.count in counts}
    own = [cell for cell in cells if cell.model in having]
    return _over_models(own, _mean_at(own, counts, measure), SHARES)


def gain(cells: Sequence[Cell], measure: Measure) -> Estimate:
    """By how much the mean over cells of `COMMON` counts is above that of `RARE` ones.

    The interval is of other models, each with all of its actions.
    """
    common, rare = (_mean_at(cells, counts, measure) for counts in (COMMON, RARE))
    return _over_models(cells, lambda chosen: common(chosen) - rare(chosen))


def _mean_at(cells: Sequence[Cell], counts: Sequence[int], measure: Measure) -> Statistic:
    """The mean over those of the chosen cells that have one of these counts."""
    values = values_of(cells, measure)
    asked = torch.isin(torch.tensor([cell.count for cell in cells]), torch.tensor(counts))
    return lambda chosen: (values[chosen] * asked[chosen]).sum(1) / asked[chosen].sum(1)


def rank_correlation(cells: Sequence[Cell], first: Measure, second: Measure) -> Estimate:
    """Spearman's rank correlation over all cells; the interval is of other models.

    Without an interval where all cells agree on a measure: nothing then goes with it.
    """
    a, b = values_of(cells, first), values_of(cells, second)
    found = _over_models(cells, lambda chosen: spearman(a[chosen], b[chosen]))
    return _unless_all_agree(found, a, b)


def within_actions(cells: Sequence[Cell], first: Measure, second: Measure) -> Estimate:
    """The mean over actions of Spearman's correlation over an action's cells.

    That one action is easier than another, for the probe and for everything else, adds nothing.
    """
    a, b = values_of(cells, first), values_of(cells, second)
    names = list(dict.fromkeys(cell.action for cell in cells))
    action = torch.tensor([names.index(cell.action) for cell in cells])

    def mean(chosen: Int[Tensor, "choices cells"]) -> Float[Tensor, " choices"]:
        found = []
        for index in range(len(names)):
            # Of every model chosen, the same number of cells: rows stay equally long.
            own = chosen[action[chosen] == index].view(len(chosen), -1)
            found.append(spearman(a[own], b[own]))
        return torch.stack(found).mean(0)

    return _unless_all_agree(_over_models(cells, mean), a, b)


def _unless_all_agree(found: Estimate, *measures: Float[Tensor, " cells"]) -> Estimate:
    if any(bool((values == values[0]).all()) for values in measures):
        return Estimate(found.value, None, None)
    return found


def spearman(
    first: Float[Tensor, "*batch values"], second: Float[Tensor, "*batch values"]
) -> Float[Tensor, "*batch"]:
    """Rank correlation with mean ranks of ties (Spearman 1904); 0 where all values are alike."""
    ranks = [_ranks(values) for values in (first, second)]
    a, b = (rank - rank.mean(-1, keepdim=True) for rank in ranks)
    size = (a.square().sum(-1) * b.square().sum(-1)).sqrt()
    return torch.where(size > 0, (a * b).sum(-1) / size.clamp(min=1e-12), 0.0)


def _ranks(values: Float[Tensor, "*batch values"]) -> Float[Tensor, "*batch values"]:
    apart = values[..., :, None] - values[..., None, :]
    return (apart > 0).double().sum(-1) + 0.5 * (apart == 0).double().sum(-1)


def _over_models(
    cells: Sequence[Cell], statistic: Statistic, limits: Limits = DIFFERENCES
) -> Estimate:
    """The statistic of all cells, and its interval by the jackknife over models."""
    models = list(dict.fromkeys(cell.model for cell in cells))
    places = torch.tensor(
        [[place for place, cell in enumerate(cells) if cell.model == model] for model in models]
    )
    value = float(statistic(places.flatten()[None])[0])
    if len(models) < 2:
        return Estimate(value, None, None)
    others = torch.tensor(
        [[m for m in range(len(models)) if m != without] for without in range(len(models))]
    )
    variance = jackknife_variance(statistic(places[others].flatten(1)))
    if variance < _ROUNDING:  # so many may agree by chance
        reach = by_chance(len(models))
        return Estimate(value, max(limits[0], value - reach), min(limits[1], value + reach))
    return student(value, variance, len(models) - 1, limits)


def failures(cells: Sequence[Cell], *, succeeding: bool = False) -> tuple[int, int]:
    """Of cells whose distilled motions mostly fail, how many have samples that do; and how many.

    Or of those whose distilled motions succeed.
    """
    of = [cell for cell in cells if (cell.distilled >= HALF) == succeeding]
    return sum(cell.sampled < HALF for cell in of), len(of)
