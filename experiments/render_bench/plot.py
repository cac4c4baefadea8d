"""The plot of the rendering benchmark: how cost grows, and errors against time."""

import importlib.util
from pathlib import Path
from statistics import median
from typing import Any

from motiondistill.atomic import write_atomically

Points = list[tuple[float, float]]
"""Across and up."""


def draw(growth: dict[str, Points], errors: dict[str, Points], path: Path) -> bool:
    """Both panels, logarithmic, as a file; False without matplotlib.

    `growth` holds seconds by size, relative to the first size; `errors` holds errors by seconds.
    """
    if importlib.util.find_spec("matplotlib") is None:
        return False
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    for name, points in growth.items():
        left.loglog(*zip(*points, strict=True), marker="o", label=name)
    left.set(xlabel="size, relative to the smallest", ylabel="ms, body and render")
    for index, (name, points) in enumerate(errors.items()):
        line = "--" if "Mitsuba" in name else "-"
        right.loglog(
            *zip(*points, strict=True), line, marker="o", color=f"C{index // 2}", label=name
        )
    right.set(xlabel="ms of forward and backward", ylabel="error of the gradient by pose, %")
    for axes in (left, right):
        axes.legend(fontsize=7)
        axes.grid(which="both", alpha=0.2)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter("{x:g}")
    write_atomically(path, lambda part: figure.savefig(part, dpi=110))
    return True


def seconds_of(mitsuba: dict[str, Any], row: dict[str, Any]) -> float:
    """Of a whole step of Mitsuba whose image has as many samples a pixel as its silhouettes."""
    wanted = row["samples"][1]
    image = min(mitsuba["forward"], key=lambda each: abs(each["samples"] - wanted))
    return sum(median(each) for each in (mitsuba["update"], image["seconds"], row["seconds"]))
