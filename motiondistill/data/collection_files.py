"""The files of a built set: motions, a row for each, captions, and a card that counts them."""

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from motiondistill.data.captions import (
    ACTIONS,
    SIDED_ACTIONS,
    canonical_caption,
    held_out_captions,
    trained_captions,
    unseen_captions,
)
from motiondistill.data.choreography import SIDES
from motiondistill.data.collection import Entry
from motiondistill.data.cuts import Window
from motiondistill.data.splits import SPLITS, Split
from motiondistill.structures import Motion

_MOTIONS: Final = "windows.safetensors"
_ROWS: Final = "windows.csv"
_CAPTIONS: Final = "captions.json"
_COLUMNS: Final = (
    *("action", "side", "split", "parametric", "mirrored"),
    *("source", "subject", "clip", "label", "caption"),
)


def write_collection(folder: Path, entries: Sequence[Entry], card: str) -> None:
    """The set's files in `folder`, which is made; `card` is the text of its README.md."""
    folder.mkdir(parents=True)
    motions = [entry.window.motion for entry in entries]
    tensors = {
        "rotations": torch.stack([motion.rotations for motion in motions]).contiguous(),
        "translation": torch.stack([motion.translation for motion in motions]).contiguous(),
    }
    data = save(tensors, metadata={"fps": repr(motions[0].fps)})
    (folder / _MOTIONS).write_bytes(data)
    with (folder / _ROWS).open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, _COLUMNS)
        writer.writeheader()
        writer.writerows(_row(entry) for entry in entries)
    captions = json.dumps(_captions(), indent=1)
    (folder / _CAPTIONS).write_text(captions + "\n", encoding="utf-8")
    (folder / "README.md").write_text(card, encoding="utf-8")


def read_collection_windows(folder: Path, split: Split | None = None) -> list[Window]:
    """The windows of a set that `write_collection` wrote, of one side or of both.

    Raises FileNotFoundError or ValueError for what is no such folder.
    """
    if not (folder / _ROWS).is_file() or not (folder / _MOTIONS).is_file():
        raise FileNotFoundError(
            f"`folder` must hold {_ROWS} and {_MOTIONS}, got {folder}; make one with "
            "`motiondistill dataset build`."
        )
    with (folder / _ROWS).open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    try:
        with safe_open(folder / _MOTIONS, framework="pt") as file:
            rotations, translation = (file.get_tensor(n) for n in ("rotations", "translation"))
            fps = float(file.metadata()["fps"])
    except SafetensorError as error:
        raise ValueError(f"{folder / _MOTIONS} is damaged: {error}; build it anew.") from error
    if not len(rows) == len(rotations) == len(translation):
        raise ValueError(
            f"{folder / _ROWS} must have a row for each of {len(rotations)} motions, got "
            f"{len(rows)}; build the set anew."
        )
    return [
        Window(Motion(rotations[place], translation[place], fps), *_identity(row))
        for place, row in enumerate(rows)
        if split is None or row["split"] == split
    ]


@dataclass(frozen=True)
class Counts:
    """What a set holds of an action on one side."""

    seconds: float
    """Of the recorded clips with windows of the action; of parametric ones, of the windows."""
    clips: int
    windows: int
    """With mirror images."""


def count_entries(
    entries: Sequence[Entry], seconds: Mapping[str, float]
) -> dict[tuple[str, bool, Split], Counts]:
    """Counts by action, by whether it is parametric, and by side.

    `seconds` are the lengths of the recorded clips, named as in `Window.clip`.
    """
    groups: dict[tuple[str, bool, Split], list[Entry]] = {}
    for entry in entries:
        key = (entry.window.action, entry.parametric, entry.split)
        groups.setdefault(key, []).append(entry)
    counts = {}
    for key, group in groups.items():
        motion = group[0].window.motion
        clips = {entry.window.clip for entry in group}
        if key[1]:
            counts[key] = Counts(
                len(group) * motion.num_frames / motion.fps, len(group), len(group)
            )
        else:
            counts[key] = Counts(sum(seconds[clip] for clip in clips), len(clips), len(group))
    return counts


def counts_table(counts: Mapping[tuple[str, bool, Split], Counts]) -> str:
    """The counts as a table in Markdown, a row for each action and kind."""
    lines = [
        "| action | kind | train: seconds | clips | windows | test: seconds | clips | windows |",
        "|---|---|---|---|---|---|---|---|",
    ]
    kinds = sorted({key[:2] for key in counts}, key=lambda key: (ACTIONS.index(key[0]), key[1]))
    for action, parametric in kinds:
        cells = [action, "parametric" if parametric else "recorded"]
        for split in SPLITS:
            found = counts.get((action, parametric, split), Counts(0.0, 0, 0))
            cells += [f"{found.seconds:.1f}", str(found.clips), str(found.windows)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _row(entry: Entry) -> dict[str, Any]:
    window = entry.window
    return {
        "action": window.action,
        "side": window.side if window.action in SIDED_ACTIONS else "",
        "split": entry.split,
        "parametric": int(entry.parametric),
        "mirrored": int(entry.mirrored),
        "source": entry.source,
        "subject": entry.subject,
        "clip": window.clip,
        "label": entry.label,
        "caption": canonical_caption(window.action, window.side),
    }


def _identity(row: Mapping[str, str]) -> tuple[str, str, str]:
    """Action, side and clip of a window."""
    return row["action"], row["side"] or SIDES[1], row["clip"]


def _captions() -> dict[str, dict[str, dict[str, list[str]]]]:
    """All captions by action and, where there is one, by side."""
    kinds = {
        "trained": trained_captions,
        "held_out_templates": held_out_captions,
        "unseen_verbs": unseen_captions,
    }
    return {
        action: {
            side: {kind: list(said(action, side)) for kind, said in kinds.items()}
            for side in (SIDES if action in SIDED_ACTIONS else ("any",))
        }
        for action in ACTIONS
    }
