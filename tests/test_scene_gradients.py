"""Every kind of scene passes the gradient of its picture on to the vertices."""

import dataclasses

import pytest
import torch
from globe import globe
from standin_skeleton import rest_joints
from torch import Tensor

from motiondistill.cameras import Orbit
from motiondistill.randomness import seeded
from motiondistill.render.appearance import NormalMap, PartColours, Textured, plain, textured
from motiondistill.render.background import Backdrop, CubeMap, Sky
from motiondistill.render.clothing import random_outfit
from motiondistill.render.cpu import CpuRasterizer
from motiondistill.render.ground import Checks, Ground
from motiondistill.render.reference import ReferenceRasterizer
from motiondistill.render.scene import Scene
from motiondistill.render.shading import UNLIT, Light
from motiondistill.render.shadow import ContactShadow
from motiondistill.render.tailoring import Clothed
from motiondistill.structures import Camera, Mesh

SIZE = 20
STEP = 1e-6  # metres, of finite differences in float64
RELATIVE = 1e-4
NOISE = torch.rand(3, 8, 8, generator=seeded(0, 0, "image"))


def body() -> Mesh:
    """A globe as tall as a person, with a person's joints, that nearly touches the ground."""
    mesh = globe((0.0, 0.8, 0.0), 0.8, rings=7, dtype=torch.float64)
    # Off the symmetric place, where silhouettes would pass through pixel centres.
    moved = mesh.vertices + torch.tensor([0.013, 0.021, 0.007])
    return dataclasses.replace(mesh, vertices=moved, joints=rest_joints().double()[None])


def camera(*azimuths: float) -> Camera:
    return Orbit(size=(SIZE, SIZE))(torch.tensor(azimuths, dtype=torch.float64))


RASTERIZER = ReferenceRasterizer()
# The choice among levels carries no gradient, so there is only one.
FINEST = Textured(textured(NOISE).levels[:1])
GROUND = Ground(checks=Checks(), shadow=ContactShadow())
CUBE = CubeMap(torch.rand(6, 3, 8, 8, generator=seeded(0, 0, "cube")))
SCENES = {
    "parts": Scene(RASTERIZER),
    "parts on the fast rasteriser": Scene(CpuRasterizer()),
    "unlit before a sky": Scene(RASTERIZER, light=UNLIT, background=Sky(), ground=GROUND),
    "plain in a cube": Scene(RASTERIZER, plain((0.9, 0.3, 0.2)), background=CUBE, ground=None),
    "normals": Scene(RASTERIZER, NormalMap(), ground=GROUND),
    "texture": Scene(RASTERIZER, FINEST, background=Backdrop(NOISE), ground=GROUND),
    "clothes": Scene(RASTERIZER, Clothed(random_outfit(seeded(3)), body()), ground=GROUND),
}


@pytest.mark.parametrize("name", SCENES)
def test_gradients_are_those_of_finite_differences(name: str) -> None:
    scene, mesh, cameras = SCENES[name], body(), camera(0.4, 2.9)
    generator = seeded(1, 0, name)
    weights = torch.rand(2, 1, 3, SIZE, SIZE, generator=generator, dtype=torch.float64)
    direction = torch.randn(mesh.vertices.shape, generator=generator, dtype=torch.float64)

    def loss(vertices: Tensor) -> Tensor:
        video = scene(dataclasses.replace(mesh, vertices=vertices), cameras)
        return (weights * video).sum()

    vertices = mesh.vertices.requires_grad_()
    (gradient,) = torch.autograd.grad(loss(vertices), vertices)
    with torch.no_grad():
        ahead, behind = (loss(vertices + sign * STEP * direction) for sign in (1, -1))
    expected = float(ahead - behind) / (2 * STEP)
    assert abs(expected) > 1
    assert float((gradient * direction).sum()) == pytest.approx(expected, rel=RELATIVE)


@pytest.mark.parametrize(("shadow", "felt"), [(None, False), (ContactShadow(), True)])
def test_the_ground_tells_soles_that_no_camera_sees_where_they_are(
    shadow: ContactShadow | None, felt: bool
) -> None:
    mesh = body()
    scene = Scene(
        RASTERIZER, plain((1.0, 1.0, 1.0)), Light(ambient=1.0), ground=Ground(shadow=shadow)
    )
    vertices = mesh.vertices.requires_grad_()
    video = scene(dataclasses.replace(mesh, vertices=vertices), camera(0.4))
    (gradient,) = torch.autograd.grad(video.sum(), vertices)
    soles = mesh.vertices[0, :, 1] < 0.05
    assert int(soles.sum()) > 5
    assert bool((gradient[0, soles, 1].abs() > 1e-4).any()) is felt


def test_part_colours_and_their_palette_may_be_learnt_too() -> None:
    palette = torch.full((23, 3), 0.5, requires_grad=True)
    scene = Scene(RASTERIZER, PartColours(palette))
    (gradient,) = torch.autograd.grad(scene(body(), camera(0.4)).sum(), palette)
    assert bool((gradient[1:3] > 0).all()) and not bool(gradient[3:].any())
