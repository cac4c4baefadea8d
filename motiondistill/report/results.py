"""What a run leaves behind: the motion, its videos, its strip of frames and its figures."""

import dataclasses
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill.atomic import write_text
from motiondistill.cameras import Orbit, heading
from motiondistill.engine.starts import Problem
from motiondistill.motion.motion_file import save_motion
from motiondistill.report.media import save_strip, save_video
from motiondistill.structures import Motion

RESULTS: Final = ("motion.npz", "video_front.mp4", "video_orbit.mp4", "strip.png", "metrics.json")

_SIDE: Final = 256
STRIP_VIEWS: Final = (0.0, math.pi / 4, math.pi / 2)
"""The strip's rows: from the front, from the front left, and from the left side, radians."""
_ORBIT_LOOPS: Final = 3


@torch.no_grad()
def write_results(
    folder: Path, problem: Problem, motion: Motion, metrics: Mapping[str, object]
) -> None:
    """All of `RESULTS` in the folder; videos are rendered anew, larger than the prior saw them."""
    save_motion(
        folder / "motion.npz",
        motion,
        problem.body(motion).joints,
        prompt=problem.prompt,
        seed=problem.seed,
        body=problem.body.name,
        shape=problem.body.shape,
        expression=problem.body.expression,
    )
    text = json.dumps(dict(metrics), indent=2) + "\n"
    write_text(folder / "metrics.json", text)
    views = film(problem, motion, torch.tensor(STRIP_VIEWS))
    save_strip(folder / "strip.png", torch.nn.functional.avg_pool3d(views, (1, 2, 2)))
    save_video(folder / "video_front.mp4", views[0], motion.fps)
    save_video(folder / "video_orbit.mp4", film_orbit(problem, motion), motion.fps, loops=1)


def film(
    problem: Problem, motion: Motion, azimuths: Float[Tensor, " views"]
) -> Float[Tensor, "views frames 3 height width"]:
    """The clip from cameras at these azimuths against its heading, radians."""
    return problem.scene(problem.body(motion), _cameras(problem)(azimuths + heading(motion)))


def film_orbit(problem: Problem, motion: Motion) -> Float[Tensor, "frames 3 height width"]:
    """The clip played three times while the camera goes once around the subject."""
    frames = torch.arange(_ORBIT_LOOPS * motion.num_frames) % motion.num_frames
    # One-frame clips, each with a camera of its own.
    stills = motion.map(lambda tensor: tensor[frames, None])
    azimuths = torch.arange(len(frames)) * (2 * math.pi / len(frames)) + heading(motion)
    return problem.scene(problem.body(stills), _cameras(problem)(azimuths))[:, 0]


def _cameras(problem: Problem) -> Orbit:
    height, width = problem.cameras.size
    factor = math.ceil(_SIDE / min(height, width))
    return dataclasses.replace(problem.cameras, size=(height * factor, width * factor))
