"""`motiondistill optimize --prompts FILE --seeds 0-3`: many runs, with the prior loaded once."""

import argparse
import dataclasses
import logging
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from motiondistill import config
from motiondistill.bookkeeping import resuming, store
from motiondistill.bookkeeping.batch import (
    SUMMARY,
    Job,
    Row,
    known_row,
    parse_seeds,
    plan,
    read_prompts,
    row_of,
    write_summary,
)
from motiondistill.bookkeeping.interruption import Interruption
from motiondistill.bookkeeping.probed_levels import load_with_record, with_probed_levels
from motiondistill.building import objects
from motiondistill.building.critics import pinned_priors
from motiondistill.commands.one_run import answer_known, conduct, saved_state
from motiondistill.commands.outcomes import FAILED, INTERRUPTED, RUN_ERRORS, USER_ERRORS
from motiondistill.commands.session import (
    checked_prompt,
    compute_repeatably,
    terminal,
    wide_console,
)
from motiondistill.engine.starts import Problem
from motiondistill.report.batch_page import INDEX, write_index
from motiondistill.schema.jobs import OptimizeConfig

_log = logging.getLogger(__name__)


def run(options: argparse.Namespace) -> int:
    """Carries out all runs; 0, or 1 if some failed, or 130 after Ctrl-C."""
    prompts = _prompts(options)
    settings, seeds = _settings(options)
    folder = options.out
    if not options.resume:
        words = prompts[0] if len(prompts) == 1 else f"{len(prompts)} prompts"
        folder = store.new_folder(folder, words)
    jobs = plan(prompts, seeds, folder)
    with terminal() as console:
        try:
            threads = compute_repeatably(settings.run.threads)
            settings = pinned_priors(with_probed_levels(settings))
            problem = objects.make_problem(settings, prompts[0])
        except USER_ERRORS:
            if not options.resume:
                folder.rmdir()  # nothing has been written yet
            raise
        settings = store.resolved(settings, problem, threads)
        about = {**store.origin(""), "prompt": None, "prompts": prompts, "seeds": list(seeds)}
        store.write_config(folder, settings, about | answer_known(problem))
        rows, interrupted = carry_out(jobs, problem, settings, folder, console)
        write_batch_page(folder, rows, problem)
    _show(rows, folder)
    if interrupted:
        source = ["--prompts", str(options.prompts)] if options.prompts else prompts
        again = shlex.join([*source, "--seeds", _in_words(seeds), "--out", str(folder)])
        print(f"To go on: motiondistill optimize {again} --resume")
        return INTERRUPTED
    return FAILED if any(row.status == "failed" for row in rows) else 0


def _prompts(options: argparse.Namespace) -> list[str]:
    if options.prompts is None:
        return [checked_prompt(options.prompt)]
    found = []
    for number, prompt in read_prompts(options.prompts).items():
        try:
            found.append(checked_prompt(prompt))
        except ValueError as error:
            told = str(error).replace("`PROMPT`", f"line {number} of `--prompts`")
            raise ValueError(told) from error
    return found


def _settings(options: argparse.Namespace) -> tuple[OptimizeConfig, tuple[int, ...]]:
    """The configuration of all runs, the first seed's, and the seeds."""
    given = () if options.seeds is None else parse_seeds(options.seeds)
    if given and "run.seed" in config.given(OptimizeConfig, None, options.overrides):
        raise ValueError(
            f"`run.seed` must be left out with `--seeds`, got both; keep --seeds {options.seeds}."
        )
    if not options.resume:
        settings = load_with_record(OptimizeConfig, options.config, options.overrides)
        seeds = given or (settings.run.seed,)
    else:
        settings, stored = resuming.stored_batch(options.out, options.config, options.overrides)
        seeds = given or stored
    return _with_seed(settings, seeds[0]), seeds


def carry_out(
    jobs: Sequence[Job],
    problem: Problem,
    settings: OptimizeConfig,
    folder: Path,
    console: Console,
) -> tuple[list[Row], bool]:
    """The runs' rows, and whether a Ctrl-C ended them early; the summary grows with each."""
    rows = [known_row(job) for job in jobs]
    write_summary(folder, rows)
    for index, job in enumerate(jobs):
        if is_done(job, settings):
            continue
        _log.info("run %d of %d: %r, seed %d", index + 1, len(jobs), job.prompt, job.seed)
        stop = Interruption()
        try:
            own = _with_seed(settings, job.seed)
            made = _problem_of(job, problem, own)
            with stop:
                rows[index] = row_of(job, _one(job, made, own, console, stop))
        except KeyboardInterrupt:
            rows[index], stop.requested = known_row(job), True
        except RUN_ERRORS as error:
            message = " ".join(str(error).split())
            _log.error("run %d of %d failed: %s", index + 1, len(jobs), message)
            rows[index] = row_of(job, store.earlier_metrics(job.folder), message or repr(error))
        write_summary(folder, rows)
        if stop.requested:
            return rows, any(row.status in ("stopped", "not begun") for row in rows)
    return rows, False


def write_batch_page(folder: Path, rows: Sequence[Row], problem: Problem) -> None:
    """The batch's page. The runs stand without it, so its failure is only told."""
    try:
        write_index(folder, rows, problem.body)
    except RUN_ERRORS as error:
        words, out = " ".join(str(error).split()).rstrip("."), shlex.quote(str(folder))
        _log.warning("no %s: %s. Try `motiondistill report %s`.", INDEX, words, out)


def _one(
    job: Job, problem: Problem, settings: OptimizeConfig, console: Console, stop: Interruption
) -> dict[str, Any]:
    saved = None
    if (job.folder / resuming.CONFIG).is_file():
        stored = resuming.stored_config(job.folder, job.prompt, None, [])
        distilled = resuming.has_distilled(job.folder)
        resuming.check_changes(stored, settings, distilled=distilled)
        saved = saved_state(job.folder)
    else:
        store.new_folder(job.folder, job.prompt)
    store.write_config(job.folder, settings, store.origin(job.prompt) | answer_known(problem))
    return conduct(problem, settings, job.folder, saved, console, stop)


def _problem_of(job: Job, problem: Problem, settings: OptimizeConfig) -> Problem:
    """The problem of this run, which shares prior and body with the others.

    Random weights are drawn by the seed, so such a prior is made anew.
    """
    if settings.prior.weights == "random":
        return objects.make_problem(settings, job.prompt)
    return dataclasses.replace(problem, prompt=job.prompt, seed=job.seed)


def is_done(job: Job, settings: OptimizeConfig) -> bool:
    total = objects.make_settings(settings).num_steps
    metrics = store.earlier_metrics(job.folder)
    return bool(metrics) and metrics["finished"] and metrics["steps"] >= total


def _in_words(seeds: Sequence[int]) -> str:
    """Seeds as `parse_seeds` reads them."""
    return ",".join(map(str, seeds))


def _with_seed(settings: OptimizeConfig, seed: int) -> OptimizeConfig:
    return dataclasses.replace(settings, run=dataclasses.replace(settings.run, seed=seed))


def _show(rows: Sequence[Row], folder: Path) -> None:
    """The summary on the terminal."""
    table = Table("prompt", "seed", "status", "steps", "loss", "evidence", "seconds", "folder")
    for row in rows:
        figures = ("" if value is None else f"{value:.4g}" for value in (row.loss, row.evidence))
        seconds = "" if row.seconds is None else f"{row.seconds:.0f}"
        cells = (row.prompt, str(row.seed), row.status, str(row.steps), *figures, seconds)
        table.add_row(*cells, row.folder)
    wide_console(markup=False).print(table)
    for row in rows:
        if row.message:
            print(f"failed: {row.folder}: {row.message}")
    for name in (*SUMMARY, INDEX):
        if (folder / name).is_file():
            print(folder / name)
