"""Letters on maps can be read on every colour, and the image tells all that the page does."""

import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw

from motiondistill.report.heat_colours import DAY, NIGHT, READABLE, Colour, contrast, css, ground
from motiondistill.report.heat_image import write_png
from motiondistill.report.heat_map import Blank, Cell, HeatMap, as_html

# Strengths from the lowest to the highest, finer than colours can tell.
EVERY = [place / 300 for place in range(-300, 301)]
WORDS = "-0.48 to 0.52"


def of_numbers(*cells: Cell | Blank, key: tuple[str, str, str] | None = None) -> HeatMap:
    names = [str(place) for place in range(len(cells))]
    return HeatMap("All colours", "What it tells.", ["row"], names, [cells], reach=1.0, key=key)


def parsed(colour: str) -> Colour:
    red, green, blue = bytes.fromhex(colour[1:])
    return red, green, blue


def pixels(image: Image.Image) -> set[Colour]:
    return {colour for _, colour in image.getcolors(10**6) or []}  # type: ignore[misc]


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [("#000000", "#ffffff", 21.0), ("#767676", "#ffffff", 4.54), ("#ff0000", "#ffffff", 4.0)],
)
def test_the_contrast_is_that_of_wcag(one: str, other: str, expected: float) -> None:
    """Figures of the guideline's own examples, to two decimals."""
    assert contrast(parsed(one), parsed(other)) == pytest.approx(expected, abs=0.005)
    assert contrast(parsed(other), parsed(one)) == contrast(parsed(one), parsed(other))


def test_on_the_page_all_letters_can_be_read_by_day_and_by_night() -> None:
    html = as_html(of_numbers(*(Cell(value, WORDS, middle=0.0) for value in EVERY)))
    found = re.findall(r'"--day:(#\w+);--day-ink:(#\w+);--night:(#\w+);--night-ink:(#\w+)"', html)
    assert len(found) == len(EVERY)
    for strength, (day, day_ink, night, night_ink) in zip(EVERY, found, strict=True):
        assert (day, night) == (css(ground(DAY, strength)), css(ground(NIGHT, strength)))
        assert contrast(parsed(day), parsed(day_ink)) >= READABLE
        assert contrast(parsed(night), parsed(night_ink)) >= READABLE
    for palette in (DAY, NIGHT):
        assert contrast(palette.soft, palette.paper) >= READABLE


def test_in_the_image_number_and_interval_can_be_read_on_every_colour(tmp_path: Path) -> None:
    """Of each cell, the upper half holds the number, and the lower half its interval."""
    write_png(tmp_path / "m.png", [of_numbers(*(Cell(v, WORDS, middle=0.0) for v in EVERY[::20]))])
    with Image.open(tmp_path / "m.png") as opened:
        image = opened.convert("RGB")
    grounds = [ground(DAY, strength) for strength in EVERY[::20]]
    middle = next(
        y for y in range(image.height) if image.getpixel((image.width - 160, y)) == grounds[-1]
    )
    row = image.crop((0, middle, image.width, middle + 88))
    left = next(x for x in range(row.width) if row.getpixel((x, 44)) == grounds[0])
    for place, below in enumerate(grounds):
        for top in (8, 46):
            x = left + 208 * place
            half = row.crop((x + 10, top, x + 190, top + 34))
            assert max(contrast(each, below) for each in pixels(half)) >= READABLE


def test_the_image_has_intervals_key_caption_and_why_places_are_blank(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    draw = ImageDraw.ImageDraw.text

    def noted(self: Any, place: Any, words: str, *more: Any, **named: Any) -> None:
        told.append(words)
        draw(self, place, words, *more, **named)

    monkeypatch.setattr(ImageDraw.ImageDraw, "text", noted)
    shown = of_numbers(
        Cell(0.1, WORDS, sure=False, middle=0.0),
        Blank("it was not asked"),
        key=("lowest", "none", "highest"),
    )
    write_png(tmp_path / "m.png", [shown], "Whose it is")
    expected = {"Whose it is", "All colours", "0.10?", WORDS, "-", "lowest", "none", "highest"}
    assert expected <= {*told}
    assert "What it tells. -: it was not asked." in told
    with Image.open(tmp_path / "m.png") as image:
        assert {ground(DAY, 0.99), ground(DAY, -0.99)} <= pixels(image.convert("RGB"))


def test_long_names_and_captions_stay_inside_the_image(tmp_path: Path) -> None:
    """Nothing is drawn within a few pixels of the edge."""
    name = "a prior whose name is much longer than a cell is wide"
    cells = [[Cell(0.9, WORDS)] * 3]
    long = HeatMap("Title " * 30, "Many words. " * 60, [name], [name] * 3, cells)
    write_png(tmp_path / "m.png", [long], "Heading " * 40)
    with Image.open(tmp_path / "m.png") as opened:
        image = opened.convert("RGB")
    for edge in (
        (image.width - 8, 0, image.width, image.height),
        (0, image.height - 8, image.width, image.height),
    ):
        assert pixels(image.crop(edge)) == {DAY.paper}
