"""Cameras on an orbit around the subject, and the heading that view words are measured against."""

import dataclasses
import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill import rotations
from motiondistill.prompts import VIEW_NAMES
from motiondistill.structures import Camera, Motion


def look_at(
    eye: Float[Tensor, "*batch 3"], target: Float[Tensor, "*batch 3"]
) -> Float[Tensor, "*batch 4 4"]:
    """`camera_from_world` of OpenCV cameras at `eye` that look at `target`.

    World +Y is up in the image. Undefined where the view direction is vertical.
    """
    forward = torch.nn.functional.normalize(target - eye, dim=-1)
    up = torch.tensor([0.0, 1.0, 0.0]).to(eye).expand_as(forward)
    right = torch.nn.functional.normalize(torch.cross(forward, up, dim=-1), dim=-1)
    down = torch.cross(forward, right, dim=-1)
    rotation = torch.stack([right, down, forward], -2)
    translation = -(rotation @ eye[..., None])
    bottom = torch.tensor([0.0, 0.0, 0.0, 1.0]).to(eye).expand(*eye.shape[:-1], 1, 4)
    return torch.cat([torch.cat([rotation, translation], -1), bottom], -2)


@dataclass(frozen=True)
class Orbit:
    """A circle of cameras around the subject.

    One framing serves a whole clip: it never follows single frames. The defaults frame a standing
    person with raised arms; the embedded prior was trained with them.
    """

    elevation: float = 0.15
    """Angle of the camera above the horizon, radians."""
    distance: float = 4.0
    """From the target, metres."""
    target_height: float = 0.95
    """Height of the point looked at above the ground, metres."""
    fov_y: float = 0.52
    """Vertical field of view, radians."""
    size: tuple[int, int] = (64, 64)
    """Image height and width, pixels."""

    def __call__(self, azimuth: Float[Tensor, "*batch"]) -> Camera:
        """Cameras at these azimuths (radians).

        Azimuth 0 looks at the subject's front; positive azimuths move the camera towards the
        subject's left (+X).
        """
        horizontal = self.distance * math.cos(self.elevation)
        rise = torch.full_like(azimuth, self.distance * math.sin(self.elevation))
        offset = torch.stack([horizontal * azimuth.sin(), rise, horizontal * azimuth.cos()], -1)
        target = torch.tensor([0.0, self.target_height, 0.0]).to(azimuth).expand_as(offset)
        return Camera(look_at(target + offset, target), self.fov_y, self.size)


def view_azimuths(
    count: int, *, jitter: float, generator: torch.Generator
) -> Float[Tensor, " count"]:
    """Azimuths spread evenly over the full circle, radians.

    Each is within `jitter` of the centre of a named view.
    """
    start = torch.rand((), generator=generator)
    index = ((torch.arange(count) + start) / count * len(VIEW_NAMES)).floor()
    offset = (torch.rand(count, generator=generator) * 2 - 1) * jitter
    return index * (2 * math.pi / len(VIEW_NAMES)) + offset


def heading(motion: Motion) -> Float[Tensor, "*batch"]:
    """The azimuth that the clip's subject faces, averaged over its frames.

    0 is +Z, positive towards +X. One angle a clip, detached: else an optimiser would turn the body
    to please the view word.
    """
    facing = motion.rotations[..., 0, :, 2].detach().mean(-2)
    return torch.atan2(facing[..., 0], facing[..., 2])


def facing_forward(motion: Motion) -> Motion:
    """The same motion turned about the vertical so that its heading is +Z."""
    turn = rotations.about_y(-heading(motion))[..., None, :, :]
    root = turn @ motion.rotations[..., 0, :, :]
    return dataclasses.replace(
        motion,
        rotations=torch.cat([root[..., None, :, :], motion.rotations[..., 1:, :, :]], -3),
        translation=(turn @ motion.translation[..., None]).squeeze(-1),
    )
