"""What is said of a motion: as what it is recognised, and how plausible it is physically."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass
from statistics import mean, median
from typing import Final

import torch

from comparison.runs import Run
from motiondistill.body.base import Body
from motiondistill.metrics.physical import metrics_of_mesh
from motiondistill.metrics.recogniser import Recogniser, Recognition
from motiondistill.structures import Motion


@dataclass(frozen=True)
class Plausibility:
    """Figures of `metrics.physical` that do not depend on whether the subject travels."""

    sliding: float
    """Mean speed of feet in contact on a floor that moves evenly below, m/s; NaN without one."""
    penetration: float
    """Mean depth of the lowest vertex under the floor, metres."""
    jerk: float
    """m/s^3."""
    speed: float
    """Mean speed of the joints, m/s."""


FIGURES: Final = ("foot sliding, m/s", "penetration, mm", "jerk, m/s³", "joint speed, m/s")
"""What the numbers of `in_cells` are."""


@dataclass(frozen=True)
class Judged:
    """A run, and what is said of its motion."""

    run: Run
    found: Recognition
    plausible: Plausibility

    @property
    def right(self) -> bool:
        """Whether the action is the one that was asked for."""
        return self.found.action == self.run.action

    @property
    def among_three(self) -> bool:
        """Whether it is among the three most likely ones."""
        return self.run.action in self.found.among(3)

    @property
    def probability(self) -> float:
        """Of the action that was asked for."""
        return self.found.probabilities[self.run.action]

    @property
    def words(self) -> str:
        """As what the motion was recognised, and how surely."""
        return words_of(self.found)


def words_of(found: Recognition) -> str:
    """The most likely action, and how sure it is: `squat 82%`."""
    return f"{found.action} {found.probabilities[found.action]:.0%}"


def judge(runs: Iterable[Run], body: Body, recogniser: Recogniser) -> list[Judged]:
    """Every run; `body` is the one that they were made with."""
    judged = []
    for run in runs:
        result = run.result()
        found = recogniser.recognise(result.joints, result.motion.fps)
        judged.append(Judged(run, found, plausibility(result.motion, body)))
    return judged


@torch.no_grad()
def plausibility(motion: Motion, body: Body) -> Plausibility:
    """The figures of one motion on this body."""
    figures = metrics_of_mesh(body(motion), motion.fps)
    return Plausibility(
        float(figures.treadmill_sliding.speed),
        float(figures.penetration_mean),
        float(figures.jerk),
        float(figures.joint_speed),
    )


def medians(every: Sequence[Plausibility]) -> Plausibility:
    """The median of each figure, over those that are numbers; NaN where there is none."""
    columns = zip(*map(astuple, every), strict=True)
    known = [[value for value in column if not math.isnan(value)] for column in columns]
    return Plausibility(*(median(column) if column else math.nan for column in known))


def in_cells(figures: Plausibility) -> tuple[str, ...]:
    """The figures as text, in the units of `FIGURES`."""
    return (
        "none" if math.isnan(figures.sliding) else f"{figures.sliding:.2f}",
        f"{1e3 * figures.penetration:.1f}",
        f"{figures.jerk:.1f}",
        f"{figures.speed:.2f}",
    )


def merit(judged: Sequence[Judged]) -> tuple[float, float]:
    """What settings are ranked by: the share recognised, then how likely the right action is."""
    return mean(each.right for each in judged), mean(each.probability for each in judged)
