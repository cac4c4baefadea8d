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
    if not 0 <= margin < 1:
        raise ValueError(f"`margin` must be between 0 and 1, got {margin}; 0.05 leaves a little.")
    vertices = mesh.vertices.detach()
    points = vertices.flatten(-3, -2)
    target = (points.amin(-2) + points.amax(-2)) / 2
    height, width = orbit.size
    tangent = (1 - margin) * math.tan(orbit.fov_y / 2)
    limits = torch.tensor([tangent * width / height, tangent]).to(points)
    centre = torch.zeros(len(azimuths), 3).to(points)
    poses = orbit_poses(azimuths.to(points), orbit.elevation, 1.0, centre)
    needed = []
    for rotation in poses[:, :3, :3]:  # view by view, to keep memory small
        seen = (points - target[..., None, :]) @ rotation.mT
        before = (seen[..., :2].abs() / limits).amax(-1).clamp(min=Camera.near)
        needed.append((before - seen[..., 2]).amax(-1))
    return Framing(target, torch.stack(needed).amax(0))
