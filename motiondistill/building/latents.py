"""What `motiondistill latents` needs, from its configuration."""

import dataclasses
import functools
import math
from typing import assert_never

import torch

from motiondistill.body.base import Body
from motiondistill.building.field import make_field, make_space, make_statistics, make_timeline
from motiondistill.building.method import make_method
from motiondistill.building.motion import read_motion
from motiondistill.building.objects import (
    at_rest,
    make_body,
    make_cameras,
    make_changes,
    make_prior,
    make_scene,
    make_settings,
)
from motiondistill.building.prior import pinned
from motiondistill.building.regularizers import make_references, make_usual_poses
from motiondistill.cameras import Orbit, heading
from motiondistill.engine.critics import MAIN, Critic
from motiondistill.engine.reference_start import as_reference
from motiondistill.engine.stages import Settings
from motiondistill.engine.starts import FitSettings, Problem
from motiondistill.latents.ablation import LatentMethod, LatentProblem, LatentsSettings
from motiondistill.latents.spaces import (
    LatentReference,
    LatentSpace,
    PixelSpace,
    Space,
    as_begun,
    held_still,
)
from motiondistill.motion.stances import UPRIGHT
from motiondistill.motion.timeline import Timeline
from motiondistill.randomness import seeded
from motiondistill.regularizers.weights import RegularizerWeights
from motiondistill.render.randomization import randomized
from motiondistill.render.scene import Scene
from motiondistill.report.media import shrink_tile
from motiondistill.schema.field import FieldSettings
from motiondistill.schema.jobs import LatentsConfig, OptimizeConfig
from motiondistill.schema.runs import RunConfig
from motiondistill.structures import Motion

# The shorter side of the videos that a body is fitted to is below twice this, pixels: what the
# recogniser reads needs no more, and the time grows with the pixels.
_FITTED_SIDE = 64


def each_prior(config: LatentsConfig) -> list[LatentsConfig]:
    """A configuration for each prior, in their order, by the commit of its files; see `pinned`."""
    alone = dataclasses.replace(config.latents, models=())
    return [
        dataclasses.replace(
            config,
            prior=pinned(dataclasses.replace(config.prior, model=model)),
            latents=alone,
        )
        for model in config.latents.models or (config.prior.model,)
    ]


def make_latent_method(config: LatentsConfig) -> LatentMethod:
    """What the names in the configuration mean."""
    return LatentMethod(_make_space(config.latents), _make_reference(config))


def make_latent_problem(config: LatentsConfig, prompt: str) -> tuple[LatentProblem, Problem]:
    """What is optimised, and what a body is fitted to the result by.

    The second is seen by the same camera in the same scene, at fewer pixels if these are many.
    Raises ValueError for clips that the prior cannot take, and as `make_prior`, `make_body` and
    `read_motion` do.
    """
    prior = make_prior(config.prior, config.run.seed)
    timeline = make_timeline(FieldSettings(), RunConfig(frames=config.run.frames), prior.format)
    cameras = make_cameras(config.camera, prior.format)
    prior.format.check(timeline.num_frames, *cameras.size)
    body = make_body(config.body)
    changes = make_changes(config.render, body)
    seed = config.run.seed
    scene = randomized(make_scene(config.render, body), changes, seeded(seed, 0, "scene"))
    azimuths = torch.arange(config.score.views) * (2 * math.pi / config.score.views)
    motion = start_motion(config.latents, timeline, seed)
    with torch.no_grad():
        video = scene(body(motion), cameras(azimuths + heading(motion)))
    method, words = make_method(config.score), config.words
    negative = config.prior.negative_prompt
    critic = Critic(MAIN, prior, config.score, method, negative, wording=words)
    problem = LatentProblem(prompt, critic, video, azimuths, seed)
    return problem, _fit_problem(problem, body, scene, cameras, timeline)


def for_prompt(
    problem: LatentProblem, fitting: Problem, prompt: str
) -> tuple[LatentProblem, Problem]:
    """The same with another prompt: prior, body and start video are shared."""
    return (
        dataclasses.replace(problem, prompt=prompt),
        dataclasses.replace(fitting, prompt=prompt),
    )


def start_motion(config: LatentsSettings, timeline: Timeline, seed: int) -> Motion:
    """The motion of the video at the outset; raises as `read_motion` does."""
    if config.start == "neutral":
        settings, generator = FieldSettings(), seeded(seed, 0, "field")
        space = make_space(settings)
        field = make_field(settings, timeline, space, stance=UPRIGHT, generator=generator)
        motion: Motion = field(timeline.num_frames, timeline.fps)
        return motion.detach()
    assert config.motion is not None  # the configuration was checked
    motion = as_reference(read_motion("latents.motion", config.motion).motion, timeline)
    if config.start == "first_frame":
        return motion.frames(torch.zeros(timeline.num_frames, dtype=torch.long))
    return motion


def make_fit_settings(config: LatentsConfig) -> Settings:
    """Knobs of the fit of a body to a clip."""
    fit = FitSettings(num_samples=1, num_steps=config.latents.fit_steps)
    return make_settings(OptimizeConfig(init=fit))


def _make_space(config: LatentsSettings) -> Space:
    match config.space:
        case "latents":
            return LatentSpace()
        case "pixels":
            return PixelSpace()
        case _:
            assert_never(config.space)


def _make_reference(config: LatentsConfig) -> LatentReference | None:
    match config.score.objective:
        case "dds":
            return as_begun
        case "moving_minus_static":
            return held_still
        case "csd" | "sds" | "nfsd" | "multi_step" | "sdi":
            return None
        case "vsd":
            raise AssertionError("the configuration refuses it")
        case _:
            assert_never(config.score.objective)


def _fit_problem(
    problem: LatentProblem, body: Body, scene: Scene, cameras: Orbit, timeline: Timeline
) -> Problem:
    field, weights = FieldSettings(), RegularizerWeights()
    usual = make_usual_poses(
        {"init.usual_poses": FitSettings().usual_poses}, make_statistics(field)
    )
    references = make_references(weights, at_rest(body), timeline.num_frames, timeline.fps, usual)
    height, width = shrink_tile(problem.start[0], _FITTED_SIDE).shape[-2:]
    return Problem(
        prompt=problem.prompt,
        prior=problem.critic.prior,
        body=body,
        scene=scene,
        cameras=dataclasses.replace(cameras, size=(height, width)),
        num_frames=timeline.num_frames,
        seed=problem.seed,
        references=references,
        new_field=functools.partial(make_field, field, timeline, make_space(field)),
    )
