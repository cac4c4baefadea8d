"""One framing for a whole clip: what a camera looks at and from how far, never frame by frame."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill.cameras import Orbit, orbit_poses
from motiondistill.structures import Camera, Mesh


@dataclass(frozen=True)
class Framing:
    """The point that all cameras of a clip look at, and their distance from it; both detached."""

    target: Float[Tensor, "*batch 3"]
    """Metres, world."""
    distance: Float[Tensor, "*batch"]
    """Metres."""

    def __call__(self, orbit: Orbit, azimuth: Float[Tensor, "*views"]) -> Camera:
        """The orbit's cameras at these azimuths (radians) round this target at this distance.

        Azimuths and clips broadcast: one clip is seen from all azimuths, several clips each from
        their own.
        """
        azimuth = azimuth + torch.zeros_like(self.distance)
        poses = orbit_poses(azimuth, orbit.elevation, self.distance, self.target)
        return Camera(poses[..., None, :, :], orbit.fov_y, orbit.size)


def framing(
    mesh: Mesh, orbit: Orbit, azimuths: Float[Tensor, " views"], *, margin: float = 0.05
) -> Framing:
    """The nearest framing from which no vertex of any frame leaves the picture in any view.

    The target is the middle of the box round all frames. From distance d, a vertex at (x, y, z) in
    the camera's axes relative to the target is in the picture if `|x| <= (d + z) a` and
    `|y| <= (d + z) b`, with a and b the tangents of half the fields of view, and if it is not
    nearer than the near plane; so d is the largest of all `|x| / a - z`, `|y| / b - z` and
    `near - z`.

    Args:
        mesh: The whole clip, [*B F V 3].
        orbit: Elevation, field of view and size of the pictures; its distance and target height
            are not used.
        azimuths: The views to be served, radians.
        margin: Share of the picture's half height and half width that stays empty at its edges.
    """
    vertices = mesh.vertices.detach()
    points = vertices.flatten(-3, -2)
    target = (points.amin(-2) + points.amax(-2)) / 2
    centre = torch.zeros(len(azimuths), 3).to(points)
    poses = orbit_poses(azimuths.to(points), orbit.elevation, 1.0, centre)
    offsets = points - target[..., None, :]
    return Framing(target, distance_to_see(offsets, poses[:, :3, :3], orbit, margin=margin))


def distance_to_see(
    offsets: Float[Tensor, "*batch points 3"],
    camera_from_world: Float[Tensor, "views 3 3"],
    orbit: Orbit,
    *,
    margin: float = 0.05,
) -> Float[Tensor, "*batch"]:
    """The least distance from the target at which all points are in the picture of every view.

    Args:
        offsets: The points relative to the target, metres, in the world's axes.
        camera_from_world: The views' rotations; each camera looks straight at the target.
        orbit: Field of view and size of the pictures.
        margin: See `framing`.
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
