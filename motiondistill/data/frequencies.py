"""How often a training set shows each action: common ones alike, rare ones a known few times."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

import torch

from motiondistill.data.choreography import SIDES
from motiondistill.randomness import seeded

# Distinct clips in a training set of `FULL_SET` clips or more; in proportion in smaller ones. Rare
# on purpose: what a video model knows of an action can then be set against how often it saw it.
RARE_CLIPS: Final[dict[str, int]] = {
    "cartwheel": 128,
    "crawl": 128,
    "backflip": 64,
    "roll": 64,
    "bow": 32,
    "throw": 32,
}
FULL_SET: Final = 8000


@dataclass(frozen=True)
class PlannedClip:
    """A clip of a training set before it is made."""

    action: str
    side: str
    place: int
    """Its number among the clips of the action."""


def training_counts(actions: Sequence[str], count: int) -> dict[str, int]:
    """How many of `count` clips show each action; they add up to `count`.

    Raises:
        ValueError: no common action is there to fill the set, or `count` is negative.
    """
    if count < 0:
        raise ValueError(f"`count` must not be negative, got {count}; ask for at least one clip.")
    share = min(1.0, count / FULL_SET)
    rare = {name: round(share * RARE_CLIPS[name]) for name in actions if name in RARE_CLIPS}
    common = [name for name in actions if name not in RARE_CLIPS]
    if not common:
        raise ValueError(
            f"`actions` must hold a common action, got {', '.join(actions) or 'none'}; add one."
        )
    each, more = divmod(count - sum(rare.values()), len(common))
    often = {name: each + (place < more) for place, name in enumerate(common)}
    return {name: often[name] if name in often else rare[name] for name in actions}


@cache
def training_plan(actions: tuple[str, ...], count: int, seed: int) -> tuple[PlannedClip, ...]:
    """The clips of a training set in its order: mixed, so that any part shows all common actions.

    `training_counts` says how many each action has; their sides come by turns.
    """
    clips = [
        PlannedClip(action, SIDES[place % len(SIDES)], place)
        for action, number in training_counts(actions, count).items()
        for place in range(number)
    ]
    order = torch.randperm(count, generator=seeded(seed, 0, "order of the training set"))
    return tuple(clips[index] for index in order.tolist())
