"""A training from where it was left to its end or to a wish to stop: saved, recorded, looked at."""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from torch import nn

from embedded_training.loop import Draw, Training, updates
from embedded_training.records import Records
from embedded_training.stopping import Stop
from motiondistill.bookkeeping.progress import make_reporter
from motiondistill.checkpoints import CHECKPOINTS, load_newest, save_step

_log = logging.getLogger(__name__)

Look = Callable[[int, nn.Module], Mapping[str, float]]
"""Looks at the averaged network after so many steps, and returns figures to record."""


@dataclass(frozen=True)
class Rhythm:
    """How often what happens on the way."""

    save_steps: int = 500
    save_seconds: float = 300.0
    """A checkpoint is written after so many steps or seconds, whichever comes first."""
    look_steps: int = 1000


def run_stage(training: Training, draw: Draw, folder: Path, rhythm: Rhythm, look: Look) -> bool:
    """Goes on with a training at its newest checkpoint in the folder; whether it reached its end.

    The first of several processes writes; the others only compute.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if any((folder / CHECKPOINTS).glob("step_*")):
        training.restore(load_newest(folder / CHECKPOINTS))
        _log.info("%s goes on after step %d", folder.name, training.step)
    if not training.accelerator.is_main_process:
        with Stop(training.accelerator) as stop:
            for _ in updates(training, draw):
                if stop.requested():
                    break
    elif training.step < training.recipe.steps:
        _lead(training, draw, folder, rhythm, look)
    training.accelerator.wait_for_everyone()
    return training.step == training.recipe.steps


def _lead(training: Training, draw: Draw, folder: Path, rhythm: Rhythm, look: Look) -> None:
    """The part of the process that writes."""
    total, start, saved = training.recipe.steps, time.monotonic(), time.monotonic()
    reporter = make_reporter(Console(), total)
    mean = None
    with (
        Stop(training.accelerator) as stop,
        Records(folder, training.step) as records,
        reporter as report,
    ):
        for update in updates(training, draw):
            mean = update.loss if mean is None else 0.98 * mean + 0.02 * update.loss
            seconds = time.monotonic() - start
            figures = {"loss": update.loss, "rate": update.rate, "seconds": seconds}
            last = update.step == total
            stopping = stop.requested()
            if last or (update.step % rhythm.look_steps == 0 and not stopping):
                figures |= look(update.step, training.average)
            records.add(update.step, figures)
            report(update.step, f"{folder.name}: loss {mean:.5f}")
            late = time.monotonic() - saved > rhythm.save_seconds
            if last or stopping or late or update.step % rhythm.save_steps == 0:
                save_step(folder / CHECKPOINTS, update.step, training.state())
                saved = time.monotonic()
            if stopping:
                break
