"""The rays of a camera's pixels, read off its projection."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Rays:
    """Rays through the pixels' centres, in the rasteriser's order: row 0 at the bottom.

    A pixel at (x, y) in [-1, 1]^2 sees the points `eye + s (x across + y up + forward)`, where s is
    the distance along the camera's axis, metres.
    """

    eye: Float[Tensor, "*cameras 3"]
    across: Float[Tensor, "*cameras 3"]
    up: Float[Tensor, "*cameras 3"]
    forward: Float[Tensor, "*cameras 3"]
    size: tuple[int, int]
    """Image height and width, pixels."""

    def directions(self, rows: slice = slice(None)) -> Float[Tensor, "*cameras rows width 3"]:
        """The rays' directions in the world, one metre long along the camera's axis.

        `rows` picks some of the image's.
        """
        height, width = self.size
        x = (torch.arange(width).to(self.eye) + 0.5) * (2 / width) - 1
        y = (torch.arange(height)[rows].to(self.eye) + 0.5) * (2 / height) - 1
        middle = y[:, None] * self.up[..., None, :] + self.forward[..., None, :]
        return middle[..., :, None, :] + (x[:, None] * self.across[..., None, :])[..., None, :, :]

    def pixel_steps(self) -> tuple[Float[Tensor, "*cameras 3"], Float[Tensor, "*cameras 3"]]:
        """How the direction changes from a pixel to its right and to its upper neighbour."""
        height, width = self.size
        return self.across * (2 / width), self.up * (2 / height)


def pixel_rays(clip_from_world: Float[Tensor, "*cameras 4 4"], size: tuple[int, int]) -> Rays:
    """The rays of cameras in clip space (see `Camera.clip_from_world`)."""
    # Clip x, y and w of a world point are linear in it, and s = w.
    rows = clip_from_world[..., [0, 1, 3], :]
    columns = torch.linalg.inv(rows[..., :3])
    eye = -(columns @ rows[..., 3:]).squeeze(-1)
    across, up, forward = columns.unbind(-1)
    return Rays(eye, across, up, forward, size)
