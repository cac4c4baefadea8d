"""Small real problems for tests of the main job: the low body at few pixels and frames."""

import functools

import torch

from motiondistill.body.anny import anny_body
from motiondistill.body.skinning import SkinnedBody
from motiondistill.cameras import Orbit
from motiondistill.engine.starts import Problem
from motiondistill.motion.statistics import load_statistics
from motiondistill.priors.base import Prior
from motiondistill.regularizers.statistics import UsualPoses
from motiondistill.regularizers.weights import References
from motiondistill.render.cpu import CpuRasterizer
from motiondistill.render.scene import Scene
from motiondistill.structures import Motion

PROMPT = "a person is walking"
FRAMES = 5


@functools.cache
def body() -> SkinnedBody:
    """The low body, built once for all tests."""
    return anny_body("low")


@functools.cache
def usual_poses() -> UsualPoses:
    """Those of a default run."""
    statistics = load_statistics()
    return UsualPoses(statistics.mean, statistics.precision)


def small_problem(
    prior: Prior, *, pixels: int = 32, frames: int = FRAMES, prompt: str = PROMPT, seed: int = 0
) -> Problem:
    """A problem with a square image."""
    return Problem(
        prompt=prompt,
        prior=prior,
        body=body(),
        scene=Scene(CpuRasterizer()),
        cameras=Orbit(size=(pixels, pixels)),
        num_frames=frames,
        seed=seed,
        references=References(statistics=usual_poses()),
    )


@torch.no_grad()
def rendered(problem: Problem, motion: Motion, azimuths: torch.Tensor) -> torch.Tensor:
    """The motion's videos from these azimuths, [views F 3 H W]."""
    return problem.scene(problem.body(motion), problem.cameras(azimuths))
