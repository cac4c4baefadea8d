"""Pairs of which a prior that knows motion prefers one member, and what each asks about."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, final

Video = Literal[
    "real",
    "reversed",
    "mirrored",
    "frozen",
    "shuffled",
    "slid",
    "jittered",
    "other clip",
    "other side",
]
"""The clip, what becomes of it, a clip of another action, and the clip seen from elsewhere."""
Words = Literal["own", "other action", "other view", "other hand"]
"""The clip's, and those of the other clip, of the other side and of the mirror image."""
Member = tuple[Video, Words]
Axis = Literal[
    "text", "view", "direction of time", "handedness", "movement", "order", "contact", "smoothness"
]

OWN: Final[Member] = ("real", "own")


@final
@dataclass(frozen=True)
class Kind:
    """A kind of pairs: what the words explain of `natural` clips against what of `wrong` ones.

    Where words are what is wrong, two clips exchange theirs: both sides hold the same clips and the
    same words, so that neither a taste in words nor one in clips tells them apart.
    """

    name: str
    axis: Axis
    primary: bool
    """Whether both sides are equally complex, so that nothing but knowledge tells them apart."""
    natural: tuple[Member, ...]
    wrong: tuple[Member, ...]
    """As many as there are natural ones, or none: what no words explain."""
    question: str
    """What is asked, in one sentence for readers of a report."""
    unasked: str = ""
    """Why a clip may not be asked, for the same readers; empty where every clip is."""


KINDS: Final = (
    Kind(
        "wrong action",
        "text",
        True,
        (OWN, ("other clip", "other action")),
        (("real", "other action"), ("other clip", "own")),
        "Do two clips' own words explain them better than each other's?",
        "no clip shows another action",
    ),
    Kind(
        "wrong view",
        "view",
        True,
        (OWN, ("other side", "other view")),
        (("real", "other view"), ("other side", "own")),
        "Do the words for two sides explain what is seen from there better than when exchanged?",
        "the words name no view",
    ),
    Kind(
        "reversed",
        "direction of time",
        True,
        (OWN,),
        (("reversed", "own"),),
        "Do the words explain the clip better than the same clip backwards?",
        "the motion looks alike backwards, or stands still",
    ),
    Kind(
        "mirrored",
        "handedness",
        True,
        (OWN, ("mirrored", "other hand")),
        (("real", "other hand"), ("mirrored", "own")),
        "Do the words left and right explain a clip and its mirror better than when exchanged?",
        "the prompt names no side, left or right, or names both",
    ),
    Kind(
        "other clip",
        "text",
        False,
        (OWN,),
        (("other clip", "own"),),
        "Do the words explain their own clip better than they explain one of another action?",
        "no clip shows another action",
    ),
    Kind(
        "no words",
        "text",
        False,
        (OWN,),
        (),
        "Do the clip's own words help at all?",
    ),
    Kind(
        "frozen",
        "movement",
        False,
        (OWN,),
        (("frozen", "own"),),
        "Do the words explain the clip better than one that stands still?",
    ),
    Kind(
        "shuffled",
        "order",
        False,
        (OWN,),
        (("shuffled", "own"),),
        "Do the words explain the clip better than its frames in random order?",
    ),
    Kind(
        "slid",
        "contact",
        False,
        (OWN,),
        (("slid", "own"),),
        "Do the words explain the clip better than the same body gliding over the floor?",
        "no foot stands on the floor most of the time",
    ),
    Kind(
        "jittered",
        "smoothness",
        False,
        (OWN,),
        (("jittered", "own"),),
        "Do the words explain the clip better than the same with trembling joints?",
    ),
)
BY_NAME: Final[Mapping[str, Kind]] = {kind.name: kind for kind in KINDS}
_SIDES: Final = re.compile(r"\b(left|right)\b", re.IGNORECASE)


def side_named(prompt: str) -> Literal["left", "right"] | None:
    """The side of the body that the prompt names; None for none, or for both."""
    found = {word.lower() for word in _SIDES.findall(prompt)}
    if found == {"left"}:
        return "left"
    return "right" if found == {"right"} else None


def other_hand(prompt: str) -> str | None:
    """The prompt with left for right and right for left; None if it names no side, or both."""
    named = side_named(prompt)
    if named is None:
        return None
    return _SIDES.sub("left" if named == "right" else "right", prompt)
