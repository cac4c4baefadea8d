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

from motiondistill import parallel
from motiondistill.critics import Method
from motiondistill.distill_memory import Memory
from motiondistill.distill_settings import DistillSettings
from motiondistill.distillation import Verdict, judge, target_step
from motiondistill.gradients import Watched, clip, watch
from motiondistill.learning_rates import warm_cosine
from motiondistill.profile import timed
from motiondistill.reference_start import reference_error
from motiondistill.regularizers.weights import RegularizerWeights, penalties
from motiondistill.starts import (
    FitSettings,
    Problem,
    clip_of,
    evidence,
    fit_error,
    motion_of,
    new_field,
    sample_targets,
    start_azimuths,
)
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
        return self.fit.updates + self.distill.num_steps


@dataclass
class State:
    """All that changes during a run; what a checkpoint holds."""

    stage: Stage
    fields: nn.ModuleList
    """The candidates while fitting; the chosen one while distilling."""
    targets: Float[Tensor, "samples frames 3 height width"] | None
    """The sampled videos, while fitting to them."""
    step: int = 0
    memories: list[Memory] = dataclasses.field(default_factory=list)
    """What the distillation keeps from one update to the next, for each critic; at first none."""

    def __post_init__(self) -> None:
        self.optimizer = _adam(self.fields)

    @timed("optimise")
    def update(
        self,
        loss: Float[Tensor, ""],
        learning_rate: float,
        watched: Watched | None = None,
        max_norm: float | None = 1.0,
    ) -> None:
        """One step of Adam; the gradient of each field is first made as short as `max_norm`.

        Raises FloatingPointError, and changes nothing, for a gradient that is not finite.
        """
        self.optimizer.zero_grad()
        with timed("backward"):
            loss.backward()  # type: ignore[no-untyped-call]
        clip(self.fields, max_norm, watched)  # each by itself: candidates do not know of each other
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
        self.optimizer.step()
        parallel.follow_first(self.fields.parameters())
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
    video: Float[Tensor, "batch frames 3 height width"] | None
    """What the update was made from; None in a fit to a reference, which needs no picture."""
    target: Float[Tensor, "views C f h w"] | None = None
    """While distilling, the latents that the prior asked for."""
    figures: dict[str, Float[Tensor, ""]] = dataclasses.field(default_factory=dict)
    """What else there is to record of the update."""
    gradients: dict[str, Float[Tensor, ""]] = dataclasses.field(default_factory=dict)
    """Root mean squares of the gradient at latents, pixels, vertices and pose (rotations)."""


def initial_state(problem: Problem, settings: Settings) -> State:
    """The state before the first update.

    Fields at the neutral stance and, for a sampled start, sampled videos. Raises ValueError for a
    reference start of a problem without a reference.
    """
    if settings.fit.updates and settings.fit.start == "sampled":
        return fit_state(problem, sample_targets(problem, settings.fit))
    if settings.fit.start == "reference" and problem.reference is None:
        raise ValueError(
            "`problem.reference` must be a motion for a reference start, got None; give one, or "
            "choose another start."
        )
    stage: Stage = "fit" if settings.fit.updates else "distill"
    return State(stage, nn.ModuleList([new_field(problem, 0)]), None)


def fit_state(problem: Problem, targets: Float[Tensor, "samples frames 3 height width"]) -> State:
    """The state before the first update of a fit to these videos, seen from `start_azimuths`."""
    fields = [new_field(problem, index, arm_lift=_FIT_ARM_LIFT) for index in range(len(targets))]
    return State("fit", nn.ModuleList(fields), targets)


def optimize(problem: Problem, settings: Settings, state: State) -> Iterator[Step]:
    """Fits motions to the sampled videos, or one to the reference, and refines the best.

    Yields after every update.
    """
    if state.stage == "fit":
        fitted = fit_reference if settings.fit.start == "reference" else fit
        yield from fitted(problem, settings, state)
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
        with timed("body"):
            mesh = problem.body(motion)
        with timed("render"):
            video = problem.scene(mesh, cameras)
        terms = {"fit": fit_error(video, state.targets, progress)}
        terms |= _penalties(problem, settings, state.fields, motion, mesh)
        loss = _total(problem, index, terms)
        rate = settings.fit.learning_rate * warm_cosine(progress)
        place = _place(problem, index)
        seen = watch(place, pixels=video, vertices=mesh.vertices, pose=motion.rotations)
        state.update(loss, rate, seen)
        motion = motion_of(problem, state.fields[0])
        yield _step(index, "fit", loss, terms, motion, video, gradients=seen.sizes)


def fit_reference(problem: Problem, settings: Settings, state: State) -> Iterator[Step]:
    """Fits the motion to the problem's reference by its rotations and translation.

    Yields after every update.
    """
    assert problem.reference is not None
    for index in range(state.step, settings.fit.num_steps):
        motion = motion_of(problem, state.fields[0])
        terms = {"reference": reference_error(motion, problem.reference)}
        loss = _total(problem, index, terms)
        rate = settings.fit.learning_rate * warm_cosine(index / settings.fit.num_steps)
        seen = watch(_place(problem, index), pose=motion.rotations)
        state.update(loss, rate, seen)
        motion = motion_of(problem, state.fields[0])
        yield _step(index, "fit", loss, terms, motion, None, gradients=seen.sizes)


@timed("choose")
def choose(problem: Problem, fields: nn.ModuleList) -> nn.Module:
    """The candidate whose motion the prompt explains best."""
    if len(fields) == 1:
        return fields[0]
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
    knobs, begin = settings.distill, settings.fit.updates
    for index in range(state.step, settings.num_steps):
        motion = clip_of(problem, state.fields[0], target_step(knobs, index, begin))
        with timed("body"):
            mesh = problem.body(motion)
        verdict = judge(
            problem, knobs, settings.method, state.memories, motion, mesh, index=index, begin=begin
        )
        terms = verdict.terms | _penalties(problem, settings, state.fields, motion, mesh)
        loss = _total(problem, index, terms)
        rate = knobs.learning_rate * settings.method.rate((index - begin) / knobs.num_steps)
        seen = watch(
            _place(problem, index), **verdict.watched, vertices=mesh.vertices, pose=motion.rotations
        )
        seen.sizes.update(verdict.sizes)
        state.update(loss, rate, seen, knobs.max_norm)
        state.memories = verdict.settled()
        whole = motion_of(problem, state.fields[0])
        yield _step(
            index, "distill", loss, terms, whole, verdict.video, verdict, gradients=seen.sizes
        )


@timed("regularise")
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
        broken = [name for name, term in terms.items() if not bool(term.isfinite())]
        raise FloatingPointError(
            f"The loss must be finite, got {loss.item()} ({values}) at {_place(problem, index)} by "
            f"{' and '.join(broken) or 'the sum'}; lower the learning rate or the guidance."
        )
    return loss


def _place(problem: Problem, index: int) -> str:
    return f"step {index} of seed {problem.seed}"


def _adam(fields: nn.ModuleList) -> torch.optim.Adam:
    return torch.optim.Adam(fields.parameters(), betas=(0.9, 0.99))


def _step(
    index: int,
    stage: Stage,
    loss: Float[Tensor, ""],
    terms: dict[str, Float[Tensor, ""]],
    motion: Motion,
    video: Float[Tensor, "batch frames 3 height width"] | None,
    verdict: Verdict | None = None,
    *,
    gradients: dict[str, Float[Tensor, ""]],
) -> Step:
    return Step(
        index,
        stage,
        loss.detach(),
        {name: term.detach() for name, term in terms.items()},
        motion.detach(),
        None if video is None else video.detach(),
        None if verdict is None else verdict.target,
        {} if verdict is None else verdict.figures,
        gradients,
    )
