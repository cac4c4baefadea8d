import pytest

from motiondistill.data.captions import (
    ACTIONS,
    held_out_captions,
    trained_captions,
)
from motiondistill.data.labels import action_in, words_of


@pytest.mark.parametrize("action", ACTIONS)
def test_our_own_captions_name_their_action(action: str) -> None:
    for caption in (*trained_captions(action, "left"), *held_out_captions(action, "left")):
        if "seat" not in caption:  # no word of the table: others take seats, too
            assert action_in(caption) == action, caption


@pytest.mark.parametrize(
    ("text", "action"),
    [
        ("Walk_Loop", "walk"),
        ("walk1_subject5", "walk"),
        ("JumpingJacks", "jumping jacks"),
        ("a man jogs around", "run"),
        ("the person lifts both of the legs", None),
        ("a person raises both hands", "raise both arms"),
        ("someone waves while standing", "wave"),
        ("a person walks, then sits down", None),
        ("07_01", None),
        ("climb", None),
        ("a person does sit-ups", None),
        ("a person swims the front crawl", None),
        ("a person sits upright on a chair", "sit"),
        ("rainbow boxcar sitar", None),
        ("", None),
    ],
)
def test_actions_are_read_from_words_and_never_guessed(text: str, action: str | None) -> None:
    assert action_in(text) == action


def test_names_are_taken_apart() -> None:
    assert words_of("SitDown_02-final.v2") == "sit down 02 final v 2"
