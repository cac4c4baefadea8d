"""Parts of the results' pages: tables, where figures come from, and strips, failures first."""

import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import imageio.v3
import torch
from jaxtyping import Float
from omegaconf import OmegaConf
from this_machine import this_machine
from torch import Tensor

from comparison.judged import Judged
from comparison.runs import Run
from motiondistill.atomic import write_atomically, write_text
from motiondistill.bookkeeping.store import CONFIG
from motiondistill.report.labels import label
from motiondistill.report.media import read_image, to_bytes

# Views in the strip of a run, the front first.
STRIP_ROWS = 3


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [list(head), ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def origin(runs: Sequence[Run], command: str) -> str:
    """By which command, from which commits and on what the figures were made."""
    files: list[Any] = [OmegaConf.load(run.folder / CONFIG) for run in runs]

    def told(values: Iterable[object]) -> str:
        # More than one, if runs of different days stand together.
        return ", ".join(sorted({str(value) for value in values}))

    return (
        f"Command: `python {command}`; seeds {told(run.seed for run in runs)};\n"
        f"commit {told(file.about.commit for file in files)};\n"
        f"{this_machine()}, threads: "
        f"{told(file.run.threads for file in files)}, torch "
        f"{told(file.about.torch for file in files)}."
    )


def command_of(
    script: str, more: Sequence[str], chosen: Mapping[str, Sequence[object]] = MappingProxyType({})
) -> str:
    """The command that made a page: what was chosen by options, and what all runs had set.

    Options without a value are left out.
    """
    told = "".join(
        f" --{name} {shlex.join(map(str, values))}" for name, values in chosen.items() if values
    )
    return f"experiments/{script}{told}{' --set ' * bool(more)}{' '.join(more)}"


def sheet(
    judged: Sequence[Judged], file: Path, words: Callable[[Judged], str] | None = None
) -> None:
    """One image: a row for each run, from the front, failures first, each with its words.

    The words are as what the run was recognised, if nothing else is given.
    """
    rows = [
        _row(each, (words or (lambda each: each.words))(each))
        for each in sorted(judged, key=lambda each: each.right)
    ]
    _write_image(rows, file)


def strips(runs: Sequence[Run], file: Path) -> None:
    """One image: a row for each run, from the front, at its own size and without words.

    Nothing is written where there are no runs.
    """
    if runs:
        _write_image([_front(run) for run in runs], file)


def picture(image: Float[Tensor, "3 rows columns"], file: Path) -> None:
    """The image (.png), whole or not at all."""
    pixels = to_bytes(image[None])[0].numpy()
    file.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(file, lambda part: imageio.v3.imwrite(part, pixels, extension=".png"))


def write(page: Path, text: str) -> None:
    """The page, whole or not at all."""
    page.parent.mkdir(parents=True, exist_ok=True)
    write_text(page, text)


def _row(judged: Judged, words: str) -> Float[Tensor, "3 rows columns"]:
    """The run's strip from the front, at half its size."""
    return label(torch.nn.functional.avg_pool2d(_front(judged.run)[None], 2), words)[0]


def _front(run: Run) -> Float[Tensor, "3 rows columns"]:
    strip = read_image(run.folder / "strip.png")
    return strip[:, : strip.shape[-2] // STRIP_ROWS]


def _write_image(rows: Sequence[Float[Tensor, "3 rows columns"]], file: Path) -> None:
    """The rows below each other, the shorter ones filled up with white."""
    widest = max(row.shape[-1] for row in rows)
    rows = [torch.nn.functional.pad(row, (0, widest - row.shape[-1]), value=1.0) for row in rows]
    picture(torch.cat(list(rows), -2), file)
