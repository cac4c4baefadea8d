"""Ctrl-C as a wish that is met in good order."""

import logging
import signal
import threading
from types import FrameType
from typing import Literal

_log = logging.getLogger(__name__)


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
