"""Animated hierarchies: what BVH, glTF, poselib and others have in common."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class AnimatedSkeleton:
    """Named joints and where they go, in the axes and units of their file."""

    names: tuple[str, ...]
    parents: tuple[int, ...]
    """Parents precede their children; -1 for roots."""
    offsets: Float[Tensor, "nodes 3"]
    """From the parent, at rest."""
    positions: Float[Tensor, "frames nodes 3"]
    """In the file's world."""
    fps: float
    rotations: Float[Tensor, "frames nodes 3 3"] | None = None
    """Relative to the parent, if the file has rotations; scaled where it scales."""

    @property
    def key(self) -> str:
        """Eight letters for the names and the proportions: equal for clips of one skeleton."""
        size = self.offsets.norm(dim=-1).sum().clamp(min=1e-12)
        shares = (1e4 * self.offsets[1:] / size).round().int().flatten().tolist()
        text = repr((self.names, self.parents, shares))
        return hashlib.sha256(text.encode()).hexdigest()[:8]


def place(
    parents: Sequence[int],
    rotations: Float[Tensor, "frames nodes 3 3"],
    offsets: Float[Tensor, "#frames nodes 3"],
) -> Float[Tensor, "frames nodes 3"]:
    """Positions of nodes that are turned, relative to their parents, and held off from them.

    A root's offset is its position. Unlike `kinematics.forward_kinematics`, offsets may change from
    frame to frame, and there may be several roots.
    """
    world: list[Tensor] = []
    positions: list[Tensor] = []
    for node, parent in enumerate(parents):
        offset = offsets[:, node].expand(len(rotations), 3)
        if parent < 0:
            world.append(rotations[:, node])
            positions.append(offset)
        else:
            above = world[parent]
            world.append(above @ rotations[:, node])
            positions.append(positions[parent] + (above @ offset[..., None])[..., 0])
    return torch.stack(positions, 1)


def from_quaternion(xyzw: Float[Tensor, "*batch 4"]) -> Float[Tensor, "*batch 3 3"]:
    """Rotation matrices of quaternions (x, y, z, w), which need not have unit length."""
    x, y, z, w = torch.nn.functional.normalize(xyzw, dim=-1).unbind(-1)
    entries = [
        1 - 2 * (y * y + z * z),
        2 * (x * y - z * w),
        2 * (x * z + y * w),
        2 * (x * y + z * w),
        1 - 2 * (x * x + z * z),
        2 * (y * z - x * w),
        2 * (x * z - y * w),
        2 * (y * z + x * w),
        1 - 2 * (x * x + y * y),
    ]
    return torch.stack(entries, -1).reshape(*xyzw.shape[:-1], 3, 3)
