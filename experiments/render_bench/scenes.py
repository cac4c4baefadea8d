"""What the rendering benchmark draws: a kick in 16 frames, one camera, and what is asked of it.

The task is that of an optimiser: given the derivative of a loss by the pixels (here fixed, smooth
and random), find its derivative by the vertices, or by the pose.

A kick, because its limbs stay apart. Where surfaces pass through each other the line between their
colours moves too, which is no silhouette: neither renderer has a derivative for that.
"""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import torch
from jaxtyping import Float
from render_bench.bodies import load_body
from torch import Tensor

from motiondistill import rotations
from motiondistill.body.skinning import SkinnedBody
from motiondistill.cameras import Orbit
from motiondistill.data.parametric import parametric_motion
from motiondistill.randomness import seeded
from motiondistill.render.cpu import CpuRasterizer
from motiondistill.render.nvdiffrast import NvdiffrastRasterizer
from motiondistill.render.rasterizer import Rasterizer
from motiondistill.render.scene import Scene
from motiondistill.render.shading import UNLIT
from motiondistill.structures import JOINT_INDEX, Camera, Mesh, Motion

Backend = Literal["cpu", "nvdiffrast"]

_AZIMUTH: Final = 0.4
_FPS: Final = 8.0
# Waves of the loss' weights across an image.
_WAVES: Final = 8
# The joints whose rotations are asked for, besides the body's displacement.
_JOINTS: Final = ("pelvis", "left_hip", "right_shoulder", "left_elbow")
NUM_PARAMETERS: Final = 3 + 3 * len(_JOINTS)


@dataclass(frozen=True)
class Case:
    """One size of the task."""

    faces: int
    """See `bodies.body_of`."""
    size: int
    """Pixels along each side of the images."""
    frames: int = 16


def body_path(folder: Path, faces: int) -> Path:
    """Where the body with so many triangles lies."""
    return folder / f"body-{faces}.pt"


@dataclass(frozen=True)
class Task:
    """A case with everything that it takes, on one device."""

    body: SkinnedBody
    motion: Motion
    """One clip: [1 F ...]."""
    posed: Mesh
    camera: Camera
    weights: Float[Tensor, "1 frames 3 size size"]
    """The derivative of the loss by the pixels."""

    def at_frames(self, chosen: slice) -> "Task":
        """The task of some of the frames."""
        motion = self.motion.map(lambda tensor: tensor[:, chosen])
        return dataclasses.replace(
            self, motion=motion, posed=self.body(motion), weights=self.weights[:, chosen]
        )


def make_task(case: Case, folder: Path, device: torch.device | None = None) -> Task:
    """The task of this size, the same whenever it is asked for."""
    body = load_body(body_path(folder, case.faces))
    clip = parametric_motion("kick", "left", seeded(0), body.rest_joints, _FPS, case.frames)
    motion = clip.map(lambda tensor: tensor[None].to(device))
    camera = Orbit(size=(case.size, case.size))(torch.tensor([_AZIMUTH], device=device))
    noise = torch.randn(case.frames, 3, _WAVES, _WAVES, generator=seeded(1))
    smooth = torch.nn.functional.interpolate(noise, camera.size, mode="bicubic")
    weights = smooth[None].to(device) / case.size**2
    body = body.to(device=device)
    return Task(body, motion, body(motion), camera, weights)


def default_scene(backend: Backend) -> Scene:
    """What the package draws by default: part colours lit by a light, on the ground."""
    return Scene(_rasterizer(backend))


def unlit_scene(backend: Backend = "cpu", supersampling: int = 1) -> Scene:
    """Part colours as they are before one colour: what a path tracer can be asked for, too."""
    rasterizer = _rasterizer(backend)
    return Scene(rasterizer, light=UNLIT, ground=None, supersampling=supersampling)


def moved(motion: Motion, parameters: Float[Tensor, "*batch frames parameters"]) -> Motion:
    """The motion with every frame displaced (metres) and some joints turned (radians)."""
    turns = parameters[..., 3:].unflatten(-1, (-1, 3))
    rows = torch.tensor([JOINT_INDEX[name] for name in _JOINTS])
    offsets = turns.new_zeros(motion.rotations.shape[:-1]).index_copy(-2, rows, turns)
    return dataclasses.replace(
        motion,
        rotations=motion.rotations @ rotations.from_axis_angle(offsets),
        translation=motion.translation + parameters[..., :3],
    )


def by_pose(
    body: SkinnedBody, motion: Motion, gradient: Float[Tensor, "*batch frames vertices 3"]
) -> Float[Tensor, "*batch frames parameters"]:
    """The derivative by the parameters of `moved`, given that by the vertices."""
    shape = (*motion.translation.shape[:-1], NUM_PARAMETERS)
    parameters = torch.zeros(shape, requires_grad=True)
    vertices = body(moved(motion, parameters)).vertices
    (result,) = torch.autograd.grad(vertices, parameters, gradient)
    return result


def _rasterizer(backend: Backend) -> Rasterizer:
    return NvdiffrastRasterizer() if backend == "nvdiffrast" else CpuRasterizer()
