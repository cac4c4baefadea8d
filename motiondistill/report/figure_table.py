"""Figures beside those of real motions as a table, with a light and a drawing for each."""

import math
from collections.abc import Sequence
from typing import Final

from motiondistill.metrics.catalogue import Metric
from motiondistill.report.documents import text
from motiondistill.report.figures import Figure, Light, real_motion

WORDS: Final[dict[Light, str]] = {
    "green": "like real motion",
    "amber": "rare in real motion",
    "red": "unlike real motion",
    "none": "not compared",
}
NO_FIGURE: Final = "no foot touches the floor"
"""Why a figure of a posed motion has no value: it is about feet that do."""
_WIDTH, _HEIGHT = 180.0, 22.0


def figure_table(figures: Sequence[Figure], fps: float) -> str:
    """All figures as HTML, or a sentence where there are none."""
    if not figures:
        return "<p>The motion is too short to be measured.</p>"
    rows = "".join(map(_row, figures))
    heads = ("measure", "value", "against real motion", "real median", "")
    head = "".join(f'<th scope="col"{_aligned(name)}>{name}</th>' for name in heads)
    return (
        f'<table class="figures"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'
        f'<p class="note">{_note(figures, fps)}</p>'
    )


def light(figure: Figure) -> str:
    """The figure's light; told by its shape and its words, too."""
    words = NO_FIGURE if figure.value is None else WORDS[figure.light]
    return f'<span class="light {figure.light}">{words}</span>'


def unit_in_words(metric: Metric) -> str:
    """The unit behind a value, with its blank; empty for a share or a ratio."""
    return "" if metric.unit == "1" else f" {metric.unit.replace('^2', '²').replace('^3', '³')}"


def in_words(value: float | None) -> str:
    """Three digits of a value, without powers of ten; a dash for none."""
    if value is None:
        return "-"
    if value == 0 or abs(value) >= 100:
        return f"{value:.0f}"
    if abs(value) < 1e-4:
        return "< 0.0001" if value > 0 else "> -0.0001"
    return f"{value:.{min(4, 2 - math.floor(math.log10(abs(value))))}f}"


def _aligned(name: str) -> str:
    return ' class="number"' if name in ("value", "real median") else ""


def _row(figure: Figure) -> str:
    metric, reference = figure.metric, figure.reference
    unit = unit_in_words(metric)
    definition, _, _ = metric.definition.partition(" n: ")
    median = '<td class="number"></td>'
    if reference is not None:
        words = text(f"{in_words(reference[len(reference) // 2])}{unit}")
        median = f'<td class="number median">{words}</td>'
    value = in_words(figure.value) + (unit if figure.value is not None else "")
    return (
        f'<tr><th scope="row">{text(metric.title)}<small>{text(definition)}</small></th>'
        f'<td class="number value">{text(value)}</td><td class="drawn">{_spread(figure)}</td>'
        f"{median}<td>{light(figure)}</td></tr>"
    )


def _spread(figure: Figure) -> str:
    """Where the value lies among the real ones: their middle 80 %, their middle half, the median.

    The axis goes from zero to the value or to the largest but 2 % of the real ones.
    """
    if figure.value is None or figure.reference is None:
        return ""
    _, low, quarter, median, three, high, most = figure.reference
    end = max(most, figure.value, 1e-9) * 1.05

    def at(value: float) -> float:
        return 6 + max(value, 0.0) / end * (_WIDTH - 12)

    def bar(name: str, left: float, right: float, height: float) -> str:
        return (
            f'<rect class="{name}" x="{at(left):.1f}" y="{(_HEIGHT - height) / 2:g}" rx="3" '
            f'width="{max(at(right) - at(left), 1):.1f}" height="{height:g}"/>'
        )

    middle = f"{at(median):.1f}"
    return (
        f'<svg class="spread" viewBox="0 0 {_WIDTH:g} {_HEIGHT:g}" aria-hidden="true">'
        f"{bar('wide', low, high, 12.0)}{bar('middle', quarter, three, 12.0)}"
        f'<line class="median" x1="{middle}" x2="{middle}" y1="3" y2="{_HEIGHT - 3:g}"/>'
        f'<circle class="own" cx="{at(figure.value):.1f}" cy="{_HEIGHT / 2:g}" r="5"/></svg>'
    )


def _note(figures: Sequence[Figure], fps: float) -> str:
    """How the lights are meant, and whose motions the real ones are."""
    if all(figure.reference is None for figure in figures):
        return f"No real motions are stored for {fps:g} frames a second, so nothing is compared."
    about = real_motion()["about"]
    clips = sum(about["clips"].values())
    return text(
        f"Dot: this motion. The others are {about['windows']} windows of {about['seconds']:g} s "
        f"from {clips} clips of motion capture of real people; light bar: their middle 80 %, dark "
        "bar: their middle half, line: their median. Green: this motion's value lies within the "
        "middle 80 % of the real ones; amber: within the middle 96 %; red: beyond. Where less is "
        "better, a value below all real ones is green, too. The colours tell whether people move "
        "like this, not whether the motion shows the prompt. "
        f"{about['data']}"
    )
