"""What the recogniser says of fitted samples, and how often it is what was asked for."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from motiondistill.metrics.recogniser import Recogniser, Recognition
from prior_evidence.groups import Group

# Of the normal distribution, for intervals that hold the truth 95 times of 100.
_QUANTILE = 1.96


@dataclass(frozen=True)
class Judged:
    """One sample of a group, and as what it was recognised."""

    group: Group
    index: int
    found: Recognition

    @property
    def right(self) -> bool:
        """Whether the action is the one that was asked for."""
        return self.found.action == self.group.action

    @property
    def among_three(self) -> bool:
        """Whether it is among the three most likely ones."""
        return self.group.action in self.found.among(3)

    @property
    def right_side(self) -> bool | None:
        """Whether the asked limb acts; None for what is not recognised, or has no side."""
        if not self.right or self.found.side is None:
            return None
        return self.found.side == self.group.side


def judge(groups: Iterable[Group], recogniser: Recogniser) -> list[Judged]:
    """Every sample of every group."""
    return [
        Judged(group, index, recogniser.recognise(joints, group.motion.fps))
        for group in groups
        for index, joints in enumerate(group.joints)
    ]


def rate(hits: Sequence[bool]) -> str:
    """`81 % (66 to 91)`: a share of hits, and Wilson's interval (1927) for 95 of 100."""
    count = len(hits)
    if not count:
        return "none"
    share, square = sum(hits) / count, _QUANTILE**2 / count
    middle = (share + square / 2) / (1 + square)
    half = math.sqrt(share * (1 - share) * square + square**2 / 4) / (1 + square)
    low, high = max(middle - half, 0.0), min(middle + half, 1.0)
    return f"{share:.0%} ({low:.0%} to {high:.0%})".replace("%", " %").replace(" % to", " to")


class Named(Protocol):
    """What was recognised, rightly or not: a sample here, a run in the comparisons."""

    @property
    def found(self) -> Recognition:
        """As what."""

    @property
    def right(self) -> bool:
        """Whether that is what was asked for."""


def mistakes(judged: Iterable[Named]) -> str:
    """What the wrong ones were taken for, the most frequent first."""
    names = Counter(each.found.action for each in judged if not each.right)
    return ", ".join(f"{name} {count}" for name, count in names.most_common()) or "none"
