"""The main job: from a prompt to a motion.

Motions are fitted to samples of a prior, and the best is refined by score distillation.
"""

import logging
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from motiondistill.cameras import heading, view_azimuths
from motiondistill.prompts import with_view
from motiondistill.randomness import seeded
from motiondistill.regularizers.weights import RegularizerWeights, penalties
from motiondistill.render.randomization import randomized
from motiondistill.score.levels import annealed
from motiondistill.score.objectives import Objective
from motiondistill.starts import (
    FitSettings,
    Problem,
    clip_of,
    evidence,
    fit_error,
    new_field,
    sample_targets,
    start_azimuths,
)
from motiondistill.starts import motion_of as motion_of
from motiondistill.structures import Motion

_log = logging.getLogger(__name__)

Stage = Literal["fit", "distill"]
# Fits start with the arms spread, radians from hanging: in front of the trunk an arm hides, and
# gets no gradient, where spread arms see a way up and down.
_FIT_ARM_LIFT = 1.1


@dataclass(frozen=True)
class DistillSettings:
    """Knobs of the score-distillation stage."""

    # What a step asks of the prior: `csd`, classifier score distillation, follows the prompt alone;
    # `sds`, score distillation sampling, also pulls to the mean of what the prior holds possible.
    objective: Literal["csd", "sds"] = "csd"
    # Updates.
    num_steps: int = 60
    # Views of the full circle rendered for each update.
    views: int = 4
    # `csd`: the score's weight against the regularisers. `sds`: how far the prompt's clean estimate
    # is pushed away from the negative prompt's; 1: not at all.
    guidance_scale: float = 4.0
    # Noise levels tau = sigma / (1 + sigma): 0.5 is as much noise as signal. They fall from the
    # first to the last during the stage, and the views spread over +-jitter around them.
    first_level: float = 0.9
    last_level: float = 0.6
    level_jitter: float = 0.1
    # Cameras stay within this angle of the centre of a named view, radians.
    azimuth_jitter: float = 0.17
    # Adam's, at its highest.
    learning_rate: float = 2e-3


@dataclass(frozen=True)
class Settings:
    """All knobs of the job."""

    fit: FitSettings
    distill: DistillSettings
    regularize: RegularizerWeights
    objective: Objective
    """The one that `distill` names."""

    @property
    def num_steps(self) -> int:
        """Updates of both stages together."""
        return self.fit.num_steps + self.distill.num_steps


@dataclass
class State:
    """All that changes during a run; what a checkpoint holds."""

    stage: Stage
    fields: nn.ModuleList
    """The candidates while fitting; the chosen one while distilling."""
    targets: Float[Tensor, "samples frames 3 height width"] | None
    """The sampled videos, while fitting."""
    step: int = 0

    def __post_init__(self) -> None:
        self.optimizer = _adam(self.fields)

    def update(self, loss: Float[Tensor, ""], learning_rate: float) -> None:
        """One step of Adam."""
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        for field in self.fields:  # each by itself: candidates do not know of each other
            torch.nn.utils.clip_grad_norm_(field.parameters(), 1.0)
        self.optimizer.step()
        self.step += 1

    def begin_distilling(self, field: nn.Module) -> None:
        """Ends the fit: only this candidate goes on, with a fresh optimiser."""
        self.stage, self.fields, self.targets = "distill", nn.ModuleList([field]), None
        self.optimizer = _adam(self.fields)


@dataclass(frozen=True)
class Step:
    """One update, detached: what a caller logs, shows or saves."""

    index: int
    stage: Stage
    loss: Float[Tensor, ""]
    terms: dict[str, Float[Tensor, ""]]
    motion: Motion
    """After the update; while fitting, the first candidate's."""
    video: Float[Tensor, "batch frames 3 height width"]
    """What the update was made from."""


def initial_state(problem: Problem, settings: Settings) -> State:
    """The state before the first update.

    Fields at the neutral stance and, for a sampled start, sampled videos.
    """
    if settings.fit.num_steps == 0:
        return State("distill", nn.ModuleList([new_field(problem, 0)]), None)
    return fit_state(problem, sample_targets(problem, settings.fit))


def fit_state(problem: Problem, targets: Float[Tensor, "samples frames 3 height width"]) -> State:
    """The state before the first update of a fit to these videos, seen from `start_azimuths`."""
    fields = [new_field(problem, index, arm_lift=_FIT_ARM_LIFT) for index in range(len(targets))]
    return State("fit", nn.ModuleList(fields), targets)


def optimize(problem: Problem, settings: Settings, state: State) -> Iterator[Step]:
    """Fits motions to the sampled videos, keeps the best, and refines it.

    Yields after every update.
    """
    if state.stage == "fit":
        yield from fit(problem, settings, state)
        state.begin_distilling(choose(problem, state.fields))
    yield from distill(problem, settings, state)


def fit(problem: Problem, settings: Settings, state: State) -> Iterator[Step]:
    """Fits one motion to each sampled video through the renderer, coarse to fine.

    Yields after every update.
    """
    assert state.targets is not None
    cameras = problem.cameras(start_azimuths(len(state.fields)))
    for index in range(state.step, settings.fit.num_steps):
        progress = index / settings.fit.num_steps
        motion = Motion.stack([clip_of(problem, field) for field in state.fields])
        mesh = problem.body(motion)
        video = problem.scene(mesh, cameras)
        terms = {"fit": fit_error(video, state.targets, progress)}
        terms |= penalties(motion, mesh, settings.regularize, problem.references)
        loss = _total(problem, index, terms)
        state.update(loss, settings.fit.learning_rate * _warm_cosine(progress))
        yield _step(index, "fit", loss, terms, motion_of(problem, state.fields[0]), video)


def choose(problem: Problem, fields: nn.ModuleList) -> nn.Module:
    """The candidate whose motion the prompt explains best."""
    _log.info("choosing among %d candidates", len(fields))
    gains = [evidence(problem, clip_of(problem, field).detach()) for field in fields]
    best = max(range(len(gains)), key=gains.__getitem__)
    listed = ", ".join(f"{gain:.2g}" for gain in gains)
    _log.info("kept candidate %d of those with evidence %s", best, listed)
    return fields[best]


def distill(problem: Problem, settings: Settings, state: State) -> Iterator[Step]:
    """Refines the motion by score distillation over views of the full circle.

    Yields after every update.
    """
    knobs, prior = settings.distill, problem.prior
    for index in range(state.step, settings.num_steps):
        generator = seeded(problem.seed, index, "distill")
        progress = (index - settings.fit.num_steps) / knobs.num_steps
        azimuths = view_azimuths(knobs.views, jitter=knobs.azimuth_jitter, generator=generator)
        sigma = annealed(
            progress,
            knobs.views,
            first=knobs.first_level,
            last=knobs.last_level,
            jitter=knobs.level_jitter,
            generator=generator,
        )
        motion = clip_of(problem, state.fields[0], index)
        mesh = problem.body(motion)
        scene = randomized(problem.scene, problem.changes, seeded(problem.seed, index, "scene"))
        draw = seeded(problem.seed, index, "camera")
        video = scene(mesh, problem.cameras.varied(azimuths + heading(motion), draw))
        conditioning, unconditional = (
            prior.embed([with_view(prompt, azimuth) for azimuth in azimuths.tolist()])
            for prompt in (problem.prompt, problem.negative_prompt)
        )
        score = settings.objective(
            prior,
            prior.encode(video),
            conditioning,
            unconditional,
            sigma=sigma,
            guidance_scale=knobs.guidance_scale,
            generator=generator,
        )
        terms = {"score": score}
        terms |= penalties(motion, mesh, settings.regularize, problem.references)
        loss = _total(problem, index, terms)
        state.update(loss, knobs.learning_rate * _warm_cosine(progress))
        yield _step(index, "distill", loss, terms, motion_of(problem, state.fields[0]), video)


def _total(problem: Problem, index: int, terms: dict[str, Float[Tensor, ""]]) -> Float[Tensor, ""]:
    """The sum of the terms; raises FloatingPointError if it is not finite."""
    loss = torch.stack(list(terms.values())).sum()
    if not bool(loss.isfinite()):
        values = ", ".join(f"{name} {term.item():g}" for name, term in terms.items())
        raise FloatingPointError(
            f"The loss must be finite, got {loss.item()} ({values}) at step {index} of seed "
            f"{problem.seed}; lower the learning rate or the guidance."
        )
    return loss


def _adam(fields: nn.ModuleList) -> torch.optim.Adam:
    return torch.optim.Adam(fields.parameters(), betas=(0.9, 0.99))


def _warm_cosine(progress: float) -> float:
    """The learning rate's factor: up within the first twentieth, down to a tenth along a cosine."""
    return min(1.0, 20 * progress + 0.05) * (0.1 + 0.9 * (1 + math.cos(math.pi * progress)) / 2)


def _step(
    index: int,
    stage: Stage,
    loss: Float[Tensor, ""],
    terms: dict[str, Float[Tensor, ""]],
    motion: Motion,
    video: Float[Tensor, "batch frames 3 height width"],
) -> Step:
    detached = {name: term.detach() for name, term in terms.items()}
    return Step(index, stage, loss.detach(), detached, motion.detach(), video.detach())
