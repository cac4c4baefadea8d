"""The soft shadow of a body on the ground under a bright overcast sky."""

import math
from dataclasses import dataclass
from typing import Final

import torch
from jaxtyping import Float, Int
from torch import Tensor

from motiondistill.render.shading import area_vectors
from motiondistill.render.view import View
from motiondistill.structures import Mesh

CELL: Final = 0.06
"""Side of the cells in which the ground's light is held, metres."""
CELLS: Final = 64
"""Cells along both sides of the lit square around the body."""

# The body is sorted into layers of these heights (metres), whose shadows are ever wider: what is
# near the ground darkens a sharp spot, and what is high up hardly anything, but far around.
_HEIGHTS: Final = (0.0, 0.15, 0.5, 1.2)
_SPREADS: Final = (0.05, 0.09, 0.22, 0.45)
# Where the body covers the ground once, exp(-2) of the light that it can take is left.
_DENSITY: Final = 2.0


@dataclass(frozen=True)
class ContactShadow:
    """How dark the ground is beneath a body.

    Every piece of surface that faces down darkens the ground below it, spread by a Gaussian that
    widens with its height. So a standing foot has a dark, narrow shadow, and a jump makes it pale:
    contact can be seen. Differentiable in the vertices, because contact should be felt, too: the
    gradient of an image would be wrong without it.
    """

    strength: float = 0.55
    """Share of the light that is missing where the shadow is darkest."""

    def __post_init__(self) -> None:
        if not 0 <= self.strength <= 1:
            raise ValueError(
                f"`strength` must be between 0 and 1, got {self.strength}; 0 casts no shadow."
            )

    def __call__(
        self, view: View, points: Float[Tensor, "*#leading height width 2"]
    ) -> Float[Tensor, "images height width 1"]:
        """The share of light that reaches the ground at world (x, z), metres."""
        corner = lit_corner(view.mesh)
        grid = 1 - torch.exp(-_DENSITY * coverage(view.mesh, corner))
        places = (points - corner[..., None, None, :]) / (CELL * CELLS)
        # Beyond the square's edge, where the shadow has faded, its outermost cells go on.
        shade = view.rasterizer.texture(
            view.per_image(grid[..., None]), view.per_image(places), "clamp"
        )
        return 1 - self.strength * shade


def lit_corner(mesh: Mesh) -> Float[Tensor, "*batch frames 2"]:
    """World x and z of the lit square's corner: the body is at its middle, detached.

    A whole number of cells from the origin, so that the cells stand still while the body moves.
    """
    middle = mesh.vertices.detach()[..., ::2].mean(-2)
    return ((middle / CELL).round() - CELLS // 2) * CELL


def coverage(
    mesh: Mesh, corner: Float[Tensor, "*batch frames 2"]
) -> Float[Tensor, "*batch frames cells cells"]:
    """How often the body covers each cell of the lit square, blurred; rows along z, columns x.

    An integral over the ground gives the area of the surface that faces down, as seen from above.
    """
    batch = mesh.vertices.shape[:-2]
    # A vertex holds a third of its triangles' area; area vectors are twice as long.
    area = (-area_vectors(mesh.vertices, mesh.faces)[..., 1]).clamp(min=0) / 6
    height = mesh.vertices[..., 1].contiguous()
    place = (mesh.vertices[..., ::2] - corner[..., None, :]) / CELL - 0.5
    index = torch.bucketize(height.detach(), height.new_tensor(_HEIGHTS[1:-1]))
    low, high = (height.new_tensor(ends)[index] for ends in (_HEIGHTS[:-1], _HEIGHTS[1:]))
    above = ((height - low) / (high - low)).clamp(0, 1)
    layers = _splat(area * (1 - above), place, index) + _splat(area * above, place, index + 1)
    layers = layers.view(*batch, len(_HEIGHTS), CELLS, CELLS)
    blur = torch.stack([_gaussian(spread / CELL) for spread in _SPREADS]).to(layers)
    return (blur @ layers @ blur).sum(-3) / CELL**2


def _splat(
    amount: Float[Tensor, "*batch points"],
    place: Float[Tensor, "*batch points 2"],
    layer: Int[Tensor, "*batch points"],
) -> Float[Tensor, " cells"]:
    """Amounts shared bilinearly among the four cells of their layer around each place.

    Flattened [*B layers rows columns]. What lies outside the square is lost.
    """
    batch = amount.shape[:-1]
    count = math.prod(batch)
    base = place.detach().floor()
    (right, up), base = (place - base).unbind(-1), base.long()
    clip = torch.arange(count, device=amount.device).view(*batch, 1)
    first = (clip * len(_HEIGHTS) + layer) * CELLS**2
    grid = amount.new_zeros(count * len(_HEIGHTS) * CELLS**2)
    for across, along_x in ((0, 1 - right), (1, right)):
        for further, along_z in ((0, 1 - up), (1, up)):
            column, row = base[..., 0] + across, base[..., 1] + further
            inside = (column >= 0) & (column < CELLS) & (row >= 0) & (row < CELLS)
            cell = torch.where(inside, first + row * CELLS + column, 0)
            share = torch.where(inside, amount * along_x * along_z, 0)
            grid = grid.index_add(0, cell.flatten(), share.flatten())
    return grid


def _gaussian(sigma: float) -> Float[Tensor, "cells cells"]:
    """The matrix that convolves a row of cells with a Gaussian of `sigma` cells; zero outside."""
    index = torch.arange(CELLS, dtype=torch.float64)
    kernel = torch.exp(-(index[:, None] - index).square() / (2 * sigma**2))
    return kernel / (sigma * math.sqrt(2 * math.pi))
