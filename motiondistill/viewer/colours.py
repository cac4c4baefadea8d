"""A surface whose colours blend between its vertices, in pieces of one colour each.

The report and the renderer blend the part colours of a triangle's corners. A viewer that knows one
colour for each mesh gets the same in bands.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from motiondistill.render.appearance import part_palette

BANDS: Final = 4
"""Into so many colours a triangle between two parts is cut."""


@dataclass(frozen=True)
class Piece:
    """The part of a surface that has one colour."""

    name: str
    colour: tuple[float, float, float]
    """sRGB from 0 to 1."""
    ends: Int[NDArray[np.int64], "points 2"]
    """Between which two of the body's vertices each of its own lies; twice the same at one."""
    share: Float[NDArray[np.float32], "points 1"]
    """How far towards the second, from 0 to 1."""
    faces: Int[NDArray[np.int64], "triangles 3"]
    """Triangles among its own vertices."""

    def points(
        self, vertices: Float[NDArray[np.float32], "vertices 3"]
    ) -> Float[NDArray[np.float32], "points 3"]:
        """Its own vertices, where the body's are these."""
        first, second = vertices[self.ends[:, 0]], vertices[self.ends[:, 1]]
        found: NDArray[np.float32] = first + self.share * (second - first)
        return found


def pieces(faces: Int[Tensor, "triangles 3"], parts: Int[Tensor, " vertices"]) -> tuple[Piece, ...]:
    """The body's surface in its part colours, with `BANDS` between two of them.

    Of a triangle whose corners have three colours the second corner's is left out.
    """
    shades, shade_of_part = np.unique(part_palette().numpy(), axis=0, return_inverse=True)
    shade = shade_of_part.reshape(-1)[parts.numpy()]
    points, colours = _bands(faces.numpy(), shade)
    found = []
    for colour in np.unique(colours, axis=0):
        chosen = points[(colours == colour).all(1)]
        own, compact = np.unique(chosen.reshape(-1, 3), axis=0, return_inverse=True)
        first, second, level = colour.tolist()
        part = (level + 0.5) / BANDS
        mixed = shades[first] + part * (shades[second] - shades[first])
        red, green, blue = mixed.tolist()
        name = f"{first}_{second}_{level}"
        share = (own[:, 2:] / BANDS).astype(np.float32)
        triangles = compact.reshape(-1, 3)
        found.append(Piece(name, (red, green, blue), own[:, :2], share, triangles))
    return tuple(found)


def _bands(
    triangles: Int[NDArray[np.int64], "triangles 3"], shade: Int[NDArray[np.int64], " vertices"]
) -> tuple[Int[NDArray[np.int64], "pieces 3 3"], Int[NDArray[np.int64], "pieces 3"]]:
    """Triangles of one colour: their corners, and their colours.

    A corner is two vertices and how many `BANDS`-th it lies from the first to the second; a colour
    likewise two shades and a band between. Where both vertices, or shades, are one, the third is 0.
    """
    own = shade[triangles]
    plain = (own == own[:, :1]).all(1)
    whole = triangles[plain]
    points = [np.stack([whole, whole, np.zeros_like(whole)], -1)]
    flat = own[plain, 0]
    colours = [np.stack([flat, flat, np.zeros_like(flat)], -1)]
    # The corner that has a colour of its own comes first; the others keep their turn.
    seam, mixed = triangles[~plain], own[~plain]
    alone = np.where(mixed[:, 1] == mixed[:, 2], 0, np.where(mixed[:, 0] == mixed[:, 2], 1, 2))
    turn = (alone[:, None] + np.arange(3)) % 3
    tip, left, right = np.take_along_axis(seam, turn, 1).T
    here, there = np.take_along_axis(mixed, turn[:, :2], 1).T
    for band in range(BANDS):
        near = [_place(tip, side, band) for side in (left, right)]
        far = [_place(tip, side, band + 1) for side in (left, right)]
        colour = _between(here, there, band, BANDS - 1)
        points.append(np.stack([near[0], far[0], far[1]], 1))
        colours.append(colour)
        if band:
            points.append(np.stack([near[0], far[1], near[1]], 1))
            colours.append(colour)
    return np.concatenate(points), np.concatenate(colours)


def _place(
    first: Int[NDArray[np.int64], " items"], second: Int[NDArray[np.int64], " items"], step: int
) -> Int[NDArray[np.int64], "items 3"]:
    """A corner on an edge; one at its end is that vertex, whatever the edge."""
    if step in (0, BANDS):
        end = first if step == 0 else second
        return np.stack([end, end, np.zeros_like(end)], -1)
    return _between(first, second, step, BANDS)


def _between(
    first: Int[NDArray[np.int64], " items"],
    second: Int[NDArray[np.int64], " items"],
    step: int,
    steps: int,
) -> Int[NDArray[np.int64], "items 3"]:
    """One after `step` of `steps` between two, written the same from either side."""
    turned = first > second
    low, high = np.where(turned, second, first), np.where(turned, first, second)
    return np.stack([low, high, np.where(turned, steps - step, step)], -1)
