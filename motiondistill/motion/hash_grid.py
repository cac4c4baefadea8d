"""Multiresolution hash grids (Mueller et al. 2022, "Instant Neural Graphics Primitives").

`HashGrid` is plain torch and runs anywhere. Its twin is tiny-cuda-nn, an optional library for CUDA
devices; both follow the same formulas, entry by entry.
"""

import importlib.util
import math
from dataclasses import dataclass
from typing import Any, Final, final

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from motiondistill.motion.encodings import Encoding

INSTALL: Final = (
    "pip install git+https://github.com/NVlabs/tiny-cuda-nn/#subdirectory=bindings/torch"
)
# Of the spatial hash, Eq. 4; the first is 1 so that neighbours stay neighbours in memory.
_PRIMES: Final = (1, 2_654_435_761, 805_459_861)
_UINT32: Final = 0xFFFF_FFFF
# tiny-cuda-nn aligns every level's table to so many entries.
_ALIGNMENT: Final = 8
_FIRST: Final = 1e-4  # entries start within this of zero


@dataclass(frozen=True)
class GridShape:
    """How fine a grid is, and how large its tables are."""

    levels: int = 6
    features: int = 4
    """Of each entry: 1, 2, 4 or 8."""
    coarsest: int = 2
    """Vertices along an axis of the first level."""
    growth: float = 1.5
    """Each level has so many times the vertices of the one before."""
    log2_table: int = 12
    """Levels of more than 2^this vertices share as many entries by a hash."""

    @staticmethod
    def up_to(
        finest: int, *, levels: int, features: int, coarsest: int, log2_table: int
    ) -> "GridShape":
        """Levels from `coarsest` to `finest` vertices, growing evenly (Eq. 3)."""
        growth = 1.0 if levels == 1 else (finest / coarsest) ** (1 / (levels - 1))
        return GridShape(levels, features, coarsest, growth, log2_table)

    @property
    def size(self) -> int:
        """How many features a point has."""
        return self.levels * self.features

    def scales(self) -> list[float]:
        """Cells along an axis of each level: `coarsest growth^l - 1` in float32.

        The -1 makes `coarsest` a number of vertices; the paper's text counts cells.
        """
        log2 = np.log2(np.float32(self.growth))
        factors = np.exp2(np.arange(self.levels, dtype=np.float32) * log2)
        return [float(value) for value in factors * np.float32(self.coarsest) - np.float32(1)]

    def resolutions(self) -> list[int]:
        """Vertices along an axis of each level."""
        return [math.ceil(scale) + 1 for scale in self.scales()]

    def tables(self, dimensions: int) -> list[int]:
        """Entries of each level: all its vertices, or fewer that are shared by a hash."""
        aligned = (
            -(-(resolution**dimensions) // _ALIGNMENT) * _ALIGNMENT
            for resolution in self.resolutions()
        )
        return [min(entries, 2**self.log2_table) for entries in aligned]


@final
class HashGrid(nn.Module):
    """Features of points in [0, 1]^D by linear interpolation in grids of growing resolution.

    At level l a point lies at `x scale_l + 1/2` among the vertices. The half staggers the levels;
    it also lets the last vertex wrap to the first entry where the table has no room for it, as it
    does in tiny-cuda-nn. Vertex v has the entry `sum_d v_d resolution^d` where the level's vertices
    fit in its table, and `xor_d v_d prime_d` modulo the table where they do not (Eq. 4). On a line
    that hash is the remainder: vertices a whole table apart share an entry.

    Piecewise linear, so its slope jumps at vertices. The gradient reaches the entries that a point
    was interpolated from, and no others.
    """

    def __init__(
        self, shape: GridShape, *, dimensions: int = 1, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.shape, self.dimensions = shape, dimensions
        tables = shape.tables(dimensions)
        self.table = nn.Parameter(torch.empty(sum(tables), shape.features))
        nn.init.uniform_(self.table, -_FIRST, _FIRST, generator=generator)
        resolutions = shape.resolutions()
        self._tables = torch.tensor(tables)
        self._offsets = self._tables.cumsum(0) - self._tables
        self._scales = torch.tensor(shape.scales())
        self._strides = torch.tensor(
            [[resolution**d for d in range(dimensions)] for resolution in resolutions]
        )
        self._hashed = torch.tensor(resolutions) ** dimensions > self._tables

    def forward(self, points: Float[Tensor, "points D"]) -> Float[Tensor, "points features"]:
        """The features of the points, level by level; differentiable in the entries alone."""
        scales = self._scales.to(points)
        position = points.detach()[:, None] * scales[:, None] + 0.5  # [points, levels, D]
        cell = position.floor()
        part = position - cell
        corners = torch.cartesian_prod(*[torch.arange(2)] * self.dimensions)
        corners = corners.reshape(-1, self.dimensions).to(points.device)
        vertices = cell.long()[:, :, None] + corners  # [points, levels, corners, D]
        weights = torch.where(corners == 1, part[:, :, None], 1 - part[:, :, None]).prod(-1)
        entries = self.table[self._entries(vertices)]
        return (weights[..., None] * entries).sum(2).flatten(1)

    def _entries(
        self, vertices: Int[Tensor, "points levels corners D"]
    ) -> Int[Tensor, "points levels corners"]:
        """Where in the table each vertex stands."""
        strides, tables, offsets, hashed = (
            fixed.to(vertices.device)
            for fixed in (self._strides, self._tables, self._offsets, self._hashed)
        )
        dense = (vertices * strides[:, None]).sum(-1)
        mixed = torch.zeros_like(dense)
        for dimension in range(self.dimensions):
            mixed = mixed ^ (vertices[..., dimension] * _PRIMES[dimension] & _UINT32)
        chosen = torch.where(hashed[:, None], mixed, dense)
        return chosen % tables[:, None] + offsets[:, None]


@final
class CudaHashGrid(nn.Module):
    """The same grid by tiny-cuda-nn, float32; points and features may be on any device.

    Its gradients are sums without a fixed order: runs do not repeat bit for bit. Published builds
    know no grids on a line, so D is 2 or 3.
    """

    def __init__(self, shape: GridShape, *, dimensions: int, generator: torch.Generator) -> None:
        """Set up on the CUDA device; raises ImportError where `available` is false."""
        super().__init__()
        settings = {
            "otype": "HashGrid",
            "n_levels": shape.levels,
            "n_features_per_level": shape.features,
            "log2_hashmap_size": shape.log2_table,
            "base_resolution": shape.coarsest,
            "per_level_scale": shape.growth,
            "interpolation": "Linear",
        }
        self.grid = _library().Encoding(dimensions, settings, dtype=torch.float32)
        first = torch.empty(sum(shape.tables(dimensions)) * shape.features)
        nn.init.uniform_(first, -_FIRST, _FIRST, generator=generator)
        with torch.no_grad():
            self.grid.params.copy_(first)

    def forward(self, points: Float[Tensor, "points D"]) -> Float[Tensor, "points features"]:
        """See `HashGrid`."""
        features: Tensor = self.grid(points.detach().to(self.grid.params.device, torch.float32))
        return features.to(points)


@final
class HashEncoding(Encoding):
    """Normalised time, and its features in a hash grid.

    On a line for a motion with two ends, and on a circle in the plane for a loop, whose features
    thus have period 1. tiny-cuda-nn, where it is installed, takes the line through the plane.
    """

    def __init__(self, shape: GridShape, *, loop: bool = False, generator: torch.Generator) -> None:
        super().__init__()
        self.loop, self.size = loop, shape.size + (0 if loop else 1)
        self.grid: HashGrid | CudaHashGrid
        if available():
            self.grid = CudaHashGrid(shape, dimensions=2, generator=generator)
        else:
            self.grid = HashGrid(shape, dimensions=2 if loop else 1, generator=generator)

    def forward(self, time: Float[Tensor, " frames"]) -> Float[Tensor, "frames features"]:
        """The features at these times, and but for a loop the time itself."""
        if self.loop:
            turn = 2 * math.pi * time
            return self._grid(torch.stack([turn.cos(), turn.sin()], -1) / 2 + 0.5)
        points = time[:, None]
        if isinstance(self.grid, CudaHashGrid):
            points = torch.cat([points, torch.zeros_like(points)], -1)
        return torch.cat([time[:, None], self._grid(points)], -1)

    def _grid(self, points: Float[Tensor, "points D"]) -> Float[Tensor, "points features"]:
        features: Tensor = self.grid(points)
        return features


def available() -> bool:
    """Whether tiny-cuda-nn is installed and has a CUDA device to work on."""
    return torch.cuda.is_available() and importlib.util.find_spec("tinycudann") is not None


def _library() -> Any:
    if not available():
        raise ImportError(
            "tiny-cuda-nn is not installed, or torch finds no CUDA device; leave it to the plain "
            f"torch grid, or install it: `{INSTALL}`."
        )
    import tinycudann

    return tinycudann
