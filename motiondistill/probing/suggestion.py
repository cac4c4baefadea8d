"""Which noise levels and which guidance the gradients speak for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, final

from motiondistill.probing.intervals import Estimate

SHARE: Final = 0.5
RULE: Final = (
    "Of each guidance scale, the levels next to the best one whose mean cosine with the way to the "
    "real motion has an interval of 95 % above zero, and is at least half of the best level's; of "
    "the scales, the one whose window has the greatest mean cosine."
)


@final
@dataclass(frozen=True)
class Suggestion:
    """What `optimize` may take for this prior."""

    first_level: float
    """The highest level of the window, a flow time: a run goes from high to low."""
    last_level: float
    guidance_scale: float | None
    """None where the objective's direction does not depend on it."""
    cosine: float
    """The mean over the window's levels."""


def suggested(
    cosines: Mapping[float, Mapping[float, Estimate]], *, scale_matters: bool
) -> Suggestion | None:
    """By `RULE`, of the mean cosine by guidance scale and by level; None where no level passes."""
    best: Suggestion | None = None
    for scale, by_level in cosines.items():
        levels = window(by_level)
        if not levels:
            continue
        mean = sum(by_level[level].value for level in levels) / len(levels)
        if best is None or mean > best.cosine:
            chosen = scale if scale_matters else None
            best = Suggestion(max(levels), min(levels), chosen, mean)
    return best


def window(by_level: Mapping[float, Estimate]) -> Sequence[float]:
    """The levels round the best one that pass, in order; none if the best does not pass."""
    levels = sorted(by_level)
    best = max(levels, key=lambda level: by_level[level].value)
    most = by_level[best].value

    def passes(level: float) -> bool:
        found = by_level[level]
        return found.low is not None and found.low > 0 and found.value >= SHARE * most

    if not passes(best):
        return ()
    first = last = levels.index(best)
    while first > 0 and passes(levels[first - 1]):
        first -= 1
    while last < len(levels) - 1 and passes(levels[last + 1]):
        last += 1
    return levels[first : last + 1]
