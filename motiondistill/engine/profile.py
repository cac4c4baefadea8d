"""Where the time of a run goes, stage by stage.

A stage is timed where it happens, by `timed`; that costs nothing unless somebody watches.
"""

import contextlib
import json
import statistics
import time
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Final, TypeVar, final

import torch

from motiondistill.atomic import write_text

Item = TypeVar("Item")

PROFILE: Final = "profile.json"
REST: Final = "rest"
"""What of a step is in no stage."""
BETWEEN: Final = "between steps"
"""Recording, saving and showing."""


@final
class Profile:
    """Seconds of every stage in every step that it watched.

    Stages may be nested: what an inner one takes is not counted for the outer one.
    """

    def __init__(self) -> None:
        self.steps: list[dict[str, float]] = []
        self._open: list[tuple[str, float]] = []
        self._stages: dict[str, float] = {}

    def watched(self, steps: Iterator[Item]) -> Iterator[Item]:
        """The same items; what happens until each of them comes is a step."""
        while True:
            began, self._stages = _now(), {}
            token = _watching.set(self)
            try:
                item = next(steps)
            except StopIteration:
                return
            finally:
                _watching.reset(token)
            done = _now()
            inside = sum(self._stages.values())
            step = self._stages | {REST: done - began - inside}
            self.steps.append(step)
            yield item
            step[BETWEEN] = _now() - done

    def begin(self, stage: str) -> None:
        """Ends what is timed so far, and begins a stage within it."""
        self._close()
        self._open.append((stage, _now()))

    def end(self) -> None:
        """Ends the newest stage; the one around it goes on."""
        self._close()
        self._open.pop()
        if self._open:
            self._open[-1] = (self._open[-1][0], _now())

    def summary(self) -> dict[str, Any]:
        """Steps, and of each stage all seconds, the share, and the median milliseconds of a step.

        The stages come as they first happened. What is compiled or loaded in the first step is
        among the seconds, but not in the medians.
        """
        names = list(dict.fromkeys(name for step in self.steps for name in step))
        names.sort(key=(REST, BETWEEN).__contains__)
        whole = sum(sum(step.values()) for step in self.steps)
        stages = {}
        for name in names:
            each = [step.get(name, 0.0) for step in self.steps]
            stages[name] = {
                "seconds": sum(each),
                "share": sum(each) / whole,
                "median_ms": 1000 * statistics.median(each),
            }
        return {"steps": len(self.steps), "seconds": whole, "stages": stages}

    def _close(self) -> None:
        if self._open:
            stage, since = self._open[-1]
            self._stages[stage] = self._stages.get(stage, 0.0) + _now() - since


_watching: ContextVar[Profile | None] = ContextVar("watching", default=None)


@contextlib.contextmanager
def timed(stage: str) -> Iterator[None]:
    """A stage of a step, as a `with` or a decorator."""
    profile = _watching.get()
    if profile is None:
        yield
        return
    profile.begin(stage)
    try:
        yield
    finally:
        profile.end()


def table(summary: dict[str, Any]) -> str:
    """The summary in lines of text."""
    lines = [f"{summary['steps']} steps took {summary['seconds']:.1f} s"]
    lines += [
        f"{name:<14} {100 * stage['share']:5.1f} %  {stage['median_ms']:9.2f} ms a step"
        for name, stage in summary["stages"].items()
    ]
    return "\n".join(lines)


def write_profile(folder: Path, profile: Profile) -> str:
    """Writes the summary into a run's folder; the table of it."""
    summary = profile.summary()
    text = json.dumps(summary, indent=2) + "\n"
    write_text(folder / PROFILE, text)
    return table(summary)


def _now() -> float:
    """Seconds, when all that was asked of CUDA devices is done."""
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.synchronize()
    return time.perf_counter()
