"""`motiondistill priors`: the priors there are, and `check`, whether one works here."""

import argparse
import sys
from pathlib import Path

import torch
from rich.console import Console

from motiondistill import config, prior_check, prior_table, runs
from motiondistill.commands.session import terminal
from motiondistill.schema import SampleConfig

# What a pipe is given, so that rows stay lines.
_WIDE = 240


def run(options: argparse.Namespace) -> int:
    """Prints the table, or what the check finds line by line; 0."""
    with terminal():
        return _run(options)


def _run(options: argparse.Namespace) -> int:
    words = options.overrides
    if words[:1] != ["check"]:
        settings = config.load(SampleConfig, options.config, words).prior
        console = Console(width=None if sys.stdout.isatty() else _WIDE)
        console.print(prior_table.table(prior_table.rows(settings), settings))
        return 0
    model, path = "".join(words[1:2]), options.out or Path("runs") / "check.mp4"
    if not model or "=" in model:
        raise ValueError(
            "`priors check` must be told which prior; add a name that `motiondistill priors` "
            "lists, a hub id or a folder."
        )
    # The check samples to see that it works, not to see a good clip.
    chosen = {"prior": {"model": model}, "sample": {"num_steps": 4}}
    wanted = config.load(SampleConfig, options.config, words[2:], base=chosen)
    runs.make_parent(path)
    if wanted.run.threads is not None:
        torch.set_num_threads(wanted.run.threads)
    for line in prior_check.check(wanted, path):
        print(line, flush=True)
    return 0
