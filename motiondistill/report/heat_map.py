"""Tables of numbers whose colours tell how far each is from its middle, for pages."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, final

from motiondistill.report.documents import text
from motiondistill.report.heat_colours import DAY, NIGHT, Palette, css, ground, ink_on

_PALE: Final = 0.35
UNSURE: Final = "?"
"""Stands behind a number that is not told apart from its middle."""
BLANK: Final = "-"


@final
@dataclass(frozen=True)
class Cell:
    """One number of a map."""

    value: float
    words: str = ""
    """What stands below it, such as its interval."""
    sure: bool = True
    """Whether it is told apart from its middle; else it is pale, and a question mark follows."""
    middle: float = 0.5
    """The number that would have no colour here."""

    @property
    def shown(self) -> str:
        """The number, as it is written."""
        return f"{self.value:.2f}{'' if self.sure else UNSURE}"


@final
@dataclass(frozen=True)
class Blank:
    """A place of a map that has no number."""

    why: str


@final
@dataclass(frozen=True)
class HeatMap:
    """Numbers by row and column."""

    title: str
    sentence: str
    """What the map tells, for readers."""
    rows: Sequence[str]
    columns: Sequence[str]
    cells: Sequence[Sequence[Cell | Blank]]
    reach: float = 0.5
    """How far from a cell's middle the colour is strongest."""
    key: tuple[str, str, str] | None = None
    """What the colours of the lowest, the middle and the highest numbers mean; None tells none."""

    def strength(self, cell: Cell) -> float:
        """Of the cell's colour, from -1, strongest below its middle, to 1; weaker if unsure."""
        strength = min(1.0, max(-1.0, (cell.value - cell.middle) / self.reach))
        return strength * (1.0 if cell.sure else _PALE)

    @property
    def caption(self) -> str:
        """What the map tells, and why places are blank."""
        blanks = [cell.why for row in self.cells for cell in row if isinstance(cell, Blank)]
        if not blanks:
            return self.sentence
        return f"{self.sentence} {BLANK}: {'; '.join(dict.fromkeys(blanks))}."


def as_html(found: HeatMap) -> str:
    """The map as a table with its key and caption."""
    head = "".join(f'<th scope="col">{text(name)}</th>' for name in found.columns)
    lines = "".join(
        f'<tr><th scope="row">{text(name)}</th>{"".join(_cell(found, cell) for cell in cells)}</tr>'
        for name, cells in zip(found.rows, found.cells, strict=True)
    )
    return (
        f"<h3>{text(found.title)}</h3>"
        f'<div class="scroll" tabindex="0" role="region" aria-label="{text(found.title)}">'
        f'<table class="heat"><thead><tr><th></th>{head}</tr></thead><tbody>{lines}</tbody>'
        f'</table></div>{_key(found)}<p class="note">{text(found.caption)}</p>'
    )


def _cell(found: HeatMap, cell: Cell | Blank) -> str:
    if isinstance(cell, Blank):
        return f'<td class="none" title="{text(cell.why)}">{BLANK}</td>'
    strength = found.strength(cell)
    colours = (*_colours("day", DAY, strength), *_colours("night", NIGHT, strength))
    return f'<td style="{";".join(colours)}">{cell.shown}<small>{text(cell.words)}</small></td>'


def _colours(name: str, palette: Palette, strength: float) -> tuple[str, str]:
    below = ground(palette, strength)
    return f"--{name}:{css(below)}", f"--{name}-ink:{css(ink_on(below, palette.ink))}"


def _key(found: HeatMap) -> str:
    """The colours from the lowest to the highest number, with what they mean."""
    if found.key is None:
        return ""
    bars = ";".join(
        f"--{name}:linear-gradient(90deg,{css(each.below)},{css(each.paper)},{css(each.above)})"
        for name, each in (("day", DAY), ("night", NIGHT))
    )
    words = "".join(f"<span>{text(each)}</span>" for each in found.key)
    return f'<div class="key"><div class="bar" style="{bars}"></div>{words}</div>'
