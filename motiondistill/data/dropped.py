"""Clips of a folder that are not used, and why."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

UNNAMED: Final = "names no action of ours, or several"
UNFIT: Final = "known to show its class wrongly, or to be a copy"
# Of one reason.
_SHOWN: Final = 3


@dataclass(frozen=True)
class Dropped:
    """A clip of which nothing is used."""

    clip: str
    """Source and name, as in `Window.clip`."""
    action: str
    """What it should show; empty where nobody knows."""
    why: str
    label: str = ""
    """What the source says of it."""


def by_reason(dropped: Iterable[Dropped]) -> dict[str, list[str]]:
    """The clips that are left out for each reason, each once."""
    groups: dict[str, list[str]] = {}
    for each in dropped:
        clips = groups.setdefault(each.why, [])
        if each.clip not in clips:
            clips.append(each.clip)
    return groups


def in_words(dropped: Sequence[Dropped]) -> str:
    """By reason, the names of a few clips and how many more there are."""
    told = []
    for why, clips in by_reason(dropped).items():
        names = [clip.partition("/")[2] for clip in clips[:_SHOWN]]
        more = len(clips) - len(names)
        told.append(f"{', '.join(names)}{f' and {more} more' if more else ''} ({why})")
    return "; ".join(told)
