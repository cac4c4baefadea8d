"""The words that clips are trained with."""

import torch

from motiondistill.data.captions import (
    SUBJECTS,
    canonical_caption,
    random_caption,
    trained_sentences,
)
from motiondistill.prompts import VIEW_NAMES, with_words
from motiondistill.randomness import uniform

# How often a caption is empty, says no action, or no view: guidance needs what to contrast with.
_EMPTY, _NO_ACTION, _NO_VIEW = 0.10, 0.08, 0.08
_CANONICAL = 0.5


def full_caption(label: tuple[str, str], view: int) -> str:
    """The canonical caption of action and side, with the words of the view."""
    return with_words(canonical_caption(*label), VIEW_NAMES[view])


def without_action(view: int) -> str:
    """A caption that says no more than the view."""
    return with_words(SUBJECTS[0], VIEW_NAMES[view])


def training_caption(label: tuple[str, str], view: int, generator: torch.Generator) -> str:
    """A caption of action and view, the canonical one half of the time; sometimes it says less."""
    draw = uniform(generator)
    if draw < _EMPTY:
        return ""
    if draw < _EMPTY + _NO_ACTION:
        return without_action(view)
    canonical = uniform(generator) < _CANONICAL
    words = canonical_caption(*label) if canonical else random_caption(*label, generator)
    return words if draw < _EMPTY + _NO_ACTION + _NO_VIEW else with_words(words, VIEW_NAMES[view])


def vocabulary() -> list[str]:
    """Texts with every word of every caption."""
    return [*trained_sentences(), *VIEW_NAMES]


def longest_captions() -> list[str]:
    """Every caption of an action that may be drawn, with a view of the most words."""
    view = max(VIEW_NAMES, key=lambda name: len(name.split()))
    return [with_words(text, view) for text in trained_sentences()]
