"""A finished motion as a film, drawn batch by batch: memory does not grow with its length."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from motiondistill.body.base import Body
from motiondistill.cameras import project
from motiondistill.film.pictures import Picture
from motiondistill.structures import Camera, Mesh, Motion

# Points of the body that are posed at once.
_BATCH_POINTS: Final = 2**20


@dataclass(frozen=True)
class OutputSettings:
    """What is written."""

    # `colours` is the scene of `render`; `motion_map` and `skeleton_map` are what motion-guided and
    # pose-guided video models take; `depth`, `parts` and `tracklets` (points on the body, and
    # whether each is seen) are measured. All but `colours` also write their values as .npz.
    kind: Literal["colours", "motion_map", "skeleton_map", "depth", "parts", "tracklets"] = (
        "colours"
    )
    # Frames per second, between which the motion is interpolated; null takes the motion's own. The
    # film then ends with the motion's last frame, which only repeated motions hold for its time.
    fps: float | None = None
    # How often the motion is played while the camera goes its way once.
    repeats: int = 1
    # Points on the body that `tracklets` follows.
    points: int = 64
    # Whether several views have their names in a corner.
    labels: bool = True


@dataclass(frozen=True)
class Film:
    """All that a film is made of."""

    body: Body
    motion: Motion
    """One clip, all frames that are shown."""
    cameras: Camera
    """Poses [views frames 4 4] and fields of view [views frames]."""
    picture: Picture
    views: tuple[str, ...]
    """Names of the views."""
    batch: int
    """Frames that are drawn at once."""


@dataclass(frozen=True)
class Batch:
    """Some frames of a film, in all views."""

    video: Float[Tensor, "views frames 3 height width"]
    data: Mapping[str, Shaped[Tensor, "views frames ..."]]


@torch.no_grad()
def shoot(film: Film) -> Iterator[Batch]:
    """The film from its first frame to its last, `film.batch` frames at a time."""
    for start in range(0, film.motion.num_frames, film.batch):
        part = slice(start, start + film.batch)
        motion = film.motion.frames(part)
        mesh = film.body(motion)
        drawn = [
            film.picture.draw(mesh, motion, one_view(film.cameras, view, part))
            for view in range(len(film.views))
        ]
        yield Batch(
            torch.stack([each.video for each in drawn]),
            {name: torch.stack([each.data[name] for each in drawn]) for name in drawn[0].data},
        )


@torch.no_grad()
def meshes(body: Body, motion: Motion) -> Iterator[Mesh]:
    """The posed body in batches of frames."""
    batch = max(1, _BATCH_POINTS // len(body.parts))
    for start in range(0, motion.num_frames, batch):
        yield body(motion.frames(slice(start, start + batch)))


def one_view(cameras: Camera, view: int, frames: slice) -> Camera:
    """The cameras of one view in some frames."""
    poses, fov_y = cameras.camera_from_world[view, frames], torch.as_tensor(cameras.fov_y)
    return Camera(poses, fov_y[view, frames], cameras.size, cameras.near, cameras.far)


def depth_range(body: Body, motion: Motion, cameras: Camera) -> tuple[float, float]:
    """How near and how far the body is from the cameras, metres, over all frames and views."""
    nearest, farthest, start = cameras.far, cameras.near, 0
    for mesh in meshes(body, motion):
        part = slice(start, start + mesh.vertices.shape[-3])
        start = part.stop
        for view in range(len(cameras.camera_from_world)):
            _, depth = project(mesh.vertices, one_view(cameras, view, part))
            nearest = min(nearest, depth.min().item())
            farthest = max(farthest, depth.max().item())
    return max(nearest, cameras.near), farthest
