"""A scene whose pictures are the vertices themselves: what a critic asks of pixels, seen bare."""

from dataclasses import dataclass

import torch
from small_problem import small_problem
from torch import Tensor

from motiondistill.cameras import Orbit
from motiondistill.engine.critics import Critic
from motiondistill.engine.starts import Problem
from motiondistill.priors.base import VideoFormat
from motiondistill.priors.gaussian import Gaussian, GaussianPrior
from motiondistill.prompts import VIEW_NAMES
from motiondistill.render.cpu import CpuRasterizer
from motiondistill.render.scene import Scene
from motiondistill.structures import Camera, Mesh, Motion

FRAMES, PIXELS = 2, 2
SHAPE = (3, FRAMES, PIXELS, PIXELS)
PROMPT = "walk"


@dataclass(frozen=True)
class Canvas(Scene):
    """Shows a mesh of a vertex for each pixel, whose place is its colour, to every camera."""

    def __call__(self, mesh: Mesh, camera: Camera) -> Tensor:
        frames = mesh.vertices.unflatten(1, camera.size).permute(0, 3, 1, 2)
        return frames.expand(len(camera.camera_from_world), *frames.shape)


def painted(pixels: Tensor) -> Mesh:
    """The mesh whose videos have these flattened pixels, in the order of latents."""
    vertices = pixels.view(SHAPE).permute(1, 2, 3, 0).flatten(1, 2)
    faces, parts = torch.zeros(1, 3).long(), torch.zeros(PIXELS**2).long()
    return Mesh(vertices, torch.zeros(FRAMES, 22, 3), faces, parts)


def standing() -> Motion:
    return Motion(torch.eye(3).expand(FRAMES, 22, 3, 3), torch.zeros(FRAMES, 3), 8.0)


def gaussian(frames: int, mean: Tensor, covariance: Tensor) -> GaussianPrior:
    """A prior that sees the same in all views."""
    known = Gaussian.from_covariance(mean, covariance)
    video_format = VideoFormat(fps=8.0, frames=frames, height=PIXELS, width=PIXELS)
    return GaussianPrior({f"{PROMPT}, {view}": known for view in VIEW_NAMES}, video_format)


def canvas_problem(prior: GaussianPrior, *critics: Critic, seed: int = 0) -> Problem:
    """A problem in which the motion does not matter."""
    usual = small_problem(prior, frames=FRAMES, prompt=PROMPT)
    return Problem(
        prompt=PROMPT,
        prior=prior,
        body=usual.body,
        scene=Canvas(CpuRasterizer()),
        cameras=Orbit(size=(PIXELS, PIXELS)),
        num_frames=FRAMES,
        seed=seed,
        critics=critics,
    )
