"""A run on disk: its folder, origin, log, figures over time, checkpoints, and how it resumes."""

import contextlib
import json
import logging
import platform
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from types import FrameType
from typing import Any, Final, Literal

import torch
from torch import nn

from motiondistill import config as configs
from motiondistill import parallel
from motiondistill.atomic import write_atomically
from motiondistill.checkpoints import Tree, save_step
from motiondistill.distill_memory import Memory
from motiondistill.motion.field import MotionField
from motiondistill.optimize import State, Step, choose, motion_of
from motiondistill.progress import Reporter, loss_in_words
from motiondistill.prompts import slug
from motiondistill.schema import OptimizeConfig
from motiondistill.starts import Problem
from motiondistill.structures import Motion

_log = logging.getLogger(__name__)

CHECKPOINTS: Final = "checkpoints"
CONFIG: Final = "config.yaml"
LOG: Final = "log.txt"

# What a resumed run may do differently from how it began.
_MAY_GROW: Final = "score.num_steps"
_MAY_CHANGE: Final = "run.checkpoint_every"


def new_folder(out: Path | None, prompt: str) -> Path:
    """A new folder for a run, `runs/<time>-<prompt's words>` by default; an empty one may exist.

    Raises FileExistsError for a folder in use, and ValueError where none can be made.
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
            "name another, or go on with that run by --resume."
        )
    return folder


def make_parent(path: Path) -> None:
    """The file's folder; raises ValueError now for one that the result could not be written to."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise ValueError(
            f"`--out` must be in a folder that can be written, got {path} ({error.strerror}); "
            "name another."
        ) from error


def write_config(folder: Path, config: OptimizeConfig, about: Mapping[str, Any]) -> None:
    """The resolved configuration and the run's origin; `--config` reads it back."""
    text = configs.to_yaml({**configs.to_dict(config), configs.ABOUT: dict(about)})
    write_atomically(folder / CONFIG, lambda part: part.write_text(text, encoding="utf-8"))


def origin(prompt: str) -> dict[str, str | None]:
    """What else made the result: the prompt, and the versions of everything that computes."""
    return {
        "prompt": prompt,
        "motiondistill": version("motiondistill"),
        "commit": _commit(),
        "torch": str(torch.__version__),
        "python": platform.python_version(),
    }


def stored_config(
    folder: Path | None, prompt: str, config: str | None, overrides: list[str]
) -> OptimizeConfig:
    """The configuration of the run in `folder`, which what is given now must not contradict.

    Only more steps and another rhythm of checkpoints are changes that a resumed run may make.
    """
    if folder is None:
        raise ValueError("`--resume` needs `--out`, the folder of the run to go on with; name it.")
    path = folder / CONFIG
    if not path.is_file():
        raise FileNotFoundError(
            f"`--out` must be a run's folder to resume, got {folder} without {CONFIG}; "
            "check the path, or start a run without --resume."
        )
    about = configs.read_about(path)
    if about.get("prompt") != prompt:
        raise ValueError(
            f"`PROMPT` must be the stored run's {about.get('prompt')!r}, got {prompt!r}; "
            "repeat it, or start a new run."
        )
    stored = configs.load(OptimizeConfig, str(path))
    wanted = configs.load(OptimizeConfig, config, overrides, base=configs.to_dict(stored))
    before = dict(configs.flat(configs.to_dict(stored)))
    for key, value in configs.flat(configs.to_dict(wanted)):
        grows = key == _MAY_GROW and value > before[key]
        if value != before[key] and not grows and key != _MAY_CHANGE:
            raise ValueError(
                f"`{key}` must be the stored run's {before[key]!r}, got {value!r}; "
                f"leave it out, or start a new run (only {_MAY_GROW} may grow)."
            )
    return wanted


def earlier_metrics(folder: Path) -> dict[str, Any]:
    """The figures that an interrupted session of this run left; empty if there was none."""
    path = folder / "metrics.json"
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}


def snapshot(state: State) -> Tree:
    """All that a checkpoint needs to go on from here, bit for bit."""
    return {
        "stage": state.stage,
        "step": state.step,
        "num_fields": len(state.fields),
        "fields": state.fields.state_dict(),
        "optimizer": state.optimizer.state_dict(),
        "targets": state.targets,
        "memories": [memory.to_tree() for memory in state.memories],
    }


def restore(saved: Tree, new_field: Callable[[int], nn.Module]) -> State:
    """The state of a snapshot, whose fields are of the kind that `new_field` makes by number."""
    fields = nn.ModuleList([new_field(index) for index in range(saved["num_fields"])])
    fields.load_state_dict(saved["fields"])
    memories = [Memory.from_tree(memory) for memory in saved["memories"]]
    state = State(saved["stage"], fields, saved["targets"], saved["step"], memories)
    state.optimizer.load_state_dict(saved["optimizer"])
    return state


def current_motion(problem: Problem, state: State) -> Motion:
    """The motion as it stands: the chosen candidate's or, while fitting, the best one's.

    All of it, at the rate of the result.
    """
    field = state.fields[0] if state.stage == "distill" else choose(problem, state.fields)
    if problem.output_fps is None:
        return motion_of(problem, field).detach()
    assert isinstance(field, MotionField)
    return field.at(*problem.timeline.resampled(problem.output_fps)).detach()


def carry_out(
    steps: Iterator[Step],
    state: State,
    *,
    folder: Path,
    checkpoint_every: int,
    report: Reporter,
) -> Step | None:
    """Takes the steps to their end or to a Ctrl-C, recording each; the last one, if there was any.

    A first Ctrl-C ends the run after the step it falls into; a second aborts at once.
    """
    last: Step | None = None
    save_step(folder / CHECKPOINTS, state.step, snapshot(state))
    with Interruption() as interruption, _scalars(folder, state.step) as record, report:
        for last in steps:
            record(state.step, last)
            report(state.step, loss_in_words(last.loss, last.terms))
            if state.step % checkpoint_every == 0:
                save_step(folder / CHECKPOINTS, state.step, snapshot(state))
            if parallel.any_of(interruption.requested):
                break
    save_step(folder / CHECKPOINTS, state.step, snapshot(state))
    return last


def take_part(steps: Iterator[Step]) -> None:
    """Takes the steps beside the process that records them, until a Ctrl-C in any of them."""
    with Interruption() as interruption:
        for _ in steps:
            if parallel.any_of(interruption.requested):
                break


class Interruption:
    """Within its `with`, a first Ctrl-C is only noted; a second raises KeyboardInterrupt."""

    requested = False

    def __enter__(self) -> "Interruption":
        # Signals are the main thread's; in another there is nothing to catch.
        self.handles = threading.current_thread() is threading.main_thread()
        if self.handles:
            self.previous = signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(self, *_: object) -> Literal[False]:
        if self.handles:
            signal.signal(signal.SIGINT, self.previous)
        return False

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True
        _log.info("stopping after this step; Ctrl-C again aborts at once")


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


@contextlib.contextmanager
def _scalars(folder: Path, first: int) -> Iterator[Callable[[int, Step], None]]:
    """A function that writes a step's figures as TensorBoard events."""
    from torch.utils.tensorboard import SummaryWriter

    # A killed run may have recorded steps after its last checkpoint; they are superseded.
    writer: Any = SummaryWriter(str(folder), purge_step=first)

    def record(step: int, taken: Step) -> None:
        writer.add_scalar("loss", taken.loss.item(), step)
        for name, term in taken.terms.items():
            writer.add_scalar(f"terms/{name}", term.item(), step)
        for name, figure in taken.figures.items():
            writer.add_scalar(f"score/{name}", figure.item(), step)

    try:
        yield record
    finally:
        writer.close()


def _commit() -> str | None:
    """The checkout's git commit, marked where files differ from it; None for an installed wheel."""
    root = Path(__file__).parent.parent
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
