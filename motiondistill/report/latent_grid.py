"""The clips of all priors in one picture: a block for each prior, a row for each prompt."""

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill.atomic import write_atomically
from motiondistill.report.media import read_image, to_bytes

GRID: Final = "grid.png"
# Pixels: the rows of frames, the column of prompts, the band with a prior's name at least, and
# letters.
FRAMES_WIDTH: Final = 1024
WORDS_WIDTH: Final = 176
BAND: Final = 34
_LETTER: Final = 16
_SMALL: Final = 13
_GREY: Final = (90, 90, 90)
_LINE: Final = 1.25  # of a letter's height
_MARGIN: Final = 8
_BELOW: Final = 4
# Of a letter on average, as a share of its height.
_LETTER_WIDTH: Final = 0.55


@final
@dataclass(frozen=True)
class Block:
    """The clips of one prior."""

    name: str
    rows: Sequence[tuple[str, Float[Tensor, "3 _ _"]]]
    """Prompts, with figures in further lines, and of each the frames of one view side by side."""


def write_grid(folder: Path, blocks: Sequence[Block]) -> None:
    """The picture as `GRID` in the folder; of priors without rows nothing is shown."""
    import imageio.v3

    image = to_bytes(grid([block for block in blocks if block.rows])[None])[0].numpy()
    write_atomically(folder / GRID, lambda part: imageio.v3.imwrite(part, image))


def grid(blocks: Sequence[Block]) -> Float[Tensor, "3 height width"]:
    """Bands with the priors' names, and under each a row for every prompt, which stands left of it.

    Frames keep their aspect; those of all priors are equally wide together. Where words are higher,
    the row is white below its frames.
    """
    lines = []
    for block in blocks:
        lines.append(written(block.name, BAND, WORDS_WIDTH + FRAMES_WIDTH))
        for prompt, frames in block.rows:
            height = round(frames.shape[-2] * FRAMES_WIDTH / frames.shape[-1])
            scaled = torch.nn.functional.interpolate(
                frames[None], (height, FRAMES_WIDTH), mode="bilinear", antialias=True
            )[0].clamp(0, 1)
            words = written(prompt, height, WORDS_WIDTH)
            below = (0, 0, 0, words.shape[-2] - height)
            lines.append(torch.cat([words, torch.nn.functional.pad(scaled, below, value=1)], -1))
    return torch.cat(lines, -2)


def row_of_strip(path: Path, view: int, views: int) -> Float[Tensor, "3 rows columns"]:
    """One view's frames from the strip of a clip; raises as `read_image` does."""
    return read_image(path, str(path)).chunk(views, -2)[view]


def written(words: str, least: int, width: int) -> Float[Tensor, "3 height width"]:
    """Black words on white, in as many lines as they need, and as high as those, or `least`.

    What stands in lines of its own below the first is smaller and grey.
    """
    from PIL import Image, ImageDraw, ImageFont

    lines = _lines(words, width)
    height = math.ceil(_MARGIN + sum(_LINE * size for _, size in lines) + _BELOW)
    image, top = Image.new("RGB", (width, max(least, height)), "white"), float(_MARGIN)
    canvas = ImageDraw.Draw(image)
    for line, size in lines:
        colour = (0, 0, 0) if size == _LETTER else _GREY
        canvas.text((_MARGIN, top), line, fill=colour, font=ImageFont.load_default(size=size))
        top += _LINE * size
    return torch.from_numpy(np.asarray(image, np.float32) / 255).permute(2, 0, 1)


def _lines(words: str, width: int) -> list[tuple[str, int]]:
    """What has room in a line between the margins, with the height of their letters."""
    found: list[tuple[str, int]] = []
    for place, line in enumerate(words.split("\n")):
        size = _SMALL if place else _LETTER
        letters = int((width - 2 * _MARGIN) / (_LETTER_WIDTH * size))
        found.extend((part, size) for part in textwrap.wrap(line, letters))
    return found
