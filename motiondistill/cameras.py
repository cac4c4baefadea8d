"""Cameras on an orbit around the subject, and the heading that view words are measured against."""

import dataclasses
import math
from collections.abc import Sequence
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
    return pose_at(torch.stack([right, down, forward], -2), eye)


def pose_at(
    rotation: Float[Tensor, "*batch 3 3"], eye: Float[Tensor, "*batch 3"]
) -> Float[Tensor, "*batch 4 4"]:
    """`camera_from_world` of cameras at `eye` with this rotation from world to camera axes."""
    translation = -(rotation @ eye[..., None])
    bottom = torch.tensor([0.0, 0.0, 0.0, 1.0]).to(eye).expand(*eye.shape[:-1], 1, 4)
    return torch.cat([torch.cat([rotation, translation], -1), bottom], -2)


def orbit_poses(
    azimuth: Float[Tensor, "*batch"],
    elevation: float | Float[Tensor, "*#batch"],
    distance: float | Float[Tensor, "*#batch"],
    target: Float[Tensor, "*#batch 3"],
) -> Float[Tensor, "*batch 4 4"]:
    """`camera_from_world` of cameras at these angles (radians) and distances from their targets.

    Azimuth 0 stands on the target's +Z side; positive azimuths move towards +X, positive elevations
    up. Differentiable in everything that is a tensor. Undefined at elevations of +-pi/2.
    """
    # Plain numbers keep their double precision until here.
    lift = torch.as_tensor(elevation, dtype=torch.float64, device=azimuth.device)
    reach = torch.as_tensor(distance, dtype=torch.float64, device=azimuth.device)
    horizontal = (reach * lift.cos()).to(azimuth)
    rise = (reach * lift.sin()).to(azimuth).expand_as(azimuth)
    offset = torch.stack([horizontal * azimuth.sin(), rise, horizontal * azimuth.cos()], -1)
    place = target.to(azimuth).expand_as(offset)
    return look_at(place + offset, place)


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
    elevation_jitter: float = 0.0
    """How far `varied` goes up and down from the elevation, radians."""
    distance_jitter: float = 0.0
    """How far `varied` goes nearer and farther than the distance, metres."""
    fov_jitter: float = 0.0
    """How much narrower and wider `varied` makes the field of view, radians."""

    def __post_init__(self) -> None:
        limits = {
            "elevation": (self.elevation_jitter, -math.pi / 2, math.pi / 2),
            "distance": (self.distance_jitter, 0.0, math.inf),
            "fov_y": (self.fov_jitter, 0.0, math.pi),
        }
        for name, (jitter, low, high) in limits.items():
            value = getattr(self, name)
            if not (low < value - jitter and value + jitter < high):
                raise ValueError(
                    f"`{name}` must stay between {low:g} and {high:g}, got {value} and a jitter of "
                    f"{jitter}; lessen the jitter."
                )

    def __call__(self, azimuth: Float[Tensor, "*batch"]) -> Camera:
        """Cameras at these azimuths (radians), each of which stands still.

        Azimuth 0 looks at the subject's front; positive azimuths move the camera towards the
        subject's left (+X).
        """
        poses = orbit_poses(azimuth, self.elevation, self.distance, self._target())
        return Camera(poses[..., None, :, :], self.fov_y, self.size)

    def varied(self, azimuth: Float[Tensor, "*batch"], generator: torch.Generator) -> Camera:
        """The same with elevation, distance and field of view drawn for each camera by itself.

        Uniformly within the jitters: augmentation. Without any these are the same cameras.
        """
        shape = (3, *azimuth.shape)
        # In double precision, so that no jitter at all changes no bit.
        draws = 2 * torch.rand(shape, generator=generator, dtype=torch.float64) - 1
        lift, reach, view = draws.to(azimuth.device)
        poses = orbit_poses(
            azimuth,
            self.elevation + self.elevation_jitter * lift,
            self.distance + self.distance_jitter * reach,
            self._target(),
        )
        fov_y = self.fov_y + self.fov_jitter * view
        return Camera(poses[..., None, :, :], fov_y[..., None], self.size)

    def _target(self) -> Float[Tensor, "3"]:
        return torch.tensor([0.0, self.target_height, 0.0])


def project(
    points: Float[Tensor, "*#batch #frames points 3"], camera: Camera
) -> tuple[Float[Tensor, "*views frames points 2"], Float[Tensor, "*views frames points"]]:
    """Where cameras see points (metres, world), and how far in front of them (metres).

    Leading dimensions of points and cameras broadcast. The image is in pixels: x from the left edge
    and y from the top one, so that the centre of the pixel in row r and column c is at (c + 0.5,
    r + 0.5). Differentiable in points and poses. Where the distance is not positive the point is
    behind the camera, and its place in the image means nothing.
    """
    homogeneous = torch.cat([points, torch.ones_like(points[..., :1])], -1)
    clip = homogeneous @ camera.clip_from_world().transpose(-1, -2)
    height, width = camera.size
    depth = clip[..., 3]
    safe = torch.where(depth.abs() < camera.near, camera.near, depth)
    x, y = (clip[..., 0] / safe + 1) * (width / 2), (1 - clip[..., 1] / safe) * (height / 2)
    return torch.stack([x, y], -1), depth


def azimuths_of(views: Sequence[str | float]) -> Float[Tensor, " views"]:
    """The azimuth of every view, radians: names of `VIEW_NAMES` by their centres, numbers as is.

    The final words may be left out: `back` is `back view`, and `left` is `left side view`.
    """
    step = 2 * math.pi / len(VIEW_NAMES)
    short = [_short(name) for name in VIEW_NAMES]
    angles = []
    for view in views:
        if isinstance(view, str):
            if _short(view) not in short:
                raise ValueError(
                    f"`views` must hold angles or names ({', '.join(VIEW_NAMES)}), got {view!r}; "
                    "choose one of the names."
                )
            angles.append(short.index(_short(view)) * step)
        else:
            angles.append(float(view))
    return torch.tensor(angles)


def _short(view: str) -> str:
    return view.removesuffix(" view").removesuffix(" side")


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
