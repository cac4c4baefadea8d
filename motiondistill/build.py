"""Objects from configurations: every choice by name is resolved here, by one `match` each."""

import logging
from pathlib import Path
from typing import Literal, assert_never

from motiondistill.body.anny import anny_body
from motiondistill.body.skinning import SkinnedBody
from motiondistill.optimize import Settings
from motiondistill.priors import EMBEDDED_PRIOR, Prior, load_prior, randomized
from motiondistill.randomness import seeded
from motiondistill.render.cpu import CpuRasterizer
from motiondistill.render.scene import Scene
from motiondistill.schema import BodyConfig, OptimizeConfig, PriorConfig
from motiondistill.score.objectives import Objective, csd_loss, sds_loss
from motiondistill.starts import Problem

logger = logging.getLogger(__name__)


def make_prior(config: PriorConfig, seed: int) -> Prior:
    """The frozen prior; `seed` matters only for random weights."""
    folder = EMBEDDED_PRIOR if config.model == "embedded" else Path(config.model)
    if not folder.is_dir():
        raise FileNotFoundError(
            f"`prior.model` must be `embedded` or a pipeline folder, got {config.model!r}; "
            "check the path."
        )
    logger.info("loading the prior from %s", folder)
    prior = load_prior(folder)
    match config.weights:
        case "pretrained":
            return prior
        case "random":
            return randomized(prior, seeded(seed, 0, "random weights"))
        case _:
            assert_never(config.weights)


def make_body(config: BodyConfig) -> SkinnedBody:
    """The body of the chosen kind and resolution."""
    match config.name:
        case "anny":
            return anny_body(config.resolution)
        case _:
            assert_never(config.name)


def make_problem(config: OptimizeConfig, prompt: str) -> Problem:
    """What `motiondistill optimize` optimises.

    Raises ValueError for clips that the prior cannot take.
    """
    prior = make_prior(config.prior, config.run.seed)
    num_frames = config.run.frames or prior.format.frames
    prior.format.check(num_frames, *config.camera.size)
    return Problem(
        prompt=prompt,
        prior=prior,
        body=make_body(config.body),
        scene=Scene(CpuRasterizer()),
        cameras=config.camera,
        num_frames=num_frames,
        seed=config.run.seed,
        negative_prompt=config.prior.negative_prompt,
    )


def make_settings(config: OptimizeConfig) -> Settings:
    """The loop's knobs."""
    return Settings(
        config.init, config.score, config.regularize, make_objective(config.score.objective)
    )


def make_objective(name: Literal["csd", "sds"]) -> Objective:
    """The objective of this name."""
    match name:
        case "csd":
            return csd_loss
        case "sds":
            return sds_loss
        case _:
            assert_never(name)
