"""From where a finished motion is filmed: paths of cameras, and one framing for the whole of it."""

import dataclasses
import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill import rotations
from motiondistill.cameras import Orbit, azimuths_of
from motiondistill.framing import distance_to_see, middle
from motiondistill.prompts import view_name
from motiondistill.structures import Camera, Mesh
from motiondistill.trajectories import KeyFrame, Trajectory

# Places on a path from which the whole motion has to be seen: of a full turn every 6 degrees.
_LOOKS: Final = 64
# Which path each amount belongs to.
_AMOUNTS: Final = {
    "turn_angle": "turn",
    "dolly_factor": "dolly",
    "zoom_factor": "zoom",
    "pan_angle": "pan",
    "key_frames": "key_frames",
}


@dataclass(frozen=True)
class CameraKey:
    """Where the camera is at one time; what is null or left out is that of `camera`."""

    # Seconds from the first frame.
    time: float
    # Radians round the body from the view in `camera.views`, positive to the subject's left. From 0
    # to 12.57 the camera goes round twice.
    azimuth: float = 0.0
    # Angle of the camera above the horizon, radians.
    elevation: float | None = None
    # From the target, metres.
    distance: float | None = None
    # Vertical field of view, radians.
    fov_y: float | None = None
    # Height of the point looked at, metres.
    target_height: float | None = None
    # Turns of the camera on the spot, radians: to the picture's right, and upwards.
    pan: float = 0.0
    tilt: float = 0.0


@dataclass(frozen=True)
class ShotSettings:
    """From where the motion is seen: one framing for all of it, which no frame changes."""

    # `turn` goes round the body, `dolly` straight to it, `zoom` and `pan` change the field of view
    # and turn on the spot; `key_frames` follows a smooth path through those below.
    path: Literal["still", "turn", "dolly", "zoom", "pan", "key_frames"] = "still"
    # Where the path begins: sides of the subject, such as `front`, `left` or `back right`, or
    # angles against its front in radians, positive to its left. Several stand side by side.
    views: tuple[str, ...] = ("front",)
    # Image height and width of each view, pixels.
    size: tuple[int, int] = (512, 512)
    # Angle of the camera above the horizon, radians.
    elevation: float = 0.15
    # Vertical field of view, radians.
    fov_y: float = 0.52
    # From the target, metres, where the path begins; null is the least from which all of the motion
    # is in the picture, seen from every side that the camera takes. What a way changes besides is
    # not counted: after a dolly or zoom in, at a key frame's own distance, fov_y or target_height,
    # and while the camera pans or tilts, parts of the motion may be outside.
    distance: float | None = None
    # Height of the point looked at above the ground, metres; null is the middle of the motion.
    target_height: float | None = None
    # For a distance that is null: share of the picture's half height and width that stays empty.
    margin: float = 0.05
    # `turn`: how far, radians, positive to the subject's left.
    turn_angle: float = math.tau
    # `dolly`: the distance in the end as a share of that in the beginning; below 1 is nearer.
    dolly_factor: float = 0.6
    # `zoom`: how many times as large the picture is in the end; above 1 is in, below 1 out.
    zoom_factor: float = 1.6
    # `pan`: how far, radians, from half of it left of the subject to half of it right.
    pan_angle: float = 0.2
    # `key_frames`: a list of {time: ..., azimuth: ..., ...}, in the order of their times.
    key_frames: list[CameraKey] = field(default_factory=list)

    def __post_init__(self) -> None:
        for view in self.views:
            view_azimuth(view)
        if not 1 <= len(self.views) <= 16:
            raise ValueError(f"`camera.views` must be 1 to 16 views, got {len(self.views)}.")
        _check_amounts(self)
        _check_key_frames(self)


Path = Callable[[Orbit, float], Trajectory]
"""The way of a camera that begins on an orbit at an azimuth against the subject's front."""


def view_azimuth(view: str) -> float:
    """The azimuth of a view's name or number, radians against the subject's front."""
    try:
        angle = float(view)
    except ValueError:
        try:
            return azimuths_of([view]).item()
        except ValueError as error:
            raise ValueError(str(error).replace("`views`", "`camera.views`", 1)) from error
    if not abs(angle) <= 1000:  # false for nan, too
        raise ValueError(f"`camera.views` must hold angles within 1000 radians, got {view}.")
    return angle


def view_label(view: str) -> str:
    """The words for a view in a picture: its name in full, or its angle."""
    try:
        return f"{float(view):g} rad"
    except ValueError:
        return view_name(view_azimuth(view))


def cameras_along(
    path: Path,
    settings: ShotSettings,
    times: Float[Tensor, " frames"],
    heading: Float[Tensor, ""],
    meshes: Callable[[], Iterable[Mesh]],
) -> Camera:
    """Cameras [views frames 4 4] that begin at the settings' views and go along the path.

    They look at the middle of the whole motion, or above or below it at the given height.

    Args:
        path: The way from one view.
        settings: Views, size, and what is fixed of the framing.
        times: Of the frames, seconds.
        heading: Where the subject faces, radians; views count from there.
        meshes: Gives the whole motion in batches of frames; called once or twice.
    """
    target = middle(meshes())
    if settings.target_height is not None:
        target[1] = settings.target_height
    # The path turns with the heading about the vertical through the origin, and its target, too.
    local = rotations.about_y(-heading) @ target
    orbit = Orbit(
        elevation=settings.elevation,
        distance=1.0,
        target_height=float(target[1]),
        fov_y=settings.fov_y,
        size=settings.size,
    )
    azimuths = [view_azimuth(view) for view in settings.views]
    distance = settings.distance
    if distance is None:
        looks = [_looks(path(orbit, azimuth), times, heading) for azimuth in azimuths]
        distance = _least_distance(meshes(), target, torch.cat(looks), orbit, settings.margin)
    orbit = dataclasses.replace(orbit, distance=distance)
    ways = [_centred(path(orbit, azimuth), local)(times, heading) for azimuth in azimuths]
    return Camera(
        torch.stack([way.camera_from_world for way in ways]),
        torch.stack([torch.as_tensor(way.fov_y) for way in ways]),
        settings.size,
    )


def through(key_frames: Sequence[CameraKey], orbit: Orbit, azimuth: float) -> Trajectory:
    """The path through key frames that take from the orbit what they leave open."""
    return Trajectory(
        tuple(
            KeyFrame(
                key.time,
                azimuth + key.azimuth,
                orbit.elevation if key.elevation is None else key.elevation,
                orbit.distance if key.distance is None else key.distance,
                orbit.fov_y if key.fov_y is None else key.fov_y,
                (0.0, orbit.target_height if key.target_height is None else key.target_height, 0.0),
                key.pan,
                key.tilt,
            )
            for key in key_frames
        ),
        orbit.size,
    )


def _looks(
    way: Trajectory, times: Float[Tensor, " frames"], heading: Float[Tensor, ""]
) -> Float[Tensor, "looks 3 3"]:
    """Rotations of cameras all along the path that look straight at the target."""
    level = tuple(dataclasses.replace(key, pan=0.0, tilt=0.0) for key in way.key_frames)
    some = torch.linspace(0, len(times) - 1, min(len(times), _LOOKS)).round().long()
    poses = Trajectory(level, way.size)(times[some], heading).camera_from_world
    # Where the camera does not turn, one look serves for all.
    looks: Tensor = torch.unique(poses[:, :3, :3].double().round(decimals=6), dim=0)
    return looks.to(poses)


def _least_distance(
    meshes: Iterable[Mesh],
    target: Float[Tensor, "3"],
    looks: Float[Tensor, "looks 3 3"],
    orbit: Orbit,
    margin: float,
) -> float:
    return max(
        distance_to_see(mesh.vertices.flatten(0, -2) - target, looks, orbit, margin=margin).item()
        for mesh in meshes
    )


def _centred(way: Trajectory, target: Float[Tensor, "3"]) -> Trajectory:
    """The path round a target at another place and at its own heights."""
    x, _, z = target.tolist()
    keys = (dataclasses.replace(key, target=(x, key.target[1], z)) for key in way.key_frames)
    return dataclasses.replace(way, key_frames=tuple(keys))


def _check_amounts(settings: ShotSettings) -> None:
    """Refuses the amounts of other paths, rather than to ignore them."""
    usual = {knob.name: knob.default for knob in dataclasses.fields(ShotSettings)}
    for name, path in _AMOUNTS.items():
        value = getattr(settings, name)
        if settings.path != path and value and value != usual[name]:
            raise ValueError(
                f"`camera.{name}` must be left out with camera.path={settings.path}; "
                f"add camera.path={path}."
            )


def _check_key_frames(settings: ShotSettings) -> None:
    times = [key.time for key in settings.key_frames]
    if settings.path == "key_frames" and not times:
        raise ValueError(
            "`camera.key_frames` must hold at least one for camera.path=key_frames, got none; list "
            "them in a file for --config."
        )
    if any(a >= b for a, b in itertools.pairwise(times)):
        raise ValueError(
            f"`camera.key_frames` must be in the order of their times, got times {times}; sort "
            "them and keep one of each time."
        )
