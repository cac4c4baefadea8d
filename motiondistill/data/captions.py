"""Captions: what an action may be called in words."""

from typing import Final

import torch

from motiondistill.data.draws import index

SUBJECTS: Final = ("a person", "someone", "a man", "a woman", "a human")
# `{side}` stands for left or right. The first phrase after "a person" is the canonical caption.
PHRASES: Final[dict[str, tuple[str, ...]]] = {
    "walk": ("is walking", "walks", "walks forward", "takes a walk", "strolls", "walking"),
    "run": ("is running", "runs", "runs forward", "jogs", "is jogging", "running"),
    "jump": ("jumps", "is jumping", "jumps up", "leaps into the air", "jumping"),
    "jumping jacks": (
        "does jumping jacks",
        "is doing jumping jacks",
        "performs jumping jacks",
        "exercises with jumping jacks",
        "doing jumping jacks",
    ),
    "wave": (
        "waves with the {side} hand",
        "is waving with the {side} hand",
        "waves the {side} hand",
        "waves hello with the {side} hand",
        "waving with the {side} hand",
    ),
    "squat": ("squats", "is squatting", "does squats", "squats down and stands up", "squatting"),
    "kick": (
        "kicks with the {side} leg",
        "is kicking with the {side} leg",
        "kicks with the {side} foot",
        "does a {side} kick",
        "kicking with the {side} leg",
    ),
    "punch": (
        "punches with the {side} hand",
        "is punching with the {side} hand",
        "throws a punch with the {side} arm",
        "boxes with the {side} fist",
        "punching with the {side} hand",
    ),
    "raise both arms": (
        "raises both arms",
        "is raising both arms",
        "lifts both arms overhead",
        "raises the arms above the head",
        "raising both arms",
    ),
    "bow": ("bows", "is bowing", "takes a bow", "bends forward to bow", "bowing"),
    "stand": ("stands still", "is standing still", "stands", "is standing", "standing still"),
    # No clips any more: its words stay because the shipped tokenizer was made of them.
    "dance": ("dances", "is dancing", "performs a dance", "dances freely", "dancing"),
}
ACTIONS: Final = tuple(PHRASES)
SIDED_ACTIONS: Final = frozenset(
    action for action, phrases in PHRASES.items() if any("{side}" in phrase for phrase in phrases)
)


def canonical_caption(action: str, side: str) -> str:
    """The one caption that stands for the action, such as "a person waves with the right hand"."""
    return f"{SUBJECTS[0]} {phrases_of(action)[0].format(side=side)}"


def random_caption(action: str, side: str, generator: torch.Generator) -> str:
    """A caption with a random subject and a random phrase of the action."""
    phrases = phrases_of(action)
    subject = SUBJECTS[index(generator, len(SUBJECTS))]
    return f"{subject} {phrases[index(generator, len(phrases))].format(side=side)}"


def phrases_of(action: str) -> tuple[str, ...]:
    """The verb phrases of the action; actions without a side have no `{side}` in them."""
    if action not in PHRASES:
        raise ValueError(f"`action` must be one of {', '.join(ACTIONS)}; got {action!r}.")
    return PHRASES[action]
