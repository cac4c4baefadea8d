"""Bilinear look-ups in texture images, with gradients for the texels and for the places."""

from typing import assert_never

import torch
from jaxtyping import Float, Int
from torch import Tensor

from motiondistill.render.rasterizer import Boundary, gather


def bilinear(
    tex: Float[Tensor, "#batch rows columns channels"],
    uv: Float[Tensor, "batch height width 2"],
    boundary: Boundary,
) -> Float[Tensor, "batch height width channels"]:
    """See `Rasterizer.texture`.

    Between the centres of four texels, at fractions s and t of the way, the value is
    `(1 - t) ((1 - s) a + s b) + t ((1 - s) c + s d)`.
    """
    _, rows, columns, channels = tex.shape
    u, v = uv.reshape(-1, 2).unbind(-1)
    left, right, s = _neighbours(u, columns, boundary)
    lower, upper, t = _neighbours(v, rows, boundary)
    corners = torch.stack([lower, lower, upper, upper]) * columns
    corners = corners + torch.stack([left, right, left, right])
    if len(tex) > 1:
        pixels = uv.shape[1] * uv.shape[2]
        corners = corners + torch.arange(len(u), device=u.device) // pixels * (rows * columns)
    a, b, c, d = gather(tex.reshape(-1, channels), corners).unbind(1)
    low, high = a + s * (b - a), c + s * (d - c)
    return (low + t * (high - low)).T.reshape(*uv.shape[:3], channels)


def _neighbours(
    place: Float[Tensor, " places"], count: int, boundary: Boundary
) -> tuple[Int[Tensor, " places"], Int[Tensor, " places"], Float[Tensor, " places"]]:
    """The texels on both sides along one axis, and the fraction of the way to the second."""
    match boundary:
        case "wrap":
            # The whole part goes first, so that far repetitions lose no digits to the texel count.
            along = (place - place.detach().floor()) * count - 0.5
            first = along.detach().floor()
            index = first.long()
            return index % count, (index + 1) % count, along - first
        case "clamp":
            along = (place * count - 0.5).clamp(0, count - 1)
            first = along.detach().floor()
            index = first.long()
            return index, (index + 1).clamp(max=count - 1), along - first
        case _:
            assert_never(boundary)
