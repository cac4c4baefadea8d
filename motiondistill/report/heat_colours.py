"""Colours of heat maps, by day and by night, and letters that can be read on any of them."""

from dataclasses import dataclass
from typing import Final, final

Colour = tuple[int, int, int]
"""Red, green and blue from 0 to 255, as sRGB."""
READABLE: Final = 4.5
"""The least contrast of text, by WCAG 2.1, level AA."""
_BLACK_AND_WHITE: Final[tuple[Colour, Colour]] = ((0, 0, 0), (255, 255, 255))


@final
@dataclass(frozen=True)
class Palette:
    """What a map is drawn with."""

    paper: Colour
    """The ground of a cell at its middle."""
    ink: Colour
    """Letters, where they can be read."""
    soft: Colour
    """Letters on the paper of what is no number."""
    above: Colour
    """The ground farthest above the middle; told apart from `below` by all eyes."""
    below: Colour


DAY: Final = Palette((255, 255, 255), (35, 38, 43), (101, 107, 116), (47, 111, 115), (179, 56, 44))
NIGHT: Final = Palette(
    (30, 33, 37), (230, 231, 233), (155, 161, 170), (124, 192, 194), (239, 133, 119)
)


def ground(palette: Palette, strength: float) -> Colour:
    """The colour of a cell, by a strength from -1, farthest below its middle, to 1."""
    full = palette.above if strength > 0 else palette.below
    share = abs(strength)
    red, green, blue = (
        round(share * own + (1 - share) * paper)
        for own, paper in zip(full, palette.paper, strict=True)
    )
    return red, green, blue


def ink_on(below: Colour, ink: Colour) -> Colour:
    """The ink or, where it cannot be read on what lies below, the better of black and white.

    One of these two always can: the product of their contrasts is 21, so the greater is over 4.58.
    """
    if contrast(ink, below) >= READABLE:
        return ink
    return max(_BLACK_AND_WHITE, key=lambda letters: contrast(letters, below))


def contrast(one: Colour, other: Colour) -> float:
    """The contrast ratio of WCAG 2.1, from 1 to 21."""
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def css(colour: Colour) -> str:
    """The colour as `#rrggbb`."""
    return "#" + "".join(f"{part:02x}" for part in colour)


def _luminance(colour: Colour) -> float:
    """Relative luminance, of linear sRGB."""
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in (byte / 255 for byte in colour)
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
