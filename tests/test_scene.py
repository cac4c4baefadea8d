"""What the rendered video shows, and where."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from motiondistill import rotations
from motiondistill.body.skinning import SkinnedBody
from motiondistill.cameras import Orbit
from motiondistill.render.appearance import PartColours, part_palette
from motiondistill.render.background import Sky, Solid
from motiondistill.render.cpu import CpuRasterizer
from motiondistill.render.ground import Ground
from motiondistill.render.scene import Scene
from motiondistill.render.shading import UNLIT, Light, vertex_normals
from motiondistill.structures import JOINT_INDEX, NUM_JOINTS, PART_NAMES, Camera, Mesh, Motion

# Renders of the same input in another batch: float32, and no pixel may see another triangle.
TOLERANCE = 1e-5
SIZE = 64
# A limb's middle, seen from its vertices and from its pixels, a third of which may be hidden.
LIMB_TOLERANCE = 3.0


def pose(joint: str = "pelvis", axis_angle: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> Motion:
    """The T-pose of one frame, with one joint turned."""
    local = rotations.identity(1, NUM_JOINTS).clone()
    local[0, JOINT_INDEX[joint]] = rotations.from_axis_angle(torch.tensor(axis_angle))
    return Motion(local, torch.zeros(1, 3), fps=8.0)


def random_motions(count: int, frames: int = 2) -> Motion:
    generator = torch.Generator().manual_seed(0)
    vectors = 0.3 * torch.randn(count, frames, NUM_JOINTS, 3, generator=generator)
    return Motion(rotations.from_axis_angle(vectors), torch.zeros(count, frames, 3), fps=8.0)


def views(*degrees: float, size: tuple[int, int] = (SIZE, SIZE)) -> Camera:
    return Orbit(size=size)(torch.tensor(degrees).deg2rad())


def film(mesh: Mesh, camera: Camera) -> Tensor:
    return Scene(CpuRasterizer())(mesh, camera)


def silhouette(mesh: Mesh, camera: Camera, *names: str) -> Tensor:
    """How much of each pixel of the first image these parts cover."""
    palette = torch.tensor([[float(name in names)] * 3 for name in PART_NAMES])
    dark = (0.0, 0.0, 0.0)
    scene = Scene(CpuRasterizer(), PartColours(palette), UNLIT, Solid(dark), Ground(dark))
    return scene(mesh, camera)[0, 0, 0]


def middle(mask: Tensor) -> tuple[float, float]:
    """Column and row of a mask's centre, in pixels."""
    assert float(mask.sum()) > 1, "nothing to be seen"
    rows, columns = (torch.arange(size) + 0.5 for size in mask.shape)
    return float((mask.sum(0) * columns).sum() / mask.sum()), float(
        (mask.sum(1) * rows).sum() / mask.sum()
    )


def test_front_view_shows_the_left_arm_in_orange_on_the_right(low_body: SkinnedBody) -> None:
    image = film(low_body(pose()), views(0))[0, 0]
    red, green, blue = image.unbind(0)
    orange = (red > 0.5) & (green < 0.9 * red) & (green > 0.5 * red) & (blue < 0.45 * red)
    grass = (green > 1.3 * red) & (green > 1.3 * blue)
    columns = torch.arange(SIZE).expand(SIZE, SIZE)
    assert int(orange.sum()) > 20 and int(grass.sum()) > 20
    assert int(columns[orange].min()) > SIZE / 2 > int(columns[grass].max())


def test_row_zero_is_the_top(low_body: SkinnedBody) -> None:
    mesh, camera = low_body(pose()), views(0)
    head = middle(silhouette(mesh, camera, "head", "face"))
    feet = middle(silhouette(mesh, camera, "left_foot", "right_foot", "left_ankle", "right_ankle"))
    assert head[1] < SIZE / 2 < feet[1]
    assert head[0] == pytest.approx(SIZE / 2, abs=1)


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_raised_left_arm_appears_on_the_right_of_the_front_view(
    low_body: SkinnedBody, side: str
) -> None:
    sign = 1 if side == "left" else -1
    mesh = low_body(pose(f"{side}_shoulder", (0.0, 0.0, sign * 1.2)))
    hand = middle(silhouette(mesh, views(0), f"{side}_wrist"))
    other = middle(silhouette(mesh, views(0), f"{'right' if sign > 0 else 'left'}_wrist"))
    head = middle(silhouette(mesh, views(0), "head", "face"))
    assert sign * (hand[0] - SIZE / 2) > 3 and sign * (other[0] - SIZE / 2) < -3
    assert hand[1] < head[1] < other[1]
    behind = middle(silhouette(mesh, views(180), f"{side}_wrist"))
    assert sign * (behind[0] - SIZE / 2) < -3


@pytest.mark.parametrize("size", [(64, 64), (48, 96), (96, 80)])
@pytest.mark.parametrize("degrees", [0, 60, -120])
def test_limbs_appear_where_a_pinhole_projects_them(
    low_body: SkinnedBody, degrees: float, size: tuple[int, int]
) -> None:
    mesh, camera = low_body(pose()), views(degrees, size=size)
    height, width = size
    for name in ("left_elbow", "right_elbow", "face" if degrees == 0 else "left_knee"):
        points = mesh.vertices[0, mesh.parts == PART_NAMES.index(name)]
        pose_of_camera = camera.camera_from_world[0, 0]
        seen = points @ pose_of_camera[:3, :3].T + pose_of_camera[:3, 3]
        focal = height / 2 / math.tan(camera.fov_y / 2)
        expected = (focal * seen[:, :2] / seen[:, 2:]).mean(0) + torch.tensor([width, height]) / 2
        mask = silhouette(mesh, camera, name)
        assert middle(mask) == pytest.approx(tuple(expected.tolist()), abs=LIMB_TOLERANCE)


def test_the_sky_is_above_the_horizon_and_the_ground_below(low_body: SkinnedBody) -> None:
    background, plane = Solid(), Ground()
    column = film(low_body(pose()), views(0))[0, 0, :, :, 0].T
    # The horizon lies above the centre by the camera's elevation; the ground ends 100 m away, which
    # is not quite at the horizon.
    orbit = Orbit()
    row = SIZE / 2 * (1 - math.tan(orbit.elevation) / math.tan(orbit.fov_y / 2))
    eye_height = orbit.target_height + orbit.distance * math.sin(orbit.elevation)
    slack = 1 + SIZE / 2 * (eye_height / plane.half_size) / math.tan(orbit.fov_y / 2)
    sky, ground = torch.tensor(background.colour), torch.tensor(plane.colour)
    above, below = column[: math.floor(row)], column[math.ceil(row + slack) :]
    assert torch.equal(above, sky.expand_as(above)) and len(above) > 5
    assert torch.allclose(below, ground.expand_as(below), atol=TOLERANCE) and len(below) > 30


def test_the_ground_hides_what_sinks_into_it(low_body: SkinnedBody) -> None:
    motion = pose()
    sunk = low_body(Motion(motion.rotations, torch.tensor([[0.0, -0.5, 0.0]]), motion.fps))
    feet = ("left_foot", "right_foot", "left_ankle", "right_ankle")
    assert float(silhouette(sunk, views(0), *feet).max()) < TOLERANCE
    assert float(silhouette(sunk, views(0), "head", "face").sum()) > 1


def test_colours_are_within_range_and_float32(low_body: SkinnedBody) -> None:
    motions = random_motions(2)
    video = film(low_body(motions), views(0, 135))
    assert video.shape == (2, 2, 3, SIZE, SIZE) and video.dtype == torch.float32
    assert float(video.min()) >= 0 and float(video.max()) <= 1


def test_several_cameras_see_what_each_sees_alone(low_body: SkinnedBody) -> None:
    mesh = low_body(pose("left_shoulder", (0.0, 0.0, 1.0)))
    together = film(mesh, views(0, 100, 250))
    assert together.shape == (3, 1, 3, SIZE, SIZE)
    for index, degrees in enumerate((0, 100, 250)):
        alone = film(mesh, views(degrees))[0]
        assert torch.allclose(together[index], alone, atol=TOLERANCE)
    assert not torch.allclose(together[0], together[1], atol=0.1)


def test_as_many_cameras_as_clips_give_each_clip_its_own(low_body: SkinnedBody) -> None:
    motions = random_motions(2, frames=3)
    together = film(low_body(motions), views(30, 200))
    for index, degrees in enumerate((30, 200)):
        single = Motion(motions.rotations[index], motions.translation[index], motions.fps)
        alone = film(low_body(single), views(degrees))[0]
        assert torch.allclose(together[index], alone, atol=TOLERANCE)


def default_scene(vertices: Tensor, mesh: Mesh, camera: Camera) -> Tensor:
    """The scene that the shipped prior was trained on, written out once more."""
    towards = torch.nn.functional.normalize(torch.tensor((0.35, 0.80, 0.49)), dim=0)
    lambert = (vertex_normals(vertices, mesh.faces) @ towards).clamp(min=0)
    shade = 0.62 + (1 - 0.62) * lambert
    colours = part_palette()[mesh.parts] * shade[..., None]
    corners = torch.tensor([[-100.0, 0, -100], [100, 0, -100], [100, 0, 100], [-100, 0, 100]])
    floor = torch.tensor((0.74, 0.73, 0.70)).expand(*vertices.shape[:-2], 4, 3)
    points = torch.cat([vertices, corners.expand_as(floor)], -2)
    points = torch.cat([points, torch.ones_like(points[..., :1])], -1)
    faces = torch.cat([mesh.faces, torch.tensor([[0, 2, 1], [0, 3, 2]]) + vertices.shape[-2]])
    positions = points @ camera.clip_from_world().transpose(-1, -2)
    colours = torch.cat([colours, floor], -2).expand(*positions.shape[:-1], 3)
    rasterizer, (batch, frames) = CpuRasterizer(), positions.shape[:2]
    positions, colours = positions.flatten(0, 1), colours.flatten(0, 1)
    rast = rasterizer.rasterize(positions, faces, camera.size)
    image = rasterizer.interpolate(colours, rast, faces)
    image = torch.where(rast[..., 3:] > 0, image, torch.tensor((0.90, 0.93, 0.97)))
    image = rasterizer.antialias(image, rast, positions, faces)
    return image.flip(1).permute(0, 3, 1, 2).unflatten(0, (batch, frames))


@pytest.mark.parametrize("azimuths", [(0.5,), (0.0, 1.0, 4.0)])
def test_the_default_scene_is_the_shipped_priors_bit_for_bit(
    low_body: SkinnedBody, azimuths: tuple[float, ...]
) -> None:
    motion = random_motions(len(azimuths) if len(azimuths) == 3 else 2)
    mesh, camera = low_body(motion), Orbit()(torch.tensor(azimuths))
    results = []
    for render in (lambda v: film(replace(mesh, vertices=v), camera), None):
        vertices = mesh.vertices.clone().requires_grad_()
        video = render(vertices) if render else default_scene(vertices, mesh, camera)
        (gradient,) = torch.autograd.grad(video.square().sum(), vertices)
        results.append((video, gradient))
    for found, expected in zip(*results, strict=True):
        assert torch.equal(found, expected)


def test_a_camera_that_moves_sees_each_frame_from_its_place(low_body: SkinnedBody) -> None:
    mesh = low_body(random_motions(2, frames=3))
    azimuths = torch.tensor([[0.0, 0.4, 0.8], [2.0, 1.0, 0.0]])
    still = Orbit(size=(SIZE, SIZE))(azimuths)
    moving = replace(still, camera_from_world=still.camera_from_world.squeeze(-3))
    video = Scene(CpuRasterizer(), background=Sky())(mesh, moving)
    assert video.shape == (2, 3, 3, SIZE, SIZE)
    for clip in range(2):
        for frame in range(3):
            one = low_body(random_motions(2, frames=3))
            one = replace(
                one,
                vertices=one.vertices[clip, frame, None],
                joints=one.joints[clip, frame, None],
            )
            camera = Orbit(size=(SIZE, SIZE))(azimuths[clip, frame])
            alone = Scene(CpuRasterizer(), background=Sky())(one, camera)
            assert torch.allclose(video[clip, frame], alone[0], atol=TOLERANCE)


def test_gradients_reach_the_vertices_from_colour_and_silhouette(low_body: SkinnedBody) -> None:
    mesh = low_body(pose())
    vertices = mesh.vertices.clone().requires_grad_()
    moved = Mesh(vertices, mesh.joints, mesh.faces, mesh.parts)
    film(moved, views(20)).square().mean().backward()
    assert vertices.grad is not None and bool(vertices.grad.isfinite().all())
    touched = vertices.grad.abs().sum(-1) > 0
    assert 0.2 < float(touched.float().mean()) <= 1  # nearly all that is seen; the back is hidden


def test_silhouettes_alone_tell_where_the_body_is(low_body: SkinnedBody) -> None:
    # In a single flat colour nothing but the antialiased silhouette depends on the vertices.
    shift = torch.zeros(3, requires_grad=True)
    motion = pose()
    mesh = low_body(Motion(motion.rotations, shift.expand(1, 3), motion.fps))
    mask = silhouette(mesh, views(0), *PART_NAMES)
    columns = (torch.arange(SIZE) + 0.5).expand(SIZE, SIZE)
    (mask * columns).sum().backward()
    orbit = Orbit()
    pixels_per_metre = SIZE / 2 / math.tan(orbit.fov_y / 2) / orbit.distance
    # Sideways, the mask moves as a whole: its first moment grows by its area. Coarse pixels and the
    # body's depth leave a tenth or two.
    expected = float(mask.detach().sum()) * pixels_per_metre
    assert shift.grad is not None and float(shift.grad[0]) == pytest.approx(expected, rel=0.2)


def test_normals_are_unit_vectors_that_point_outwards() -> None:
    corners = torch.tensor([[1.0, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]])
    faces = torch.tensor([[0, 1, 2], [0, 2, 3], [0, 3, 1], [1, 3, 2]])
    # By symmetry, a regular tetrahedron's normals point from its centre to its corners.
    for batch in ((), (1,), (2, 3)):
        normals = vertex_normals(corners.expand(*batch, 4, 3), faces)
        assert torch.allclose(normals, corners.expand(*batch, 4, 3) / 3**0.5, atol=TOLERANCE)


def test_normals_weigh_triangles_by_their_area() -> None:
    # A fold between a triangle of area 1 in the plane z = 0 and one of area 3 in the plane y = 0.
    vertices = torch.tensor([[0.0, 0, 0], [2, 0, 0], [0, 1, 0], [0, 0, 3]])
    normals = vertex_normals(vertices, torch.tensor([[0, 1, 2], [0, 3, 1]]))
    shared = torch.tensor([0.0, 3.0, 1.0]) / 10**0.5
    assert torch.allclose(normals[0], shared, atol=TOLERANCE)
    assert torch.allclose(normals[2], torch.tensor([0.0, 0.0, 1.0]), atol=TOLERANCE)


def test_light_is_fixed_in_the_world(low_body: SkinnedBody) -> None:
    # White all over: what faces the light is white, what faces away is as bright as the ambient.
    white = torch.ones(len(PART_NAMES), 3)
    light = Light((1.0, 0.0, 0.0))
    scene = Scene(CpuRasterizer(), PartColours(white), light, Solid((0.0, 0.0, 0.0)))
    lit, shaded = scene(low_body(pose()), views(90, -90))[:, 0, 0]
    body = silhouette(low_body(pose()), views(90), *PART_NAMES) > 0.999
    torso = torch.zeros_like(body)
    torso[20:40, 28:36] = True
    assert float(lit[body & torso].median()) > 0.9
    dark = light.ambient
    assert float(shaded[body.flip(1) & torso].median()) == pytest.approx(dark, abs=0.02)


def test_left_and_right_have_different_colours() -> None:
    palette = dict(zip(PART_NAMES, part_palette(), strict=True))
    for name, colour in palette.items():
        assert bool(((colour >= 0) & (colour <= 1)).all())
        if name.startswith("left") and "collar" not in name:  # collars belong to the shirt
            assert float((colour - palette[name.replace("left", "right")]).norm()) > 0.2
