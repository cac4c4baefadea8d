"""The hash grid against a loop over entries, its own properties, and tiny-cuda-nn."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from motiondistill.motion import hash_grid
from motiondistill.motion.hash_grid import CudaHashGrid, GridShape, HashEncoding, HashGrid
from motiondistill.randomness import seeded

ROUNDING = 1e-6  # float32
SHAPES = [
    GridShape(levels=5, features=2, coarsest=2, growth=2.0, log2_table=3),
    GridShape(levels=6, features=4, coarsest=3, growth=1.5, log2_table=5),
    GridShape(levels=1, features=1, coarsest=16, growth=1.0, log2_table=12),
    GridShape(levels=8, features=2, coarsest=16, growth=2.0, log2_table=8),
]


def grid(shape: GridShape, dimensions: int) -> HashGrid:
    """A grid with entries that can be told apart."""
    made = HashGrid(shape, dimensions=dimensions, generator=seeded(0))
    torch.nn.init.normal_(made.table, generator=seeded(1))
    return made


def naive(shape: GridShape, table: list[list[float]], point: list[float]) -> list[float]:
    """One point's features by loops over levels and corners, in whole numbers of 32 bits."""
    dimensions, offset, features = len(point), 0, []
    for level in range(shape.levels):
        scale = shape.coarsest * shape.growth**level - 1
        resolution = math.ceil(scale - 1e-5) + 1
        vertices = resolution**dimensions
        size = min((vertices + 7) // 8 * 8, 1 << shape.log2_table)
        place = [x * scale + 0.5 for x in point]
        cell = [math.floor(x) for x in place]
        total = [0.0] * shape.features
        for corner in range(2**dimensions):
            weight, index, mixed = 1.0, 0, 0
            for d in range(dimensions):
                up = corner >> d & 1
                part = place[d] - cell[d]
                weight *= part if up else 1 - part
                index += (cell[d] + up) * resolution**d
                prime = (1, 2654435761, 805459861)[d]
                mixed ^= int(np.uint32((cell[d] + up) * prime % 2**32))
            entry = table[offset + (mixed if vertices > size else index) % size]
            total = [a + weight * b for a, b in zip(total, entry, strict=True)]
        offset += size
        features += total
    return features


@pytest.mark.parametrize("dimensions", [1, 2])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_grid_is_the_loop_over_entries(shape: GridShape, dimensions: int) -> None:
    made = grid(shape, dimensions)
    points = torch.rand(40, dimensions, generator=seeded(2))
    points[0], points[1] = 0.0, 1.0
    expected = [naive(shape, made.table.tolist(), point) for point in points.tolist()]
    found = made(points)
    assert found.shape == (40, shape.size)
    # Positions are float32, and the finest level multiplies them by thousands.
    tolerance = ROUNDING * max(shape.resolutions()) * 4
    assert torch.allclose(found, torch.tensor(expected), atol=max(tolerance, 1e-5))


@pytest.mark.parametrize("shape", SHAPES)
def test_on_a_line_vertices_a_table_apart_share_their_entry(shape: GridShape) -> None:
    made = grid(shape, 1)
    offset = 0
    for level, size in enumerate(shape.tables(1)):
        resolution = shape.resolutions()[level]
        vertices = torch.arange(resolution)[:, None, None, None].expand(-1, shape.levels, 1, 1)
        entries = made._entries(vertices)[:, level, 0] - offset
        assert torch.equal(entries, torch.arange(resolution) % size)
        if size >= resolution:
            assert len(set(entries.tolist())) == resolution  # dense levels share nothing
        offset += size


def test_between_vertices_features_are_straight_lines() -> None:
    shape = GridShape(levels=1, features=3, coarsest=9, growth=1.0, log2_table=6)
    made = grid(shape, 1)
    # Vertices lie where x * 8 + 1/2 is whole.
    ends = (torch.arange(1, 8) - 0.5) / 8
    a, b = made(ends[:-1, None]), made(ends[1:, None])
    for part in (0.25, 0.5, 0.9):
        between = made((ends[:-1] + part * ends.diff())[:, None])
        assert torch.allclose(between, a + part * (b - a), atol=1e-5)
    assert torch.allclose(a, made.table[1:7], atol=1e-5)


def test_the_gradient_reaches_the_entries_of_the_cell_and_no_others() -> None:
    shape = GridShape(levels=2, features=2, coarsest=4, growth=2.0, log2_table=6)
    made = grid(shape, 1).double()
    point = torch.tensor([[0.4]], dtype=torch.float64)
    made(point).sum().backward()
    assert made.table.grad is not None
    # 0.4 * 3 + 1/2 = 1.7 and 0.4 * 7 + 1/2 = 3.3
    weights = torch.zeros(16, dtype=torch.float64)
    weights[[1, 2]] = torch.tensor([0.3, 0.7], dtype=torch.float64)
    weights[[11, 12]] = torch.tensor([0.7, 0.3], dtype=torch.float64)
    assert torch.allclose(made.table.grad, weights[:, None].expand(-1, 2), atol=1e-6)


def test_levels_grow_evenly_to_the_finest() -> None:
    shape = GridShape.up_to(64, levels=6, features=2, coarsest=2, log2_table=12)
    assert shape.resolutions() == [2, 4, 8, 16, 32, 64]
    single = GridShape.up_to(64, levels=1, features=2, coarsest=2, log2_table=12)
    assert single.resolutions() == [2]


def test_the_line_through_the_plane_is_a_grid_on_a_line() -> None:
    """As tiny-cuda-nn takes it: rows 0 and 1 of the plane count half each."""
    shape = GridShape(levels=3, features=2, coarsest=4, growth=2.0, log2_table=12)
    plane, line = grid(shape, 2), grid(shape, 1)
    start, target = 0, 0
    with torch.no_grad():
        for resolution, size, length in zip(
            shape.resolutions(), shape.tables(2), shape.tables(1), strict=True
        ):
            # The vertex after the last wraps into the next row, and on a line to its first entry.
            rows = plane.table[start : start + 2 * resolution + 1]
            both = torch.stack([rows[:resolution], rows[resolution : 2 * resolution]]).mean(0)
            line.table[target : target + resolution] = both
            start, target = start + size, target + length
    inside = torch.linspace(0, 0.83, 30)[:, None]
    assert torch.allclose(
        plane(torch.cat([inside, torch.zeros_like(inside)], 1)), line(inside), atol=1e-5
    )


@pytest.mark.parametrize("loop", [False, True])
def test_as_an_encoding_it_is_repeatable_and_loops_on_request(loop: bool) -> None:
    shape = GridShape()
    first, again = (HashEncoding(shape, loop=loop, generator=seeded(3)) for _ in range(2))
    time = torch.linspace(0, 1, 9)
    features = first(time)
    assert features.shape == (9, first.size)
    assert torch.equal(features, again(time))
    torch.nn.init.normal_(first.grid.table, generator=seeded(1))
    features = first(time)
    same = torch.allclose(features[0], features[-1], atol=1e-4)
    assert same == loop
    assert not torch.allclose(features[0], features[4], atol=0.1)


def test_without_the_library_it_is_named_with_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hash_grid, "available", lambda: False)
    with pytest.raises(ImportError, match=r"tiny-cuda-nn .*pip install"):
        CudaHashGrid(GridShape(), dimensions=2, generator=seeded(0))


@pytest.mark.gpu
@pytest.mark.parametrize("shape", SHAPES)
def test_tiny_cuda_nn_has_the_same_features_and_gradients(shape: GridShape) -> None:
    pytest.importorskip("tinycudann")
    ours = grid(shape, 2)
    theirs = CudaHashGrid(shape, dimensions=2, generator=seeded(0))
    with torch.no_grad():
        theirs.grid.params.copy_(ours.table.flatten())
    points = torch.rand(64, 2, generator=seeded(2))
    weights = torch.randn(64, shape.size, generator=seeded(4))

    def gradient(features: Tensor, parameter: Tensor) -> Tensor:
        (found,) = torch.autograd.grad((features * weights).sum(), parameter)
        return found.flatten().cpu()

    a, b = ours(points), theirs(points)
    tolerance = ROUNDING * max(shape.resolutions()) * 8
    assert torch.allclose(a, b, atol=max(tolerance, 1e-4))
    close = torch.allclose(
        gradient(a, ours.table), gradient(b, theirs.grid.params), atol=max(tolerance, 1e-3)
    )
    assert close
