"""`motiondistill dataset build`: a set of captioned windows from a folder of motions."""

import argparse
import logging
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from rich.console import Console

from motiondistill import config
from motiondistill.bookkeeping.progress import make_reporter
from motiondistill.building import objects
from motiondistill.commands.session import compute_repeatably, terminal
from motiondistill.data.collection import (
    all_dropped,
    find_copies,
    parametric_entries,
    read_collection,
    recorded_entries,
    split_clips,
)
from motiondistill.data.collection_card import card
from motiondistill.data.collection_files import write_collection
from motiondistill.data.dropped import in_words
from motiondistill.schema.jobs import DatasetConfig
from motiondistill.schema.look import BodyConfig

_log = logging.getLogger(__name__)
Item = TypeVar("Item")


def run(options: argparse.Namespace) -> int:
    """Writes the set's folder and prints its name; 0."""
    settings = config.load(DatasetConfig, options.config, options.overrides)
    out: Path = options.out
    if out.exists():
        raise FileExistsError(f"`--out` must name a new folder, got {out}; name another.")
    if not options.folder.is_dir():
        raise FileNotFoundError(
            f"`FOLDER` must be a folder of motions, got {options.folder}; check the path."
        )
    above = next(parent for parent in out.absolute().parents if parent.exists())
    if not above.is_dir():
        raise ValueError(
            f"`--out` must lie in a folder, got {out}, and {above} is a file; name another."
        )
    with terminal() as console:
        compute_repeatably(settings.run.threads)
        _build(options.folder, out, settings, console)
    print(out)
    return 0


def _build(folder: Path, out: Path, settings: DatasetConfig, console: Console) -> None:
    recordings = read_collection(folder)
    total = len(recordings.known)
    copies = list(_told(find_copies(recordings.known), total, "copies of clip", console))
    seed = settings.run.seed
    sides = split_clips(recordings.known, copies, settings.split, seed)
    rest_joints = objects.make_body(BodyConfig()).rest_joints
    recorded = recorded_entries(recordings, sides, rest_joints, settings.window)
    cuttings = list(_told(recorded, total, "windows of clip", console))
    dropped = all_dropped(recordings, cuttings)
    entries = [entry for cutting in cuttings for entry in cutting.entries]
    if not entries:  # only parametric motions would be left
        raise ValueError(
            f"`FOLDER` must hold clips of {settings.window.frames / settings.window.fps:g} s that "
            f"show their action, got {folder} with {in_words(dropped)}; take fewer window.frames, "
            "or add others."
        )
    if dropped:
        _log.info("left out of %s: %s", folder, in_words(dropped))
    entries += parametric_entries(rest_joints, settings.window, seed)
    text = card(recordings, entries, dropped, copies, settings.window, settings.split)
    part = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        write_collection(part, entries, text)
        part.rename(out)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _told(items: Iterable[Item], total: int, words: str, console: Console) -> Iterator[Item]:
    """The items, with a line of progress about each."""
    with make_reporter(console, total, "clip") as report:
        for place, item in enumerate(items, 1):
            report(place, words)
            yield item
