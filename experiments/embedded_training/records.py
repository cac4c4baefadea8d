"""Figures over time: a line of JSON a step to plot from, and TensorBoard events."""

import json
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Final

from torch.utils.tensorboard import SummaryWriter

from motiondistill.atomic import write_text

FIGURES: Final = "figures.jsonl"


class Records:
    """Writes figures within its `with`; those that a killed run left after `first` are dropped."""

    def __init__(self, folder: Path, first: int) -> None:
        self.path = folder / FIGURES
        self.writer = SummaryWriter(str(folder), purge_step=first)
        kept = [line for line in read_lines(self.path) if json.loads(line)["step"] <= first]
        text = "".join(f"{line}\n" for line in kept)
        write_text(self.path, text)

    def __enter__(self) -> "Records":
        self.file = self.path.open("a", encoding="utf-8")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.file.close()
        self.writer.close()

    def add(self, step: int, figures: Mapping[str, float]) -> None:
        """Notes figures of a step by their names."""
        self.file.write(json.dumps({"step": step, **figures}) + "\n")
        self.file.flush()
        for name, value in figures.items():
            self.writer.add_scalar(name, value, step)


def read_lines(path: Path) -> list[str]:
    """The whole lines of the file; none where there is no file."""
    if not path.is_file():
        return []
    # A killed run may leave half a line, which ends without a line break.
    return path.read_text(encoding="utf-8").split("\n")[:-1]
