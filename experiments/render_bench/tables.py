"""The tables and curves of the rendering benchmark, from plain data."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from statistics import median, quantiles
from typing import Any, Final, Literal

from render_bench.plot import Points, seconds_of

Size = tuple[int, int, int]
"""Triangles, pixels along a side, frames."""

_BODIES: Final = {2_454: "Anny, low", 27_420: "Anny, full", 20_908: "SMPL-X size"}
# What the renderer is to reach, body included: seconds.
_AIMS: Final = {(2_454, 64, 16): 0.015, (27_420, 256, 16): 0.100}
_MEGABYTE: Final = 2**20


@dataclass
class Results:
    """All that was measured; see the functions of `measure` and `compare` for what they hold."""

    about: dict[str, Any]
    times: dict[tuple[Size, str], dict[str, Any]] = field(default_factory=dict)
    """By size and backend."""
    growth: dict[str, dict[Size, dict[str, Any]]] = field(default_factory=dict)
    """By what grows."""
    errors: dict[Size, dict[str, Any]] = field(default_factory=dict)
    mitsuba: dict[Size, dict[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Match:
    """What Mitsuba needs for an error of ours."""

    samples: tuple[int, int, int]
    """A pixel: of the image, inside surfaces, at silhouettes."""
    update: float
    forward: float
    backward: float
    """Seconds, as are the two before."""
    error: float
    extrapolated: bool

    @property
    def seconds(self) -> float:
        """Of the whole step."""
        return self.update + self.forward + self.backward


def match_errors(
    mitsuba: dict[str, Any], target: dict[str, Any], by: Literal["pose", "vertices"]
) -> Match:
    """The quickest of the samples measured that have no larger errors than the target's.

    Where all are too few, their number and time grow with the square of what is missing; of these
    the quickest, too.
    """
    image, more = _quickest(mitsuba["forward"], "pixels", target["pixels"])
    step, many = _quickest(mitsuba["backward"], by, target[by])
    inside, silhouettes = (math.ceil(many * count) for count in step["samples"])
    return Match(
        samples=(math.ceil(more * image["samples"]), inside, silhouettes),
        update=median(mitsuba["update"]),
        forward=more * median(image["seconds"]),
        backward=many * median(step["seconds"]),
        error=step[by] / math.sqrt(many),
        extrapolated=more > 1 or many > 1,
    )


def exponent(points: Iterable[tuple[float, float]]) -> float:
    """The slope of the straight line through (size, seconds) in logarithms, by least squares."""
    logs = [(math.log(size), math.log(seconds)) for size, seconds in points]
    x, y = (sum(each) / len(logs) for each in zip(*logs, strict=True))
    return sum((a - x) * (b - y) for a, b in logs) / sum((a - x) ** 2 for a, _ in logs)


def times(results: Results) -> list[str]:
    lines = [
        "| body | triangles | vertices | pixels | renderer | forward | render | body and render "
        "| aim | unlit render | memory |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for (size, backend), found in results.times.items():
        faces, pixels, _ = size
        cells = [_BODIES.get(faces, "Anny"), f"{faces:,}", f"{found['vertices']:,}", f"{pixels}"]
        seconds = found["seconds"]
        names = ("forward", "render", "body and render")
        cells += [backend, *(_spread(seconds[name]) for name in names)]
        cells += [f"{1e3 * _AIMS[size]:.0f}" if size in _AIMS else "", _spread(seconds["unlit"])]
        lines.append("| " + " | ".join([*cells, f"{found['memory'] / _MEGABYTE:.0f} MB"]) + " |")
    return lines


def cuda(about: dict[str, Any]) -> str:
    if about["nvdiffrast"]:
        return f"nvdiffrast ran on {about['device']}; its memory is the device's."
    reason = "nvdiffrast is not installed" if about["device"] else "there is no CUDA device"
    return f"No row for nvdiffrast: {reason} here. With both it is measured, too."


def mitsuba(results: Results) -> list[str]:
    lines = []
    for size, errors in results.errors.items():
        faces, pixels, frames = size
        lines += ["", f"### {_BODIES.get(faces, 'Anny')}, {pixels} px", ""]
        lines += [_truth(errors, frames), ""]
        lines += _ours_and_theirs(errors, results.mitsuba.get(size))
        if size in results.mitsuba:
            lines += ["", *_ladder(results.mitsuba[size])]
    if not results.mitsuba:
        lines += [
            "",
            "Mitsuba 3 was not measured: see experiments/README.md for how it is installed.",
        ]
    return lines


def _truth(errors: dict[str, Any], frames: int) -> str:
    fine = errors["reference"]
    return (
        f"Errors over {errors['frames']} of the {frames} frames; truth: {errors['samples']}² point "
        f"samples a pixel. Our own gradient at {fine['factor']}² differs from it by "
        f"{_percent(fine['pose'])}, which bounds what the truth is good for."
    )


def _ours_and_theirs(errors: dict[str, Any], mitsuba: dict[str, Any] | None) -> list[str]:
    lines = [
        "| equal by | ours: samples | error | ms | Mitsuba: samples | error | ms "
        "| tree, image, gradient | ratio |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    by: Literal["pose", "vertices"]
    for by in ("pose", "vertices"):
        for target in errors["factors"]:
            cells = [by, f"{target['factor']}²", _error(target, by), _spread(target["seconds"])]
            other = [] if mitsuba is None else _theirs(match_errors(mitsuba, target, by), target)
            lines.append("| " + " | ".join([*cells, *other]) + " |")
    return lines


def _theirs(match: Match, target: dict[str, Any]) -> list[str]:
    about = "≈ " if match.extrapolated else ""
    parts = (match.update, match.forward, match.backward)
    return [
        about + " / ".join(map(str, match.samples)),
        _percent(match.error),
        f"{about}{1e3 * match.seconds:.0f}",
        ", ".join(f"{1e3 * part:.0f}" for part in parts),
        f"**{about}{match.seconds / median(target['seconds']):.0f}**",
    ]


def _ladder(mitsuba: dict[str, Any]) -> list[str]:
    lines = [
        "| Mitsuba: inside / silhouettes | error by pose (cosine) | by vertices | gradient, ms |"
    ]
    lines.append("|---|---|---|---|")
    for row in mitsuba["backward"]:
        cells = [" / ".join(map(str, row["samples"]))]
        cells += [_error(row, "pose"), _error(row, "vertices")]
        lines.append("| " + " | ".join([*cells, f"{1e3 * median(row['seconds']):.0f}"]) + " |")
    return [*lines, "", f"Mitsuba's memory: {mitsuba['memory'] / _MEGABYTE:.0f} MB."]


def growth(results: Results) -> list[str]:
    lines = ["| what grows | ms of body and render | exponent | of the last step |"]
    lines.append("|---|---|---|---|")
    for what, found in results.growth.items():
        points = _points(what, found)
        cells = [f"{size:,}: {1e3 * seconds:.1f}" for size, seconds in points]
        slopes = f"{exponent(points):.2f} | {exponent(points[-2:]):.2f}"
        lines.append(f"| {what} | {'; '.join(cells)} | {slopes} |")
    return lines


def _points(what: str, found: dict[Size, dict[str, Any]]) -> list[tuple[int, float]]:
    measure: dict[str, Callable[[Size], int]] = {
        "frames": lambda size: size[2],
        "pixels": lambda size: size[1] ** 2,
        "faces": lambda size: size[0],
    }
    return [
        (measure[what](size), median(each["seconds"]["body and render"]))
        for size, each in found.items()
    ]


def growth_curves(results: Results) -> dict[str, Points]:
    curves = {}
    for what, found in results.growth.items():
        points = _points(what, found)
        curves[what] = [(size / points[0][0], 1e3 * seconds) for size, seconds in points]
    return curves


def error_curves(results: Results) -> dict[str, Points]:
    curves: dict[str, Points] = {}
    for size, errors in results.errors.items():
        name = f"{_BODIES.get(size[0], 'Anny')}, {size[1]} px"
        curves[f"ours: {name}"] = [
            (1e3 * median(row["seconds"]), 100 * row["pose"]) for row in errors["factors"]
        ]
        if size in results.mitsuba:
            theirs = results.mitsuba[size]
            curves[f"Mitsuba: {name}"] = [
                (1e3 * seconds_of(theirs, row), 100 * row["pose"]) for row in theirs["backward"]
            ]
    return curves


def _quickest(rows: list[dict[str, Any]], name: str, target: float) -> tuple[dict[str, Any], float]:
    """The row that meets the target soonest, and how many times its samples that takes."""
    needed = [(row, max(1.0, (row[name] / target) ** 2)) for row in rows]
    met = [each for each in needed if each[1] == 1]
    return min(met or needed, key=lambda each: each[1] * median(each[0]["seconds"]))


def _spread(seconds: list[float]) -> str:
    low, middle, high = (1e3 * value for value in quantiles(seconds, method="inclusive"))
    return f"{middle:.1f} ({low:.1f} to {high:.1f})"


def _error(row: dict[str, Any], by: Literal["pose", "vertices"]) -> str:
    """The relative error, and the cosine that belongs to it."""
    return f"{_percent(row[by])} ({row[f'{by}_cosine']:.3f})"


def _percent(error: float) -> str:
    return f"{100 * error:.1f} %"
