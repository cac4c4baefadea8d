"""Positional encodings of normalised time."""

import math

import torch
from jaxtyping import Float
from torch import Tensor


def fourier(
    time: Float[Tensor, " frames"], num_frequencies: int
) -> Float[Tensor, "frames features"]:
    """Time in [0, 1] and the sines and cosines of its octaves: `[t, sin(2^k pi t), cos(2^k pi t)]`.

    Time is normalised, so a field can be read at any frame rate; integer frame numbers would alias
    (the paper's do).
    """
    octaves = math.pi * 2.0 ** torch.arange(num_frequencies, dtype=time.dtype, device=time.device)
    phase = time[:, None] * octaves
    return torch.cat([time[:, None], phase.sin(), phase.cos()], -1)
