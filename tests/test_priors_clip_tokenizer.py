"""A CLIP tokenizer made of captions: a token a word, and nothing lost."""

from functools import cache
from typing import Any

import hypothesis
import hypothesis.strategies as st
import pytest

from motiondistill.priors.clip_tokenizer import build_clip_tokenizer, byte_pair_merges

CAPTIONS = ("a person walks forward, front view", "a person who waves the left hand")
WORDS = sorted({word.strip(",") for caption in CAPTIONS for word in caption.split()})


@cache
def tokenizer() -> Any:
    return build_clip_tokenizer(CAPTIONS, 12)


def test_merges_join_the_commonest_pair_first() -> None:
    assert byte_pair_merges(["ab", "abab"]) == [
        ("a", "b</w>"),
        ("a", "b"),
        ("ab", "ab</w>"),
    ]
    assert byte_pair_merges(["aaa"]) == [("a", "a"), ("aa", "a</w>")]
    assert byte_pair_merges(["a", "b"]) == []


def test_every_word_of_the_captions_is_one_token() -> None:
    for caption in CAPTIONS:
        pieces = tokenizer().tokenize(caption)
        assert pieces == [f"{word}</w>" for word in caption.replace(",", " ,").split()]


@hypothesis.given(st.lists(st.text("abc", min_size=1, max_size=6), min_size=1, max_size=8))
def test_that_holds_for_any_words(words: list[str]) -> None:
    built = build_clip_tokenizer([" ".join(words)], 12)
    assert built.tokenize(" ".join(words)) == [f"{word}</w>" for word in words]


def test_other_words_are_spelled_and_can_be_read_back() -> None:
    text = "a zebra walks, 7 times!"
    ids = tokenizer()(text).input_ids
    assert len(ids) > 2 + len(text.split())
    assert tokenizer().unk_token_id not in ids[1:-1]
    assert tokenizer().decode(ids[1:-1]).replace(" ", "") == text.replace(" ", "")


def test_it_is_laid_out_like_clips() -> None:
    ids = tokenizer()("A Person", padding="max_length").input_ids
    start, end = tokenizer().bos_token_id, tokenizer().eos_token_id
    words = tokenizer().convert_tokens_to_ids(["a</w>", "person</w>"])
    assert ids == [start, *words, *[end] * 9], "small letters, padded by the end token to 12"


@pytest.mark.parametrize("shuffled", [CAPTIONS[::-1], (*CAPTIONS, CAPTIONS[0])])
def test_neither_order_nor_repetition_matters(shuffled: tuple[str, ...]) -> None:
    assert build_clip_tokenizer(shuffled, 12).get_vocab() == tokenizer().get_vocab()
