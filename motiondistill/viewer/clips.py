"""Motions as a viewer shows them: posed, at a smooth rate, in pieces of one colour each."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from motiondistill.body.base import Body
from motiondistill.data.windows import resample
from motiondistill.render.appearance import part_palette
from motiondistill.structures import PARENTS, PART_NAMES, Motion

SMOOTH: Final = 30.0
"""Frames a second that look continuous."""


@dataclass(frozen=True)
class Piece:
    """A part of the body that has one colour."""

    name: str
    colour: tuple[float, float, float]
    """sRGB from 0 to 1."""
    vertices: NDArray[np.int64]
    """Which of the body's vertices it uses."""
    faces: Int[NDArray[np.int64], "triangles 3"]
    """Triangles among these vertices."""


@dataclass(frozen=True)
class Clip:
    """A motion of which every frame is posed."""

    name: str
    fps: float
    vertices: Float[NDArray[np.float32], "frames vertices 3"]
    """Metres, +Y up."""
    joints: Float[NDArray[np.float32], "frames joints 3"]
    pieces: tuple[Piece, ...]

    @property
    def duration(self) -> float:
        """From the first frame to the last, seconds."""
        return (len(self.vertices) - 1) / self.fps

    def frame_at(self, seconds: float) -> int:
        """The frame shown then; before the beginning the first, after the end the last."""
        return min(max(round(seconds * self.fps), 0), len(self.vertices) - 1)

    def bones(self, frame: int) -> Float[NDArray[np.float32], "bones 2 3"]:
        """Lines from every joint's parent to the joint."""
        joints = self.joints[frame]
        pairs = [(parent, child) for child, parent in enumerate(PARENTS) if parent >= 0]
        lines: NDArray[np.float32] = joints[np.array(pairs)]
        return lines


@torch.no_grad()
def clip_of(name: str, motion: Motion, body: Body) -> Clip:
    """The motion on the body, between its frames along geodesics where it has fewer than 30."""
    if motion.fps < SMOOTH:
        count = round((motion.num_frames - 1) * SMOOTH / motion.fps) + 1
        motion = resample(motion, 0.0, SMOOTH, count)
    mesh = body(motion)
    return Clip(
        name,
        motion.fps,
        mesh.vertices.float().cpu().numpy(),
        mesh.joints.float().cpu().numpy(),
        pieces(mesh.faces.cpu(), mesh.parts.cpu()),
    )


def pieces(faces: Int[Tensor, "triangles 3"], parts: Int[Tensor, " vertices"]) -> tuple[Piece, ...]:
    """The body's parts; a triangle on a seam belongs to the part of its first corner."""
    triangles, found = faces.numpy(), []
    of_face = parts.numpy()[triangles[:, 0]]
    for part in np.unique(of_face).tolist():
        used, compact = np.unique(triangles[of_face == part], return_inverse=True)
        red, green, blue = part_palette()[part].tolist()
        found.append(Piece(PART_NAMES[part], (red, green, blue), used, compact.reshape(-1, 3)))
    return tuple(found)
