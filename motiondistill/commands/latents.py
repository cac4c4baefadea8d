"""`motiondistill latents`: what priors ask of clips that no body stands behind."""

import argparse
import dataclasses
import json
import logging
import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from motiondistill import config
from motiondistill.bookkeeping import resuming, store
from motiondistill.bookkeeping.batch import SUMMARY, write_records
from motiondistill.bookkeeping.interruption import Interruption
from motiondistill.bookkeeping.out_of_memory import memory_told
from motiondistill.building import latents as build_latents
from motiondistill.commands.one_latents import Job, Row, conduct, is_done, plan, row_of
from motiondistill.commands.outcomes import FAILED, INTERRUPTED, RUN_ERRORS
from motiondistill.commands.session import (
    checked_prompts,
    compute_repeatably,
    terminal,
    wide_console,
)
from motiondistill.engine.starts import Problem
from motiondistill.latents.ablation import LatentProblem
from motiondistill.report.latent_grid import GRID, Block, row_of_strip, write_grid
from motiondistill.report.latent_results import STRIP
from motiondistill.report.latents_page import PAGE, asked_in_words, write_page
from motiondistill.schema.jobs import LatentsConfig

_log = logging.getLogger(__name__)

# One prior or a list of them, on the command line.
_MODELS: Final = re.compile(r"prior\.models?=(.*)", re.DOTALL)


def run(options: argparse.Namespace) -> int:
    """Carries out every prompt with every prior; 0, or 1 if some failed, or 130 after Ctrl-C."""
    prompts, folder = checked_prompts(options.prompts), options.out
    overrides = with_models(options.overrides)
    if options.resume:
        settings = resuming.stored_latents(folder, prompts, options.config, overrides)
    else:
        settings = config.load(LatentsConfig, options.config, overrides)
        folder = store.new_folder(folder, prompts[0])
    with terminal() as console:
        try:
            settings = _resolved(settings)
            jobs = plan(build_latents.each_prior(settings), prompts, folder)
            todo = [job for job in jobs if not is_done(job)]
            ready = [_made(job) for job in todo[:1]]
        except (*RUN_ERRORS, KeyboardInterrupt):
            if not options.resume:
                folder.rmdir()  # nothing has been written yet
            raise
        store.write_config(
            folder, settings, {**store.origin(""), "prompt": None, "prompts": prompts}
        )
        rows, interrupted = carry_out(jobs, ready, folder, console)
    _show(rows, folder)
    if interrupted:
        again = shlex.join([*prompts, "--out", str(folder)])
        print(f"To go on: motiondistill latents {again} --resume")
        return INTERRUPTED
    return FAILED if any(row.status == "failed" for row in rows) else 0


def _resolved(settings: LatentsConfig) -> LatentsConfig:
    """The configuration with what this machine made of it."""
    threads = compute_repeatably(settings.run.threads)
    return dataclasses.replace(settings, run=dataclasses.replace(settings.run, threads=threads))


def with_models(overrides: Sequence[str]) -> list[str]:
    """The overrides, with priors by `latents.models` wherever they are named by `prior.model`.

    So one prior replaces the several of a configuration, too.
    """
    found = []
    for override in overrides:
        match = _MODELS.fullmatch(override)
        value = match[1].strip() if match else ""
        if match is None or not value:
            found.append(override)
        elif not value.strip("[] "):
            raise ValueError(
                f"`prior.model` must name a prior, or several in brackets, got {value}; see "
                "`motiondistill priors`."
            )
        elif value.startswith("["):
            found.append(f"latents.models={value}")
        else:
            found.append(f"latents.models=[{json.dumps(value, ensure_ascii=False)}]")
    return found


def carry_out(
    jobs: Sequence[Job],
    ready: list[tuple[LatentProblem, Problem]],
    folder: Path,
    console: Console,
) -> tuple[list[Row], bool]:
    """The rows of all, and whether a Ctrl-C left some undone; summary and grid grow with each.

    `ready` holds what the first job that is to be done needs; a prior is freed before the next.
    """
    rows = [row_of(job) for job in jobs]
    made, loaded = None, None
    for index, job in enumerate(jobs):
        if is_done(job):
            continue
        _log.info("%d of %d: %s, %r", index + 1, len(jobs), job.model, job.prompt)
        stop = Interruption()
        try:
            if loaded != job.model:
                made = None  # so that its memory is free before the next one is loaded
                made = ready.pop() if ready else _made(job)
                loaded = job.model
            assert made is not None
            with stop:
                rows[index] = row_of(job, conduct(job, *made, console, stop))
        except KeyboardInterrupt:
            rows[index], stop.requested = row_of(job), True
        except RUN_ERRORS as error:
            message = " ".join(str(error).split())
            _log.error("%d of %d failed: %s", index + 1, len(jobs), message)
            rows[index] = row_of(job, failure=message or repr(error))
        _write(folder, jobs, rows)
        if stop.requested:
            return rows, any(row.status in ("stopped", "not begun") for row in rows)
    _write(folder, jobs, rows)
    return rows, False


def _made(job: Job) -> tuple[LatentProblem, Problem]:
    with memory_told(job.config):
        return build_latents.make_latent_problem(job.config, "")


def _write(folder: Path, jobs: Sequence[Job], rows: Sequence[Row]) -> None:
    """Summary and page, and the grid of what there is to see."""
    records = [dataclasses.asdict(row) for row in rows]
    write_records(folder, records)
    write_page(folder, records)
    blocks: dict[str, list[tuple[str, Any]]] = {}
    for job, row in zip(jobs, rows, strict=True):
        shown = blocks.setdefault(job.model, [])
        if (job.folder / STRIP).is_file():
            views = job.config.score.views
            words = "\n".join([job.prompt, *in_words(row)])
            shown.append((words, row_of_strip(job.folder / STRIP, 0, views)))
    if any(blocks.values()):
        write_grid(folder, [Block(name, shown) for name, shown in blocks.items()])


def in_words(row: Row) -> Iterator[str]:
    """Lines on how much moves in a clip, and as what it is recognised."""
    if row.motion_energy is not None:
        yield f"motion energy {row.motion_energy:.3f}"
    if row.recognised is not None:
        yield f"seen as {row.recognised}"
        if row.score is not None:
            yield asked_in_words(dataclasses.asdict(row))


def _show(rows: Sequence[Row], folder: Path) -> None:
    """The summary on the terminal."""
    names = ("motion_energy", "evidence", "score", "seconds")
    heads = ("energy", *names[1:])
    table = Table("prior", "prompt", "status", "steps", *heads, "recognised")
    for row in rows:
        figures = (getattr(row, name) for name in names)
        cells = ["" if figure is None else f"{figure:.3g}" for figure in figures]
        head = (row.prior, row.prompt, row.status, str(row.steps))
        table.add_row(*head, *cells, row.recognised or "")
    wide_console(markup=False).print(table)
    for row in rows:
        if row.message:
            print(f"failed: {row.folder}: {row.message}")
    for name in (PAGE, *SUMMARY, GRID):
        if (folder / name).is_file():
            print(folder / name)
