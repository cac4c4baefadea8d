"""A prior that knows by heart what a few still poses look like, from all named views."""

import dataclasses
import math

import torch
from small_problem import rendered, small_problem
from torch import Tensor

from motiondistill.motion.pose_field import PoseField
from motiondistill.motion.stances import Stance
from motiondistill.priors.base import VideoFormat
from motiondistill.priors.gaussian import Gaussian, GaussianPrior
from motiondistill.prompts import VIEW_NAMES
from motiondistill.randomness import seeded
from motiondistill.structures import Motion

# Its eigenvectors are a matrix of all pixels by all pixels.
ORACLE = VideoFormat(fps=8.0, frames=3, height=16, width=16)


def pose(arm_lift: float, aside: float) -> Motion:
    """A stance, displaced sideways (metres), that moves no more."""
    still = PoseField(stance=Stance(arm_lift=arm_lift), generator=seeded(0))(
        ORACLE.frames, ORACLE.fps
    ).detach()
    return dataclasses.replace(still, translation=still.translation + torch.tensor([aside, 0, 0]))


def all_around(goal: Motion) -> Tensor:
    """Its videos in the eight named views."""
    empty = small_problem(GaussianPrior({}, ORACLE), pixels=16, frames=ORACLE.frames)
    return rendered(empty, goal, torch.arange(8) * (math.pi / 4))


def oracle(goals: dict[str, Motion]) -> GaussianPrior:
    """A prior whose clips of each prompt lie around the renderings of its goal."""
    size = 3 * ORACLE.frames * ORACLE.height * ORACLE.width
    eye, variances = torch.eye(size), torch.full((size,), 0.01)
    return GaussianPrior(
        {
            f"{prompt}, {view}": Gaussian(mean, variances, eye)
            for prompt, goal in goals.items()
            for view, mean in zip(
                VIEW_NAMES, all_around(goal).transpose(1, 2).flatten(1), strict=True
            )
        },
        ORACLE,
    )
