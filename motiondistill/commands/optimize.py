"""`motiondistill optimize`: a motion from a prompt."""

import argparse
import dataclasses
import logging
import shlex
import time
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from motiondistill import build, config, parallel, runs
from motiondistill.checkpoints import load_newest
from motiondistill.commands.follow import follow
from motiondistill.commands.outcomes import INTERRUPTED, USER_ERRORS
from motiondistill.commands.session import checked_prompt, compute_repeatably, terminal
from motiondistill.optimize import Settings, initial_state, optimize
from motiondistill.profile import Profile, write_profile
from motiondistill.progress import make_reporter
from motiondistill.report.results import RESULTS, write_results
from motiondistill.schema import OptimizeConfig, RunConfig
from motiondistill.starts import Problem, new_field

_log = logging.getLogger(__name__)


def run(options: argparse.Namespace) -> int:
    """Carries out the run, or goes on with it; 0, or 130 after Ctrl-C.

    Where `torchrun` started several processes, the first leads.
    """
    with parallel.joined():
        return follow() if parallel.rank() else _lead(options)


def _lead(options: argparse.Namespace) -> int:
    prompt, folder, saved = checked_prompt(options.prompt), options.out, None
    if options.resume:
        settings = runs.stored_config(folder, prompt, options.config, options.overrides)
        # A run that ended before its first checkpoint begins again with its stored settings.
        checkpoints = folder / runs.CHECKPOINTS
        saved = load_newest(checkpoints) if checkpoints.is_dir() else None
    else:
        settings = config.load(OptimizeConfig, options.config, options.overrides)
        folder = runs.new_folder(folder, prompt)
    with terminal() as console:
        try:
            threads = compute_repeatably(settings.run.threads)
            settings = build.pinned_priors(settings)
            parallel.shared((settings, prompt, saved))
            problem = build.make_problem(settings, prompt)
        except USER_ERRORS:
            if not options.resume:
                folder.rmdir()  # nothing has been written yet
            raise
        frames = problem.num_frames if settings.run.seconds is None else None
        run = dataclasses.replace(settings.run, frames=frames, threads=threads)
        about = runs.origin(prompt) | answer_known(problem)
        runs.write_config(folder, dataclasses.replace(settings, run=run), about)
        with runs.logged(folder):
            try:
                knobs = build.make_settings(settings)
                return _optimize(problem, knobs, folder, run, saved, console)
            except USER_ERRORS:
                # The terminal gets one line; where the error came from stays in the run's log.
                _log.debug("the run failed", exc_info=True)
                raise


def _optimize(
    problem: Problem,
    settings: Settings,
    folder: Path,
    run: RunConfig,
    saved: Any,
    console: Console,
) -> int:
    """Optimises, records and writes the results; `saved` is the checkpoint to go on from."""
    if saved is None:
        _log.info("starting %s", folder)
        state = initial_state(problem, settings)
    else:
        state = runs.restore(saved, partial(new_field, problem))
        _log.info("going on with %s from step %d of %d", folder, state.step, settings.num_steps)
    started, profile = time.monotonic(), Profile()
    steps = optimize(problem, settings, state)
    last = runs.carry_out(
        profile.watched(steps) if run.profile else steps,
        state,
        folder=folder,
        checkpoint_every=run.checkpoint_every,
        report=make_reporter(console, settings.num_steps),
    )
    if run.profile:
        _log.info("%s", write_profile(folder, profile))
    finished = state.step == settings.num_steps
    earlier = runs.earlier_metrics(folder)
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
        "seconds": earlier.get("seconds", 0.0) + time.monotonic() - started,
    }
    write_results(folder, problem, runs.current_motion(problem, state), metrics)
    _log.info("%s after %d steps", "finished" if finished else "stopped", state.step)
    print(f"\n{folder}")
    for name in RESULTS:
        print(f"  {folder / name}")
    if not finished:
        prompt, out = shlex.quote(problem.prompt), shlex.quote(str(folder))
        print(f"To go on: motiondistill optimize {prompt} --out {out} --resume")
    return 0 if finished else INTERRUPTED


def answer_known(problem: Problem) -> dict[str, str]:
    """What the motion was told of the answer, under the key by which every output tells it."""
    return {"knows_the_answer": problem.answer_known} if problem.answer_known else {}
