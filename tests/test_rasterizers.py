"""What is drawn: conventions, visibility and interpolation, against closed forms and each other."""

from collections.abc import Iterator

import pytest
import torch
from solids import draw, gradients, octahedron, project, random_scene, relative
from torch import Tensor

from motiondistill.render.cpu import CpuRasterizer
from motiondistill.render.cpu.kernels import by_image
from motiondistill.render.rasterizer import Rasterizer, twins
from motiondistill.render.reference import ReferenceRasterizer

# A few roundings of numbers of order one.
FLOAT32, FLOAT64 = 1e-5, 1e-10
# Single precision, with the inverse areas of small random triangles in between.
INTERPOLATED, GRADIENT = 1e-4, 1e-3
# Pixels whose centre lies within rounding of an edge may go to either side; all else may not.
TIES = 2e-3

CPU, REFERENCE = CpuRasterizer(), ReferenceRasterizer()
both = pytest.mark.parametrize("rasterizer", [CPU, REFERENCE], ids=["cpu", "reference"])


@pytest.fixture
def deterministic() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(False)


@pytest.mark.parametrize("seed", range(20))
def test_cpu_agrees_with_the_reference(seed: int) -> None:
    quick, slow = (gradients(r, seed, torch.float64) for r in (CPU, REFERENCE))
    assert 0.1 < (slow[0][..., 3] > 0).double().mean() < 1
    assert torch.equal(quick[0][..., 3], slow[0][..., 3])
    for value, expected in zip(quick, slow, strict=True):
        assert relative(value, expected) < FLOAT64


@pytest.mark.parametrize("seed", range(20))
def test_single_precision_agrees_with_the_reference(seed: int) -> None:
    quick, slow = (gradients(r, seed, torch.float32) for r in (CPU, REFERENCE))
    same = quick[0][..., 3] == slow[0][..., 3]
    assert (~same).double().mean() < TIES
    assert (quick[0] - slow[0])[same].abs().max() < INTERPOLATED
    if same.all():
        assert relative(quick[1], slow[1]) < INTERPOLATED
        assert relative(quick[2], slow[2]) < GRADIENT
        assert relative(quick[3], slow[3]) < GRADIENT


@both
@pytest.mark.parametrize("index_type", [torch.int32, torch.int64])
def test_conventions_on_a_triangle_computed_by_hand(
    rasterizer: Rasterizer, index_type: torch.dtype
) -> None:
    pos = torch.tensor([[[-1.0, -1, 0, 1], [1, -1, 0.2, 1], [-1, 1, -0.2, 1]]])
    tri = torch.tensor([[0, 0, 1], [0, 1, 2]], dtype=index_type)
    rast = rasterizer.rasterize(pos, tri, (2, 4))
    # Pixel centres: x = -0.75, -0.25, 0.25, 0.75; y = -0.5 in row 0, the bottom, and 0.5 in row 1.
    expected = torch.zeros(1, 2, 4, 4)
    expected[0, 0, 0] = torch.tensor([0.625, 0.125, -0.025, 2])
    expected[0, 0, 1] = torch.tensor([0.375, 0.375, 0.025, 2])
    expected[0, 0, 2] = torch.tensor([0.125, 0.625, 0.075, 2])
    expected[0, 1, 0] = torch.tensor([0.125, 0.125, -0.125, 2])
    assert (rast - expected).abs().max() < FLOAT32
    values = rasterizer.interpolate(torch.tensor([[[1.0], [10.0], [100.0]]]), rast, tri)
    assert values[0, 0, 0, 0].item() == pytest.approx(0.625 + 1.25 + 25, rel=FLOAT32)
    assert values[0, 1, 1:].abs().max() == 0


@both
def test_interpolation_is_perspective_correct(rasterizer: Rasterizer) -> None:
    # The plane z = x - 3, seen at x = X w, y = Y w with w = -z: w = 3 / (1 + X).
    points = torch.tensor([[[-2.0, -2.9, -5], [2, -2.9, -1], [2, 2.9, -1], [-2, 2.9, -5]]])
    tri = torch.tensor([[0, 1, 2], [0, 2, 3]])
    rast = rasterizer.rasterize(project(points), tri, (8, 8))
    x = ((torch.arange(8) + 0.5) / 4 - 1).expand(8, 8)
    depth = 3 / (1 + x)
    expected = torch.stack([x * depth, x.T * depth, -depth], -1)
    seen = rast[0, ..., 3] > 0
    assert torch.equal(seen, (expected[..., 0].abs() < 2) & (expected[..., 1].abs() < 2.9))
    seen_at = rasterizer.interpolate(points, rast, tri)[0]
    assert (seen_at - expected)[seen].abs().max() < FLOAT32 * 3
    clip = project(expected)
    assert (rast[0, ..., 2] - clip[..., 2] / clip[..., 3])[seen].abs().max() < FLOAT32


@both
def test_floor_reaching_behind_the_camera(rasterizer: Rasterizer) -> None:
    # The floor y = -1 from 40 behind the camera to 40 ahead, seen at depth -1 / Y where Y < 0.
    points = torch.tensor([[[-40.0, -1, 40], [40, -1, 40], [0, -1, -40]]]).requires_grad_()
    tri = torch.tensor([[0, 1, 2]])
    rast = rasterizer.rasterize(project(points), tri, (16, 16))
    x = ((torch.arange(16) + 0.5) / 8 - 1).expand(16, 16)
    y = x.T
    depth = torch.where(y < 0, -1 / y, torch.inf)
    inside = (x * depth).abs() < 40 * (40 - depth) / 80
    seen = (depth < 10) & inside
    assert torch.equal(rast[0, ..., 3] > 0, seen)
    found = rasterizer.interpolate(points, rast, tri)
    expected = torch.stack([x * depth, y * depth, -depth], -1)
    assert (found[0] - expected)[seen].abs().max() < FLOAT32 * 40
    image = rasterizer.antialias(found, rast, project(points), tri)
    (gradient,) = torch.autograd.grad(image.sum(), points)
    assert gradient.isfinite().all() and gradient.abs().max() < 1e3


@both
def test_what_lies_behind_the_camera_is_not_mirrored_into_view(rasterizer: Rasterizer) -> None:
    # The third corner is behind: from the edge y = -0.5 the triangle goes down without end.
    # Its part behind the camera would project to y > 0.5.
    pos = torch.tensor([[[-0.5, -0.5, 0, 1], [0.5, -0.5, 0, 1], [0, -0.5, 0, -1]]])
    rast = rasterizer.rasterize(pos, torch.tensor([[0, 1, 2]]), (8, 8))
    assert (rast[0, 2:, :, 3] == 0).all() and (rast[0, :2, 2:6, 3] == 1).all()


@both
def test_nothing_to_draw(rasterizer: Rasterizer) -> None:
    behind = torch.tensor([[[-1.0, -1, 0, -1], [1, -1, 0, -1], [0, 1, 0, -1]]])
    aside = torch.tensor([[[3.0, -1, 0, 1], [5, -1, 0, 1], [3, 1, 0, 1]]])
    too_far = torch.tensor([[[-1.0, -1, 2, 1], [1, -1, 2, 1], [0, 1, 2, 1]]])
    line = torch.tensor([[[-1.0, -1, 0, 1], [0, 0, 0, 1], [1, 1, 0, 1]]])
    # Its left edge lies on the pixel centres of a column, but it is too thin for a gradient.
    center = 10.5 / 16 - 1
    ends = [[center, -1, 0, 1], [center, 1, 0, 1], [center + 1e-9, 1, 0, 1]]
    sliver = torch.tensor([ends], dtype=torch.float64)
    cases = [(pos, torch.tensor([[0, 1, 2]])) for pos in (behind, aside, too_far, line, sliver)]
    visible = torch.tensor([[[-1.0, -1, 0, 1], [1, -1, 0, 1], [0, 1, 0, 1]]])
    cases += [(visible, torch.tensor([[0, 1, 1], [2, 2, 2]])), (visible, torch.zeros(0, 3).long())]
    for pos, tri in cases:
        pos.requires_grad_()
        color = torch.ones(1, 3, 2, dtype=pos.dtype, requires_grad=True)
        rast, image = draw(rasterizer, pos, tri, color)
        assert rast.abs().max() == 0 and image.abs().max() == 0
        for gradient in torch.autograd.grad(image.sum() + rast.sum(), [pos, color]):
            assert gradient.abs().max() == 0


@both
def test_the_back_of_a_triangle_shows_the_same(rasterizer: Rasterizer) -> None:
    pos, tri, color = random_scene(5, torch.float64)
    front, turned = (draw(rasterizer, pos, faces, color) for faces in (tri, tri[:, [1, 0, 2]]))
    assert (front[0] - turned[0][..., [1, 0, 2, 3]]).abs().max() < FLOAT64
    assert (front[1] - turned[1]).abs().max() < FLOAT64


@both
@pytest.mark.parametrize("size", [(1, 1), (1, 7), (7, 1)])
def test_images_of_one_row_or_column(rasterizer: Rasterizer, size: tuple[int, int]) -> None:
    # A square from beyond the lower left to (0.2, 0.3): the rest of each line stays empty.
    x, y = [-2.0, 0.2, 0.2, -2.0], [-2.0, -2.0, 0.3, 0.3]
    pos = torch.stack([torch.tensor(x), torch.tensor(y), torch.zeros(4), torch.ones(4)], -1)[None]
    tri = torch.tensor([[0, 1, 2], [0, 2, 3]])
    rast, image = draw(rasterizer, pos, tri, torch.ones(1, 4, 1), size)
    height, width = size
    column, row = torch.arange(width), torch.arange(height)[:, None]
    seen = (column + 0.5 < 1.2 / 2 * width) & (row + 0.5 < 1.3 / 2 * height)
    assert torch.equal(rast[0, ..., 3] > 0, seen)
    # Along lines of several pixels, the last is covered in part.
    along, across = (1.2 / 2 * width - column).clamp(0, 1), (1.3 / 2 * height - row).clamp(0, 1)
    expected = (along if width > 1 else 1) * (across if height > 1 else 1) * torch.ones(size)
    assert (image[0, ..., 0] - expected).abs().max() < FLOAT32


@both
def test_a_mesh_without_vertices(rasterizer: Rasterizer) -> None:
    pos, tri = torch.zeros(2, 0, 4), torch.zeros(0, 3).long()
    rast, image = draw(rasterizer, pos, tri, torch.zeros(2, 0, 5), (3, 4))
    assert rast.shape == (2, 3, 4, 4) and image.shape == (2, 3, 4, 5)
    assert rast.abs().max() == 0 and image.abs().max() == 0


@both
def test_single_pixel_image(rasterizer: Rasterizer) -> None:
    pos = torch.tensor([[[-1.0, -1, 0, 1], [1, -1, 0, 1], [0, 1, 0, 1]]])
    tri = torch.tensor([[0, 1, 2]])
    rast = rasterizer.rasterize(pos, tri, (1, 1))
    assert (rast[0, 0, 0] - torch.tensor([0.25, 0.25, 0, 1])).abs().max() < FLOAT32
    color = rasterizer.interpolate(torch.ones(1, 3, 1), rast, tri)
    assert torch.equal(rasterizer.antialias(color, rast, pos, tri), color)


@both
def test_both_windings_and_near_triangles_first(rasterizer: Rasterizer) -> None:
    # Two squares that cross along x = 0.1: the first is in front to the left, by z = x against 0.1.
    square = torch.tensor([[-1.0, -1], [1, -1], [1, 1], [-1, 1]])
    tilted = torch.cat([square, square[:, :1], torch.ones(4, 1)], 1)
    flat = torch.cat([square, torch.full((4, 1), 0.1), torch.ones(4, 1)], 1)
    tri = torch.tensor([[0, 1, 2], [0, 3, 2], [4, 5, 6], [4, 7, 6]])
    rast = rasterizer.rasterize(torch.cat([tilted, flat])[None], tri, (10, 9))
    first = rast[0, ..., 3] <= 2
    assert (rast[..., 3] > 0).all()
    assert torch.equal(first, (((torch.arange(9) + 0.5) / 4.5 - 1) < 0.1).expand(10, 9))


@both
@pytest.mark.parametrize("seed", range(3))
def test_interpolated_values_against_finite_differences(rasterizer: Rasterizer, seed: int) -> None:
    pos, tri, color = random_scene(seed, torch.float64)
    rast = rasterizer.rasterize(pos, tri, (5, 4))

    def functional(pos: Tensor, color: Tensor) -> Tensor:
        current = rasterizer.rasterize(pos, tri, (5, 4))
        assert torch.equal(current[..., 3], rast[..., 3])
        values = rasterizer.interpolate(color, current, tri)
        return torch.cat([current[..., :3], values], -1).sin()

    inputs = (pos.requires_grad_(), color.requires_grad_())
    assert torch.autograd.gradcheck(functional, inputs, eps=1e-7, fast_mode=True)


def test_attributes_may_be_shared_by_the_batch() -> None:
    pos, tri, color = random_scene(0, torch.float64)
    shared, rast = color[:1].requires_grad_(), CPU.rasterize(pos, tri, (24, 32))
    expanded = CPU.interpolate(shared.expand(2, -1, -1), rast, tri)
    values = CPU.interpolate(shared, rast, tri)
    assert torch.equal(values, expanded)
    (gradient,) = torch.autograd.grad(values.sum(), shared, retain_graph=True)
    assert relative(gradient, torch.autograd.grad(expanded.sum(), shared)[0]) < FLOAT64


def test_gradients_repeat_bit_for_bit(deterministic: None) -> None:
    # Large enough for torch to share the work between its threads.
    runs = [gradients(CPU, 3, torch.float32, size=(240, 320)) for _ in range(5)]
    for run in runs[1:]:
        assert all(torch.equal(a, b) for a, b in zip(run, runs[0], strict=True))


def test_threads_change_no_bit(deterministic: None) -> None:
    two = gradients(CPU, 3, torch.float32)
    torch.set_num_threads(1)
    one = gradients(CPU, 3, torch.float32)
    assert all(torch.equal(a, b) for a, b in zip(two, one, strict=True))


@pytest.mark.parametrize(
    ("threads", "images", "ranges"),
    [(1, 5, [(0, 5)]), (2, 5, [(0, 2), (2, 5)]), (3, 2, [(0, 1), (1, 2)]), (2, 0, [(0, 0)])],
)
def test_every_thread_of_torchs_gets_its_share_of_the_images(
    threads: int, images: int, ranges: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    assert by_image(lambda first, last, word: (first, last, word), images, "x") == [
        (*pair, "x") for pair in ranges
    ]


def test_twins() -> None:
    _, faces = octahedron()
    flat, twin = faces.flatten(), twins(faces)
    assert torch.equal(twin.flatten()[twin], torch.arange(24).view(8, 3))
    for edge in range(24):
        other = int(twin.flatten()[edge])
        ends = {*faces[edge // 3].tolist()} - {int(flat[edge])}
        assert ends == {*faces[other // 3].tolist()} - {int(flat[other])}
    # Cut open, and with a third triangle on one edge: such edges have no twin.
    assert (twins(faces[:1]) == -1).all()
    assert twins(torch.tensor([[0, 1, 2], [0, 1, 3], [0, 1, 4]]))[:, 2].tolist() == [-1, -1, -1]
    # What counts is the content, not the tensor.
    faces[:] = torch.arange(24).view(8, 3)
    assert (twins(faces) == -1).all()


@both
def test_errors_name_the_argument(rasterizer: Rasterizer) -> None:
    pos = torch.zeros(1, 3, 4)
    with pytest.raises(ValueError, match=r"`resolution` must be at least 1 x 1, got 0 x 4"):
        rasterizer.rasterize(pos, torch.tensor([[0, 1, 2]]), (0, 4))
    with pytest.raises(ValueError, match=r"`tri` must index the 3 vertices .* from 0 to 3"):
        rasterizer.rasterize(pos, torch.tensor([[0, 1, 3]]), (4, 4))
    pos = torch.zeros(3, 3, 4)
    pos[1, 2, 0] = torch.nan
    with pytest.raises(ValueError, match=r"`pos` must be finite, got NaN .* in image 1 of 3"):
        rasterizer.rasterize(pos, torch.tensor([[0, 1, 2]]), (4, 4))


def test_tensors_of_another_device_are_refused() -> None:
    pos = torch.zeros(1, 3, 4, device="meta")
    with pytest.raises(ValueError, match=r"`pos` must be on the CPU, got meta; .* nvdiffrast"):
        CPU.rasterize(pos, torch.tensor([[0, 1, 2]]), (4, 4))
