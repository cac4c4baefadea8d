import pytest

from motiondistill.data.captions import (
    ACTIONS,
    PHRASES,
    SIDED_ACTIONS,
    SUBJECTS,
    canonical_caption,
    random_caption,
)
from motiondistill.randomness import seeded

SIDES = ("left", "right")


def captions(action: str, side: str, count: int = 400) -> set[str]:
    generator = seeded(0)
    return {random_caption(action, side, generator) for _ in range(count)}


@pytest.mark.parametrize(
    ("action", "caption"),
    [
        ("walk", "a person is walking"),
        ("jumping jacks", "a person does jumping jacks"),
        ("wave", "a person waves with the right hand"),
        ("squat", "a person squats"),
    ],
)
def test_canonical_captions_are_among_the_drawn(action: str, caption: str) -> None:
    assert canonical_caption(action, "right") == caption
    assert caption in captions(action, "right")


@pytest.mark.parametrize("action", ACTIONS)
def test_every_phrase_and_subject_is_drawn_and_filled_in(action: str) -> None:
    for side in SIDES:
        drawn = captions(action, side)
        phrases = {phrase.format(side=side) for phrase in PHRASES[action]}
        assert drawn == {f"{subject} {phrase}" for subject in SUBJECTS for phrase in phrases}


def test_captions_name_the_side_of_exactly_the_sided_actions() -> None:
    assert SIDED_ACTIONS == {"wave", "kick", "punch"}
    for action in ACTIONS:
        sides = {side for side in SIDES if any(side in c for c in captions(action, "left"))}
        assert sides == ({"left"} if action in SIDED_ACTIONS else set())


def test_no_caption_means_two_actions() -> None:
    phrases = [phrase for action in ACTIONS for phrase in PHRASES[action]]
    assert len(phrases) == len(set(phrases))
    assert len(ACTIONS) >= 12


def test_unknown_actions_are_refused() -> None:
    with pytest.raises(ValueError, match=r"`action` must be one of walk, .*; got 'fly'"):
        canonical_caption("fly", "left")
