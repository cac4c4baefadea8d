"""`motiondistill diagnose`: where prompts fail, and whose the failure is."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from motiondistill.bookkeeping import resuming, store
from motiondistill.bookkeeping.batch import read_prompts
from motiondistill.bookkeeping.probed_levels import load_with_record
from motiondistill.building.diagnosis import clips_config, make_looking, settled
from motiondistill.building.field import answer_known
from motiondistill.building.objects import make_body
from motiondistill.commands.diagnose_stages import (
    Work,
    ask_for_clips,
    carry_out,
    make_source,
)
from motiondistill.commands.outcomes import FAILED, INTERRUPTED
from motiondistill.commands.session import (
    checked_prompts,
    compute_repeatably,
    terminal,
    wide_console,
)
from motiondistill.metrics.recogniser import load_recogniser
from motiondistill.probing.clips import prompt_file
from motiondistill.report.diagnosis import DIAGNOSIS, STAGES, Stage, diagnosis, write_diagnosis
from motiondistill.report.diagnosis_page import PAGE, in_words, write_page
from motiondistill.schema.jobs import DiagnoseConfig

_WITH_A_BODY: Final[tuple[Stage, ...]] = ("representation", "samples", "distillation")


def run(options: argparse.Namespace) -> int:
    """Looks at every stage of every prompt, or goes on; 0, or 1 if some failed, or 130."""
    settings = load_with_record(DiagnoseConfig, options.config, options.overrides)
    clips_config(settings)  # its mistakes are told before anything is loaded
    prompts, folder = _prompts(options), options.out
    motions = None if options.motions is None else str(options.motions)
    asked = {"prompts": prompts, "motions": motions}
    with terminal() as console:
        settings = settled(settings, compute_repeatably(settings.run.threads))
        began = resuming.check_same(folder, settings, asked, "diagnosis")
        known = answer_known(settings.field)
        about = {**store.origin(""), "prompt": None, **asked, "knows_the_answer": known or None}
        work = Work(settings, prompts, folder, options.motions)
        _carry_out(work, about, began, console)
        ask_for_clips(work, console)
        found = diagnosis(
            folder, settings, work.cases(), make_body(settings.body), load_recogniser(), about
        )
        write_diagnosis(folder, found)
        write_page(folder, found)
    _print(found, folder)
    if work.interrupted:
        print("To go on, repeat the command.")
        return INTERRUPTED
    return FAILED if work.failures else 0


def _carry_out(work: Work, about: Mapping[str, Any], began: bool, console: Console) -> None:
    """The stages that need the prior beside a body; it is freed before the next one is loaded."""
    if not any(map(work.todo, _WITH_A_BODY)):
        return
    problem, settings = make_looking(work.config)
    source = make_source(work, problem)
    if not began:
        store.write_config(store.new_folder(work.folder, "diagnosis"), work.config, about)
    carry_out(work, problem, settings, source, console)


def _prompts(options: argparse.Namespace) -> list[str]:
    if options.words:
        return checked_prompts(options.words)
    path = options.prompts or prompt_file(options.set)
    return checked_prompts([*read_prompts(path).values()])


def _print(found: Mapping[str, Any], folder: Path) -> None:
    table = Table("prompt", "owner", *STAGES)
    for case in found["cases"]:
        cells = [Text(in_words(case["cells"][stage])) for stage in STAGES]
        owner = ", ".join(filter(None, (case["owner"] or "-", case["caution"])))
        table.add_row(Text(case["prompt"]), Text(owner), *cells)
    wide_console(markup=False).print(table)
    for line in _lines(found["cases"]):
        print(line)
    print(f"\n{folder}")
    for name in (PAGE, DIAGNOSIS):
        print(f"  {folder / name}")


def _lines(cases: Sequence[Mapping[str, Any]]) -> list[str]:
    """What the table has no room for."""
    told = [f"{case['prompt']}: {case['remark']}" for case in cases if case["remark"]]
    for case in cases:
        for stage in STAGES:
            cell = case["cells"][stage]
            if cell["why"]:
                told.append(f"{case['prompt']}, {stage}: {cell['why']}")
    return told
