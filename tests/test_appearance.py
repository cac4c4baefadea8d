"""What the body's surface looks like, against a globe whose every pixel is known."""

import dataclasses
import math

import pytest
import torch
from globe import globe
from torch import Tensor

from motiondistill.cameras import Orbit
from motiondistill.render.appearance import NormalMap, PartColours, plain, textured
from motiondistill.render.cpu import CpuRasterizer
from motiondistill.render.rays import pixel_rays
from motiondistill.render.shading import UNLIT, Light
from motiondistill.render.view import View, draw
from motiondistill.structures import PART_NAMES, Camera

CPU = CpuRasterizer()
FLOOR = torch.tensor([0.1, 0.2, 0.3])
FLOAT32 = 1e-5
# A globe of 24 rings: its normals are interpolated, its pixels lie up to 1 % within the sphere.
FACETS = 0.02
# Where the light begins, a triangle's corners say more than the cosine.
TERMINATOR = 0.03


def camera(*azimuths: float, size: tuple[int, int] = (64, 64), **orbit: float) -> Camera:
    return Orbit(size=size, **orbit)(torch.tensor(azimuths))


def view_of_globe(seen_by: Camera, ground: float | None = None) -> View:
    return draw(CPU, globe(), seen_by, ground_half_size=ground)


def sphere_points(view: View) -> tuple[Tensor, Tensor]:
    """Unit normals [N H W 3] of the true sphere, and where it is seen well within its outline."""
    rays = pixel_rays(view.clip_from_world, view.size)
    directions = view.per_image(rays.directions())
    offset = view.per_image((rays.eye - torch.tensor([0.0, 1.0, 0.0]))[..., None, None, :])
    a, b = directions.square().sum(-1), (directions * offset).sum(-1)
    discriminant = b.square() - a * (offset.square().sum(-1) - 0.25)
    distance = (-b - discriminant.clamp(min=0).sqrt()) / a
    return (offset + distance[..., None] * directions) / 0.5, discriminant > 0.02 * a


@pytest.mark.slow
def test_a_plain_body_has_its_colour_and_the_ground_the_floors() -> None:
    view = view_of_globe(camera(0.3), ground=50.0)
    image = plain((0.3, 0.6, 0.9))(view, UNLIT, FLOOR)
    body, ground = (mask.squeeze(-1) for mask in (view.sees_body(), view.sees_ground()))
    assert int(body.sum()) > 100 and int(ground.sum()) > 100
    colour = torch.tensor([0.3, 0.6, 0.9])
    assert torch.allclose(image[body], colour.expand_as(image[body]), atol=FLOAT32)
    assert torch.allclose(image[ground], FLOOR.expand_as(image[ground]), atol=FLOAT32)


def test_light_falls_by_lamberts_law() -> None:
    view = view_of_globe(camera(0.3, 2.0))
    light = Light((1.0, 2.0, -0.5), ambient=0.25)
    normals, inside = sphere_points(view)
    towards = torch.tensor(light.direction) / math.sqrt(5.25)
    expected = 0.25 + 0.75 * (normals @ towards).clamp(min=0)
    image = plain((1.0, 1.0, 1.0))(view, light, FLOOR)
    assert torch.allclose(image[..., 0][inside], expected[inside], atol=TERMINATOR)


def test_parts_have_their_own_colours() -> None:
    palette = torch.rand(len(PART_NAMES), 3, generator=torch.Generator().manual_seed(0))
    view = view_of_globe(camera(0.3))
    image = PartColours(palette)(view, UNLIT, FLOOR)
    normals, inside = sphere_points(view)
    for part, half in ((1, normals[..., 1] > 0.2), (2, normals[..., 1] < -0.2)):
        seen = image[inside & half]
        assert len(seen) > 50
        assert torch.allclose(seen, palette[part].expand_as(seen), atol=FLOAT32)


def test_normals_are_shown_as_the_camera_sees_them() -> None:
    seen_by = camera(0.3, 2.0, elevation=0.4)
    view = view_of_globe(seen_by)
    normals, inside = sphere_points(view)
    # OpenCV's camera has y down and z away.
    rotation = seen_by.camera_from_world[..., :3, :3] * torch.tensor([1.0, -1.0, -1.0])[:, None]
    expected = torch.einsum("nij,nhwj->nhwi", rotation[:, 0], normals) / 2 + 0.5
    image = NormalMap()(view, Light(), FLOOR)
    assert torch.allclose(image[inside], expected[inside], atol=FACETS)
    lengths = (2 * image[view.sees_body().squeeze(-1)] - 1).norm(dim=-1)
    assert torch.allclose(lengths, torch.ones_like(lengths), atol=1e-4)
    # Facing it is blue, its right side red, its upper side green.
    middle = image[0, 34, 32]
    assert float(middle[2]) > 0.9
    assert float(image[0, 34, 36, 0]) > 0.6 > 0.4 > float(image[0, 34, 28, 0])


def chart(rows: int, columns: int) -> Tensor:
    """An image whose red is the row from the top and whose green is the column, [0, 1]."""
    down, right = (torch.arange(rows) + 0.5) / rows, (torch.arange(columns) + 0.5) / columns
    return torch.stack(
        [
            down[:, None].expand(rows, columns),
            right.expand(rows, columns),
            torch.zeros(rows, columns),
        ]
    )


def test_a_texture_lies_where_its_coordinates_say() -> None:
    view = view_of_globe(camera(0.3, 2.5), ground=50.0)
    image = textured(chart(64, 128))(view, UNLIT, FLOOR)
    normals, inside = sphere_points(view)
    inside &= view.sees_body().squeeze(-1)
    x, y, z = normals.unbind(-1)
    v, u = torch.acos(-y.clamp(-1, 1)) / math.pi, torch.atan2(-z, x) / (2 * math.pi) % 1
    away = inside & (y.abs() < 0.9) & (u > 0.05) & (u < 0.95)  # from the poles and the seam
    assert int(away.sum()) > 300
    assert torch.allclose(image[..., 0][away], 1 - v[away], atol=FACETS)
    assert torch.allclose(image[..., 1][away], u[away], atol=FACETS)
    ground = view.sees_ground().squeeze(-1)
    assert torch.equal(image[ground], FLOOR.expand_as(image[ground]))


def test_a_texture_is_lit_like_a_plain_body() -> None:
    view = view_of_globe(camera(0.3))
    white = textured(torch.ones(3, 8, 8))(view, Light(), FLOOR)
    lit = plain((1.0, 1.0, 1.0))(view, Light(), FLOOR)
    body = view.sees_body().squeeze(-1)
    assert torch.allclose(white[body], lit[body], atol=FLOAT32)


def test_a_fine_texture_neither_flickers_nor_fades_up_close() -> None:
    noise = torch.rand(3, 512, 1024, generator=torch.Generator().manual_seed(0))
    appearance = textured(noise)

    def deviation(size: int, fov_y: float) -> float:
        view = view_of_globe(camera(1.0, size=(size, size), target_height=1.0, fov_y=fov_y))
        _, inside = sphere_points(view)
        return float(appearance(view, UNLIT, FLOOR)[inside].std())

    # Uniform noise deviates by 0.29. From afar, a pixel stands for some 20 x 20 texels; up close,
    # a texel is larger than a pixel, and interpolation smooths it by two thirds in each direction.
    assert deviation(32, 0.5) < 0.05
    assert deviation(128, 0.03) > 0.15


def test_the_pyramid_ends_in_the_images_mean() -> None:
    image = torch.rand(3, 12, 40, generator=torch.Generator().manual_seed(0))
    levels = textured(image).levels
    assert [tuple(level.shape[:2]) for level in levels] == [
        (12, 40),
        (6, 20),
        (3, 10),
        (1, 5),
        (1, 2),
        (1, 1),
    ]
    assert torch.equal(levels[0], image.flip(1).permute(1, 2, 0))
    even = textured(image[:, :8, :32]).levels
    assert torch.allclose(even[-1][0, 0], image[:, :8, :32].mean((1, 2)), atol=FLOAT32)


def test_a_body_without_texture_coordinates_cannot_wear_a_texture() -> None:
    bare = dataclasses.replace(globe(), uv=None, uv_faces=None)
    view = draw(CPU, bare, camera(0.0))
    with pytest.raises(ValueError, match="`appearance` must do without texture coordinates"):
        textured(torch.ones(3, 4, 4))(view, Light(), FLOOR)


def test_a_light_must_come_from_somewhere_and_not_be_too_bright() -> None:
    with pytest.raises(ValueError, match="`direction` must not be zero"):
        Light((0.0, 0.0, 0.0))
    with pytest.raises(ValueError, match=r"`ambient` must be between 0 and 1, got 1\.5"):
        Light(ambient=1.5)
