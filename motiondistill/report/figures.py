"""A motion's figures beside those of real motion capture, for reports.

What is measured are the physical metrics of `metrics.catalogue`.
"""

import functools
import json
import math
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final, Literal, assert_never

from motiondistill.body.base import Body
from motiondistill.metrics.catalogue import Direction, Metric
from motiondistill.report.measuring import FEWEST_FRAMES, physical_measurements
from motiondistill.structures import Mesh, Motion

QUANTILES: Final = (0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 0.98)
"""Of the real windows, as stored for every figure."""
# Figures of movement depend on the frame rate. Beyond this ratio of the nearest stored one they
# are not compared.
_MAX_RATIO: Final = 1.25

Light = Literal["green", "amber", "red", "none"]


@dataclass(frozen=True)
class Figure:
    """A measured value, and what real motions have."""

    metric: Metric
    value: float | None
    """None where there is nothing to measure, such as the sliding of feet in the air."""
    reference: tuple[float, ...] | None
    """The real windows' `QUANTILES`; None where none are stored for this frame rate."""

    @property
    def light(self) -> Light:
        """Green among the middle 80 % of real windows, amber among the middle 96 %, else red.

        Where less is better, or more, nothing is too good.
        """
        if self.value is None or self.reference is None:
            return "none"
        least, low, _, _, _, high, most = self.reference
        if _within(self.value, low, high, self.metric.direction):
            return "green"
        return "amber" if _within(self.value, least, most, self.metric.direction) else "red"


def figures(motion: Motion, body: Body, mesh: Mesh | None = None) -> list[Figure]:
    """All physical figures of one motion on this body; `mesh` is `posed(body, motion)`.

    None of a motion of fewer than `FEWEST_FRAMES`.
    """
    if motion.num_frames < FEWEST_FRAMES:
        return []
    known = reference_table(motion.fps)
    return [
        Figure(measured.metric, measured.value, known.get(measured.metric.id))
        for measured in physical_measurements(motion, body, mesh)
    ]


def reference_table(fps: float) -> dict[str, tuple[float, ...]]:
    """The real windows' `QUANTILES` of each metric at the stored frame rate nearest to `fps`.

    Empty where none is near enough.
    """
    rates = real_motion()["rates"]
    nearest = min(rates, key=lambda rate: abs(math.log(float(rate) / fps)))
    ratio = float(nearest) / fps
    if max(ratio, 1 / ratio) > _MAX_RATIO:
        return {}
    return {name: tuple(quantiles) for name, quantiles in rates[nearest].items()}


@functools.cache
def real_motion() -> dict[str, Any]:
    """The package's figures of real motions: `about`, and `rates` by frames a second.

    Made by `experiments/reference_figures.py`; their card is the README.md beside them.
    """
    file = files("motiondistill.report") / "real_motion" / "figures.json"
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


def _within(value: float, low: float, high: float, direction: Direction) -> bool:
    match direction:
        case "lower":
            return value <= high
        case "higher":
            return value >= low
        case "like real":
            return low <= value <= high
        case _:
            assert_never(direction)
