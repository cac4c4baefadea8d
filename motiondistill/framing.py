"""One framing for a whole clip: what a camera looks at and from how far, never frame by frame."""

import math
from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill.cameras import Orbit
from motiondistill.structures import Camera, Mesh


def middle(meshes: Iterable[Mesh]) -> Float[Tensor, "3"]:
    """The middle of the box round all frames of a motion that comes in batches; world, detached."""
    points = [mesh.vertices.detach().flatten(0, -2) for mesh in meshes]
    lows = torch.stack([batch.amin(0) for batch in points])
    highs = torch.stack([batch.amax(0) for batch in points])
    return (lows.amin(0) + highs.amax(0)) / 2


def distance_to_see(
    offsets: Float[Tensor, "*batch points 3"],
    camera_from_world: Float[Tensor, "views 3 3"],
    orbit: Orbit,
    *,
    margin: float = 0.05,
) -> Float[Tensor, "*batch"]:
    """The least distance from the target at which all points are in the picture of every view.

    From distance d, a point at (x, y, z) in the camera's axes relative to the target is in the
    picture if `|x| <= (d + z) a` and `|y| <= (d + z) b`, with a and b the tangents of half the
    fields of view, and if it is not nearer than the near plane; so d is the largest of all
    `|x| / a - z`, `|y| / b - z` and `near - z`.

    Args:
        offsets: The points relative to the target, metres, in the world's axes.
        camera_from_world: The views' rotations; each camera looks straight at the target.
        orbit: Field of view and size of the pictures.
        margin: Share of the picture's half height and half width that stays empty at its edges.
    """
    if not 0 <= margin < 1:
        raise ValueError(f"`margin` must be between 0 and 1, got {margin}; 0.05 leaves a little.")
    height, width = orbit.size
    tangent = (1 - margin) * math.tan(orbit.fov_y / 2)
    limits = torch.tensor([tangent * width / height, tangent]).to(offsets)
    needed = []
    for rotation in camera_from_world:  # view by view, to keep memory small
        seen = offsets @ rotation.mT
        before = (seen[..., :2].abs() / limits).amax(-1).clamp(min=Camera.near)
        needed.append((before - seen[..., 2]).amax(-1))
    return torch.stack(needed).amax(0)
