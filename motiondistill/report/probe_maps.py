"""The heat maps of a probe, from its summary."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from motiondistill.probing.summary import view_words
from motiondistill.report.heat_map import Cell, HeatMap

Figures = Mapping[str, Any]
COLOURS: Final = (
    "Colour: how far the number lies above (teal) or below (red) that of the copies with random "
    "weights, or chance, 0.5, where there are none. Brackets, and pale: by its interval of 95 %, "
    "that distance may be none."
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
        [pair_cell(_found(figures["by_prompt"], prompt=prompt)) for figures in kinds.values()]
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
            [pair_cell(_found(both, level=level, view=view)) for view in views] for level in levels
        ]
        rows = [level_words(level) for level in levels]
        columns = [view_words(view) for view in views]
        sentence = f"{figures['question']} Colours are as in the maps above."
        maps.append(HeatMap(name.capitalize(), sentence, rows, columns, cells))
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
        maps.append(HeatMap(title, _COSINE_VIEWS, list(rows), list(columns), cells, reach))
    return maps


def pair_cell(figures: Figures | None) -> Cell | None:
    """How often the natural clip is preferred, held against copies of the network, or chance."""
    if figures is None:
        return None
    auc, null, verdict = figures["auc"], figures["null"], figures["verdict"]
    chance = 0.5
    if null is None:
        sure = auc["low"] is not None and not auc["low"] <= chance <= auc["high"]
        return Cell(auc["value"], interval_words(auc), sure, chance)
    return Cell(auc["value"], interval_words(auc), verdict != "holds", null["value"])


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
    f"as signal); below each number stands its interval. {COLOURS}"
)
_VIEWS = f"The same by the side from which clips are seen, over all levels. {COLOURS}"
_PROMPTS = f"The same by prompt, over all levels and views. {COLOURS}"
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
        [pair_cell(_found(figures[f"by_{key}"], **{key: value})) for value in values]
        for figures in kinds.values()
    ]
    return HeatMap(title, sentence, list(kinds), [words(value) for value in values], cells)


def _found(rows: Sequence[Figures], **keys: Any) -> Figures | None:
    return next((row for row in rows if all(row[name] == keys[name] for name in keys)), None)


def _gradient_cell(figures: Figures | None, name: str) -> Cell | None:
    if figures is None:
        return None
    found = figures[name]
    sure = found["low"] is not None and not found["low"] <= 0 <= found["high"]
    return Cell(found["value"], interval_words(found), sure, middle=0.0)


def _gradient_map(rows: Sequence[Figures], name: str, title: str, sentence: str) -> HeatMap:
    scales, levels = (dict.fromkeys(row[key] for row in rows) for key in ("guidance", "level"))
    cells = [
        [_gradient_cell(_found(rows, guidance=scale, level=level), name) for level in levels]
        for scale in scales
    ]
    names = [f"guidance {scale:g}" for scale in scales]
    columns = [level_words(level) for level in levels]
    return HeatMap(title, sentence, names, columns, cells, _reach(rows, name))


def _reach(rows: Sequence[Figures], name: str) -> float:
    return max([abs(float(row[name]["value"])) for row in rows] + [1e-9])
