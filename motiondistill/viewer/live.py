"""The motion of a run in the browser, while it evolves."""

import contextlib
import logging
import threading
import time
from collections.abc import Iterator
from typing import Final

from motiondistill.body.base import Body
from motiondistill.engine.stages import Stage as Phase
from motiondistill.engine.stages import Step
from motiondistill.viewer.clips import clip_of
from motiondistill.viewer.stage import Stage

_EVERY: Final = 0.5  # seconds between two motions on the page
_STAGES: Final[dict[Phase, str]] = {"fit": "fitting", "distill": "distilling"}

_log = logging.getLogger(__name__)


@contextlib.contextmanager
def live_stage() -> Iterator[Stage]:
    """Within its `with`, a page on this machine plays by itself what it is given.

    Raises ImportError without viser.
    """
    stage = Stage()
    _log.info("the motion can be watched at %s", stage.address)
    threading.Thread(target=stage.run, daemon=True).start()
    try:
        yield stage
    finally:
        stage.tell("**The run has ended.**")
        stage.stop()


def shown_on(stage: Stage, steps: Iterator[Step], name: str, body: Body) -> Iterator[Step]:
    """The same steps; while they come, the stage shows the newest motion, and where the run is."""
    stage.tell("The run begins.")
    # Once more, below what was said while the run was made ready.
    _log.info("the motion can be watched at %s", stage.address)
    shown_at = -_EVERY
    for step in steps:
        if time.monotonic() - shown_at >= _EVERY:
            stage.show([clip_of(name, step.motion, body)])
            stage.tell(_words(step))
            shown_at = time.monotonic()
        yield step
    stage.tell("All updates are done; the results are being written.")


def _words(step: Step) -> str:
    """Where the run is, and when that was: a page that stands still is told from a slow run."""
    now = time.strftime("%H:%M:%S")
    return (
        f"**Running**, {_STAGES[step.stage]}: update {step.index + 1}, "
        f"loss {step.loss.item():.4g}, at {now}."
    )
