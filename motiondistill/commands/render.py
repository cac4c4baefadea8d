"""`motiondistill render`: a film of a saved motion."""

import argparse
from pathlib import Path

from motiondistill.bookkeeping.progress import make_reporter
from motiondistill.building import film as build_film
from motiondistill.building.motion import read_motion
from motiondistill.commands.session import compute_repeatably, new_video, settings_for, terminal
from motiondistill.report.film_files import film_paths, write_film
from motiondistill.schema.jobs import FilmConfig


def run(options: argparse.Namespace) -> int:
    """Draws the film; 0."""
    file = read_motion("FILE", options.motion)
    settings = settings_for(FilmConfig, file, options.config, options.overrides)
    path = new_video(options.out, f"{file.prompt} {settings.output.kind}")
    paths = film_paths(path, settings.output.kind)
    _refuse_existing(paths)
    with terminal() as console:
        compute_repeatably(settings.run.threads)
        film = build_film.make_film(settings, file)
        with make_reporter(console, film.motion.num_frames, "frame") as report:
            write_film(paths, film, labels=settings.output.labels, report=report)
    for written in paths:
        print(written)
    return 0


def _refuse_existing(paths: list[Path]) -> None:
    for path in paths:
        if path.exists():
            raise FileExistsError(
                f"`--out` must name new files, got {path}, which exists; name another."
            )
