"""The heat maps of a probe, from its summary."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from motiondistill.probing.summary import view_words
from motiondistill.report.heat_map import UNSURE, Blank, Cell, HeatMap
from motiondistill.report.probe_words import (
    NO_INTERVAL,
    Figures,
    interval_words,
    level_words,
    pair_words,
    unasked,
)

KEY: Final = ("0.5 or more below", "as random weights", "0.5 or more above")
"""What colours mean that tell a distance from the copies."""
_CHANCE_KEY: Final = ("0.5 below", "chance", "0.5 above")
BRACKETS: Final = "Names in brackets: pairs that are not equally complex."
COLOURS: Final = (
    "Colour: how far the number lies above (teal) or below (red) that of the copies with random "
    f"weights, or chance, 0.5, where there are none. Pale and {UNSURE}: undecided, as the interval "
    f"of that distance holds 0, or there is none. {BRACKETS}"
)


def pair_maps(summary: Figures) -> list[HeatMap]:
    """Kinds of pairs by noise level and by view."""
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
        [
            pair_cell(name, _found(figures["by_prompt"], prompt=prompt))
            for name, figures in kinds.items()
        ]
        for prompt in prompts
    ]
    names, key = _names(kinds), key_of(kinds.values())
    return HeatMap("Pairs by prompt", _PROMPTS, list(prompts), names, cells, key=key)


def level_and_view_maps(summary: Figures) -> list[HeatMap]:
    """For each kind of pairs, noise levels by view."""
    maps = []
    for name, figures in summary["pairs"]["kinds"].items():
        levels, views = ([each[key] for each in summary[key + "s"]] for key in ("level", "view"))
        both = figures["by_level_and_view"]
        cells = [
            [pair_cell(name, _found(both, level=level, view=view)) for view in views]
            for level in levels
        ]
        rows = [level_words(level) for level in levels]
        columns = [view_words(view) for view in views]
        sentence = f"{figures['question']} Colours are as in the maps above."
        maps.append(HeatMap(pair_words(name.capitalize(), figures), sentence, rows, columns, cells))
    return maps


def gradient_maps(summary: Figures) -> list[HeatMap]:
    """Cosine and signal-to-noise by guidance and level; none where gradients were left out."""
    found = summary["gradients"]
    if found is None:
        return []
    maps = [
        _gradient_map(found["by_level"], "cosine", "Cosine with the way back", _COSINE, _AWAY),
        _gradient_map(found["by_level"], "signal_to_noise", "Signal to noise", _SIGNAL, _NOISE),
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
        sentence, key = f"{_COSINE_VIEWS} {_SLOPE_COLOURS}", _slope_key(_AWAY, reach)
        maps.append(HeatMap(title, sentence, list(rows), list(columns), cells, reach, key))
    return maps


def pair_cell(kind: str, figures: Figures | None) -> Cell | Blank:
    """The share preferred, held against copies of the network, or chance."""
    if figures is None:
        return Blank(unasked(kind))
    auc, null = figures["auc"], figures["null"]
    words, chance = interval_words(auc) or NO_INTERVAL, 0.5
    if null is None:
        sure = auc["low"] is not None and not auc["low"] <= chance <= auc["high"]
        return Cell(auc["value"], words, sure, chance)
    return Cell(auc["value"], words, decided(figures), null["value"])


def decided(figures: Figures) -> bool:
    """Whether the pairs are told apart from those of random weights."""
    return figures["verdict"] in ("above", "below")


def key_of(every: Iterable[Figures]) -> tuple[str, str, str]:
    """What the colours of these kinds of pairs mean: a distance from copies, or from chance."""
    copies = any(figures["all"]["null"] is not None for figures in every)
    return KEY if copies else _CHANCE_KEY


_LEVELS = (
    "Share of pairs whose natural side is preferred, at each noise level (flow time: 0.5 is as "
    f"much noise as signal); below each number stands its interval of 95 %. {COLOURS}"
)
_VIEWS = f"The same by the side from which clips are seen, over all levels. {COLOURS}"
_PROMPTS = f"The same by prompt, over all levels and views. {COLOURS}"
_SLOPE_COLOURS = (
    "Colour: how far the number lies above 0 (teal) or below (red), strongest at the largest "
    f"number of this map. Pale and {UNSURE}: its interval of 95 %, below it, holds 0, or there is "
    "none."
)
_COSINE = (
    "Does what single draws of the score ask for point from a perturbed motion to the real one? 1 "
    f"is straight there, 0 anywhere, below 0 away. {_SLOPE_COLOURS}"
)
_COSINE_VIEWS = "The same by the side from which the motion is seen."
_SIGNAL = (
    "How much of a gradient is the same in all draws of noise: squared length of the mean over the "
    "variance of one draw. At 0.01, it takes 100 draws until the mean is as large as its noise. "
    f"{_SLOPE_COLOURS}"
)
# What the lowest, the middle and the highest numbers of a gradient's map mean.
_AWAY = ("away from it", "anywhere", "towards it")
_NOISE = ("by chance", "noise alone", "signal")


def _by(kinds: Figures, key: str, words: Any, title: str, sentence: str) -> HeatMap:
    values = sorted({each[key] for figures in kinds.values() for each in figures[f"by_{key}"]})
    cells = [
        [pair_cell(name, _found(figures[f"by_{key}"], **{key: value})) for value in values]
        for name, figures in kinds.items()
    ]
    columns, colours = [words(value) for value in values], key_of(kinds.values())
    return HeatMap(title, sentence, _names(kinds), columns, cells, key=colours)


def _names(kinds: Figures) -> list[str]:
    return [pair_words(name, figures) for name, figures in kinds.items()]


def _found(rows: Sequence[Figures], **keys: Any) -> Figures | None:
    return next((row for row in rows if all(row[name] == keys[name] for name in keys)), None)


def _gradient_cell(figures: Figures | None, name: str) -> Cell | Blank:
    if figures is None:
        return Blank("not asked")
    found = figures[name]
    sure = found["low"] is not None and not found["low"] <= 0 <= found["high"]
    return Cell(found["value"], interval_words(found) or NO_INTERVAL, sure, middle=0.0)


def _gradient_map(
    rows: Sequence[Figures], name: str, title: str, sentence: str, meanings: tuple[str, str, str]
) -> HeatMap:
    scales, levels = (dict.fromkeys(row[key] for row in rows) for key in ("guidance", "level"))
    cells = [
        [_gradient_cell(_found(rows, guidance=scale, level=level), name) for level in levels]
        for scale in scales
    ]
    names = [f"guidance {scale:g}" for scale in scales]
    columns, reach = [level_words(level) for level in levels], _reach(rows, name)
    return HeatMap(title, sentence, names, columns, cells, reach, _slope_key(meanings, reach))


def _reach(rows: Sequence[Figures], name: str) -> float:
    return max([abs(float(row[name]["value"])) for row in rows] + [1e-9])


def _slope_key(meanings: tuple[str, str, str], reach: float) -> tuple[str, str, str]:
    """Each meaning with its number."""
    low, middle, high = meanings
    return f"{-reach:.2f}: {low}", f"0: {middle}", f"{reach:.2f}: {high}"
