"""One prompt with one prior in `motiondistill latents`, from its problem to its results."""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from jaxtyping import Float
from rich.console import Console
from torch import Tensor

from motiondistill import config
from motiondistill.bookkeeping import resuming, store
from motiondistill.bookkeeping.batch import Status, standing
from motiondistill.bookkeeping.interruption import Interruption
from motiondistill.bookkeeping.out_of_memory import memory_told
from motiondistill.bookkeeping.progress import make_reporter
from motiondistill.building import latents as build_latents
from motiondistill.commands.one_run import saved_state
from motiondistill.commands.outcomes import RUN_ERRORS
from motiondistill.engine.starts import Problem
from motiondistill.latents.ablation import LatentProblem, initial_latents, optimize_latents
from motiondistill.latents.state import LatentState
from motiondistill.prompts import slug
from motiondistill.report.latent_results import (
    clip_figures,
    fit_body,
    recognised,
    write_clips,
    write_fitted,
)
from motiondistill.schema.jobs import LatentsConfig

_log = logging.getLogger(__name__)


@final
@dataclass(frozen=True)
class Job:
    """One prompt with one prior."""

    prompt: str
    config: LatentsConfig
    """With that prior alone."""
    folder: Path

    @property
    def model(self) -> str:
        """The prior's name."""
        return self.config.prior.model


@final
@dataclass(frozen=True)
class Row:
    """What came of a job; figures are None where it has left none."""

    prior: str
    prompt: str
    status: Status
    steps: int
    loss: float | None
    motion_energy: float | None
    temporal_flickering: float | None
    evidence: float | None
    recognised: str | None
    score: float | None
    """The recogniser's probability of the action that the prompt names."""
    seconds: float | None
    folder: str
    message: str = ""
    """Why it failed."""


def plan(configs: Sequence[LatentsConfig], prompts: Sequence[str], folder: Path) -> list[Job]:
    """Every prompt with every prior, prior by prior, each with a numbered folder of its own."""
    pairs = [(each, prompt) for each in configs for prompt in prompts]
    return [
        Job(prompt, each, folder / f"{number:02d}-{_short(each.prior.model)}-{slug(prompt)}")
        for number, (each, prompt) in enumerate(pairs, 1)
    ]


def _short(model: str) -> str:
    return slug(Path(model).name, 24)


def row_of(job: Job, metrics: Mapping[str, Any] | None = None, failure: str = "") -> Row:
    """The row of a job that left these figures, or those in its folder, or failed by a message."""
    known = store.earlier_metrics(job.folder) if metrics is None else metrics
    status, steps = standing(job.folder, known, failure)
    action = known.get("recognised") or {}
    names = ("loss", "motion_energy", "temporal_flickering", "evidence")
    return Row(
        prior=job.model,
        prompt=job.prompt,
        status=status,
        steps=steps,
        **{name: known.get(name) for name in names},
        recognised=action.get("action"),
        score=action.get("score"),
        seconds=known.get("seconds"),
        folder=job.folder.name,
        message=failure,
    )


def is_done(job: Job) -> bool:
    """Whether it has all its updates, and all that is measured."""
    known = store.earlier_metrics(job.folder)
    return bool(known) and known["finished"] and known["steps"] >= job.config.score.num_steps


def conduct(
    job: Job, problem: LatentProblem, fitting: Problem, console: Console, stop: Interruption
) -> dict[str, Any]:
    """Optimises the clips, records, and writes the results; their figures.

    `stop`, whose `with` this is within, ends the updates and those of the fit after the one it
    falls into; the results are written nevertheless. Goes on where the folder holds a checkpoint.
    Both problems are those of the prior, for any prompt. What the package logs goes to the job's
    log, too.
    """
    saved = None
    if (job.folder / resuming.CONFIG).is_file():
        stored = config.load(LatentsConfig, str(job.folder / resuming.CONFIG))
        resuming.check_changes(stored, job.config, distilled=True)
        saved = saved_state(job.folder)
    else:
        store.new_folder(job.folder, job.prompt)
    store.write_config(job.folder, job.config, store.origin(job.prompt))
    with store.logged(job.folder):
        try:
            made = build_latents.for_prompt(problem, fitting, job.prompt)
            return _conduct(job, *made, _first_state(job, made[0], saved), console, stop)
        except RUN_ERRORS:
            # The terminal gets one line; where the error came from stays in the job's log.
            _log.debug("the run failed", exc_info=True)
            raise


def _first_state(job: Job, problem: LatentProblem, saved: Any) -> LatentState:
    if saved is not None:
        return LatentState.from_tree(saved)
    with memory_told(job.config):
        return initial_latents(problem, build_latents.make_latent_method(job.config))


def _conduct(
    job: Job,
    problem: LatentProblem,
    fitting: Problem,
    state: LatentState,
    console: Console,
    stop: Interruption,
) -> dict[str, Any]:
    settings, method = job.config, build_latents.make_latent_method(job.config)
    started, earlier = time.monotonic(), store.earlier_metrics(job.folder)
    with memory_told(settings, state):
        last = store.carry_out(
            optimize_latents(problem, method, state),
            state,
            folder=job.folder,
            checkpoint_every=settings.run.checkpoint_every,
            report=make_reporter(console, settings.score.num_steps),
            keep_checkpoints=settings.run.keep_checkpoints,
            interruption=stop,
        )
        finished = state.step == settings.score.num_steps
        video = method.space.video(problem.critic.prior, state.numbers)
        metrics: dict[str, Any] = {
            "prior": job.model,
            "prompt": problem.prompt,
            "seed": problem.seed,
            "space": settings.latents.space,
            "objective": settings.score.objective,
            "steps": state.step,
            "finished": finished,
            "loss": last.loss.item() if last else earlier.get("loss"),
            **clip_figures(problem, video),
        }
        if finished and settings.latents.recognise:
            found = _recognised(job, fitting, video[0], stop)
            metrics |= {"finished": found is not None, "recognised": found}
    metrics["seconds"] = earlier.get("seconds", 0.0) + time.monotonic() - started
    write_clips(job.folder, problem, video, metrics)
    _log.info("%s after %d steps", "finished" if metrics["finished"] else "stopped", state.step)
    return metrics


def _recognised(
    job: Job, fitting: Problem, video: Float[Tensor, "frames 3 height width"], stop: Interruption
) -> dict[str, Any] | None:
    """What the recogniser says of the body in the video; None after a Ctrl-C.

    A fit keeps no checkpoints: one that was cut short is begun again.
    """
    settings = build_latents.make_fit_settings(job.config)
    motion, misfit = fit_body(fitting, settings, video, lambda: stop.requested)
    if stop.requested:
        return None
    write_fitted(job.folder, fitting, motion)
    return recognised(fitting, motion, misfit)
