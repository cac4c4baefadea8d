"""`motiondistill priors`: the priors there are, and `check`, whether one works here."""

import argparse
from pathlib import Path

import torch

from motiondistill import config
from motiondistill.checkup import prior_check, prior_table
from motiondistill.commands.session import new_video, terminal, wide_console
from motiondistill.schema.jobs import SampleConfig


def run(options: argparse.Namespace) -> int:
    """Prints the table, or what the check finds line by line; 0."""
    with terminal():
        return _run(options)


def _run(options: argparse.Namespace) -> int:
    words = options.overrides
    if words[:1] == ["check"]:
        return _check(options, words[1:])
    if words and "=" not in words[0]:
        raise ValueError(
            f"unknown word {words[0]}; `check`? `motiondistill priors check NAME` tells whether a "
            "prior works here."
        )
    if options.out is not None:
        raise ValueError(
            f"`--out` must come with `check`, got {options.out} for a table; leave it out, or "
            "write `motiondistill priors check NAME --out FILE.mp4`."
        )
    settings = config.load(SampleConfig, options.config, words).prior
    console = wide_console()
    console.print(prior_table.table(prior_table.rows(settings), settings))
    return 0


def _check(options: argparse.Namespace, words: list[str]) -> int:
    model, overrides = "".join(words[:1]), words[1:]
    if not model or "=" in model:
        raise ValueError(
            "`priors check` must be told which prior; add a name that `motiondistill priors` "
            "lists, a hub id or a folder."
        )
    if "prior.model" in config.given(SampleConfig, options.config, overrides):
        raise ValueError(
            f"`prior.model` must be left out of `priors check {model}`, which names the prior "
            "already; leave it out."
        )
    # The check samples to see that it works, not to see a good clip.
    chosen = {"prior": {"model": model}, "sample": {"num_steps": 4}}
    wanted = config.load(SampleConfig, options.config, overrides, base=chosen)
    path = new_video(options.out, f"check {Path(model).name}")
    if path.exists():
        raise FileExistsError(
            f"`--out` must name a new file, got {path}, which exists; name another."
        )
    if wanted.run.threads is not None:
        torch.set_num_threads(wanted.run.threads)
    for line in prior_check.check(wanted, path):
        print(line, flush=True)
    return 0
