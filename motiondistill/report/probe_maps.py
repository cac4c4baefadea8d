"""The heat maps of a probe, from its summary."""

from collections.abc import Mapping, Sequence
from typing import Any

from motiondistill.probing.summary import view_words
from motiondistill.report.heat_map import Cell, HeatMap

Figures = Mapping[str, Any]
_BRACKETS = (
    "Brackets, and pale: its distance from the copies with random weights may be none, by its "
    "interval of 95 %."
)


def pair_maps(summary: Figures) -> list[HeatMap]:
    """Kinds of pairs by noise level, by view, by both and by prompt."""
    kinds = summary["pairs"]["kinds"]
    maps = [
        _by(kinds, "level", level_words, "Pairs by noise level", _LEVELS),
        _by(kinds, "view", view_words, "Pairs by view", _VIEWS),
    ]
    return [each for each in maps if each.rows]


def prompt_map(summary: Figures) -> HeatMap:
    """Prompts by kind of pairs."""
    kinds = summary["pairs"]["kinds"]
    prompts = dict.fromkeys(
        each["prompt"] for figures in kinds.values() for each in figures["by_prompt"]
    )
    cells = [
        [_cell(_found(figures["by_prompt"], prompt=prompt)) for figures in kinds.values()]
        for prompt in prompts
    ]
    return HeatMap("Pairs by prompt", _PROMPTS, list(prompts), list(kinds), cells)


def level_and_view_maps(summary: Figures) -> list[HeatMap]:
    """For each kind of pairs, noise levels by view."""
    maps = []
    for name, figures in summary["pairs"]["kinds"].items():
        levels, views = ([each[key] for each in summary[key + "s"]] for key in ("level", "view"))
        both = figures["by_level_and_view"]
        cells = [
            [_cell(_found(both, level=level, view=view)) for view in views] for level in levels
        ]
        rows = [level_words(level) for level in levels]
        columns = [view_words(view) for view in views]
        maps.append(HeatMap(name.capitalize(), figures["question"], rows, columns, cells))
    return maps


def gradient_maps(summary: Figures) -> list[HeatMap]:
    """Cosine and signal-to-noise by guidance and level; none where gradients were left out."""
    found = summary["gradients"]
    if found is None:
        return []
    maps = [
        _gradient_map(found["by_level"], "cosine", "Cosine with the way back", _COSINE),
        _gradient_map(found["by_level"], "signal_to_noise", "Signal over noise", _SIGNAL),
    ]
    both = found["by_level_and_view"]
    for scale in dict.fromkeys(each["guidance"] for each in both):
        own = [each for each in both if each["guidance"] == scale]
        levels, views = (dict.fromkeys(each[key] for each in own) for key in ("level", "view"))
        cells = [
            [_gradient_cell(_found(own, level=level, view=view), "cosine") for view in views]
            for level in levels
        ]
        rows, columns = map(level_words, levels), map(view_words, views)
        title = f"Cosine by view, guidance {scale:g}"
        reach = _reach(own, "cosine")
        maps.append(HeatMap(title, _COSINE_VIEWS, list(rows), list(columns), cells, 0.0, reach))
    return maps


def level_words(level: float) -> str:
    """How a page calls a noise level."""
    return f"level {level:.2f}"


def interval_words(estimate: Figures | None, digits: int = 2) -> str:
    """Both ends of an interval."""
    if estimate is None or estimate["low"] is None:
        return ""
    return f"{estimate['low']:.{digits}f} to {estimate['high']:.{digits}f}"


_LEVELS = (
    "How often the natural clip is preferred at each noise level (flow time: 0.5 is as much noise "
    f"as signal); 0.5 is chance, and below each number stands its interval. {_BRACKETS}"
)
_VIEWS = f"The same by the side from which clips are seen, over all levels. {_BRACKETS}"
_PROMPTS = f"The same by prompt, over all levels and views. {_BRACKETS}"
_COSINE = (
    "Does what single draws of the score ask for point from a perturbed motion to the real one? 1 "
    "is straight there, 0 anywhere, below 0 away. Brackets: the interval holds 0."
)
_COSINE_VIEWS = "The same by the side from which the motion is seen."
_SIGNAL = (
    "How much of a gradient is the same in all draws of noise: squared length of the mean over the "
    "variance of one draw. At 0.01, it takes 100 draws until the mean is as large as its noise."
)


def _by(kinds: Figures, key: str, words: Any, title: str, sentence: str) -> HeatMap:
    values = sorted({each[key] for figures in kinds.values() for each in figures[f"by_{key}"]})
    cells = [
        [_cell(_found(figures[f"by_{key}"], **{key: value})) for value in values]
        for figures in kinds.values()
    ]
    return HeatMap(title, sentence, list(kinds), [words(value) for value in values], cells)


def _found(rows: Sequence[Figures], **keys: Any) -> Figures | None:
    return next((row for row in rows if all(row[name] == keys[name] for name in keys)), None)


def _cell(figures: Figures | None) -> Cell | None:
    if figures is None:
        return None
    verdict = figures["verdict"]
    auc = figures["auc"]
    if verdict is None:  # without copies, chance stands for them
        sure = auc["low"] is not None and not auc["low"] <= 0.5 <= auc["high"]
    else:
        sure = verdict != "holds"
    return Cell(auc["value"], interval_words(auc), sure)


def _gradient_cell(figures: Figures | None, name: str) -> Cell | None:
    if figures is None:
        return None
    found = figures[name]
    sure = found["low"] is not None and not found["low"] <= 0 <= found["high"]
    return Cell(found["value"], interval_words(found), sure)


def _gradient_map(rows: Sequence[Figures], name: str, title: str, sentence: str) -> HeatMap:
    scales, levels = (dict.fromkeys(row[key] for row in rows) for key in ("guidance", "level"))
    cells = [
        [_gradient_cell(_found(rows, guidance=scale, level=level), name) for level in levels]
        for scale in scales
    ]
    names = [f"guidance {scale:g}" for scale in scales]
    columns = [level_words(level) for level in levels]
    return HeatMap(title, sentence, names, columns, cells, 0.0, _reach(rows, name))


def _reach(rows: Sequence[Figures], name: str) -> float:
    return max([abs(float(row[name]["value"])) for row in rows] + [1e-9])
