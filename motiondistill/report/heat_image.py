"""Heat maps as one image that needs no page: numbers, intervals, colour keys and captions."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, final

from motiondistill.atomic import write_atomically
from motiondistill.report.heat_colours import DAY, ground, ink_on
from motiondistill.report.heat_map import BLANK, Blank, Cell, HeatMap

# Pixels to a unit, so that letters stay sharp on fine screens and on paper; the rest is in units.
_SCALE: Final = 2
_CELL: Final = (104.0, 46.0)
_HEAD, _MARGIN, _GAP = 30.0, 24.0, 40.0
_TITLE, _LETTER, _SMALL = 19, 14, 11
_LINE: Final = 17.0  # of a caption
_NARROWEST: Final = 620.0  # so that captions have few lines
_BAR: Final = (320, 10.0)


@final
@dataclass(frozen=True)
class _Pen:
    """Draws in units."""

    image: Any
    fonts: dict[int, Any]

    def words(
        self, place: tuple[float, float], words: str, size: int, ink: Any, anchor: str = "lm"
    ) -> None:
        x, y = place
        self.image.text((x * _SCALE, y * _SCALE), words, ink, self.fonts[size], anchor=anchor)

    def box(self, box: tuple[float, float, float, float], colour: Any, radius: int = 0) -> None:
        x, y, right, bottom = (round(each * _SCALE) for each in box)
        place = (x, y, right - 1, bottom - 1)
        self.image.rounded_rectangle(place, radius * _SCALE, fill=colour)


def write_png(path: Path, maps: Sequence[HeatMap], heading: str = "") -> None:
    """The maps one below the other, as an image (.png), each with its key and caption."""
    from PIL import Image, ImageDraw, ImageFont

    fonts = {size: ImageFont.load_default(size=size * _SCALE) for size in (_TITLE, _LETTER, _SMALL)}
    left = 2 * _MARGIN + max(_length(fonts[_LETTER], n) for each in maps for n in (*each.rows, ""))
    widths = [left + len(each.columns) * _column(fonts[_LETTER], each) for each in maps]
    titles = [_MARGIN + _length(fonts[_LETTER], each.title) for each in maps]
    width = max(*widths, *titles, _MARGIN + _length(fonts[_TITLE], heading), _NARROWEST) + _MARGIN
    captions = [list(_lines(fonts[_SMALL], each.caption, width - 2 * _MARGIN)) for each in maps]
    top = _MARGIN + (_GAP if heading else 0.0)
    heights = [_height(each, len(lines)) for each, lines in zip(maps, captions, strict=True)]
    size = (round(width * _SCALE), round((top + sum(heights)) * _SCALE))
    image = Image.new("RGB", size, DAY.paper)
    pen = _Pen(ImageDraw.Draw(image), fonts)
    pen.words((_MARGIN, _MARGIN + _TITLE / 2), heading, _TITLE, DAY.ink)
    for each, lines, height in zip(maps, captions, heights, strict=True):
        _draw(pen, each, lines, left, top)
        top += height
    write_atomically(path, lambda part: image.save(part, "PNG"))


def _draw(pen: _Pen, found: HeatMap, caption: Sequence[str], left: float, top: float) -> None:
    """The map's title, numbers, key and caption, one below the other."""
    width, height = _column(pen.fonts[_LETTER], found), _CELL[1]
    pen.words((_MARGIN, top + _HEAD / 2), found.title, _LETTER, DAY.ink)
    top += _HEAD
    for column, name in enumerate(found.columns):
        place = (left + (column + 0.5) * width, top + _HEAD / 2)
        pen.words(place, name, _LETTER, DAY.soft, "mm")
    top += _HEAD
    for name, cells in zip(found.rows, found.cells, strict=True):
        pen.words((_MARGIN, top + height / 2), name, _LETTER, DAY.ink)
        for column, cell in enumerate(cells):
            _draw_cell(pen, found, cell, (left + column * width, top, width, height))
        top += height
    if found.key is not None:
        _draw_key(pen, found.key, top + _HEAD / 2)
        top += _HEAD + _LINE
    for line in caption:
        top += _LINE
        pen.words((_MARGIN, top), line, _SMALL, DAY.soft)


def _draw_cell(
    pen: _Pen, found: HeatMap, cell: Cell | Blank, place: tuple[float, float, float, float]
) -> None:
    x, y, width, height = place
    middle = x + width / 2
    if isinstance(cell, Blank):
        pen.words((middle, y + height / 2), BLANK, _LETTER, DAY.soft, "mm")
        return
    below = ground(DAY, found.strength(cell))
    ink = ink_on(below, DAY.ink)
    pen.box((x, y, x + width - 2, y + height - 2), below, radius=4)
    higher = 8.0 if cell.words else 0.0
    pen.words((middle, y + height / 2 - higher), cell.shown, _LETTER, ink, "mm")
    pen.words((middle, y + height / 2 + 10), cell.words, _SMALL, ink, "mm")


def _draw_key(pen: _Pen, words: tuple[str, str, str], top: float) -> None:
    """A bar of all colours; below its ends and its middle, what these mean."""
    width, height = _BAR
    for place in range(width):
        colour = ground(DAY, 2 * (place + 0.5) / width - 1)
        pen.box((_MARGIN + place, top, _MARGIN + place + 1, top + height), colour)
    y = top + height + 9.0
    for share, anchor, meaning in zip((0.0, 0.5, 1.0), ("lm", "mm", "rm"), words, strict=True):
        pen.words((_MARGIN + share * width, y), meaning, _SMALL, DAY.soft, anchor)


def _height(found: HeatMap, lines: int) -> float:
    key = 0.0 if found.key is None else _HEAD + _LINE
    return 2 * _HEAD + len(found.rows) * _CELL[1] + key + lines * _LINE + _GAP


def _column(font: Any, found: HeatMap) -> float:
    """Wide enough for every name."""
    return max([_CELL[0], *(_length(font, name) + 16 for name in found.columns)])


def _length(font: Any, words: str) -> float:
    return float(font.getlength(words)) / _SCALE


def _lines(font: Any, words: str, width: float) -> Iterator[str]:
    """The words in lines that are no longer than this, if no single word is."""
    line = ""
    for word in words.split():
        longer = f"{line} {word}".strip()
        if line and _length(font, longer) > width:
            yield line
            longer = word
        line = longer
    if line:
        yield line
