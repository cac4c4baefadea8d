"""Captions: what an action may be called in words.

A caption is a template filled with a subject and a verb. Some templates around known verbs, and
some verbs, are kept from training: they ask what a model made of the words it learned.
"""

from typing import Final

import torch

from motiondistill.data.choreography import SIDES
from motiondistill.data.draws import index
from motiondistill.data.verbs import UNSEEN_VERBS, VERBS, Verb

SUBJECTS: Final = ("a person", "someone", "a man", "a woman", "a human")
ACTIONS: Final = tuple(VERBS)
SIDED_ACTIONS: Final = frozenset(
    action for action, verbs in VERBS.items() if any("{side}" in verb.does for verb in verbs)
)
# The first is the canonical caption, but for actions that go on and on: they take the second.
TEMPLATES: Final = (
    "{subject} {does}",
    "{subject} is {doing}",
    "{subject} {doing}",
    "{subject} who {does}",
    "there is {subject} {doing}",
    "a video of {subject} {doing}",
    "a video of {subject} who is {doing}",
    "the scene shows {subject} {doing}",
)
_GOING_ON: Final = frozenset(("walk", "run"))
# Never trained, though every word of them is.
HELD_OUT_TEMPLATES: Final = (
    "there is {subject} who {does}",
    "the video shows {subject} {doing}",
    "there is a video of {subject} {doing}",
    "a scene of {subject} who is {doing}",
)


def canonical_caption(action: str, side: str) -> str:
    """The one caption that stands for the action, such as "a person waves with the right hand"."""
    template = TEMPLATES[action in _GOING_ON]
    return _filled(template, SUBJECTS[0], verbs_of(action)[0], side)


def random_caption(action: str, side: str, generator: torch.Generator) -> str:
    """A caption with a random template, a random subject and a random trained verb."""
    verbs = verbs_of(action)
    template = TEMPLATES[index(generator, len(TEMPLATES))]
    subject = SUBJECTS[index(generator, len(SUBJECTS))]
    return _filled(template, subject, verbs[index(generator, len(verbs))], side)


def trained_captions(action: str, side: str) -> tuple[str, ...]:
    """All that `random_caption` can say of the action."""
    return _captions(TEMPLATES, SUBJECTS, verbs_of(action), side)


def held_out_captions(action: str, side: str) -> tuple[str, ...]:
    """Trained verbs in templates that are never trained."""
    return _captions(HELD_OUT_TEMPLATES, SUBJECTS, verbs_of(action), side)


def unseen_captions(action: str, side: str) -> tuple[str, ...]:
    """Verbs that are never trained, in the plain templates."""
    verbs_of(action)
    return _captions(TEMPLATES[:2], SUBJECTS[:1], UNSEEN_VERBS[action], side)


def trained_sentences() -> tuple[str, ...]:
    """All trained captions of all actions and sides, for the vocabulary of a tokenizer."""
    sides = {action: SIDES if action in SIDED_ACTIONS else SIDES[:1] for action in ACTIONS}
    return tuple(
        caption
        for action in ACTIONS
        for side in sides[action]
        for caption in trained_captions(action, side)
    )


def verbs_of(action: str) -> tuple[Verb, ...]:
    """The trained verbs of the action; actions without a side have no `{side}` in them."""
    if action not in VERBS:
        raise ValueError(f"`action` must be one of {', '.join(ACTIONS)}; got {action!r}.")
    return VERBS[action]


def _captions(
    templates: tuple[str, ...], subjects: tuple[str, ...], verbs: tuple[Verb, ...], side: str
) -> tuple[str, ...]:
    return tuple(
        _filled(template, subject, verb, side)
        for verb in verbs
        for template in templates
        for subject in subjects
    )


def _filled(template: str, subject: str, verb: Verb, side: str) -> str:
    text = template.format(subject=subject, does=verb.does, doing=verb.doing)
    return text.format(side=side)
