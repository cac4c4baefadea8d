"""`motiondistill export`: saved motions as files that other programs read."""

import argparse
import logging
from collections import Counter
from pathlib import Path
from typing import cast, get_args

from motiondistill.body.base import Body
from motiondistill.bookkeeping.store import make_parent
from motiondistill.building.export import export_paths, write_export
from motiondistill.building.motion import motion_name, read_motion
from motiondistill.building.objects import make_body
from motiondistill.commands.session import settings_for, terminal
from motiondistill.formats.names import ExportFormat
from motiondistill.motion.motion_file import MotionFile
from motiondistill.schema.jobs import ExportConfig
from motiondistill.schema.look import BodyConfig

_log = logging.getLogger(__name__)

Job = tuple[ExportFormat, tuple[Path, ...]]


def run(options: argparse.Namespace) -> int:
    """Writes the files and prints their names; 0."""
    kinds = _kinds(options.to)
    every: list[tuple[MotionFile, ExportConfig, list[Job]]] = []
    for given in options.files:
        file = read_motion("FILE", given)
        settings = settings_for(ExportConfig, file, options.config, options.overrides)
        folder: Path = options.out or _folder(given)
        jobs = [(kind, export_paths(kind, folder, motion_name(given))) for kind in kinds]
        every.append((file, settings, jobs))
    _refuse_existing([path for *_, jobs in every for _, paths in jobs for path in paths])
    bodies: dict[BodyConfig, Body] = {}
    with terminal():
        for file, settings, jobs in every:
            if settings.body not in bodies:
                bodies[settings.body] = make_body(settings.body)
            body, motion, fps = bodies[settings.body], file.motion, settings.output.fps
            resampled = "" if fps is None else f", written at {fps:g}"
            _log.info("%d frames at %g a second%s", motion.num_frames, motion.fps, resampled)
            for kind, paths in jobs:
                make_parent(paths[0])
                write_export(kind, paths, motion, body, settings.output, file.prompt)
                for path in paths:
                    print(path)
    return 0


def _kinds(given: str) -> list[ExportFormat]:
    known = get_args(ExportFormat)
    kinds = list(dict.fromkeys(kind.strip() for kind in given.split(",")))
    for kind in kinds:
        if kind not in known:
            raise ValueError(
                f"`--to` must name formats among {', '.join(known)}, separated by commas, got "
                f"{kind!r}; take one of these."
            )
    return cast(list[ExportFormat], kinds)


def _folder(given: Path) -> Path:
    return given if given.is_dir() else given.parent


def _refuse_existing(paths: list[Path]) -> None:
    twice = next((path for path, count in Counter(paths).items() if count > 1), None)
    if twice is not None:
        raise ValueError(
            f"`FILE` must have different names in one folder, got two for {twice}; export them one "
            "by one."
        )
    for path in paths:
        if path.exists():
            raise FileExistsError(
                f"`--out` must be a folder without the files that are written, got {path}, which "
                "exists; name another."
            )
