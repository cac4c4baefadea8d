"""The card of a built set: what it holds, of whom, how it was made, and what was left out."""

import dataclasses
from collections import Counter
from collections.abc import Sequence
from typing import Any

from motiondistill.data.collection import Entry, Recordings, WindowSettings
from motiondistill.data.collection_files import count_entries, counts_table
from motiondistill.data.dropped import UNFIT, UNNAMED, Dropped, by_reason
from motiondistill.data.joints import JOINTS_FPS, JointClip
from motiondistill.data.splits import SplitSettings

_UNKNOWN_TERMS = "not told by the folder: see where it came from"
# How many classes without an action are named.
_SHOWN = 40


def card(
    recordings: Recordings,
    entries: Sequence[Entry],
    dropped: Sequence[Dropped],
    copies: Sequence[Sequence[int]],
    windows: WindowSettings,
    split: SplitSettings,
) -> str:
    """The text of the card, in Markdown; `dropped` are those of `all_dropped`."""
    seconds = {clip.full_name: 0.0 for clip in recordings.known}
    for clip in recordings.known:
        seconds[clip.full_name] += len(clip.joints) / JOINTS_FPS
    table = counts_table(count_entries(entries, seconds))
    return f"""# Windows of human motion

{len(entries)} windows of {windows.frames} frames at {windows.fps:g} a second, facing the front and
held in place. `windows.safetensors` holds `rotations` (windows, frames, 22, 3, 3), relative to the
parent, and `translation` (windows, frames, 3), metres, +Y up; row `i` of `windows.csv` tells what
motion `i` is. `captions.json` holds the words.

Parametric motions are functions of time that nobody performed: they are marked `parametric`, and
never among the tests. Mirror images are marked `mirrored`; their captions name the other side.

{table}

Seconds are those of the clips in which windows were found.

## Split

Whole {split.by}s are on one side, with all copies of their recordings.
{_copies(recordings.known, copies)}
{_untested(entries, split)}

## Sources

{_sources(recordings.every)}

## Settings

{_settings(window=windows, split=split)}

## Left out

{_left_out(dropped, recordings.others)}
"""


def _copies(clips: Sequence[JointClip], copies: Sequence[Sequence[int]]) -> str:
    pairs = {
        tuple(sorted({clips[place].full_name, clips[other].full_name}))
        for place, others in enumerate(copies)
        for other in others
    }
    named = sorted(" = ".join(pair) for pair in pairs if len(pair) > 1)
    if not named:
        return "No clip moves like another one."
    return f"{len(named)} pairs of clips move alike: {', '.join(named)}."


def _untested(entries: Sequence[Entry], split: SplitSettings) -> str:
    recorded = [entry for entry in entries if not entry.parametric]
    tested = {entry.window.action for entry in recorded if entry.split == "test"}
    untested = sorted({entry.window.action for entry in recorded} - tested)
    if not untested:
        return "Every recorded action is tested."
    return (
        f"Recorded, but not tested: {', '.join(untested)}. Their clips are all of one\n{split.by}, "
        "or copies of one another, or nothing was to be held out. Where no subject is known,\nthe "
        "clips of one class of a source count as one: folders named after people tell them apart."
    )


def _sources(clips: Sequence[JointClip]) -> str:
    lines = ["| source | clips | seconds | terms |", "|---|---|---|---|"]
    for source in sorted({clip.source for clip in clips}):
        own = [clip for clip in clips if clip.source == source]
        terms = ", ".join(sorted({clip.terms for clip in own if clip.terms})) or _UNKNOWN_TERMS
        seconds = sum(len(clip.joints) for clip in own) / JOINTS_FPS
        names = len({clip.name for clip in own})
        lines.append(f"| {source} | {names} | {seconds:.1f} | {terms} |")
    return "\n".join(lines)


def _settings(**groups: Any) -> str:
    lines = [
        f"- `{group}.{name}={value}`"
        for group, values in groups.items()
        for name, value in dataclasses.asdict(values).items()
    ]
    return "\n".join(lines)


def _left_out(dropped: Sequence[Dropped], others: str) -> str:
    silent = by_reason(dropped)
    silent.pop(UNNAMED, None)
    unfit = sorted(silent.pop(UNFIT, []))
    reasons = [f"{', '.join(sorted(clips))}: {why}" for why, clips in silent.items()]
    labels = Counter(each.label for each in dropped if each.why == UNNAMED)
    named = [f"{label} ({count})" for label, count in labels.most_common(_SHOWN)]
    more = f", and {len(labels) - _SHOWN} more" if len(labels) > _SHOWN else ""
    return (
        f"Clips that name none of the actions, or several: {', '.join(named) or 'none'}{more}.\n\n"
        f"Clips that would teach a class something wrong: {', '.join(unfit) or 'none'}.\n\n"
        f"Clips in which no window shows their action: {'; '.join(reasons) or 'none'}.\n\n"
        f"Files that are no motions of a known format: {others or 'none'}."
    )
