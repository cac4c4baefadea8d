"""The main job: from a prompt to a motion.

Motions are fitted to samples of a prior, and the best is refined by score distillation.
"""

import dataclasses
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from motiondistill.distill_memory import Memory
from motiondistill.distillation import DistillSettings, Method, Verdict, judge, target_step
from motiondistill.learning_rates import warm_cosine
from motiondistill.regularizers.weights import RegularizerWeights, penalties
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
from motiondistill.structures import Mesh, Motion

_log = logging.getLogger(__name__)

Stage = Literal["fit", "distill"]
# Fits start with the arms spread, radians from hanging: in front of the trunk an arm hides, and
# gets no gradient, where spread arms see a way up and down.
_FIT_ARM_LIFT = 1.1


@dataclass(frozen=True)
class Settings:
    """All knobs of the job."""

    fit: FitSettings
    distill: DistillSettings
    regularize: RegularizerWeights
    method: Method
    """What `distill` names."""

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
    memory: Memory = dataclasses.field(default_factory=Memory)
    """What the distillation keeps from one update to the next."""

    def __post_init__(self) -> None:
        self.optimizer = _adam(self.fields)

    def update(
        self, loss: Float[Tensor, ""], learning_rate: float, max_norm: float | None = 1.0
    ) -> None:
        """One step of Adam; the gradient of each field is first made as short as `max_norm`."""
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        for field in self.fields:  # each by itself: candidates do not know of each other
            if max_norm is not None:
                torch.nn.utils.clip_grad_norm_(field.parameters(), max_norm)
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
    target: Float[Tensor, "views C f h w"] | None = None
    """While distilling, the latents that the prior asked for."""
    figures: dict[str, Float[Tensor, ""]] = dataclasses.field(default_factory=dict)
    """What else there is to record of the update."""


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
        terms |= _penalties(problem, settings, state.fields, motion, mesh)
        loss = _total(problem, index, terms)
        state.update(loss, settings.fit.learning_rate * warm_cosine(progress))
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
    knobs, begin = settings.distill, settings.fit.num_steps
    for index in range(state.step, settings.num_steps):
        motion = clip_of(problem, state.fields[0], target_step(knobs, index, begin))
        mesh = problem.body(motion)
        verdict = judge(
            problem, knobs, settings.method, state.memory, motion, mesh, index=index, begin=begin
        )
        terms = {"score": verdict.loss}
        terms |= _penalties(problem, settings, state.fields, motion, mesh)
        loss = _total(problem, index, terms)
        rate = knobs.learning_rate * settings.method.rate((index - begin) / knobs.num_steps)
        state.update(loss, rate, knobs.max_norm)
        yield _step(
            index,
            "distill",
            loss,
            terms,
            motion_of(problem, state.fields[0]),
            verdict.video,
            verdict,
        )


def _penalties(
    problem: Problem, settings: Settings, fields: nn.ModuleList, motion: Motion, mesh: Mesh
) -> dict[str, Float[Tensor, ""]]:
    """What the whole motion costs; the prior may have seen a window of it alone."""
    if problem.window is not None or problem.loop:
        motion = Motion.stack([motion_of(problem, field) for field in fields])
        mesh = problem.body(motion)
    return penalties(motion, mesh, settings.regularize, problem.references)


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


def _step(
    index: int,
    stage: Stage,
    loss: Float[Tensor, ""],
    terms: dict[str, Float[Tensor, ""]],
    motion: Motion,
    video: Float[Tensor, "batch frames 3 height width"],
    verdict: Verdict | None = None,
) -> Step:
    detached = {name: term.detach() for name, term in terms.items()}
    step = Step(index, stage, loss.detach(), detached, motion.detach(), video.detach())
    if verdict is None:
        return step
    return dataclasses.replace(step, target=verdict.target, figures=verdict.figures)
