import pytest

from motiondistill.data.captions import (
    ACTIONS,
    HELD_OUT_TEMPLATES,
    SIDED_ACTIONS,
    SUBJECTS,
    TEMPLATES,
    canonical_caption,
    held_out_captions,
    random_caption,
    trained_captions,
    trained_sentences,
    unseen_captions,
)
from motiondistill.data.verbs import VERBS
from motiondistill.priors.text import build_t5_tokenizer
from motiondistill.prompts import VIEW_NAMES
from motiondistill.randomness import seeded

SIDES = ("left", "right")
# What the embedded prior is trained with.
VOCABULARY, TEXT_TOKENS = 512, 20


@pytest.mark.parametrize(
    ("action", "caption"),
    [
        ("walk", "a person is walking"),
        ("run", "a person is running"),
        ("jump", "a person jumps"),
        ("jumping jacks", "a person does jumping jacks"),
        ("wave", "a person waves with the right hand"),
        ("squat", "a person squats"),
        ("kick", "a person kicks with the right leg"),
        ("punch", "a person punches with the right hand"),
        ("raise both arms", "a person raises both arms"),
        ("bow", "a person bows"),
        ("stand", "a person stands still"),
        ("dance", "a person dances"),
        ("sit", "a person sits down"),
        ("drink", "a person drinks with the right hand"),
        ("cartwheel", "a person does a cartwheel"),
        ("crawl", "a person crawls"),
        ("backflip", "a person does a backflip"),
        ("roll", "a person rolls forward"),
        ("throw", "a person throws with the right hand"),
    ],
)
def test_canonical_captions_are_among_the_trained(action: str, caption: str) -> None:
    assert canonical_caption(action, "right") == caption
    assert caption in trained_captions(action, "right")


@pytest.mark.parametrize("action", ["walk", "wave", "cartwheel"])
def test_every_trained_caption_is_drawn_and_no_other(action: str) -> None:
    for side in SIDES:
        generator = seeded(0)
        captions = trained_captions(action, side)
        # Each is missed with probability (1 - 1/n)^(20 n) = e^-20.
        drawn = {random_caption(action, side, generator) for _ in range(20 * len(captions))}
        assert drawn == set(captions)


@pytest.mark.parametrize("action", ACTIONS)
def test_there_are_many_ways_to_say_it_besides_its_subject(action: str) -> None:
    captions = trained_captions(action, "left")
    assert len(set(captions)) == len(captions)
    assert len(captions) / len(SUBJECTS) >= 20


def mirrored(caption: str) -> str:
    """The caption of the mirror image: left and right exchanged."""
    other = {"left": "right", "right": "left"}
    return " ".join(other.get(word, word) for word in caption.split())


def test_captions_name_their_side_and_only_sided_actions_have_one() -> None:
    assert SIDED_ACTIONS == {"wave", "kick", "punch", "drink", "throw"}
    for action in ACTIONS:
        for said in (trained_captions, held_out_captions, unseen_captions):
            for side, other in (SIDES, SIDES[::-1]):
                images = set(said(action, other))
                for caption in said(action, side):
                    words = caption.split()
                    assert words.count(side) == (action in SIDED_ACTIONS), caption
                    assert other not in words
                    assert "{" not in caption
                    assert mirrored(caption) in images


def test_no_caption_means_two_things() -> None:
    every = [
        caption
        for action in ACTIONS
        for side in (SIDES if action in SIDED_ACTIONS else SIDES[:1])
        for said in (trained_captions, held_out_captions, unseen_captions)
        for caption in said(action, side)
    ]
    assert len(every) == len(set(every))


def test_held_out_captions_are_new_sentences_of_known_words() -> None:
    assert not set(TEMPLATES) & set(HELD_OUT_TEMPLATES)
    sentences = trained_sentences()
    known = {word for sentence in sentences for word in sentence.split()}
    for action in ACTIONS:
        captions = held_out_captions(action, "left")
        assert not set(captions) & set(sentences)
        assert {word for caption in captions for word in caption.split()} <= known
        verbs = {form for verb in VERBS[action] for form in (verb.does, verb.doing)}
        for caption in unseen_captions(action, "left"):
            assert caption not in sentences
            assert not any(caption.endswith(" " + verb.format(side="left")) for verb in verbs)


def test_every_sentence_fits_the_text_encoder_word_by_word() -> None:
    tokenizer = build_t5_tokenizer(
        [f"{sentence}, {view}" for sentence in trained_sentences() for view in VIEW_NAMES],
        VOCABULARY,
        TEXT_TOKENS,
    )
    held_out = [caption for action in ACTIONS for caption in held_out_captions(action, "right")]
    for sentence in (*trained_sentences(), *held_out):
        pieces = tokenizer.tokenize(f"{sentence}, back right view")
        # A word is one piece, and the comma another.
        assert len(pieces) == len(sentence.split()) + len(", back right view".split()), pieces
        assert len(pieces) + 1 <= TEXT_TOKENS


def test_unknown_actions_are_refused() -> None:
    for said in (canonical_caption, trained_captions, held_out_captions, unseen_captions):
        with pytest.raises(ValueError, match=r"`action` must be one of walk, .*; got 'fly'"):
            said("fly", "left")
