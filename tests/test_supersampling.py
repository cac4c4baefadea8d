"""Images drawn finer and averaged."""

import itertools

import pytest
import torch
from ball import ball
from torch import Tensor

from motiondistill.cameras import Orbit
from motiondistill.render.cpu import CpuRasterizer
from motiondistill.render.scene import Scene
from motiondistill.render.supersampling import finer, shrink
from motiondistill.structures import NUM_JOINTS, Camera, Mesh

# Sums of a few numbers of order one.
FLOAT32 = 1e-6


def stage(size: int = 16) -> tuple[Mesh, Camera]:
    """A ball above the ground, and a camera."""
    points, faces = ball(2, 0.7, (0.1, 0.9, 0.0))
    parts = torch.arange(len(points)) % NUM_JOINTS
    mesh = Mesh(points[None], torch.zeros(1, NUM_JOINTS, 3), faces, parts)
    return mesh, Orbit(size=(size, size))(torch.tensor(0.4))


def film(factor: int, size: int = 16) -> Tensor:
    return Scene(CpuRasterizer(), supersampling=factor)(*stage(size))


def test_the_mean_of_squares() -> None:
    video = torch.arange(24.0).view(1, 1, 4, 6)
    small = shrink(video, 2)
    assert small.tolist() == [[[[3.5, 5.5, 7.5], [15.5, 17.5, 19.5]]]]
    assert torch.equal(shrink(video, 1), video)


@pytest.mark.parametrize("leading", [(), (2,), (2, 3)])
def test_any_number_of_clips_and_frames(leading: tuple[int, ...]) -> None:
    video = torch.rand(*leading, 3, 6, 9, generator=torch.Generator().manual_seed(0))
    expected = video.unflatten(-1, (3, 3)).unflatten(-3, (2, 3)).mean((-1, -3))
    assert (shrink(video, 3) - expected).abs().max() < FLOAT32


def test_finer_cameras_see_the_same() -> None:
    camera = Orbit(size=(12, 20))(torch.tensor([0.3, 1.0]))
    fine = finer(camera, 3)
    assert fine.size == (36, 60)
    assert (fine.clip_from_world() - camera.clip_from_world()).abs().max() < FLOAT32


def test_scenes_come_closer_to_the_exact_image() -> None:
    # Drawn so finely that it may stand for it.
    exact = shrink(film(1, 16 * 32), 32)
    errors = [(film(factor) - exact).square().mean().sqrt().item() for factor in (1, 2, 4, 8)]
    assert all(later < earlier / 1.5 for earlier, later in itertools.pairwise(errors))


def test_one_pixel_to_a_pixel_changes_no_bit() -> None:
    scene = Scene(CpuRasterizer())
    assert torch.equal(film(1), scene.paint(scene.draw(*stage())))


def test_sizes_must_divide() -> None:
    with pytest.raises(ValueError, match=r"divide .* got 2 for 5 x 4 pixels; .* `finer` cameras"):
        shrink(torch.zeros(3, 5, 4), 2)
    with pytest.raises(ValueError, match=r"`factor` must be positive"):
        shrink(torch.zeros(3, 4, 4), 0)
