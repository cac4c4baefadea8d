"""The files of a probe: what each clip answered, whole or absent, and all of it together."""

import csv
import dataclasses
import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, final

import torch

from motiondistill.atomic import write_text
from motiondistill.probing.asking import PairRow
from motiondistill.probing.ranking import VERDICTS
from motiondistill.probing.slopes import SlopeRow
from motiondistill.probing.study import Clip
from motiondistill.prompts import slug

ANSWERS: Final = "answers"
ROWS: Final = "rows.csv"
SLOPES: Final = "gradients.csv"
SUMMARY: Final = "summary.json"


@final
@dataclass(frozen=True)
class Answers:
    """All rows of one clip, or of all of them."""

    pairs: list[PairRow] = field(default_factory=list)
    slopes: list[SlopeRow] = field(default_factory=list)


def answer_file(folder: Path, clip: Clip, partners: Sequence[Clip]) -> Path:
    """Where the clip's answers are kept; another motion, prompt or partner has another file."""
    digest = hashlib.sha256()
    for each in (clip, *partners):
        digest.update(f"{each.name}\n{each.prompt}\n{each.motion.fps}\n".encode())
        for tensor in (each.motion.rotations, each.motion.translation):
            digest.update(tensor.detach().to(torch.float32).contiguous().numpy().tobytes())
    return folder / ANSWERS / f"{slug(clip.name)}-{digest.hexdigest()[:12]}.json"


def write_answers(path: Path, answers: Answers) -> None:
    """The clip's rows, whole or absent."""
    path.parent.mkdir(exist_ok=True)
    write_text(path, json.dumps(dataclasses.asdict(answers), allow_nan=False) + "\n")


def read_answers(path: Path) -> Answers:
    """The rows that `write_answers` left.

    Raises ValueError for a damaged file.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        pairs = [PairRow(**row) for row in found["pairs"]]
        return Answers(pairs, [SlopeRow(**row) for row in found["slopes"]])
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{path} must hold a clip's answers, got {error}; delete it.") from error


def write_rows(folder: Path, answers: Answers) -> None:
    """Both tables, a line for each row."""
    _write_table(folder / ROWS, PairRow, answers.pairs)
    _write_table(folder / SLOPES, SlopeRow, answers.slopes)


def write_summary(folder: Path, summary: dict[str, Any]) -> None:
    """All figures with their definitions and origin."""
    text = json.dumps(summary, indent=1, ensure_ascii=False, allow_nan=False)
    write_text(folder / SUMMARY, text + "\n")


def read_summary(key: str, path: Path) -> dict[str, Any]:
    """The figures of a probe, by its folder or by the file itself; errors name `key`.

    Raises FileNotFoundError, and ValueError for a file that holds none.
    """
    file = path / SUMMARY if path.is_dir() else path
    if not file.is_file():
        raise FileNotFoundError(
            f"`{key}` must be the folder of a finished probe, or its {SUMMARY}, got {path}; make "
            "one by `motiondistill probe`."
        )
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(
            f"`{key}` must hold the figures of a probe, got {file}, which cannot be read: {error}; "
            "repeat the probe's command."
        ) from error
    if isinstance(found, dict) and {"prior", "pairs", "gradients", "finished"} <= found.keys():
        return found
    raise ValueError(
        f"`{key}` must hold the figures of a probe, got {file}, which holds others; name a folder "
        "that `motiondistill probe` made."
    )


def read_finished(key: str, path: Path) -> dict[str, Any]:
    """`read_summary` of a probe that asked all it wanted; raises ValueError for others, too."""
    found = read_summary(key, path)
    if not found["finished"]:
        raise ValueError(
            f"`{key}` must name a finished probe, got {path}, which stopped early; repeat its "
            "command, which goes on."
        )
    return found


def read_figures(key: str, path: Path) -> dict[str, Any]:
    """`read_finished` of a probe whose verdicts are called as they are now.

    Raises ValueError for an earlier one, whose words might be taken for others.
    """
    found = read_finished(key, path)
    said = {figures["all"]["verdict"] for figures in found["pairs"]["kinds"].values()}
    unknown = sorted(said - {*VERDICTS, None})
    if unknown:
        raise ValueError(
            f"`{key}` must hold verdicts of this version ({', '.join(VERDICTS)}), got "
            f"{unknown[0]!r} in {path}; repeat the command of that probe."
        )
    return found


def _write_table(path: Path, kind: type, rows: Sequence[Any]) -> None:
    table = io.StringIO()
    writer = csv.DictWriter(table, [part.name for part in dataclasses.fields(kind)])
    writer.writeheader()
    writer.writerows(dataclasses.asdict(row) for row in rows)
    write_text(path, table.getvalue())
