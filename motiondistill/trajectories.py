"""Cameras that move within a clip: key frames, and the paths that films are made of."""

import itertools
import math
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill import rotations
from motiondistill.cameras import Orbit, orbit_poses, pose_at
from motiondistill.structures import Camera


@dataclass(frozen=True)
class KeyFrame:
    """Where the camera is at one time, and where it looks."""

    time: float
    """Seconds from the clip's first frame."""
    azimuth: float = 0.0
    """Radians, as in `Orbit`. Never wrapped: from 0 to 4 pi the camera goes round twice."""
    elevation: float = Orbit.elevation
    """Angle of the camera above the horizon, as seen from the target, radians."""
    distance: float = Orbit.distance
    """From the target, metres."""
    fov_y: float = Orbit.fov_y
    """Vertical field of view, radians."""
    target: tuple[float, float, float] = (0.0, Orbit.target_height, 0.0)
    """The point that is looked at and that the camera's place is measured from, metres."""
    pan: float = 0.0
    """Turn of the camera on the spot from the target to the picture's right, radians."""
    tilt: float = 0.0
    """Turn of the camera on the spot from the target upwards, radians."""

    def __post_init__(self) -> None:
        ranges = {
            "elevation": (-math.pi / 2, math.pi / 2, "look from the side: above it has no upright"),
            "distance": (0.0, math.inf, "choose metres from the target"),
            "fov_y": (0.0, math.pi, "choose radians, such as 0.52"),
        }
        for name, (low, high, remedy) in ranges.items():
            value = getattr(self, name)
            if not low < value < high:
                raise ValueError(
                    f"`{name}` must lie between {low:g} and {high:g}, got {value}; {remedy}."
                )


@dataclass(frozen=True)
class Trajectory:
    """A path through key frames, and the camera that follows it.

    Every number of a key frame follows its own monotone cubic: exact at the key frames, with a
    continuous slope between the first and the last, and never beyond the values on either side.
    Before the first key frame and after the last the camera stands still.
    """

    key_frames: tuple[KeyFrame, ...]
    size: tuple[int, int] = (64, 64)
    """Image height and width, pixels."""

    def __post_init__(self) -> None:
        times = [key.time for key in self.key_frames]
        if not times or any(a >= b for a, b in itertools.pairwise(times)):
            raise ValueError(
                f"`key_frames` must be at least one, in the order of their times, got times "
                f"{times}; sort them and keep one of each time."
            )

    def __call__(self, times: Float[Tensor, " frames"], heading: Float[Tensor, "*batch"]) -> Camera:
        """The moving cameras of clips whose frames are at `times` (seconds).

        The path is meant for a subject that faces +Z. As a whole it is turned about the vertical
        through the origin to each clip's heading (radians).
        """
        azimuth, elevation, distance, fov_y, pan, tilt, *target = self._follow(times).unbind(-1)
        poses = orbit_poses(azimuth, elevation, distance, torch.stack(target, -1))
        level, eye = poses[:, :3, :3], -(poses[:, :3, :3].mT @ poses[:, :3, 3:]).squeeze(-1)
        zero = torch.zeros_like(tilt)
        nod = rotations.from_axis_angle(torch.stack([-tilt, zero, zero], -1))
        turn = rotations.about_y(heading.to(poses))[..., None, :, :]
        world_to_camera = nod @ level @ rotations.about_y(pan) @ turn.mT
        place = (turn @ eye[..., None]).squeeze(-1)
        dtype = heading.dtype
        return Camera(pose_at(world_to_camera, place).to(dtype), fov_y.to(dtype), self.size)

    def _follow(self, times: Float[Tensor, " frames"]) -> Float[Tensor, "frames 9"]:
        rows = [
            (k.azimuth, k.elevation, k.distance, k.fov_y, k.pan, k.tilt, *k.target)
            for k in self.key_frames
        ]
        values = torch.tensor(rows, dtype=torch.float64)
        keys = torch.tensor([key.time for key in self.key_frames], dtype=torch.float64)
        return monotone_cubic(keys, values, times.double())


def monotone_cubic(
    keys: Float[Tensor, " keys"],
    values: Float[Tensor, "keys columns"],
    at: Float[Tensor, " points"],
) -> Float[Tensor, "points columns"]:
    """Columns interpolated through `values` at increasing `keys`, constant beyond the ends.

    The piecewise cubic Hermite interpolant of Fritsch and Butland (1984): between two keys it stays
    between their values. Its slope is the weighted harmonic mean of the two sides' slopes, and zero
    where those differ in sign.
    """
    if len(keys) == 1:
        return values.expand(len(at), -1)
    at = at.clamp(keys[0], keys[-1])
    step = keys.diff()
    slope = values.diff(dim=0) / step[:, None]
    left = (torch.searchsorted(keys, at, right=True) - 1).clamp(0, len(step) - 1)
    slopes = _hermite_slopes(step, slope)
    h = step[left, None]
    t = (at - keys[left])[:, None] / h
    start, end = values[left], values[left + 1]
    bend = h * ((1 - t) * slopes[left] - t * slopes[left + 1]) + (2 * t - 1) * (end - start)
    return (1 - t) * start + t * end + t * (1 - t) * bend


def still(orbit: Orbit, *, azimuth: float = 0.0) -> Trajectory:
    """The orbit's camera at this azimuth (radians), which stays where it is."""
    return Trajectory((_key(orbit, azimuth),), orbit.size)


def turn(orbit: Orbit, angle: float, seconds: float, *, azimuth: float = 0.0) -> Trajectory:
    """Round the subject by `angle` (radians, positive to its left) at constant speed."""
    first = _key(orbit, azimuth)
    return _from_to(orbit, first, replace(first, time=seconds, azimuth=azimuth + angle))


def dolly(orbit: Orbit, distance: float, seconds: float, *, azimuth: float = 0.0) -> Trajectory:
    """Straight to or from the target until it is `distance` metres away, at constant speed."""
    first = _key(orbit, azimuth)
    return _from_to(orbit, first, replace(first, time=seconds, distance=distance))


def zoom(orbit: Orbit, factor: float, seconds: float, *, azimuth: float = 0.0) -> Trajectory:
    """On the spot until the picture is `factor` times as large: above 1 in, below 1 out."""
    first = _key(orbit, azimuth)
    fov_y = 2 * math.atan(math.tan(orbit.fov_y / 2) / factor)
    return _from_to(orbit, first, replace(first, time=seconds, fov_y=fov_y))


def pan(orbit: Orbit, angle: float, seconds: float, *, azimuth: float = 0.0) -> Trajectory:
    """On the spot from half of `angle` left of the target to half of it right (radians)."""
    first = replace(_key(orbit, azimuth), pan=-angle / 2)
    return _from_to(orbit, first, replace(first, time=seconds, pan=angle / 2))


def _key(orbit: Orbit, azimuth: float) -> KeyFrame:
    """The orbit's camera at this azimuth, at the start of a clip."""
    target = (0.0, orbit.target_height, 0.0)
    return KeyFrame(0.0, azimuth, orbit.elevation, orbit.distance, orbit.fov_y, target)


def _from_to(orbit: Orbit, first: KeyFrame, last: KeyFrame) -> Trajectory:
    return Trajectory((first, last), orbit.size)


def _hermite_slopes(
    step: Float[Tensor, " steps"], slope: Float[Tensor, "steps columns"]
) -> Float[Tensor, "keys columns"]:
    """Slopes at the keys from the steps' lengths and slopes."""
    if len(step) == 1:
        return slope.repeat(2, 1)
    h, previous, following = step[:, None], slope[:-1], slope[1:]
    one, two = 2 * h[1:] + h[:-1], h[1:] + 2 * h[:-1]
    peak = previous * following <= 0
    safe = [torch.where(peak, torch.ones_like(side), side) for side in (previous, following)]
    mean = (one + two) / (one / safe[0] + two / safe[1])
    inner = torch.where(peak, torch.zeros_like(mean), mean)
    return torch.cat(
        [
            _end_slope(h[0], h[1], slope[0], slope[1])[None],
            inner,
            _end_slope(h[-1], h[-2], slope[-1], slope[-2])[None],
        ]
    )


def _end_slope(h0: Tensor, h1: Tensor, s0: Tensor, s1: Tensor) -> Tensor:
    """The parabola's slope at the end, cut back to where the cubic stays monotone."""
    parabola = ((2 * h0 + h1) * s0 - h0 * s1) / (h0 + h1)
    parabola = torch.where(parabola * s0 <= 0, torch.zeros_like(parabola), parabola)
    beyond = (s0 * s1 < 0) & (parabola.abs() > 3 * s0.abs())
    return torch.where(beyond, 3 * s0, parabola)
