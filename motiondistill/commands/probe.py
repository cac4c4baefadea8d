"""`motiondistill probe`: what a prior knows about motion, and where its gradients lead."""

import argparse
import dataclasses
import logging
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from motiondistill import config
from motiondistill.bookkeeping import resuming, store
from motiondistill.bookkeeping.batch import read_prompts
from motiondistill.bookkeeping.interruption import Interruption
from motiondistill.bookkeeping.out_of_memory import memory_told
from motiondistill.bookkeeping.probe_files import (
    ANSWERS,
    ROWS,
    SUMMARY,
    Answers,
    answer_file,
    read_answers,
    write_answers,
    write_rows,
    write_summary,
)
from motiondistill.bookkeeping.progress import make_reporter
from motiondistill.building.prior import pinned
from motiondistill.building.probe import make_slopes, make_source, make_study
from motiondistill.commands import probe_compare
from motiondistill.commands.outcomes import INTERRUPTED
from motiondistill.commands.session import checked_prompt, compute_repeatably, terminal
from motiondistill.data.labels import action_in
from motiondistill.probing.asking import pair_rows
from motiondistill.probing.clips import clips_of, prompt_file
from motiondistill.probing.slopes import Slopes, slope_rows
from motiondistill.probing.study import Clip, Study, partners_of
from motiondistill.report import probe_table
from motiondistill.report.probe_page import PAGE, write_page
from motiondistill.report.probe_summary import summary_of
from motiondistill.schema.jobs import ProbeConfig

_log = logging.getLogger(__name__)
# What a pipe is given, so that rows stay lines.
_WIDE: Final = 400


def run(options: argparse.Namespace) -> int:
    """Asks about all motions, or goes on with it; 0, or 130 after Ctrl-C."""
    if options.compare is not None:
        return probe_compare.run(options)
    settings = config.load(ProbeConfig, options.config, options.overrides)
    prompts = _prompts(options)
    folder: Path = options.out
    motions = None if options.motions is None else str(options.motions)
    asked = {"prompts": prompts, "motions": motions}
    with terminal() as console:
        threads = compute_repeatably(settings.run.threads)
        settings = dataclasses.replace(
            settings,
            prior=pinned(settings.prior),
            run=dataclasses.replace(settings.run, threads=threads),
        )
        began = resuming.check_same(folder, settings, asked, "probe")
        with memory_told(settings):
            study, slopes = make_study(settings), make_slopes(settings)
        source = make_source(settings, study, options.motions)
        clips, left_out = clips_of(prompts, source, settings.probe.motions)
        _check(clips, left_out, options.motions)
        about = {**store.origin(""), "prompt": None, **asked}
        if not began:
            store.write_config(store.new_folder(folder, "probe"), settings, about)
        with memory_told(settings):
            answers, finished = _ask(folder, study, slopes, clips, console)
        if not answers.pairs:
            return INTERRUPTED
        write_rows(folder, answers)
        summary = summary_of(settings, study, slopes, answers, clips, left_out, about)
        write_summary(folder, summary)
        write_page(folder, summary)
    _print(summary, folder)
    if not finished:
        print("To go on, repeat the command.")
    return 0 if finished else INTERRUPTED


def _prompts(options: argparse.Namespace) -> list[str]:
    path = options.prompts or prompt_file(options.set or "actions")
    return [checked_prompt(prompt) for prompt in read_prompts(path).values()]


def _check(clips: Sequence[Clip], left_out: Mapping[str, str], motions: Path | None) -> None:
    for prompt, why in left_out.items():
        _log.info("without %r: %s", prompt, why)
    if not clips:
        raise ValueError(_why_none(left_out, motions))


def _why_none(left_out: Mapping[str, str], motions: Path | None) -> str:
    """What is to be changed where no prompt has a motion."""
    shown = [prompt for prompt in left_out if action_in(prompt) is not None]
    prompt = next(iter(shown or left_out))
    more = f", and {len(left_out) - 1} more" if len(left_out) > 1 else ""
    got = f"{prompt!r} ({left_out[prompt]})"
    if not shown:
        return f"`--prompts` must hold a prompt of a known action, got {got}{more}; name others."
    if motions is None:
        return (
            f"`--prompts` must hold a prompt that a motion shows, got {got}{more}; name other "
            "actions, or add --motions DIR."
        )
    return (
        f"`--motions` must show what a prompt names, got {motions} for {got}{more}; add such "
        "motions, name other prompts, or leave it out for parametric motions."
    )


def _ask(
    folder: Path, study: Study, slopes: Slopes | None, clips: Sequence[Clip], console: Console
) -> tuple[Answers, bool]:
    """The answers of all clips, and whether these are all; finished clips are read."""
    together = Answers()
    with Interruption() as stop, make_reporter(console, len(clips), "motion") as report:
        for place, clip in enumerate(clips, 1):
            path = answer_file(folder, clip, partners_of(study, clip, clips))
            if path.is_file():
                answers = read_answers(path)
            elif stop.requested:
                return together, False
            else:
                pairs = list(pair_rows(study, clip, clips))
                answers = Answers(
                    pairs, [] if slopes is None else list(slope_rows(study, slopes, clip))
                )
                write_answers(path, answers)
            together.pairs.extend(answers.pairs)
            together.slopes.extend(answers.slopes)
            report(place, clip.name)
    return together, True


def _print(summary: dict[str, Any], folder: Path) -> None:
    console = Console(width=None if sys.stdout.isatty() else _WIDE)
    console.print(probe_table.table(summary))
    for line in probe_table.lines(summary):
        print(line)
    print(f"\n{folder}")
    for name in (PAGE, SUMMARY, ROWS, ANSWERS):
        print(f"  {folder / name}")
