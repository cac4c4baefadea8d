"""Many runs from one command: which there are, where they are kept, and what came of them."""

import csv
import dataclasses
import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, final

from motiondistill.atomic import write_text
from motiondistill.bookkeeping.store import earlier_metrics
from motiondistill.checkpoints import CHECKPOINTS, newest_step
from motiondistill.prompts import slug

SUMMARY: Final = ("summary.csv", "summary.json")
_MAX_SEED: Final = 2**63 - 1
_MAX_SEEDS: Final = 10_000

Status = Literal["finished", "stopped", "failed", "not begun"]


@final
@dataclass(frozen=True)
class Job:
    """One run of a batch."""

    prompt: str
    seed: int
    folder: Path


@final
@dataclass(frozen=True)
class Row:
    """What came of a run; figures are None where it has left none."""

    prompt: str
    seed: int
    status: Status
    steps: int
    loss: float | None
    evidence: float | None
    """How much the prompt helps the prior to denoise the motion; see `candidates.evidence`."""
    seconds: float | None
    folder: str
    """Within that of the batch."""
    message: str = ""
    """Why it failed."""


def read_prompts(path: Path) -> dict[int, str]:
    """The prompts by line number: one a line, white space tidied, without blank lines and comments.

    A comment is a line that begins with #. Raises FileNotFoundError, and ValueError for what is not
    text, holds no prompt, or one twice.
    """
    if not path.is_file():
        raise FileNotFoundError(f"`--prompts` must be a file, got {path}; check the path.")
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(
            f"`--prompts` must be a text file in UTF-8, got {path} ({error.reason} at byte "
            f"{error.start}); save it anew."
        ) from error
    tidy = {number: " ".join(line.split()) for number, line in enumerate(lines, 1)}
    prompts = {number: line for number, line in tidy.items() if line and not line.startswith("#")}
    if not prompts:
        raise ValueError(
            f"`--prompts` must hold a prompt a line, got none in {path}; write what people do."
        )
    seen: dict[str, int] = {}
    for number, prompt in prompts.items():
        if prompt in seen:
            raise ValueError(
                f"`--prompts` must hold each prompt once, got {prompt!r} in lines {seen[prompt]} "
                f"and {number} of {path}; delete one."
            )
        seen[prompt] = number
    return prompts


def parse_seeds(words: str) -> tuple[int, ...]:
    """The seeds of words like `0-3` or `0,2,5-7`, in their order.

    Raises ValueError for other words and for a seed that comes twice.
    """
    seeds: list[int] = []
    for part in words.split(","):
        low, dash, high = part.strip().partition("-")
        if not all(each.isascii() and each.isdigit() for each in (low, high if dash else low)):
            raise _wrong_seeds(words, "whole numbers")
        first, last = int(low), int(high if dash else low)
        if not first <= last <= _MAX_SEED or last - first >= _MAX_SEEDS:
            raise _wrong_seeds(words, f"ranges that rise, of at most {_MAX_SEEDS} seeds")
        seeds += range(first, last + 1)
    if len({*seeds}) < len(seeds):
        raise _wrong_seeds(words, "each seed once")
    return tuple(seeds)


def plan(prompts: Sequence[str], seeds: Sequence[int], folder: Path) -> list[Job]:
    """Every prompt with every seed, prompt by prompt, each with a folder of its own."""
    return [
        Job(prompt, seed, folder / f"{_name(prompt)}_seed{seed}")
        for prompt in prompts
        for seed in seeds
    ]


def standing(folder: Path, metrics: Mapping[str, Any], failure: str = "") -> tuple[Status, int]:
    """Status and updates of a run that left these figures, perhaps none, or failed by this message.

    Where it was aborted, its checkpoints tell of updates that its figures do not know.
    """
    known, saved = metrics.get("steps", 0), newest_step(folder / CHECKPOINTS)
    steps = max(known, saved)
    if failure:
        return "failed", steps
    if metrics and metrics["finished"] and known == steps:
        return "finished", steps
    return "stopped" if metrics or steps else "not begun", steps


def row_of(job: Job, metrics: Mapping[str, Any], failure: str = "") -> Row:
    """The row of a run that left these figures, perhaps none, or failed by this message."""
    return Row(
        job.prompt,
        job.seed,
        *standing(job.folder, metrics, failure),
        metrics.get("loss"),
        metrics.get("evidence"),
        metrics.get("seconds"),
        job.folder.name,
        failure,
    )


def known_row(job: Job) -> Row:
    """The row of a run that is not carried out now, by what it left before."""
    return row_of(job, earlier_metrics(job.folder))


def write_summary(folder: Path, rows: Sequence[Row]) -> None:
    """Both files of `SUMMARY`: the same rows as a table and as JSON."""
    write_records(folder, [dataclasses.asdict(row) for row in rows])


def write_records(folder: Path, records: Sequence[Mapping[str, Any]]) -> None:
    """The same of any records, at least one, that have the same keys."""
    table = io.StringIO()
    writer = csv.DictWriter(table, list(records[0]))
    writer.writeheader()
    writer.writerows(records)
    texts = (table.getvalue(), json.dumps(records, indent=2, ensure_ascii=False) + "\n")
    for name, text in zip(SUMMARY, texts, strict=True):
        write_text(folder / name, text)


def read_summary(folder: Path) -> list[Row]:
    """The rows that `write_summary` left in the folder.

    Raises FileNotFoundError, and ValueError for a file that holds none.
    """
    path = folder / SUMMARY[1]
    if not path.is_file():
        raise FileNotFoundError(f"no summary at {path}; name the folder of a batch.")
    try:
        return [Row(**record) for record in json.loads(path.read_text(encoding="utf-8"))]
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"{path} must hold the rows of a batch, got others: {error}; resume the batch, which "
            "writes it anew."
        ) from error


def _name(prompt: str) -> str:
    """A file name that no other prompt has: its words, and a checksum where they do not tell it."""
    words = slug(prompt)
    if words.replace("-", " ") == prompt:
        return words
    return f"{words}-{hashlib.sha256(prompt.encode()).hexdigest()[:8]}"


def _wrong_seeds(words: str, rule: str) -> ValueError:
    return ValueError(f"`--seeds` must hold {rule}, got {words!r}; write such as 0-3 or 0,2,5.")
