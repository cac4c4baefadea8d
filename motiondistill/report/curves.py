"""The figures that a run recorded over its updates, and plots of them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from motiondistill.report.documents import text

# Points of a plot; more are drawn together, as their mean and the band from least to most.
_MAX_POINTS: Final = 200
_WIDTH, _HEIGHT = 240.0, 80.0
# Figures above zero that span more than this are drawn by their logarithm.
_WIDE: Final = 30.0


@dataclass(frozen=True)
class Curve:
    """A figure of every update that had it; others lack it."""

    name: str
    """As recorded: `loss`, or a group and a name such as `gradients/pose`."""
    steps: tuple[int, ...]
    values: tuple[float, ...]


def read_curves(folder: Path) -> list[Curve]:
    """All figures that `report.events` recorded in the run's folder, in their order; maybe none."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    if not any(folder.glob("events.out.tfevents.*")):
        return []
    # All numbers, and as little as there may be of everything else.
    kinds = ("images", "audio", "histograms", "tensors", "compressedHistograms")
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0, **dict.fromkeys(kinds, 1)})
    events.Reload()
    curves = []
    for name in events.Tags()["scalars"]:
        points = [(point.step, point.value) for point in events.Scalars(name)]
        steps, values = zip(*points, strict=True)
        curves.append(Curve(name, steps, values))
    return curves


def plot(curve: Curve, first: int, last: int) -> str:
    """The curve as HTML with a drawing in it; its horizontal axis goes from `first` to `last`.

    Values that are not finite are left out.
    """
    pairs = zip(curve.steps, curve.values, strict=True)
    points = [(step, value) for step, value in pairs if math.isfinite(value)]
    name = text(_title(curve.name))
    if not points:
        return f'<figure class="plot"><figcaption><b>{name}</b> never finite</figcaption></figure>'
    values = [value for _, value in points]
    low, high = min(values), max(values)
    logarithmic = low > 0 and high / low > _WIDE
    drawing = _drawing(points, (first, last), logarithmic)
    spoken = text(
        f"{curve.name}, updates {points[0][0]} to {points[-1][0]}: from {values[0]:.3g} to "
        f"{values[-1]:.3g}, between {low:.3g} and {high:.3g}"
    )
    scale = '<span class="scale" title="drawn by its logarithm">log</span>' if logarithmic else ""
    return (
        f'<figure class="plot"><figcaption><b title="{name}">{name}</b>{scale}'
        f"<span>{values[-1]:.3g}</span></figcaption>"
        f'<svg viewBox="0 0 {_WIDTH:g} {_HEIGHT:g}" preserveAspectRatio="none" role="img" '
        f'aria-label="{spoken}">{drawing}</svg>'
        f'<div class="range"><span>{low:.3g} to {high:.3g}</span>'
        f"<span>updates {points[0][0]} to {points[-1][0]}</span></div></figure>"
    )


def _title(name: str) -> str:
    """The name without its group, in words, and its unit where it has one."""
    words = (name.partition("/")[2] or name).replace("_", " ")
    return f"{words}, rad" if words.startswith("azimuth ") else words


def _drawing(points: Sequence[tuple[int, float]], steps: tuple[int, int], logarithmic: bool) -> str:
    """The line of means and, where points are drawn together, the band round it."""
    scaled = [(step, math.log(value) if logarithmic else value) for step, value in points]
    low, high = (limit(value for _, value in scaled) for limit in (min, max))
    size = -(-len(scaled) // _MAX_POINTS)
    buckets = [scaled[start : start + size] for start in range(0, len(scaled), size)]

    def place(step: float, value: float) -> str:
        x = (step - steps[0]) / max(steps[1] - steps[0], 1)
        y = (high - value) / (high - low) if high > low else 0.5
        return f"{x * _WIDTH:.2f},{4 + y * (_HEIGHT - 8):.2f}"

    line, above, below = [], [], []
    for bucket in buckets:
        values = [value for _, value in bucket]
        middle = sum(step for step, _ in bucket) / len(bucket)
        line.append(place(middle, sum(values) / len(values)))
        above.append(place(middle, max(values)))
        below.append(place(middle, min(values)))
    if len(line) == 1:
        line *= 2  # a dot, by the line's round ends
    band = f'<polygon points="{" ".join(above + below[::-1])}"/>' if size > 1 else ""
    return f'{band}<polyline points="{" ".join(line)}"/>'
