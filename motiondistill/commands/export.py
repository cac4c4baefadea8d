"""`motiondistill export`: saved motions as files that other programs read."""

import argparse
from collections import Counter
from pathlib import Path
from typing import Any, cast, get_args

from motiondistill import config
from motiondistill.body.base import Body
from motiondistill.build import make_body
from motiondistill.build_export import export_paths, write_export
from motiondistill.build_film import recorded_body
from motiondistill.build_motion import read_motion
from motiondistill.commands.session import terminal
from motiondistill.formats.names import ExportFormat
from motiondistill.motion.motion_file import MotionFile
from motiondistill.runs import make_parent
from motiondistill.schema import BodyConfig, ExportConfig

Job = tuple[ExportFormat, tuple[Path, ...]]


def run(options: argparse.Namespace) -> int:
    """Writes the files and prints their names; 0."""
    kinds = _kinds(options.to)
    every: list[tuple[MotionFile, ExportConfig, list[Job]]] = []
    for given, name in zip(options.files, _names(options.files), strict=True):
        file = read_motion("FILE", given)
        settings = _settings(file, options.config, options.overrides)
        folder: Path = options.out or _folder(given)
        jobs = [(kind, export_paths(kind, folder, name)) for kind in kinds]
        every.append((file, settings, jobs))
    _refuse_existing([path for *_, jobs in every for _, paths in jobs for path in paths])
    bodies: dict[BodyConfig, Body] = {}
    with terminal():
        for file, settings, jobs in every:
            if settings.body not in bodies:
                bodies[settings.body] = make_body(settings.body)
            body = bodies[settings.body]
            for kind, paths in jobs:
                make_parent(paths[0])
                write_export(kind, paths, file.motion, body, settings.output, file.prompt)
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


def _names(given: list[Path]) -> list[str]:
    """What each motion's files are called: by its run's folder or its own name."""
    names = []
    for path in given:
        run = path.name == "motion.npz" or path.is_dir()
        place = path.absolute()
        names.append((place if path.is_dir() else place.parent).name if run else path.stem)
    again = next((name for name, count in Counter(names).items() if count > 1), None)
    if again is not None:
        raise ValueError(
            f"`FILE` must have different names, got {again!r} twice; export them one by one."
        )
    return names


def _folder(given: Path) -> Path:
    return given if given.is_dir() else given.parent


def _settings(file: MotionFile, name: str | None, overrides: list[str]) -> ExportConfig:
    """The configuration; the body is the motion file's where none is named."""
    named = config.named(ExportConfig, name, overrides)
    base: dict[str, Any] | None = None if "body.name" in named else recorded_body(file)
    return config.load(ExportConfig, name, overrides, base=base)


def _refuse_existing(paths: list[Path]) -> None:
    for path in paths:
        if path.exists():
            raise FileExistsError(
                f"`--out` must be a folder without the files that are written, got {path}, which "
                "exists; name another."
            )
