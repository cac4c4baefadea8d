"""`motiondistill evaluate`: what is measured of motions, by themselves and beside references."""

import argparse
import functools
from pathlib import Path
from typing import Any, Final

from motiondistill.body.base import Body
from motiondistill.bookkeeping import store
from motiondistill.building import objects
from motiondistill.building.motion import coarse_body, read_motion
from motiondistill.commands.session import compute_repeatably, terminal, wide_console
from motiondistill.data.importers.folder import recognise
from motiondistill.metrics.evaluator_own import load_own_evaluator
from motiondistill.priors.clip_score import load_clip_scorer
from motiondistill.report import evaluation_table
from motiondistill.report.evaluation import Evaluation, Subject, evaluate
from motiondistill.report.measuring import RUN_VIDEO
from motiondistill.schema.look import RenderConfig

MOTION_FILES: Final = (".npz", ".npy", ".bvh", ".glb")
"""Endings of the files that are taken from a folder of references, besides texts of motions."""


def run(options: argparse.Namespace) -> int:
    """Prints the table and writes what was asked for; 0."""
    _refuse(options)
    beside = reference_files(options.reference)
    bodies = functools.cache(objects.make_body)
    subjects = [_subject("FILE", path, bodies) for path in options.files]
    references = [_subject("--reference", path, bodies) for path in beside]
    clip = None if options.clip is None else load_clip_scorer(options.clip)
    with terminal():
        compute_repeatably(None)
        rasterizer = objects.make_rasterizer(RenderConfig())
        found = evaluate(subjects, references, load_own_evaluator(), rasterizer, clip)
    _print(found)
    if options.json is not None:
        evaluation_table.write_json(options.json, found)
    if options.tensorboard is not None:
        evaluation_table.write_tensorboard(options.tensorboard, found)
    return 0


def reference_files(folder: Path | None) -> list[Path]:
    """The motion files below a folder, in order; none without a folder.

    Raises FileNotFoundError and ValueError for a folder that is none or holds none.
    """
    if folder is None:
        return []
    if not folder.is_dir():
        raise FileNotFoundError(
            f"`--reference` must be a folder of motion files, got {folder}; check the path."
        )
    found = [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name[0] != "." and _may_be_motion(path)
    ]
    if not found:
        raise ValueError(
            f"`--reference` must hold motion files ({', '.join(MOTION_FILES)}, or "
            f"texts of motion), got {folder} without any; name another folder."
        )
    return found


def _may_be_motion(path: Path) -> bool:
    """By its ending; a text, which may be anything, by its beginning."""
    return path.suffix.lower() in MOTION_FILES or recognise(path) is not None


def _refuse(options: argparse.Namespace) -> None:
    """Tells before the work what could not be done after it."""
    if options.json is not None:
        if options.json.exists():
            raise FileExistsError(
                f"`--json` must name a new file, got {options.json}, which exists; name another."
            )
        store.make_parent(options.json, "--json")
    if options.tensorboard is not None:
        store.make_parent(options.tensorboard, "--tensorboard")


def _subject(key: str, path: Path, bodies: Any) -> Subject:
    file = read_motion(key, path)
    body: Body = bodies(coarse_body(file))
    return Subject(str(path), file, body, path / RUN_VIDEO if path.is_dir() else None)


def _print(found: Evaluation) -> None:
    console = wide_console()
    console.print(evaluation_table.table(found))
    for line in evaluation_table.missing(found):
        print(line)
