"""How far a run is, for people: a bar on a terminal, plain lines elsewhere."""

import abc
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Final, final

from jaxtyping import Float
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.table import Column
from torch import Tensor

# Plain lines come at the first and the last step and this many times between.
_LINES: Final = 20
# The share of the newest step in the running mean of a step's duration: about thirty steps count.
_NEWEST: Final = 1 / 30


class Reporter(abc.ABC):
    """Shows steps as they come; a context manager."""

    @abc.abstractmethod
    def __enter__(self) -> "Reporter": ...

    @abc.abstractmethod
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    @abc.abstractmethod
    def __call__(self, step: int, words: str = "", *, count: int = 1) -> None:
        """Takes note that `step` steps of the total are done, of which the last `count` are news.

        `words` tell what came out.
        """


def make_reporter(console: Console, total: int, unit: str = "step") -> Reporter:
    """The reporter that suits the console; `unit` is what is counted."""
    kind = BarReporter if console.is_terminal else LineReporter
    return kind(console, total, unit)


class Stopwatch:
    """Speed and time left, from a running mean of the steps' durations."""

    def __init__(self) -> None:
        self.last, self.laps, self.seconds_per_step = time.monotonic(), 0, 0.0

    def lap(self, count: int = 1) -> float:
        """Ends `count` steps; the mean seconds per step so far, in which old steps fade."""
        now = time.monotonic()
        took, self.last, self.laps = now - self.last, now, self.laps + 1
        # The first also warms up: it counts only until there is another.
        share = max(1 / max(self.laps - 1, 1), _NEWEST)
        self.seconds_per_step += share * (took / count - self.seconds_per_step)
        return self.seconds_per_step


def loss_in_words(loss: Float[Tensor, ""], terms: Mapping[str, Float[Tensor, ""]]) -> str:
    """Loss and terms in one line."""
    parts = ", ".join(f"{name} {term.item():.3g}" for name, term in terms.items())
    return f"loss {loss.item():.4g} ({parts})"


def describe(words: str, unit: str, seconds: float, left: int) -> str:
    """Words, speed and time left in one line, of steps that take these seconds each."""
    minutes, rest = divmod(round(seconds * left), 60)
    pace = f"{1 / max(seconds, 1e-9):.1f} {unit}s/s  {minutes}:{rest:02d} left"
    return f"{words}  {pace}" if words else pace


@final
class LineReporter(Reporter):
    """A plain line now and then."""

    def __init__(self, console: Console, total: int, unit: str = "step") -> None:
        self.console, self.total, self.unit = console, total, unit
        self.every = max(1, total // _LINES)

    def __enter__(self) -> "Reporter":
        self.watch = Stopwatch()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        pass

    def __call__(self, step: int, words: str = "", *, count: int = 1) -> None:
        seconds = self.watch.lap(count)
        if self.watch.laps == 1 or step % self.every < count or step == self.total:
            line = describe(words, self.unit, seconds, self.total - step)
            self.console.out(f"{self.unit} {step}/{self.total}  {line}", highlight=False)


@final
class BarReporter(Reporter):
    """A bar that stays in place."""

    def __init__(self, console: Console, total: int, unit: str = "step") -> None:
        # What does not fit goes on in the next line: cut off, speed and time left would be lost.
        words = TextColumn("{task.description}", table_column=Column(no_wrap=False))
        columns = (BarColumn(bar_width=24), MofNCompleteColumn(), words)
        self.progress = Progress(*columns, console=console)
        self.total, self.unit = total, unit
        self.task: TaskID = self.progress.add_task("", total=total)

    def __enter__(self) -> "Reporter":
        self.watch = Stopwatch()
        self.progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.progress.stop()

    def __call__(self, step: int, words: str = "", *, count: int = 1) -> None:
        line = describe(words, self.unit, self.watch.lap(count), self.total - step)
        self.progress.update(self.task, completed=step, description=line)
