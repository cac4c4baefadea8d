"""One run of `motiondistill optimize`, from its problem to its results."""

import logging
import shlex
import time
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from motiondistill.bookkeeping import store
from motiondistill.bookkeeping.interruption import Interruption
from motiondistill.bookkeeping.out_of_memory import memory_told
from motiondistill.bookkeeping.progress import make_reporter
from motiondistill.building import objects
from motiondistill.checkpoints import CHECKPOINTS, load_newest
from motiondistill.commands.outcomes import RUN_ERRORS
from motiondistill.engine.candidates import evidence
from motiondistill.engine.optimize import initial_state, optimize
from motiondistill.engine.profile import Profile, write_profile
from motiondistill.engine.stages import Settings, State
from motiondistill.engine.starts import Problem, clip_of, new_field
from motiondistill.report.events import Looks
from motiondistill.report.results import write_results
from motiondistill.report.run_page import write_report
from motiondistill.schema.jobs import OptimizeConfig
from motiondistill.viewer.live import live_stage, shown_on
from motiondistill.viewer.stage import Stage

_log = logging.getLogger(__name__)


def saved_state(folder: Path) -> Any:
    """The newest whole checkpoint of the run in the folder; None for one that has none yet.

    A run that ended before its first checkpoint begins again with its stored settings. That a
    checkpoint is damaged stands in the run's log.
    """
    checkpoints = folder / CHECKPOINTS
    if not checkpoints.is_dir():
        return None
    with store.logged(folder):
        return load_newest(checkpoints)


def conduct(
    problem: Problem,
    config: OptimizeConfig,
    folder: Path,
    saved: Any,
    console: Console,
    interruption: Interruption | None = None,
) -> dict[str, Any]:
    """Optimises, records and writes the results; the run's figures.

    `saved` is the checkpoint to go on from, or None. A caller who goes on afterwards gives the
    `interruption` whose `with` this is within, and asks it. What the package logs goes to the run's
    log, too.
    """
    with store.logged(folder), live_stage() if config.run.live else nullcontext() as stage:
        try:
            return _conduct(problem, config, folder, saved, console, stage, interruption)
        except RUN_ERRORS:
            # The terminal gets one line; where the error came from stays in the run's log.
            _log.debug("the run failed", exc_info=True)
            raise


def answer_known(problem: Problem) -> dict[str, str]:
    """What the motion was told of the answer, under the key by which every output tells it."""
    return {"knows_the_answer": problem.answer_known} if problem.answer_known else {}


def _conduct(
    problem: Problem,
    config: OptimizeConfig,
    folder: Path,
    saved: Any,
    console: Console,
    stage: Stage | None,
    interruption: Interruption | None,
) -> dict[str, Any]:
    settings, run = objects.make_settings(config), config.run
    state = _first_state(problem, config, settings, folder, saved)
    started, profile = time.monotonic(), Profile()
    steps = optimize(problem, settings, state)
    if stage is not None:
        steps = shown_on(stage, steps, problem.prompt, problem.body)
    with memory_told(config, state):
        last = store.carry_out(
            profile.watched(steps) if run.profile else steps,
            state,
            folder=folder,
            checkpoint_every=run.checkpoint_every,
            report=make_reporter(console, settings.num_steps),
            keep_checkpoints=run.keep_checkpoints,
            looks=Looks(problem, state, run.log_every),
            interruption=interruption,
        )
        if run.profile:
            _log.info("%s", write_profile(folder, profile))
        field = store.current_field(problem, state)
        finished = state.step == settings.num_steps
        earlier = store.earlier_metrics(folder)
        metrics = {
            "prompt": problem.prompt,
            **answer_known(problem),
            "seed": problem.seed,
            "steps": state.step,
            "finished": finished,
            "loss": last.loss.item() if last else earlier.get("loss"),
            "terms": {name: term.item() for name, term in last.terms.items()}
            if last
            else earlier.get("terms"),
            "evidence": evidence(problem, clip_of(problem, field).detach()),
            "seconds": earlier.get("seconds", 0.0) + time.monotonic() - started,
        }
        write_results(folder, problem, store.result_of(problem, field), metrics)
    _report(folder, problem)
    _log.info("%s after %d updates", "finished" if finished else "stopped", state.step)
    return metrics


def _report(folder: Path, problem: Problem) -> None:
    """The run's page. The other results stand without it, so its failure is only told."""
    try:
        write_report(folder, problem.body)
    except RUN_ERRORS as error:
        _log.debug("no report", exc_info=True)
        words = " ".join(str(error).split()).rstrip(".")
        _log.warning(
            "the report could not be made: %s. Try `motiondistill report %s`.",
            words,
            shlex.quote(str(folder)),
        )


def _first_state(
    problem: Problem, config: OptimizeConfig, settings: Settings, folder: Path, saved: Any
) -> State:
    if saved is None:
        _log.info("starting %s", folder)
        with memory_told(config):
            return initial_state(problem, settings)
    state = store.restore(saved, partial(new_field, problem))
    _log.info("going on with %s from step %d of %d", folder, state.step, settings.num_steps)
    return state
