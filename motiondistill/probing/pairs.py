"""Pairs of which a prior that knows motion prefers the first, and what each asks about."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, final

Video = Literal["real", "reversed", "mirrored", "frozen", "shuffled", "slid", "jittered"]
Words = Literal["own", "other action", "other view", "none"]
Member = tuple[Video, Words]
Axis = Literal[
    "text", "view", "direction of time", "handedness", "movement", "order", "contact", "smoothness"
]

OWN: Final[Member] = ("real", "own")


@final
@dataclass(frozen=True)
class Kind:
    """A kind of pairs: the natural clip under its own words against `other`."""

    name: str
    axis: Axis
    primary: bool
    """Whether both members are equally complex, so that nothing but knowledge tells them apart."""
    other: Member
    question: str
    """What is asked, in one sentence for readers of a report."""


KINDS: Final = (
    Kind(
        "wrong action",
        "text",
        True,
        ("real", "other action"),
        "Do the clip's own words explain it better than those of another action?",
    ),
    Kind(
        "wrong view",
        "view",
        True,
        ("real", "other view"),
        "Do the words for the side from which it is seen explain it better than the opposite ones?",
    ),
    Kind(
        "reversed",
        "direction of time",
        True,
        ("reversed", "own"),
        "Do the words explain the clip better than the same clip backwards?",
    ),
    Kind(
        "mirrored",
        "handedness",
        True,
        ("mirrored", "own"),
        "Where they name left or right, do they explain the clip better than its mirror image?",
    ),
    Kind(
        "no words",
        "text",
        False,
        ("real", "none"),
        "Do the clip's own words help at all?",
    ),
    Kind(
        "frozen",
        "movement",
        False,
        ("frozen", "own"),
        "Do the words explain the clip better than one that stands still?",
    ),
    Kind(
        "shuffled",
        "order",
        False,
        ("shuffled", "own"),
        "Do the words explain the clip better than its frames in random order?",
    ),
    Kind(
        "slid",
        "contact",
        False,
        ("slid", "own"),
        "Do the words explain the clip better than the same body gliding over the floor?",
    ),
    Kind(
        "jittered",
        "smoothness",
        False,
        ("jittered", "own"),
        "Do the words explain the clip better than the same with trembling joints?",
    ),
)
BY_NAME: Final[Mapping[str, Kind]] = {kind.name: kind for kind in KINDS}


def side_named(prompt: str) -> Literal["left", "right"] | None:
    """The side of the body that the prompt names; None for none, or for both."""
    found = set(re.findall(r"\b(left|right)\b", prompt.lower()))
    if found == {"left"}:
        return "left"
    return "right" if found == {"right"} else None
