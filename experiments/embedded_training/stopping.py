"""Ctrl-C and SIGTERM as a wish to stop after the step that is under way."""

import logging
import signal
from types import FrameType, TracebackType

import torch
from accelerate import Accelerator

_log = logging.getLogger(__name__)


class Stop:
    """Within its `with`, the first signal is noted; a second Ctrl-C raises KeyboardInterrupt."""

    def __init__(self, accelerator: Accelerator) -> None:
        self.accelerator, self.noted = accelerator, False

    def __enter__(self) -> "Stop":
        kinds = (signal.SIGINT, signal.SIGTERM)
        self.before = {kind: signal.signal(kind, self._note) for kind in kinds}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)

    def requested(self) -> bool:
        """Whether any process was asked to stop: they must all leave after the same step."""
        noted = torch.tensor(float(self.noted), device=self.accelerator.device)
        return bool(self.accelerator.reduce(noted, "sum") > 0)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.noted and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.noted = True
        _log.warning("stopping after this step; Ctrl-C again aborts at once")
