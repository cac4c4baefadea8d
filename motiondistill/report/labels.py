"""Words in pictures."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

# Height of the letters and their distance from the corner, as shares of the picture's shorter side.
_LETTER = 1 / 22
_MARGIN = 1 / 40


def label(
    video: Float[Tensor, "frames 3 height width"], words: str
) -> Float[Tensor, "frames 3 height width"]:
    """The video with words at the top left: white with a black edge, so that any ground will do."""
    height, width = video.shape[-2:]
    letters, edge = _drawn(words, height, width)
    return (video * (1 - edge) + letters).clamp(0, 1)


def _drawn(
    words: str, height: int, width: int
) -> tuple[Float[Tensor, "height width"], Float[Tensor, "height width"]]:
    """How much of each pixel the letters cover, and the letters with their edge."""
    from PIL import Image, ImageDraw, ImageFont

    side = min(height, width)
    font = ImageFont.load_default(size=max(8, round(_LETTER * side)))
    corner = (round(_MARGIN * side), round(_MARGIN * side))
    covers = []
    for stroke in (0, max(1, round(side / 256))):
        image = Image.new("L", (width, height))
        ImageDraw.Draw(image).text(corner, words, fill=255, font=font, stroke_width=stroke)
        covers.append(torch.from_numpy(np.asarray(image, np.float32) / 255))
    return covers[0], covers[1]
