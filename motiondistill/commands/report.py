"""`motiondistill report`: the page of a finished run, or the pages of a batch, made anew."""

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path

from motiondistill import config
from motiondistill.body.base import Body
from motiondistill.bookkeeping import resuming
from motiondistill.bookkeeping.batch import Row, read_summary
from motiondistill.building import objects
from motiondistill.commands.outcomes import FAILED, RUN_ERRORS
from motiondistill.commands.session import terminal
from motiondistill.report.batch_page import write_index
from motiondistill.report.run_page import write_report
from motiondistill.schema.jobs import OptimizeConfig

_log = logging.getLogger(__name__)


def run(options: argparse.Namespace) -> int:
    """Writes the pages and prints their names; 0, or 1 if some of a batch could not be made."""
    folder = options.run
    path = folder / resuming.CONFIG
    if not folder.exists():
        raise FileNotFoundError(
            f"`RUN` must be the folder of a run or of a batch, and {folder} does not exist; check "
            "the path."
        )
    if not path.is_file():
        raise FileNotFoundError(
            f"`RUN` must be the folder of a run or of a batch, got {folder} without "
            f"{resuming.CONFIG}; check the path."
        )
    resuming.check_job("RUN", path, OptimizeConfig)
    with terminal():
        body = objects.make_body(config.load(OptimizeConfig, str(path)).body)
        if "prompts" not in config.read_about(path):
            print(write_report(folder, body))
            return 0
        rows = read_summary(folder)
        failed = _pages(folder, rows, body)
        print(write_index(folder, rows, body))
    return FAILED if failed else 0


def _pages(folder: Path, rows: Sequence[Row], body: Body) -> bool:
    """The pages of all runs that have begun; whether one of them could not be made."""
    failed = False
    for row in rows:
        if not (folder / row.folder / "metrics.json").is_file():
            continue
        try:
            print(write_report(folder / row.folder, body))
        except RUN_ERRORS as error:
            _log.error("no page of %s: %s", row.folder, " ".join(str(error).split()))
            failed = True
    return failed
