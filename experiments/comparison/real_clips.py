"""How real clips of an action move: what distilled motions are held against."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from comparison.asked import SIDE
from comparison.judged import Plausibility, medians, plausibility
from motiondistill.body.base import Body
from motiondistill.data.dataset import ActionDataset
from motiondistill.randomness import seeded

MOST_CLIPS: Final = 32
"""Windows that are measured of an action, evenly out of all there are."""
LEAST_PENETRATION: Final = 1e-3
"""What counts as the clips' own, metres: less is the rounding of a floor, and no bar."""


@dataclass(frozen=True)
class RealClips:
    """The medians of an action's clips."""

    count: int
    recorded: bool
    """From motion capture; else parametric motions stand in, as there are no recordings."""
    figures: Plausibility


def real_clips(dataset: ActionDataset, action: str, body: Body) -> RealClips | None:
    """The action's clips at the data set's frame rate; None for one of which there are none."""
    motions = [window.motion for clip in dataset.windows.get(action, ()) for window in clip]
    recorded = bool(motions)
    if recorded:
        motions = motions[:: math.ceil(len(motions) / MOST_CLIPS)]
    elif action in dataset.actions:
        draws = (seeded(0, place, f"real clip of {action}") for place in range(MOST_CLIPS))
        motions = [dataset.sample_clip(action, draw, SIDE).motion for draw in draws]
    if not motions:
        return None
    figures = medians([plausibility(motion, body) for motion in motions])
    return RealClips(len(motions), recorded, figures)


def meets(found: Plausibility, real: Plausibility) -> tuple[bool, bool, bool, bool]:
    """Whether sliding, penetration, jerk and speed are like the real ones, in this order.

    The first three are at most twice as large, the speed is from half to twice. What is not a
    number does not meet a bar.
    """
    return (
        found.sliding <= 2 * real.sliding,
        found.penetration <= 2 * max(real.penetration, LEAST_PENETRATION),
        found.jerk <= 2 * real.jerk,
        real.speed / 2 <= found.speed <= 2 * real.speed,
    )


def shares(passed: Sequence[tuple[bool, bool, bool, bool]]) -> tuple[str, ...]:
    """How many of the motions meet each bar, as `7 of 9`."""
    return tuple(f"{sum(column)} of {len(column)}" for column in zip(*passed, strict=True))
