"""The figures of one motion: on its body, in its video, and against reference motions."""

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
from jaxtyping import Float, Int
from torch import Tensor

from motiondistill.body.base import Body
from motiondistill.building.objects import at_rest
from motiondistill.cameras import Orbit, facing_forward
from motiondistill.data.windows import resample
from motiondistill.framing import distance_to_see, middle
from motiondistill.metrics.alignment import RATE, at_rate, nearest_reference
from motiondistill.metrics.catalogue import Measurement, known, unknown
from motiondistill.metrics.physical import dynamic_degree, metrics_of_mesh
from motiondistill.metrics.video import Tracks, motion_fidelity, temporal_flickering
from motiondistill.motion.limits import anatomical_limits
from motiondistill.priors.clip_score import ClipScorer
from motiondistill.regularizers.capsules import capsules_of, self_penetration
from motiondistill.regularizers.joint_limits import joint_limits
from motiondistill.render.rasterizer import Rasterizer
from motiondistill.render.tracklets import spread, tracklets
from motiondistill.report.video_reading import read_video
from motiondistill.structures import Camera, Mesh, Motion

FEWEST_FRAMES: Final = 4
"""Of a motion, for its jerk."""
RUN_VIDEO: Final = "video_front.mp4"
# Frames that are posed at once.
_BATCH: Final = 256
# And drawn at once, in each view.
_DRAWN: Final = 32
_TRACKS: Final = 100
_PIXELS: Final = 256
_VIEWS: Final = (0.0, math.pi / 2)  # from the front and from the left
_NO_CONTACT: Final = "no foot ever touches the floor"


@dataclass(frozen=True)
class Reference:
    """A reference motion and its joints on its own body, at `alignment.RATE`."""

    name: str
    motion: Motion
    joints: Float[Tensor, "_ joints 3"]


@torch.no_grad()
def posed(body: Body, motion: Motion) -> Mesh:
    """The body in all frames of one motion, posed batch by batch where it is; on the CPU."""
    there = motion.map(lambda tensor: tensor.to(body.rest_joints))
    meshes = [
        _on_cpu(body(there.frames(slice(start, start + _BATCH))))
        for start in range(0, motion.num_frames, _BATCH)
    ]
    return dataclasses.replace(
        meshes[0],
        vertices=torch.cat([mesh.vertices for mesh in meshes]),
        joints=torch.cat([mesh.joints for mesh in meshes]),
    )


@torch.no_grad()
def physical_measurements(
    motion: Motion, body: Body, mesh: Mesh | None = None
) -> list[Measurement]:
    """Every physical metric of one motion on this body; `mesh` is `posed(body, motion)`.

    Raises ValueError for fewer than 4 frames.
    """
    mesh = posed(body, motion) if mesh is None else mesh
    found, frames = metrics_of_mesh(mesh, motion.fps), motion.num_frames
    overlap = self_penetration(mesh, capsules_of(_on_cpu(at_rest(body)))).sqrt()
    excess = joint_limits(motion, anatomical_limits()).sqrt()
    dynamic = dynamic_degree(mesh.joints, motion.rotations[..., 0, :, :], motion.fps)
    values = {
        "foot_skating_ratio": found.sliding.skating,
        "sliding_distance": found.sliding.distance,
        "sliding_speed": found.sliding.speed,
        "treadmill_sliding_speed": found.treadmill_sliding.speed,
        "penetration": found.penetration_mean,
        "floating": found.floating_mean,
        "jerk": found.jerk,
        "acceleration": found.acceleration,
        "joint_limit_violation": excess,
        "self_penetration": overlap,
        "dynamic_degree": dynamic,
        "root_speed": found.root_speed,
    }
    return [
        known(name, float(value), frames, _NO_CONTACT if bool(value.isnan()) else "")
        for name, value in values.items()
    ]


def _on_cpu(mesh: Mesh) -> Mesh:
    return dataclasses.replace(
        mesh,
        vertices=mesh.vertices.cpu(),
        joints=mesh.joints.cpu(),
        faces=mesh.faces.cpu(),
        parts=mesh.parts.cpu(),
    )


def floor_estimate(mesh: Mesh) -> float:
    """Height on which the motion seems to stand: the 5th percentile of its lowest points, m."""
    return float(mesh.vertices[..., 1].amin(-1).quantile(0.05))


def video_measurements(
    path: Path | None, frames: int, prompt: str, clip: ClipScorer | None
) -> list[Measurement]:
    """Figures of the first `frames` frames of a video, which may show its motion several times."""
    if path is None or not path.is_file():
        reason = "no video; name a run's folder"
        return [unknown(id, 0, reason) for id in ("temporal_flickering", "clip_score")]
    video = read_video(path, frames)
    measured = [known("temporal_flickering", float(temporal_flickering(video)), len(video))]
    if clip is None:
        measured.append(unknown("clip_score", 0, "no CLIP weights; add --clip FOLDER"))
    elif not prompt:
        measured.append(unknown("clip_score", 0, "the motion file has no prompt"))
    else:
        measured.append(known("clip_score", clip(video, prompt), len(video)))
    return measured


@torch.no_grad()
def reference_measurements(
    motion: Motion, body: Body, references: Sequence[Reference], rasterizer: Rasterizer
) -> list[Measurement]:
    """The distance to the nearest reference, and how alike it moves; notes name it."""
    joints = at_rate(posed(body, motion).joints, motion.fps)
    nearest = nearest_reference(joints, [each.joints for each in references])
    chosen = references[nearest.index]
    start = float(nearest.frames[0]) / RATE
    left = int((chosen.motion.num_frames / chosen.motion.fps - start) * RATE + 1e-6)
    frames = min(len(joints), left)
    distance = known("nearest_reference", nearest.distance, len(references), chosen.name)
    if frames < FEWEST_FRAMES:
        return [distance, unknown("motion_fidelity", 0, f"{chosen.name} ends too early")]
    pair = [resample(one, at, RATE, frames) for one, at in ((chosen.motion, start), (motion, 0.0))]
    value = float(fidelity(pair[0], pair[1], body, rasterizer))
    if not math.isfinite(value):
        return [distance, unknown("motion_fidelity", 0, f"no point is seen as in {chosen.name}")]
    note = f"{chosen.name} from {start:.2f} s"
    return [distance, known("motion_fidelity", value, _TRACKS, note)]


@torch.no_grad()
def fidelity(
    source: Motion, result: Motion, body: Body, rasterizer: Rasterizer
) -> Float[Tensor, ""]:
    """Motion fidelity of two motions of equal length on one body, mean of front and left view.

    Both face the camera at first sight alike, and one framing shows either from start to end.
    """
    chosen = spread(at_rest(body).vertices[0], min(_TRACKS, len(at_rest(body).vertices[0])))
    meshes = [_centred(posed(body, facing_forward(motion))) for motion in (source, result)]
    orbit = Orbit(elevation=0.0, target_height=0.0, size=(_PIXELS, _PIXELS))
    looks = orbit(torch.tensor(_VIEWS)).camera_from_world[:, 0, :3, :3]
    points = torch.cat([mesh.vertices.flatten(0, -2) for mesh in meshes])
    distance = float(distance_to_see(points, looks, orbit).amax())
    cameras = dataclasses.replace(orbit, distance=distance)(torch.tensor(_VIEWS))
    seen = [_followed(mesh, cameras, chosen, rasterizer) for mesh in meshes]
    return torch.stack([motion_fidelity(*views) for views in zip(*seen, strict=True)]).mean()


def _followed(
    mesh: Mesh, cameras: Camera, chosen: Int[Tensor, " points"], rasterizer: Rasterizer
) -> list[Tracks]:
    """The tracks of these vertices in each view, drawn batch by batch."""
    parts = [
        tracklets(
            dataclasses.replace(mesh, vertices=vertices, joints=joints),
            cameras,
            chosen,
            rasterizer,
            resolution=_PIXELS,
        )
        for vertices, joints in zip(
            torch.split(mesh.vertices, _DRAWN), torch.split(mesh.joints, _DRAWN), strict=True
        )
    ]
    pixels = torch.cat([part.pixels for part in parts], 1)
    visible = torch.cat([part.visible for part in parts], 1)
    return [Tracks(*view) for view in zip(pixels, visible, strict=True)]


def _centred(mesh: Mesh) -> Mesh:
    """The mesh with the middle of the box round all its frames at the origin."""
    shift = middle([mesh])
    return dataclasses.replace(mesh, vertices=mesh.vertices - shift, joints=mesh.joints - shift)
