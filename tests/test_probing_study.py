"""What becomes of a clip, what is said of it, and with which other clip it exchanges words."""

import dataclasses
import math

from test_probing_pairs import Images, clips, study_of

from motiondistill.probing.pairs import BY_NAME, other_hand, side_named
from motiondistill.probing.settings import ProbeSettings
from motiondistill.probing.study import motions_of, other_side, partners_of, sentences_of
from motiondistill.prompts import Wording


def test_pairs_that_ask_nothing_are_left_out() -> None:
    study = study_of(Images())
    walk, punch = clips()
    assert "mirrored" not in motions_of(study, walk)
    assert "mirrored" in motions_of(study, punch)
    assert "slid" in motions_of(study, walk)
    flying = dataclasses.replace(
        walk, motion=dataclasses.replace(walk.motion, translation=walk.motion.translation + 1)
    )
    assert "slid" not in motions_of(study, flying)


def test_partners_do_something_else() -> None:
    study = study_of(Images(), settings=ProbeSettings(draws=40))
    walk, punch = clips()
    strolls = [dataclasses.replace(walk, name=f"{i}", prompt="a man is walking") for i in range(3)]
    jump = dataclasses.replace(walk, name="jump", prompt="a person jumps")
    found = partners_of(study, walk, [walk, *strolls, punch, jump])
    assert {each.name for each in found} == {punch.name, "jump"} and len(found) == 40
    # Three strolls have as much of a say as one jump.
    names = [each.prompt for each in partners_of(study, punch, [punch, *strolls, jump])]
    assert 10 <= names.count("a person jumps") <= 30
    assert partners_of(study, walk, [walk, *strolls]) == []
    assert found == partners_of(study, walk, [walk, *strolls, punch, jump])


def test_wrong_words_are_wrong() -> None:
    eighths, quarters = Wording(), Wording(views="quarters")
    assert other_side(eighths, "a", 0.0) == math.pi
    # The opposite of a side is a side.
    assert other_side(quarters, "a", math.pi / 2) == math.pi
    assert other_side(Wording(template="{prompt}"), "a", 0.0) is None
    assert side_named("waves with the LEFT hand") == "left"
    assert side_named("from left to right") is None
    assert side_named("leftovers") is None
    assert other_hand("waves with the LEFT hand") == "waves with the right hand"
    assert other_hand("a person walks") is None
    assert sentences_of(eighths, "kicks with the left leg", "a person walks", 0.0) == {
        "own": "kicks with the left leg, front view",
        "other action": "a person walks, front view",
        "other view": "kicks with the left leg, back view",
        "other hand": "kicks with the right leg, front view",
    }
    assert list(sentences_of(Wording(template="{prompt}"), "a", None, 0.0)) == ["own"]


def test_exchanges_hold_the_same_clips_and_the_same_words_on_both_sides() -> None:
    for name in ("wrong action", "wrong view", "mirrored"):
        kind = BY_NAME[name]
        for part in (0, 1):
            natural, wrong = ([each[part] for each in side] for side in (kind.natural, kind.wrong))
            assert sorted(natural) == sorted(wrong), name
        assert not {*kind.natural} & {*kind.wrong}
