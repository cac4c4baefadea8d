"""Tables of numbers whose colours tell how far each is from its middle: as HTML and an image."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, final

from motiondistill.atomic import write_atomically
from motiondistill.report.documents import text

# Above and below the middle; told apart by all eyes, and by the numbers on them.
_ABOVE: Final = (47, 111, 115)
_BELOW: Final = (179, 56, 44)
_PAPER: Final = (255, 255, 255)
_INK: Final = (35, 38, 43)
_SOFT: Final = (101, 107, 116)
_STRONGEST: Final = 0.85  # of a cell's colour; letters stay readable
_PALE: Final = 0.35
_CELL: Final = (104, 44)
_LETTER: Final = 14
_MARGIN: Final = 16


@final
@dataclass(frozen=True)
class Cell:
    """One number of a map."""

    value: float
    words: str = ""
    """What stands below it, such as its interval."""
    sure: bool = True
    """Whether it is told apart from what is no knowledge; else it is drawn pale and in brackets."""
    middle: float = 0.5
    """The number that would have no colour here."""


@final
@dataclass(frozen=True)
class HeatMap:
    """Numbers by row and column; None where there is none."""

    title: str
    sentence: str
    """What the map tells, for readers."""
    rows: Sequence[str]
    columns: Sequence[str]
    cells: Sequence[Sequence[Cell | None]]
    reach: float = 0.5
    """How far from a cell's middle the colour is strongest."""

    def strength(self, cell: Cell) -> float:
        """Of the cell's colour, from -1, strongest below its middle, to 1; weaker if unsure."""
        strength = min(1.0, max(-1.0, (cell.value - cell.middle) / self.reach))
        return strength * (1.0 if cell.sure else _PALE)


def as_html(found: HeatMap) -> str:
    """The map as a figure with a table in it."""
    head = "".join(f'<th scope="col">{text(name)}</th>' for name in found.columns)
    lines = "".join(
        f'<tr><th scope="row">{text(name)}</th>{"".join(_cell(found, cell) for cell in cells)}</tr>'
        for name, cells in zip(found.rows, found.cells, strict=True)
    )
    return (
        f"<h3>{text(found.title)}</h3>"
        f'<div class="scroll" tabindex="0" role="region" aria-label="{text(found.title)}">'
        f'<table class="heat"><thead><tr><th></th>{head}</tr></thead><tbody>{lines}</tbody>'
        f'</table></div><p class="note">{text(found.sentence)}</p>'
    )


def write_png(path: Path, maps: Sequence[HeatMap]) -> None:
    """The maps one below the other, as an image (.png)."""
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.load_default(size=_LETTER)
    gap = _CELL[1]
    left = _MARGIN + round(
        max(font.getlength(name) for each in maps for name in (*each.rows, "")) + _MARGIN
    )
    widths = [left + len(each.columns) * _CELL[0] for each in maps]
    titles = [_MARGIN + round(font.getlength(each.title)) for each in maps]
    height = sum((len(each.rows) + 2) * _CELL[1] + gap for each in maps)
    size = (max(widths + titles) + _MARGIN, height)
    image = Image.new("RGB", size, _PAPER)
    pen, top = ImageDraw.Draw(image), 0
    for each in maps:
        _draw(pen, font, each, left, top)
        top += (len(each.rows) + 2) * _CELL[1] + gap
    write_atomically(path, lambda part: image.save(part, "PNG"))


def _cell(found: HeatMap, cell: Cell | None) -> str:
    if cell is None:
        return '<td class="none">-</td>'
    strength = found.strength(cell)
    red, green, blue = _ABOVE if strength > 0 else _BELOW
    share = _STRONGEST * abs(strength)
    letters = ' class="dark"' if share > 0.6 else ""
    return (
        f'<td{letters} style="background:rgba({red},{green},{blue},{share:.2f})">{_number(cell)}'
        f"<small>{text(cell.words)}</small></td>"
    )


def _draw(pen: Any, font: Any, found: HeatMap, left: int, top: int) -> None:
    width, height = _CELL
    pen.text((_MARGIN, top + height / 2), found.title, _INK, font, anchor="lm")
    for column, name in enumerate(found.columns):
        place = (left + (column + 0.5) * width, top + 1.5 * height)
        pen.text(place, name, _SOFT, font, anchor="mm")
    for row, (name, cells) in enumerate(zip(found.rows, found.cells, strict=True)):
        y = top + (row + 2) * height
        pen.text((_MARGIN, y + height / 2), name, _INK, font, anchor="lm")
        for column, cell in enumerate(cells):
            if cell is None:
                continue
            x = left + column * width
            pen.rectangle((x, y, x + width - 2, y + height - 2), fill=_colour(found, cell))
            ink = _PAPER if abs(found.strength(cell)) * _STRONGEST > 0.6 else _INK
            middle = (x + width / 2, y + height / 2)
            pen.text(middle, _number(cell), ink, font, anchor="mm")


def _number(cell: Cell) -> str:
    return f"{cell.value:.2f}" if cell.sure else f"({cell.value:.2f})"


def _colour(found: HeatMap, cell: Cell) -> tuple[int, ...]:
    strength = found.strength(cell)
    full = _ABOVE if strength > 0 else _BELOW
    share = _STRONGEST * abs(strength)
    return tuple(
        round(share * own + (1 - share) * paper) for own, paper in zip(full, _PAPER, strict=True)
    )
