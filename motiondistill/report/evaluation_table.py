"""Figures for the terminal, for programs (JSON) and for TensorBoard."""

import json
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any, Final

from rich.table import Table
from rich.text import Text

from motiondistill.atomic import write_text
from motiondistill.metrics.catalogue import CATALOGUE, STILL, Measurement, Metric
from motiondistill.report.evaluation import Evaluated, Evaluation
from motiondistill.report.figures import QUANTILES, real_motion, reference_table

# More motions than these are told by median, least and greatest value.
_COLUMNS: Final = 4
_CONVENTIONS: Final = {
    "up_axis": "+Y",
    "floor_height_m": 0.0,
    "units": "SI",
    "static_below_dynamic_degree_m_per_s": STILL,
}


def table(found: Evaluation) -> Table:
    """A row for each metric that has a value; a statue's column says so."""
    few = len(found.motions) <= _COLUMNS
    names = _headings(found.motions) if few else ["median", "lowest", "highest", "n"]
    together = [each for each in found.together if each.value is not None]
    result = Table(box=None, pad_edge=False)
    result.add_column("metric")
    result.add_column("unit")
    result.add_column("good")
    for name in names:
        result.add_column(Text(name), justify="right", overflow="fold")
    real, others = _beside(found)
    if others:
        result.add_column(others, justify="right")
    if together:
        result.add_column("all together", justify="right")
    if few:
        result.add_row("frame rate", "Hz", "", *(f"{each.fps:g}" for each in found.motions))
    for id, metric in CATALOGUE.items():
        cells = _cells(found, metric, few)
        if any(cells):
            cells += [_number(real.get(id))] if others else []
            result.add_row(metric.title, metric.unit, metric.direction, *map(Text, cells))
    blank = [""] * (len(names) + bool(others))
    for each in together:
        metric = each.metric
        cell = Text(_with_interval(each))
        result.add_row(metric.title, metric.unit, metric.direction, *blank, cell)
    result.caption, result.caption_justify = Text(_caption(found)), "left"
    return result


def missing(found: Evaluation) -> list[str]:
    """Why some metrics have no value, a line for each reason."""
    reasons: dict[tuple[str, str], dict[str, None]] = {}
    whose: dict[tuple[str, str], list[str]] = {}
    names = _short([each.name for each in found.motions])
    for name, motion in zip(names, found.motions, strict=True):
        for each in motion.measured:
            if each.value is None:
                whose.setdefault((each.note, each.metric.title), []).append(name)
    for (note, title), lacking in whose.items():
        some = "" if len(lacking) == len(names) else f" of {', '.join(lacking)}"
        reasons.setdefault((note, some), {})[title] = None
    for each in found.together:
        if each.value is None:
            reasons.setdefault((each.note, ""), {})[each.metric.title] = None
    return [
        f"without {', '.join(titles)}{some}: {reason}" for (reason, some), titles in reasons.items()
    ]


def as_json(found: Evaluation) -> dict[str, Any]:
    """All figures with their definitions, versions and n; what has no value has a reason."""
    return {
        "motiondistill": version("motiondistill"),
        "conventions": dict(_CONVENTIONS),
        "evaluator_own": found.evaluator,
        "metrics": {id: _definition(metric) for id, metric in CATALOGUE.items()},
        "motions": [_motion(each) for each in found.motions],
        "set": {each.metric.id: _figure(each) for each in found.together},
        "references": {
            "names": [each.name for each in found.references],
            "medians": {id: _figure(each) for id, each in found.usual.items()},
        },
    }


def write_json(path: Path, found: Evaluation) -> None:
    """`as_json` as a file, whole or absent."""
    text = json.dumps(as_json(found), indent=2, allow_nan=False) + "\n"
    write_text(path, text)


def write_tensorboard(folder: Path, found: Evaluation) -> None:
    """Every figure as a scalar `metrics/ID` at step 0, a TensorBoard run for each motion.

    The set's figures are in the run of `folder` itself.
    """
    from torch.utils.tensorboard import SummaryWriter

    groups = [(folder, found.together)]
    names = [
        f"{index}-{Path(name).name}"
        for index, name in enumerate(_short([each.name for each in found.motions]))
    ]
    groups += [
        (folder / name, each.measured) for name, each in zip(names, found.motions, strict=True)
    ]
    for place, measured in groups:
        writer: Any = SummaryWriter(str(place))
        for each in measured:
            if each.value is not None:
                writer.add_scalar(f"metrics/{each.metric.id}", each.value, 0)
        writer.close()


def _headings(motions: Sequence[Evaluated]) -> list[str]:
    names = _short([each.name for each in motions])
    marks = [" (still)" if each.still else "" for each in motions]
    return [name + mark for name, mark in zip(names, marks, strict=True)]


def _beside(found: Evaluation) -> tuple[dict[str, float | None], str]:
    """What the motions are held against, by metric, and its heading, which may be empty.

    Medians of the references or, without any, of the package's windows of real motion, if they
    have the motions' rate.
    """
    if found.references:
        medians = {id: each.value for id, each in found.usual.items()}
        return medians, f"{len(found.references)} references"
    rates = {each.fps for each in found.motions}
    quantiles = reference_table(rates.pop()) if len(rates) == 1 else {}
    middle = QUANTILES.index(0.5)
    return {id: values[middle] for id, values in quantiles.items()}, "real" if quantiles else ""


def _cells(found: Evaluation, metric: Metric, few: bool) -> list[str]:
    values = [
        next((one.value for one in each.measured if one.metric is metric), None)
        for each in found.motions
    ]
    numbers = [value for value in values if value is not None]
    if few:
        return [_number(value) for value in values]
    if not numbers:
        return []
    told = (median(numbers), min(numbers), max(numbers))
    return [*map(_number, told), str(len(numbers))]


def _caption(found: Evaluation) -> str:
    lines = [
        f"Floor y = 0. Figures named (own) are by our {found.evaluator}, and not comparable with "
        "HumanML3D's."
    ]
    if _beside(found)[1] == "real":
        about = real_motion()["about"]
        lines.append(
            f"Real: medians of {about['windows']} windows of motion capture ({about['seconds']:g} "
            "seconds, all actions) at about this frame rate."
        )
    if len({each.fps for each in (*found.motions, *found.references)}) > 1:
        lines.append(
            "Frame rates differ: compare jerk, acceleration, skating and sliding at one rate only "
            "(export with output.fps=...)."
        )
    still = sum(each.still for each in found.motions)
    if still:
        loved = [metric.title for metric in CATALOGUE.values() if metric.rewards_stillness]
        lines.append(
            f"{still} of {len(found.motions)} hardly moves (dynamic degree below {STILL:g} m/s): "
            f"there {', '.join(loved)} are no merit."
        )
    return " ".join(lines)


def _with_interval(each: Measurement) -> str:
    if each.interval is None:
        return _number(each.value)
    low, high = each.interval
    return f"{_number(each.value)} ({_number(low)} to {_number(high)})"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


def _definition(metric: Metric) -> dict[str, Any]:
    return {
        "title": metric.title,
        "unit": metric.unit,
        "direction": metric.direction,
        "kind": metric.kind,
        "version": metric.version,
        "definition": metric.definition,
        "rewards_stillness": metric.rewards_stillness,
    }


def _motion(each: Evaluated) -> dict[str, Any]:
    return {
        "file": each.name,
        "prompt": each.prompt,
        "body": each.body,
        "fps": each.fps,
        "frames": each.frames,
        "floor_estimate_m": each.floor,
        "static": each.still,
        "values": {one.metric.id: _figure(one) for one in each.measured},
    }


def _figure(each: Measurement) -> dict[str, Any]:
    figure: dict[str, Any] = {
        "value": each.value,
        "unit": each.metric.unit,
        "version": each.metric.version,
        "n": each.n,
    }
    if each.interval is not None:
        figure["interval_95"] = list(each.interval)
    if each.note:
        figure["note" if each.value is not None else "reason"] = each.note
    return figure


def _short(names: Sequence[str]) -> list[str]:
    """The last parts of the paths; where two have the same, the paths."""
    last = [Path(name).name or name for name in names]
    return [
        name if last.count(short) > 1 else short for name, short in zip(names, last, strict=True)
    ]
