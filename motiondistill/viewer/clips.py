"""Motions as a viewer shows them: posed, at a smooth rate, in pieces of one colour each."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray

from motiondistill.body.base import Body
from motiondistill.motion.resampling import smoothly_resampled
from motiondistill.structures import PARENTS, Motion
from motiondistill.viewer.colours import Piece, pieces

SMOOTH: Final = 30.0
"""Frames a second that look continuous."""


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

    def crown(self, frame: int) -> tuple[float, float, float]:
        """The point above the pelvis that is as high as the body's highest."""
        x, _, z = self.joints[frame, 0].tolist()
        return x, float(self.vertices[frame, :, 1].max()), z

    def bones(self, frame: int) -> Float[NDArray[np.float32], "bones 2 3"]:
        """Lines from every joint's parent to the joint."""
        joints = self.joints[frame]
        pairs = [(parent, child) for child, parent in enumerate(PARENTS) if parent >= 0]
        lines: NDArray[np.float32] = joints[np.array(pairs)]
        return lines


@torch.no_grad()
def clip_of(name: str, motion: Motion, body: Body) -> Clip:
    """The motion on the body, between its frames along smooth curves where it has fewer than 30."""
    if motion.fps < SMOOTH:
        count = round((motion.num_frames - 1) * SMOOTH / motion.fps) + 1
        motion = smoothly_resampled(motion, SMOOTH, count)
    mesh = body(motion)
    return Clip(
        name,
        motion.fps,
        mesh.vertices.float().cpu().numpy(),
        mesh.joints.float().cpu().numpy(),
        pieces(mesh.faces.cpu(), mesh.parts.cpu()),
    )


def numbered(names: Sequence[str]) -> list[str]:
    """The names, with (1), (2) and so on behind those that occur more than once."""
    counts, seen = Counter(names), Counter[str]()
    found = []
    for name in names:
        seen[name] += 1
        found.append(f"{name} ({seen[name]})" if counts[name] > 1 else name)
    return found
