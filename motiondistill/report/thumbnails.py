"""A run in the index of its batch: four frames of its strip, and its video in their place."""

import io
import logging
import math
from pathlib import Path
from typing import Final
from urllib.parse import quote

from motiondistill.report.documents import data_uri, text
from motiondistill.report.results import STRIP_VIEWS

_log = logging.getLogger(__name__)

VIDEO: Final = "video_front.mp4"
_SIDE: Final = 320  # pixels, of the longer side


def thumbnail(batch: Path, run: str, link: str, columns: int) -> str:
    """The run from the front, as HTML: a picture of four frames, or its video behind that picture.

    The page's script plays the video where the picture is looked at.

    Args:
        batch: The folder of the batch, in which the page lies.
        run: The run's folder within it.
        link: Where the picture leads; empty for nowhere.
        columns: Frames in the run's strip; 0 where that is not known, for square ones.

    Empty without a strip, or a whole one.
    """
    picture = four_frames(batch / run / "strip.png", columns)
    if not picture:
        return ""
    content, width, height = picture
    size = f'class="thumbnail" width="{width}" height="{height}"'
    still = data_uri(content, ".jpg")
    if (batch / run / VIDEO).is_file():
        # Nothing is loaded before it is played: a batch may be large.
        shown = (
            f'<video {size} muted loop playsinline preload="none" aria-hidden="true" '
            f'poster="{still}" src="{text(quote(run))}/{VIDEO}"></video>'
        )
    else:
        shown = f'<img {size} alt="" src="{still}">'
    # The prompt beside it leads there, too.
    return f'<a href="{link}" tabindex="-1" aria-hidden="true">{shown}</a>' if link else shown


def four_frames(path: Path, columns: int) -> tuple[bytes, int, int] | None:
    """Four frames of the strip's first row, two by two, as JPEG with its width and height."""
    from PIL import Image

    if not path.is_file():
        return None
    try:
        with Image.open(path) as strip:
            row = strip.convert("RGB").crop((0, 0, strip.width, strip.height // len(STRIP_VIEWS)))
    except (OSError, SyntaxError) as error:  # what PIL raises for damaged files
        _log.warning("%s must be a picture: %s", path, error)
        return None
    columns = columns or max(1, round(row.width / row.height))
    wide = row.width / columns
    page = Image.new("RGB", (2 * math.floor(wide), 2 * row.height))
    for place in range(4):
        left = round(place * columns // 4 * wide)
        tile = row.crop((left, 0, left + math.floor(wide), row.height))
        page.paste(tile, (place % 2 * tile.width, place // 2 * tile.height))
    page.thumbnail((_SIDE, _SIDE))
    content = io.BytesIO()
    page.save(content, "JPEG", quality=82)
    return content.getvalue(), page.width, page.height
