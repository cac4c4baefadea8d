"""What the figures of a probe are called: the same words on pages, in images and the terminal."""

from collections.abc import Mapping
from typing import Any, Final

from motiondistill.probing.pairs import BY_NAME
from motiondistill.report.documents import text
from motiondistill.report.elements import folded, table

Figures = Mapping[str, Any]
VERDICTS: Final = {
    "above": ("green", "above random weights"),
    "below": ("red", "below random weights"),
    "undecided": ("amber", "may be as random weights"),
    None: ("none", "no copies to compare"),
}
"""Of the verdicts of `summary.json`, a light and words."""
NO_INTERVAL: Final = "no interval"
NO_COPIES: Final = "there are no copies with random weights"
_WORDS: Final = {
    "axis": "about",
    "auc": "preferred",
    "null": "random weights",
    "above_null": "above random weights",
}


def word(key: str) -> str:
    """What readers are told for a key of `summary.json`."""
    return _WORDS.get(key, key.replace("_", " "))


def pair_words(name: str, figures: Figures) -> str:
    """The name of a kind of pairs; in brackets where its sides are not equally complex."""
    return name if figures["primary"] else f"({name})"


def unasked(name: str) -> str:
    """Why a kind of pairs has no figure."""
    return f"{name} is not asked, as {BY_NAME[name].unasked}"


def level_words(level: float) -> str:
    """How a page calls a noise level."""
    return f"level {level:.2f}"


def interval_words(estimate: Figures | None, digits: int = 2) -> str:
    """Both ends of an interval; empty for none."""
    if estimate is None or estimate["low"] is None:
        return ""
    return f"{estimate['low']:.{digits}f} to {estimate['high']:.{digits}f}"


def definitions(defined: Mapping[str, str]) -> str:
    """What each word means, folded, beside its key in `summary.json`."""
    lines = [[f"{text(word(key))}{_key(key)}", text(meaning)] for key, meaning in defined.items()]
    return folded("Definitions", table("facts", ("word", "means"), lines))


def _key(key: str) -> str:
    return "" if word(key) == key else f"<small>{text(key)} in summary.json</small>"
