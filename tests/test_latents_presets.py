"""The shipped configurations of `latents`: the paper's says what its authors' code computes."""

import math
from typing import Any

import pytest
import torch

from motiondistill import config
from motiondistill.building.latents import each_prior, make_latent_method, make_latent_problem
from motiondistill.building.method import make_method
from motiondistill.latents.ablation import initial_latents, optimize_latents
from motiondistill.priors.families import known
from motiondistill.randomness import seeded
from motiondistill.schema.jobs import LatentsConfig, OptimizeConfig
from motiondistill.schema.latents import of_clips
from motiondistill.score.levels import stable_diffusion_sigmas
from motiondistill.score.objectives import sds

NAMES = tuple(config.shipped("latents"))
NEGATIVE = "low motion, static statue, not moving, no motion"


def paper() -> LatentsConfig:
    return config.load(LatentsConfig, "paper")


def changed(settings: LatentsConfig | OptimizeConfig) -> dict[str, Any]:
    """The keys whose values are not the job's defaults."""
    default = dict(config.flat(config.to_dict(type(settings)())))
    found = dict(config.flat(config.to_dict(settings)))
    return {key: value for key, value in found.items() if value != default[key]}


def test_the_configurations_are_shipped() -> None:
    assert NAMES == ("multi_step", "paper", "pixels")


@pytest.mark.parametrize("name", NAMES)
def test_every_shipped_configuration_takes_its_first_steps(name: str) -> None:
    few = ["latents.models=[gaussian]", "score.num_steps=2", "camera.size=[16,24]"]
    (settings,) = each_prior(config.load(LatentsConfig, name, few))
    problem, _ = make_latent_problem(settings, "running")
    method = make_latent_method(settings)
    state = initial_latents(problem, method)
    before = state.numbers.detach().clone()
    steps = list(optimize_latents(problem, method, state))
    assert len(steps) == 2 and all(bool(step.loss.isfinite()) for step in steps)
    assert (problem.start == problem.start[:, :1]).all(), "the first frame of all, standing still"
    assert not torch.equal(before, state.numbers)


def test_every_value_of_the_papers_configuration_is_the_codes() -> None:
    found = changed(paper())
    looks = {
        key: value for key, value in found.items() if key.split(".")[0] in ("camera", "render")
    }
    assert {key: value for key, value in found.items() if key not in looks} == {
        "prior.negative_prompt": NEGATIVE,
        "words.template": "a shot of {view} of a man {prompt} in the beach, full-body",
        "words.negative_template": "{prompt}",
        "words.views": "quarters",
        "latents.models": ("videocrafter2", "zeroscope", "modelscope"),
        "score.num_steps": 1000,
        "score.guidance_scale": 100.0,
        "score.level_path": "timesteps",
        "score.first_level": 0.98,
        "score.last_level": 0.02,
        "score.level_draw": "independent",
        "score.learning_schedule": "constant",
        "run.frames": 10,
        "run.checkpoint_every": 100,  # ours
    }
    motions = changed(config.load(OptimizeConfig, "paper"))
    assert looks == {key: value for key, value in motions.items() if key in looks}
    score = paper().score
    assert (score.objective, score.views, score.weighting) == ("sds", 4, "sds")
    assert (score.learning_rate, score.motion_amplification) == (25e-3, 1.0)
    assert all(known(name) is not None for name in paper().latents.models)


def test_the_papers_prompts_of_its_four_views() -> None:
    """Front, side, back, side; and the same negative prompt of all."""
    words = paper().words
    told = [words.positive("running", k * math.pi / 2) for k in range(4)]
    assert told == [
        f"a shot of {side} view of a man running in the beach, full-body"
        for side in ("front", "side", "back", "side")
    ]
    assert words.negative(NEGATIVE, math.pi) == NEGATIVE


def test_the_papers_method_is_plain_score_distillation_at_a_constant_rate() -> None:
    method = make_method(paper().score)
    assert method.objective is sds
    assert {method.rate(progress) for progress in (0.0, 0.5, 1.0)} == {1.0}
    drawn = torch.cat([method.levels(0.3, 4, generator=seeded(k)) for k in range(200)])
    steps = (drawn[:, None] - stable_diffusion_sigmas()).abs().argmin(1).float()
    assert steps.min() >= 20 and steps.max() <= 980
    # A mean of 800 uniform draws is within four standard errors.
    assert (steps.mean() - 500).abs() < 4 * 960 / 12**0.5 / 800**0.5


def test_the_defaults_may_be_said_of_clips() -> None:
    assert config.load(LatentsConfig).score == of_clips()
