"""Periodic patterns, averaged exactly over the width of what looks at them.

A pattern that is sampled at points flickers as soon as its stripes are narrower than a pixel. Here
each has the integral of its period in closed form, and a sample is the mean over an interval.
"""

import torch
from jaxtyping import Float
from torch import Tensor

# Narrower intervals would divide rounding errors by their width.
_NARROWEST = 1e-3


def square_wave(
    place: Float[Tensor, "*points"], width: Float[Tensor, "*#points"] | float
) -> Float[Tensor, "*points"]:
    """The mean over `width` around `place` of a wave that is +1 on [0, 1) and -1 on [1, 2)."""
    width = torch.as_tensor(width).to(place).clamp(min=_NARROWEST)
    return (_triangle(place + width / 2) - _triangle(place - width / 2)) / width


def _triangle(place: Float[Tensor, "*points"]) -> Float[Tensor, "*points"]:
    """The wave's integral, which has the same period: 0 at 0, 1 at 1."""
    return 1 - (torch.remainder(place, 2) - 1).abs()


def checker(
    place: Float[Tensor, "*points 2"], width: Float[Tensor, "*points 2"]
) -> Float[Tensor, "*points"]:
    """The mean over a box of `width` around `place` of a checkerboard of unit squares, +1 and -1.

    Exact, because the board is the product of two square waves and the box has sides along both.
    """
    return square_wave(place, width).prod(-1)


def step(
    distance: Float[Tensor, "*points"], width: Float[Tensor, "*#points"] | float
) -> Float[Tensor, "*points"]:
    """The mean over `width` of 0 where a signed distance is negative and 1 where it is positive."""
    return (distance / width + 0.5).clamp(0, 1)
