"""What stands behind the body, and along which ray each pixel sees it."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from motiondistill.cameras import Orbit, project
from motiondistill.render import background
from motiondistill.render.background import FACE_NAMES, Backdrop, CubeMap, Sky, Solid
from motiondistill.render.cpu import CpuRasterizer
from motiondistill.render.rays import pixel_rays
from motiondistill.structures import Camera

SIZES = [(8, 8), (6, 11), (9, 5)]
TOLERANCE = 1e-5  # float32
PIXEL = 1e-3  # of a projection, in pixels
# Bilinear interpolation of a direction over a pixel of a 64-pixel face, and less than half of one
# pixel at a face's edge, where colours go on.
CUBE = 0.02

# How the documentation says that the faces lie: where each looks and what is up on it.
LOOKS = {
    "right": ((1, 0, 0), (0, 1, 0)),
    "left": ((-1, 0, 0), (0, 1, 0)),
    "top": ((0, 1, 0), (0, 0, 1)),
    "bottom": ((0, -1, 0), (0, 0, -1)),
    "front": ((0, 0, -1), (0, 1, 0)),
    "back": ((0, 0, 1), (0, 1, 0)),
}


def shown(behind: background.Background, camera: Camera) -> Tensor:
    """What one camera that stands still sees, [3 H W] with row 0 at the top."""
    image = behind(camera.clip_from_world(), camera.size, CpuRasterizer())
    return image.expand(1, *camera.size, 3)[0].flip(0).permute(2, 0, 1)


def view(azimuth: float = 0.0, elevation: float = 0.15, fov_y: float = 0.5, size=(8, 8)) -> Camera:
    return Orbit(elevation=elevation, fov_y=fov_y, size=size)(torch.tensor(azimuth))


def directions(camera: Camera) -> Tensor:
    """Unit directions of the pixels, row 0 at the top, [H W 3]."""
    rays = pixel_rays(camera.clip_from_world(), camera.size).directions()[0]
    return torch.nn.functional.normalize(rays, dim=-1).flip(0)


@settings(max_examples=20)
@given(st.floats(-4, 4), st.floats(-1.4, 1.4), st.floats(0.1, 2.5), st.sampled_from(SIZES))
def test_rays_go_through_what_is_projected_onto_their_pixels(
    azimuth: float, elevation: float, fov_y: float, size: tuple[int, int]
) -> None:
    camera = view(azimuth, elevation, fov_y, size)
    rays = pixel_rays(camera.clip_from_world(), size)
    distance = torch.linspace(0.5, 9, math.prod(size)).view(*size, 1)
    points = rays.eye[0] + distance * rays.directions()[0]
    places, depth = project(points.flatten(0, 1)[None], camera)
    rows, columns = (torch.arange(side) + 0.5 for side in size)
    expected = torch.stack(torch.meshgrid(columns, rows.flip(0), indexing="xy"), -1)
    assert torch.allclose(places[0], expected.flatten(0, 1), atol=PIXEL)
    assert torch.allclose(depth[0], distance.flatten(), rtol=1e-4)
    across, up = rays.pixel_steps()
    field = rays.directions()[0]
    assert torch.allclose(field[:, 1:] - field[:, :-1], across[0], atol=TOLERANCE)
    assert torch.allclose(field[1:] - field[:-1], up[0], atol=TOLERANCE)


def test_a_solid_background_is_its_colour() -> None:
    image = shown(Solid((0.2, 0.4, 0.6)), view())
    assert torch.equal(image, torch.tensor([0.2, 0.4, 0.6])[:, None, None].expand(3, 8, 8))


def test_the_sky_meets_its_horizon_level_and_its_zenith_above() -> None:
    sky = Sky(zenith=(0.0, 0.0, 1.0), horizon=(1.0, 1.0, 1.0), haze=(0.5, 0.25, 0.0))
    level = shown(sky, view(elevation=0.0, fov_y=1e-3))
    assert torch.allclose(level, torch.ones(3, 8, 8), atol=0.05)
    up = shown(sky, view(elevation=-math.pi / 2 + 1e-3, fov_y=1e-3))
    assert torch.allclose(up, torch.tensor([0.0, 0, 1])[:, None, None], atol=0.01)
    down = shown(sky, view(elevation=math.pi / 2 - 1e-3, fov_y=1e-3))
    assert torch.allclose(down, torch.tensor([0.5, 0.25, 0])[:, None, None], atol=0.01)
    column = shown(sky, view(elevation=0.0, fov_y=1.0, size=(64, 64)))[:, :, 32]
    assert bool((column[0, :32].diff() > 0).all()), "bluer towards the zenith"
    assert bool((column[2, 32:].diff() < 0).all()), "hazier further down"
    # Around the camera's axis it changes; around the vertical it does not.
    for azimuth in (1.0, 4.0):
        assert torch.allclose(shown(sky, view(azimuth)), shown(sky, view()), atol=1e-3)


def cube(side: int) -> CubeMap:
    """A cube map whose colours are the directions that they are seen in, from [-1, 1] to [0, 1]."""
    middles = (torch.arange(side) + 0.5) * 2 / side - 1
    faces = []
    for name in FACE_NAMES:
        forward, up = (torch.tensor(axis, dtype=torch.float32) for axis in LOOKS[name])
        right = torch.linalg.cross(forward, up)
        rays = forward + middles[None, :, None] * right - middles[:, None, None] * up
        faces.append(torch.nn.functional.normalize(rays, dim=-1).permute(2, 0, 1))
    return CubeMap(torch.stack(faces) / 2 + 0.5)


@settings(max_examples=20)
@given(st.floats(-4, 4), st.floats(-1.5, 1.5), st.sampled_from([(64, 64), (48, 90)]))
def test_a_cube_map_shows_each_ray_the_colour_of_its_direction(
    azimuth: float, elevation: float, size: tuple[int, int]
) -> None:
    camera = view(azimuth, elevation, 1.8, size)
    found = shown(cube(64), camera).permute(1, 2, 0) * 2 - 1
    assert torch.allclose(found, directions(camera), atol=CUBE)


def test_the_front_of_a_cube_map_stands_behind_a_subject_seen_from_the_front() -> None:
    faces = torch.zeros(6, 3, 32, 32)
    front = FACE_NAMES.index("front")
    faces[front, 0, :16] = 1  # red above
    faces[front, 2, :, 16:] = 1  # blue on the right
    image = shown(CubeMap(faces), view(elevation=0.0, fov_y=1.0, size=(16, 16)))
    assert bool((image[0, :7] == 1).all()) and bool((image[0, 9:] == 0).all())
    assert bool((image[2, :, 9:] == 1).all()) and bool((image[2, :, :7] == 0).all())


def test_every_camera_of_a_batch_has_its_own_rays() -> None:
    azimuths = torch.tensor([[0.3], [2.0]])
    camera = Orbit(fov_y=1.0, size=(8, 8))(azimuths)
    for behind in (Sky(), cube(16)):
        together = behind(camera.clip_from_world(), camera.size, CpuRasterizer())
        assert together.shape == (2, 1, 1, 8, 8, 3)
        for index in range(2):
            alone = shown(behind, view(float(azimuths[index]), fov_y=1.0))
            found = together[index, 0, 0].flip(0).permute(2, 0, 1)
            assert torch.allclose(found, alone, atol=TOLERANCE)


def test_a_fine_cube_map_is_scaled_down_and_does_not_alias() -> None:
    generator = torch.Generator().manual_seed(0)
    noise = torch.rand(6, 3, 256, 256, generator=generator)
    image = shown(CubeMap(noise), view(fov_y=1.2, size=(8, 8)))
    # A pixel stands for some 30 x 30 of the noise, whose deviation is 0.29.
    assert float((image - 0.5).abs().max()) < 0.15


@pytest.mark.parametrize("rows", [40, 90, 91])
@pytest.mark.parametrize("columns", [60, 121])
@pytest.mark.parametrize("size", [(16, 16), (24, 10), (64, 200)])
def test_an_image_covers_the_frame_unstretched_with_its_middle_in_the_middle(
    rows: int, columns: int, size: tuple[int, int]
) -> None:
    y, x = torch.meshgrid(torch.arange(rows) + 0.5, torch.arange(columns) + 0.5, indexing="ij")
    scale = max(size[0] / rows, size[1] / columns)
    image = torch.stack([x / columns, y / rows, torch.zeros_like(x)])
    found = shown(Backdrop(image), view(size=size))
    assert found.shape == (3, *size)
    # Away from the border, where bilinear interpolation flattens.
    inner = found[:, 4:-4, 2:-2] if min(size) > 10 else found[:, 4:-4, 3:-3]
    across = inner[0].diff(dim=1).mean() * columns
    down = inner[1].diff(dim=0).mean() * rows
    assert float(across) == pytest.approx(1 / scale, rel=0.03)
    assert float(down) == pytest.approx(1 / scale, rel=0.03)
    middle = found[:2].mean((1, 2))
    half_pixel = 0.6 / scale / min(rows, columns)
    assert torch.allclose(middle, torch.full((2,), 0.5), atol=half_pixel)


def test_an_image_is_upright_and_not_mirrored() -> None:
    image = torch.zeros(3, 20, 20)
    image[0, :10] = 1
    image[2, :, 10:] = 1
    found = shown(Backdrop(image), view())
    assert bool((found[0, :3] > 0.9).all()) and bool((found[0, 5:] < 0.1).all())
    assert bool((found[2, :, 5:] > 0.9).all()) and bool((found[2, :, :3] < 0.1).all())
