"""`motiondistill report`: the page of a finished run, or the pages of a batch, made anew."""

import argparse
from pathlib import Path
from typing import Any


def add_to(commands: Any) -> None:
    """The command's arguments, among those of its siblings."""
    parser = commands.add_parser("report", help="a run's report.html, or a batch's index.html")
    parser.set_defaults(command="report", overrides=())
    parser.add_argument("run", metavar="RUN", type=Path, help="the folder of a run or of a batch")


def run(options: argparse.Namespace) -> int:
    """Writes the pages and prints their names; 0."""
    from motiondistill import build, config, resuming
    from motiondistill.batch import read_summary
    from motiondistill.commands.session import terminal
    from motiondistill.report.batch_page import write_index
    from motiondistill.report.run_page import write_report
    from motiondistill.schema import OptimizeConfig

    if options.overrides:
        raise ValueError(
            f"`report` takes RUN alone, got {options.overrides[0]!r} besides; leave it out."
        )
    folder = options.run
    path = folder / resuming.CONFIG
    if not path.is_file():
        raise FileNotFoundError(
            f"`RUN` must be the folder of a run or of a batch, got {folder} without "
            f"{resuming.CONFIG}; check the path."
        )
    with terminal():
        body = build.make_body(config.load(OptimizeConfig, str(path)).body)
        if "prompts" not in config.read_about(path):
            print(write_report(folder, body))
            return 0
        rows = read_summary(folder)
        for row in rows:
            if (folder / row.folder / "metrics.json").is_file():
                print(write_report(folder / row.folder, body))
        print(write_index(folder, rows, body))
    return 0
