"""Motion maps hold normals and parts of what is seen, and give both back, from 8 bits as well."""

import dataclasses
import math

import pytest
import torch
from ball import as_mesh, ball
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from motiondistill import rotations
from motiondistill.cameras import Orbit, azimuths_of
from motiondistill.data.parametric import parametric_motion
from motiondistill.prompts import VIEW_NAMES
from motiondistill.randomness import seeded
from motiondistill.render.cpu import CpuRasterizer
from motiondistill.render.motion_map import (
    SMPL_PARTS,
    MotionMap,
    decode,
    encode,
    motion_map,
    smpl_parts,
)
from motiondistill.render.reference import ReferenceRasterizer
from motiondistill.render.scene import Scene
from motiondistill.render.shading import UNLIT, Light
from motiondistill.render.view import draw
from motiondistill.structures import FACE_PART, JOINT_INDEX, NUM_JOINTS, Mesh, Motion

# x and y carry float32's rounding; near z = 0 its root shows.
FLOAT_ANGLE = 2e-3
# Half a step of 8 bits, 1/255 of [-1, 1], in x and in y: sqrt(2 sqrt(2) / 255) where z is 0.
BYTE_ANGLE = 0.107
TILTED = (0.2, -0.6, 0.3)


def at_rest(body) -> Mesh:
    return body(Motion(rotations.identity(1, NUM_JOINTS), torch.zeros(1, 3), 8.0))


def angles(a: Tensor, b: Tensor) -> Tensor:
    """Angles between unit vectors in dimension -3, exact for small ones."""
    return 2 * torch.asin((a - b).norm(dim=-3).clamp(max=2) / 2)


def as_bytes(image: Tensor) -> Tensor:
    return (image * 255).round().to(torch.uint8).float() / 255


@given(seed=st.integers(0, 10**6), shape=st.sampled_from([(), (1,), (2, 3)]))
def test_normals_and_parts_come_back(seed: int, shape: tuple[int, ...]) -> None:
    generator = torch.Generator().manual_seed(seed)
    normals = torch.randn(*shape, 3, 5, 7, generator=generator)
    normals = torch.nn.functional.normalize(normals, dim=-3)
    parts = torch.randint(-1, len(SMPL_PARTS), (*shape, 5, 7), generator=generator)
    image = encode(normals, parts)
    assert float(image.min()) >= 0 and float(image.max()) <= 1
    for stored, tolerance in ((image, FLOAT_ANGLE), (as_bytes(image), BYTE_ANGLE)):
        decoded, found = decode(stored)
        assert torch.equal(found, parts)
        seen = parts >= 0
        assert float(angles(decoded, normals)[seen].amax()) < tolerance
        assert not bool(decoded.movedim(-3, -1)[~seen].any())


@pytest.mark.parametrize("part", range(24))
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_every_part_and_sign_has_its_own_red(part: int, sign: float) -> None:
    normal = torch.tensor([0.0, 0.6, sign * 0.8]).view(3, 1, 1)
    image = encode(normal, torch.full((1, 1), part))
    red = (2 * part + (sign < 0)) / 47
    assert image.flatten().tolist() == pytest.approx([red, 0.8, 0.5])


def test_there_are_as_many_parts_as_smpl_has() -> None:
    assert len(SMPL_PARTS) == 24 and SMPL_PARTS[22:] == ("left_hand", "right_hand")


def test_bodies_have_all_parts_in_their_places(low_body) -> None:
    rest = at_rest(low_body)
    parts, vertices = smpl_parts(rest), rest.vertices[0]
    assert set(parts.tolist()) == set(range(24))
    for side, sign in (("left", 1), ("right", -1)):
        wrist = rest.joints[0, JOINT_INDEX[f"{side}_wrist"]]
        palm = vertices[parts == SMPL_PARTS.index(f"{side}_wrist")]
        fingers = vertices[parts == SMPL_PARTS.index(f"{side}_hand")]
        # Fingers are the outer half of a hand of 18 cm; they begin where the palms end.
        assert float((sign * (fingers[:, 0] - wrist[0])).max()) == pytest.approx(0.18, abs=0.02)
        assert float((fingers - wrist).norm(dim=-1).min()) > float(
            (palm - wrist).norm(dim=-1).max()
        )
    others = (rest.parts != FACE_PART) & (parts < 22)
    assert torch.equal(parts[others], rest.parts[others])
    assert bool((parts[rest.parts == FACE_PART] == JOINT_INDEX["head"]).all())
    mirrored = [
        int((parts == SMPL_PARTS.index(f"{side}_hand")).sum()) for side in ("left", "right")
    ]
    assert mirrored[0] == mirrored[1]


def test_a_rendered_body_comes_back(low_body) -> None:
    motion = parametric_motion("kick", "left", seeded(1), low_body.rest_joints, 8.0, 3)
    mesh, parts = low_body(motion), smpl_parts(at_rest(low_body))
    camera = Orbit(size=(96, 64))(azimuths_of(VIEW_NAMES[::2]))
    image = motion_map(mesh, camera, parts, CpuRasterizer())
    assert image.shape == (4, 3, 3, 96, 64)
    normals, found = decode(image)
    seen = found >= 0
    assert torch.equal(seen, image.amax(-3) > 0)
    assert 0.05 < float(seen.float().mean()) < 0.4
    assert set(found[seen].tolist()) == set(range(24))
    rounded, again = decode(as_bytes(image))
    assert torch.equal(again, found)
    off = angles(rounded, normals)[seen]
    assert float(off.max()) < BYTE_ANGLE and float(off.median()) < 0.01
    length = normals.norm(dim=-3)[seen]
    assert torch.allclose(length, torch.ones_like(length), atol=1e-5)


@pytest.mark.parametrize("degrees", [0.0, 75.0, 200.0])
def test_a_balls_map_shows_its_normals_in_world_axes(degrees: float) -> None:
    centre, radius = (0.1, 1.0, -0.2), 0.5
    vertices, faces = ball(4, radius, centre)
    orbit = Orbit(size=(40, 60))
    camera = orbit(torch.tensor([math.radians(degrees)]))
    parts = torch.full((len(vertices),), 7)
    image = motion_map(as_mesh(vertices[None], faces), camera, parts, CpuRasterizer())
    normals, found = decode(image[0, 0])
    # Where the ray through each pixel's centre meets the ball.
    rows, columns = torch.meshgrid(torch.arange(40) + 0.5, torch.arange(60) + 0.5, indexing="ij")
    focal = 20 / math.tan(orbit.fov_y / 2)
    rays = torch.stack([columns - 30, rows - 20, torch.full_like(rows, focal)], -1)
    pose = camera.camera_from_world[0, 0]
    rays = torch.nn.functional.normalize(rays @ pose[:3, :3], dim=-1)
    eye = -(pose[:3, :3].T @ pose[:3, 3])
    along = rays @ (torch.tensor(centre) - eye)
    missed = (torch.tensor(centre) - eye).square().sum() - along.square()
    half_chord = (radius**2 - missed).clamp(min=0).sqrt()
    expected = (eye + (along - half_chord)[..., None] * rays - torch.tensor(centre)) / radius
    inside = missed < 0.9 * radius**2  # not at the rim, where facets matter
    assert int(inside.sum()) > 200
    assert bool((found[inside] == 7).all()) and bool((found[missed > 1.02 * radius**2] == -1).all())
    # Triangles of 6 degrees, whose normals are interpolated: a degree or two.
    assert float(angles(normals, expected.movedim(-1, 0))[inside].max()) < 0.03


def test_a_part_is_the_nearest_corners() -> None:
    # One large triangle: every pixel has the part of the corner with the largest weight.
    corners = torch.tensor([[[-1.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.7, 0.0]]])
    mesh = as_mesh(corners, torch.tensor([[0, 1, 2]]))
    camera = Orbit(elevation=0.0, size=(64, 64))(torch.zeros(1))
    image = motion_map(mesh, camera, torch.tensor([3, 9, 23]), CpuRasterizer())
    normals, found = decode(image[0, 0])
    assert set(found.unique().tolist()) == {-1, 3, 9, 23}
    rows, columns = torch.meshgrid(torch.arange(64), torch.arange(64), indexing="ij")
    assert (
        float(columns[found == 3].float().mean()) < 28
        and float(columns[found == 9].float().mean()) > 36
    )
    assert float(rows[found == 23].float().mean()) < float(rows[found == 3].float().mean()) - 15
    front = torch.tensor([0.0, 0.0, 1.0])[:, None]
    assert torch.allclose(normals[:, found >= 0], front.expand(3, int((found >= 0).sum())))


def test_gradients_reach_the_vertices_through_the_normals() -> None:
    vertices, faces = ball(2, 0.5, (0.0, 1.0, 0.0))
    squash = torch.tensor(1.0, requires_grad=True)
    shape = torch.stack([torch.ones(()), squash, torch.ones(())])
    mesh = as_mesh((vertices * shape)[None], faces)
    camera = Orbit(size=(32, 32))(torch.zeros(1))
    parts = torch.zeros(len(vertices), dtype=torch.long)

    def green(height: float) -> float:
        moved = dataclasses.replace(
            mesh, vertices=(vertices * torch.tensor([1, height, 1.0]))[None]
        )
        image = motion_map(moved, camera, parts, CpuRasterizer())
        return float(inside(image).square().mean())

    def inside(image: Tensor) -> Tensor:
        return image[0, 0, 1, 14:19, 14:19]  # within the ball, whatever its height

    value = inside(motion_map(mesh, camera, parts, CpuRasterizer())).square().mean()
    value.backward()
    step = 1e-2
    expected = (green(1 + step) - green(1 - step)) / (2 * step)
    assert squash.grad is not None and abs(expected) > 1e-3
    assert float(squash.grad) == pytest.approx(expected, rel=0.05)


def test_in_a_scene_the_body_is_its_map_and_the_ground_the_floor(low_body) -> None:
    motion = parametric_motion("kick", "left", seeded(1), low_body.rest_joints, 8.0, 3)
    mesh, parts = low_body(motion), smpl_parts(at_rest(low_body))
    camera = Orbit(size=(96, 64))(azimuths_of(VIEW_NAMES[::4]))
    view = draw(CpuRasterizer(), mesh, camera, ground_half_size=20.0)
    floor = torch.tensor([0.1, 0.2, 0.3])
    lit, unlit = (MotionMap(parts)(view, light, floor) for light in (Light(), UNLIT))
    assert torch.equal(lit, unlit)
    image, expected = view.upright(lit), motion_map(mesh, camera, parts, CpuRasterizer())
    ground = view.upright(view.sees_ground()).expand_as(image)
    seen = view.upright(view.sees_body()).expand_as(image)
    assert torch.equal(image[seen], expected[seen]) and int(seen.sum()) > 1000
    assert torch.equal(image[ground], floor[:, None, None].expand_as(image)[ground]) and bool(
        ground.any()
    )
    assert not bool(image[~(seen | ground)].any())


def test_in_a_scene_gradients_reach_the_vertices_through_silhouettes() -> None:
    # A square that faces the camera has one normal all over, so that only its outline can tell.
    # As it moves to the right by d, the sum of an image whose columns weigh 0, 1, 2, ... changes by
    # (its colour - the background's) * its pixels * d * pixels per metre.
    orbit = Orbit(elevation=0.0, size=(40, 40))
    scale = 20 / math.tan(orbit.fov_y / 2) / orbit.distance
    half = 9 / scale
    corners = half * torch.tensor([[-1.0, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]]).double()
    offset = torch.tensor(0.013, dtype=torch.float64, requires_grad=True)
    square = corners + torch.tensor([0.0, orbit.target_height, 0.0])
    mesh = as_mesh(
        (square + offset * torch.tensor([1.0, 0.0, 0.0]))[None],
        torch.tensor([[0, 1, 2], [0, 2, 3]]),
    )
    scene = Scene(ReferenceRasterizer(), MotionMap(torch.full((4,), 7)), ground=None)
    image = scene(mesh, orbit(torch.zeros(1, dtype=torch.float64)))[0, 0]
    columns = torch.arange(40, dtype=torch.float64)
    (gradient,) = torch.autograd.grad((image[1:] * columns).sum(), offset)
    # Green and blue of a normal along +Z are 0.5; before the solid background of a scene.
    contrast = sum(0.5 - float(level) for level in image.detach()[1:, 0, 0])
    assert float(gradient) == pytest.approx(contrast * 18**2 * scale, rel=1e-3)
