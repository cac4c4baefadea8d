"""Positional encodings of time."""

import abc
import math
from typing import Final, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

LEGACY_FREQUENCIES: Final = tuple(2.0 ** (5 * k / 3) for k in range(4))
"""The paper's 1, 3.17, 10.1 and 32 radians a frame."""


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


def periodic(
    time: Float[Tensor, " frames"], num_frequencies: int
) -> Float[Tensor, "frames features"]:
    """Sines and cosines of whole turns: `[sin(2 pi k t), cos(2 pi k t)]` for k = 1 ...

    All of period 1, and smooth: what is read from them loops without a seam.
    """
    turns = torch.arange(1, num_frequencies + 1, dtype=time.dtype, device=time.device)
    phase = 2 * math.pi * time[:, None] * turns
    return torch.cat([phase.sin(), phase.cos()], -1)


def legacy(frame: Float[Tensor, " frames"]) -> Float[Tensor, "frames 8"]:
    """The paper's encoding of frame numbers: `[sin(f n), cos(f n)]`, f of `LEGACY_FREQUENCIES`.

    Frame numbers are whole, so these frequencies alias: 3.17 is nearly pi and turns the sign at
    every frame, and the codes of neighbours are less alike (cosine -0.10) than those of frames two
    apart (0.31). Nothing makes neighbouring frames alike but a regulariser.
    """
    frequencies = torch.tensor(LEGACY_FREQUENCIES, dtype=frame.dtype, device=frame.device)
    phase = frame[:, None] * frequencies
    return torch.cat([phase.sin(), phase.cos()], -1)


class Encoding(nn.Module, abc.ABC):
    """Features of normalised time."""

    size: int
    """How many features."""

    @abc.abstractmethod
    def forward(self, time: Float[Tensor, " frames"]) -> Float[Tensor, "frames features"]:
        """The features at these times, 0 to 1; differentiable in the encoding's parameters."""


@final
class FourierEncoding(Encoding):
    """See `fourier`, and `periodic` for a loop."""

    def __init__(self, num_frequencies: int, *, loop: bool = False) -> None:
        super().__init__()
        self.num_frequencies, self.loop = num_frequencies, loop
        self.size = 2 * num_frequencies + (0 if loop else 1)

    def forward(self, time: Float[Tensor, " frames"]) -> Float[Tensor, "frames features"]:
        """See `fourier` and `periodic`."""
        return (periodic if self.loop else fourier)(time, self.num_frequencies)
