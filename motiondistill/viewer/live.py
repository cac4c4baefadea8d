"""The motion of a run in the browser, while it evolves."""

import contextlib
import logging
import threading
import time
from collections.abc import Iterator
from typing import Final

from motiondistill.body.base import Body
from motiondistill.stages import Step
from motiondistill.viewer.clips import clip_of
from motiondistill.viewer.stage import Stage

_EVERY: Final = 0.5  # seconds between two motions on the page

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
        stage.stop()


def shown_on(stage: Stage, steps: Iterator[Step], name: str, body: Body) -> Iterator[Step]:
    """The same steps; while they come, the stage shows the newest motion."""
    shown_at = -_EVERY
    for step in steps:
        if time.monotonic() - shown_at >= _EVERY:
            stage.show([clip_of(name, step.motion, body)])
            shown_at = time.monotonic()
        yield step
