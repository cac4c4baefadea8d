"""A motion's figures beside those of real motion capture, for reports.

`figures` alone decides what is measured; pages show whatever it lists.
"""

import functools
import json
import math
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final, Literal, assert_never

from motiondistill.metrics.physical import PhysicalMetrics, metrics_of_mesh
from motiondistill.structures import Mesh

QUANTILES: Final = (0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 0.98)
"""Of the real windows, as stored for every figure."""
MIN_FRAMES: Final = 4
"""Which the jerk needs."""
# Figures of movement depend on the frame rate. Beyond this ratio of the nearest stored one they
# are not compared.
_MAX_RATIO: Final = 1.25

Direction = Literal["lower", "higher", "like real"]
"""What is good: less, more, or what real motions have."""
Light = Literal["green", "amber", "red", "none"]


@dataclass(frozen=True)
class Measure:
    """What is measured."""

    id: str
    title: str
    unit: str
    """SI, or 1 for shares."""
    direction: Direction
    definition: str


@dataclass(frozen=True)
class Figure:
    """A measured value, and what real motions have."""

    measure: Measure
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
        if _within(self.value, low, high, self.measure.direction):
            return "green"
        return "amber" if _within(self.value, least, most, self.measure.direction) else "red"


MEASURES: Final = (
    Measure(
        "sliding_speed",
        "sliding speed",
        "m/s",
        "lower",
        "Mean speed along the floor of the lowest points of feet in contact.",
    ),
    Measure(
        "treadmill_sliding_speed",
        "sliding on a treadmill",
        "m/s",
        "lower",
        "The same on a floor that moves evenly: for motions held in place.",
    ),
    Measure(
        "foot_skating_ratio",
        "foot skating",
        "1",
        "lower",
        "Share of the time with a foot in contact in which such a foot is faster than 0.5 m/s.",
    ),
    Measure(
        "contact",
        "contact",
        "1",
        "like real",
        "Share of the time in which a foot is within 5 cm of the floor.",
    ),
    Measure(
        "penetration",
        "penetration",
        "m",
        "lower",
        "Depth of the lowest point under the floor, mean over frames.",
    ),
    Measure(
        "floating",
        "floating",
        "m",
        "lower",
        "Height of the lowest point over the floor, mean over frames; jumps float, too.",
    ),
    Measure(
        "jerk",
        "jerk",
        "m/s³",
        "like real",
        "Mean length of the third derivative of the joints' positions.",
    ),
    Measure(
        "movement",
        "movement",
        "m/s",
        "like real",
        "Mean speed of the joints relative to the pelvis: a statue has none.",
    ),
)


def figures(mesh: Mesh, fps: float) -> list[Figure]:
    """All figures of one posed clip (no batch); none of a clip of fewer than `MIN_FRAMES`."""
    if mesh.vertices.shape[-3] < MIN_FRAMES:
        return []
    values, known = measured(metrics_of_mesh(mesh, fps)), reference_table(fps)
    return [
        Figure(
            measure,
            values[measure.id] if math.isfinite(values[measure.id]) else None,
            known.get(measure.id),
        )
        for measure in MEASURES
    ]


def measured(found: PhysicalMetrics) -> dict[str, float]:
    """One motion's value of every measure, by its id; maybe not a number."""
    scalars = {
        "sliding_speed": found.sliding.speed,
        "treadmill_sliding_speed": found.treadmill_sliding.speed,
        "foot_skating_ratio": found.sliding.skating,
        "contact": found.sliding.contact,
        "penetration": found.penetration_mean,
        "floating": found.floating_mean,
        "jerk": found.jerk,
        "movement": found.relative_joint_speed,
    }
    return {name: scalar.item() for name, scalar in scalars.items()}


def reference_table(fps: float) -> dict[str, tuple[float, ...]]:
    """The real windows' `QUANTILES` of each measure at the stored frame rate nearest to `fps`.

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
