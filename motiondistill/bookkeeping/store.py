"""A run on disk: its folder, origin, log, figures over time, checkpoints, and how it resumes."""

import contextlib
import dataclasses
import json
import logging
import platform
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, TypeVar

import torch
from torch import nn

from motiondistill import config as configs
from motiondistill.atomic import write_text
from motiondistill.bookkeeping.interruption import Interruption
from motiondistill.bookkeeping.progress import Reporter, loss_in_words
from motiondistill.bookkeeping.resuming import CONFIG
from motiondistill.checkpoints import CHECKPOINTS, Tree, save_step
from motiondistill.engine import parallel
from motiondistill.engine.candidates import choose
from motiondistill.engine.memory import Memory
from motiondistill.engine.stages import State, Step
from motiondistill.engine.starts import Problem, motion_of
from motiondistill.latents.state import LatentState, LatentStep
from motiondistill.motion.field import MotionField
from motiondistill.prompts import slug
from motiondistill.report.events import Looks, events
from motiondistill.schema.jobs import JobConfig, OptimizeConfig, job_of
from motiondistill.structures import Motion

_log = logging.getLogger(__name__)

LOG: Final = "log.txt"
_GO_ON: Final = ", or go on with that run by --resume"
_LAYOUT: Final = 2  # of snapshots; 1, which had no mark, knew a single prior

Taken = TypeVar("Taken", Step, LatentStep)


def new_folder(out: Path | None, prompt: str, otherwise: str = _GO_ON) -> Path:
    """A new folder for a run, `runs/<time>-<prompt's words>` by default; an empty one may exist.

    `otherwise` is what else can be done than name another where it is in use. Raises
    FileExistsError for a folder in use, and ValueError where none can be made.
    """
    folder = out or Path("runs") / f"{time.strftime('%Y%m%d-%H%M%S')}-{slug(prompt)}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        taken = any(folder.iterdir())
        with tempfile.TemporaryFile(dir=folder):
            pass  # so that a folder without permission is told now, and not after the work
    except OSError as error:
        raise ValueError(
            f"`--out` must be a folder that can be written, got {folder} ({error.strerror}); "
            "name another."
        ) from error
    if taken:
        raise FileExistsError(
            f"`--out` must be a new or empty folder, got {folder}, which is in use; "
            f"name another{otherwise}."
        )
    return folder


def make_parent(path: Path, key: str = "--out") -> None:
    """The file's folder; raises ValueError now for one that the result could not be written to."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise ValueError(
            f"`{key}` must be in a folder that can be written, got {path} ({error.strerror}); "
            "name another."
        ) from error


def write_config(folder: Path, config: JobConfig, about: Mapping[str, Any]) -> None:
    """The resolved configuration, the job and its origin; `--config` reads it back."""
    told = {"job": job_of(type(config)), **about}
    text = configs.to_yaml({**configs.to_dict(config), configs.ABOUT: told})
    write_text(folder / CONFIG, text)


def resolved(config: OptimizeConfig, problem: Problem, threads: int) -> OptimizeConfig:
    """The configuration with what this machine and the prior made of it."""
    frames = problem.num_frames if config.run.seconds is None else None
    run = dataclasses.replace(config.run, frames=frames, threads=threads)
    return dataclasses.replace(config, run=run)


def origin(prompt: str) -> dict[str, str | None]:
    """What else made the result: the prompt, and the versions of everything that computes."""
    return {
        "prompt": prompt,
        "motiondistill": version("motiondistill"),
        "commit": _commit(),
        "torch": str(torch.__version__),
        "python": platform.python_version(),
    }


def earlier_metrics(folder: Path) -> dict[str, Any]:
    """The figures that this run left so far; empty if there are none.

    Raises ValueError for a damaged file.
    """
    path = folder / "metrics.json"
    if not path.is_file():
        return {}
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path} must hold a run's figures, got {error}; delete it.") from error


def snapshot(state: State | LatentState) -> Tree:
    """All that a checkpoint needs to go on from here, bit for bit."""
    if isinstance(state, LatentState):
        return state.to_tree()
    return {
        "layout": _LAYOUT,
        "stage": state.stage,
        "step": state.step,
        "num_fields": len(state.fields),
        "fields": state.fields.state_dict(),
        "optimizer": state.optimizer.state_dict(),
        "targets": state.targets,
        "memories": [memory.to_tree() for memory in state.memories],
    }


def restore(saved: Tree, new_field: Callable[[int], nn.Module]) -> State:
    """The state of a snapshot, whose fields are of the kind that `new_field` makes by number.

    Raises ValueError for a snapshot of another layout than `snapshot` gives.
    """
    if saved.get("layout") != _LAYOUT:
        raise ValueError(
            f"the checkpoint must be of layout {_LAYOUT}, got {saved.get('layout')}; resume with "
            "the release that wrote it, or start the run anew."
        )
    fields = nn.ModuleList([new_field(index) for index in range(saved["num_fields"])])
    fields.load_state_dict(saved["fields"])
    memories = [Memory.from_tree(memory) for memory in saved["memories"]]
    state = State(saved["stage"], fields, saved["targets"], saved["step"], memories)
    state.optimizer.load_state_dict(saved["optimizer"])
    return state


def current_field(problem: Problem, state: State) -> nn.Module:
    """What stands for the motion: the chosen candidate or, while fitting, the best one."""
    return state.fields[0 if state.stage == "distill" else choose(problem, state)]


def result_of(problem: Problem, field: nn.Module) -> Motion:
    """The field's motion: all of it, at the rate of the result."""
    if problem.output_fps is None:
        return motion_of(problem, field).detach()
    assert isinstance(field, MotionField)
    return field.at(*problem.timeline.resampled(problem.output_fps)).detach()


def carry_out(
    steps: Iterator[Taken],
    state: State | LatentState,
    *,
    folder: Path,
    checkpoint_every: int,
    report: Reporter,
    keep_checkpoints: int = 2,
    looks: Looks | None = None,
    interruption: Interruption | None = None,
) -> Taken | None:
    """Takes the steps to their end or to a Ctrl-C, recording each; the last one, if there was any.

    A first Ctrl-C ends the run after the step it falls into; a second aborts at once. A caller who
    goes on afterwards gives the `interruption` whose `with` it is within, and asks it. Where
    numbers fail, the state before that step is saved.
    """
    last: Taken | None = None

    def save() -> None:
        save_step(folder / CHECKPOINTS, state.step, snapshot(state), keep_checkpoints)

    save()
    noted = Interruption() if interruption is None else contextlib.nullcontext(interruption)
    with noted as wish, events(folder, state.step, looks) as record, report:
        for last in _saved_if_broken(steps, state, save):
            record(state.step, last)
            report(state.step, loss_in_words(last.loss, last.terms))
            if state.step % checkpoint_every == 0:
                save()
            if parallel.any_of(wish.requested):
                break
    save()
    return last


def take_part(steps: Iterator[Step]) -> None:
    """Takes the steps beside the process that records them, until a Ctrl-C in any of them."""
    with Interruption() as interruption:
        for _ in steps:
            if parallel.any_of(interruption.requested):
                break


def _saved_if_broken(
    steps: Iterator[Taken], state: State | LatentState, save: Callable[[], None]
) -> Iterator[Taken]:
    """The steps; the state before one that raises FloatingPointError is saved first.

    Such a step has changed nothing of it.
    """
    try:
        yield from steps
    except FloatingPointError:
        save()
        _log.info("the state after %d steps, before the one that failed, is kept", state.step)
        raise


@contextlib.contextmanager
def logged(folder: Path) -> Iterator[None]:
    """Within its `with`, what the package logs goes to the run's log file, too."""
    handler = logging.FileHandler(folder / LOG, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger = logging.getLogger("motiondistill")
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        handler.close()


def _commit() -> str | None:
    """The checkout's git commit, marked where files differ from it; None for an installed wheel."""
    root = Path(__file__).parents[2]
    if not (root / "pyproject.toml").is_file():
        return None
    command = [
        "git",
        "-C",
        str(root),
        "describe",
        "--always",
        "--dirty",
        "--abbrev=40",
        "--exclude=*",
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    return done.stdout.strip() or None
