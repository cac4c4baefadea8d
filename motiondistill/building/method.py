"""How score distillation goes, from its knobs: every choice by name, by one `match` each."""

from collections.abc import Callable
from functools import partial
from typing import assert_never

from motiondistill.engine.critics import Levels, Method
from motiondistill.engine.learning_rates import constant, warm_cosine
from motiondistill.engine.settings import DistillSettings
from motiondistill.motion.still import frozen
from motiondistill.score import levels, weightings
from motiondistill.score.loss import Shaping
from motiondistill.score.objectives import Inverted, MultiStep, NoiseFree, csd, dds, sds, vsd
from motiondistill.score.query import Objective
from motiondistill.score.weightings import Weighting
from motiondistill.structures import Motion


def make_method(knobs: DistillSettings) -> Method:
    """What the names in the knobs mean."""
    reference = None
    if knobs.objective == "dds":
        reference = _start
    elif knobs.objective == "moving_minus_static":
        reference = _static
    return Method(
        make_objective(knobs),
        make_levels(knobs),
        make_weighting(knobs),
        Shaping(knobs.motion_amplification, knobs.max_gradient),
        reference,
        make_rate(knobs),
        adapts=knobs.objective == "vsd",
    )


def make_objective(knobs: DistillSettings) -> Objective:
    """The objective of this name."""
    match knobs.objective:
        case "csd":
            return csd
        case "sds":
            return sds
        case "nfsd":
            return NoiseFree(knobs.domain_level)
        case "dds" | "moving_minus_static":
            return dds
        case "multi_step":
            return MultiStep(knobs.target_steps)
        case "sdi":
            return Inverted(
                knobs.target_steps, knobs.inversion_guidance_scale, knobs.inversion_noise
            )
        case "vsd":
            return vsd
        case _:
            assert_never(knobs.objective)


def make_weighting(knobs: DistillSettings) -> Weighting:
    """The weighting of this name."""
    match knobs.weighting:
        case "sds":
            return weightings.variance
        case "uniform":
            return weightings.uniform
        case "fantasia3d":
            return weightings.fantasia3d
        case "x0":
            return weightings.clean
        case "velocity":
            return weightings.velocity
        case "flow":
            return weightings.flow
        case _:
            assert_never(knobs.weighting)


def make_levels(knobs: DistillSettings) -> Levels:
    """Noise levels along the path of this name."""
    draw = _make_draw(knobs)
    first, last, jitter = knobs.first_level, knobs.last_level, knobs.level_jitter
    falling = partial(levels.annealed, first=first, last=last, jitter=jitter, draw=draw)
    match knobs.level_path:
        case "linear":
            return partial(falling, path=levels.linear)
        case "sqrt":
            return partial(falling, path=levels.square_root)
        case "inverse_cdf":
            return partial(falling, path=levels.inverse_cdf)
        case "uniform":
            return partial(levels.windowed, first=first, last=last, draw=draw)
        case "timesteps":
            return partial(levels.in_timesteps, first=first, last=last, draw=draw)
        case _:
            assert_never(knobs.level_path)


def make_rate(knobs: DistillSettings) -> Callable[[float], float]:
    """The learning rate's factor over the stage."""
    match knobs.learning_schedule:
        case "warm_cosine":
            return warm_cosine
        case "constant":
            return constant
        case _:
            assert_never(knobs.learning_schedule)


def _make_draw(knobs: DistillSettings) -> levels.Draw:
    match knobs.level_draw:
        case "stratified":
            return levels.stratified
        case "antithetic":
            return levels.antithetic
        case "independent":
            return levels.independent
        case _:
            assert_never(knobs.level_draw)


def _start(now: Motion, start: Motion) -> Motion:
    return start


def _static(now: Motion, start: Motion) -> Motion:
    return frozen(now)
