"""Captions of the priors' trainings, and words that are carried over."""

from collections.abc import Callable
from typing import Any

import hypothesis
import hypothesis.strategies as st
import pytest
import torch
from embedded_training import captions
from embedded_training.carry_over import carried_rows, with_vocabulary
from embedded_training.denoising import check_length
from embedded_training.networks import build_text_encoder, seeded_weights
from tiny_training import TOKENS, caption_tokenizer

from motiondistill.data.captions import canonical_caption, trained_captions
from motiondistill.priors.text import build_t5_tokenizer
from motiondistill.prompts import VIEW_NAMES
from motiondistill.randomness import seeded


def test_captions_say_less_now_and_then() -> None:
    label, view, count = ("wave", "left"), 2, 4000
    drawn = [captions.training_caption(label, view, seeded(0, i)) for i in range(count)]
    canonical, words = canonical_caption(*label), VIEW_NAMES[view]
    bare = [text.removesuffix(f", {words}") for text in drawn]

    def share(condition: Callable[[int], bool]) -> float:
        return sum(map(condition, range(count))) / count

    three_deviations = 0.015
    assert share(lambda i: drawn[i] == "") == pytest.approx(0.10, abs=three_deviations)
    assert share(lambda i: bare[i] == "a person") == pytest.approx(0.08, abs=three_deviations)
    said = [i for i in range(count) if bare[i] not in ("", "a person")]
    unseen = sum(words not in drawn[i] for i in said) / count
    assert unseen == pytest.approx(0.08, abs=three_deviations)
    paraphrases = set(trained_captions(*label))
    assert {bare[i] for i in said} <= paraphrases and len(paraphrases) >= 20
    usual = sum(bare[i] == canonical for i in said) / len(said)
    assert usual == pytest.approx(0.5 + 0.5 / len(paraphrases), abs=0.03)


def test_no_caption_is_cut() -> None:
    tokenizer, longest = caption_tokenizer(), captions.longest_captions()
    check_length(tokenizer, longest, TOKENS)
    with pytest.raises(ValueError, match=r"`length` must be at least \d+, .*got 5"):
        check_length(tokenizer, longest, 5)
    ids = tokenizer(longest).input_ids
    unknown = tokenizer.unk_token_id
    assert all(unknown not in row for row in ids)
    words = max(len(text.replace(",", " ,").split()) for text in longest)
    assert max(map(len, ids)) == words + 1, "a token a word, and the end"


@hypothesis.given(st.sets(st.text("abcd", min_size=1, max_size=3), min_size=3), st.randoms())
def test_rows_are_carried_over_by_their_words(words: set[str], random: Any) -> None:
    ordered = sorted(words)
    old_words, new_words = ordered[: len(ordered) * 2 // 3], list(ordered)
    random.shuffle(new_words)
    old_ids = {word: i for i, word in enumerate(old_words)}
    new_ids = {word: i for i, word in enumerate(new_words)}
    old = torch.randn(len(old_words), 5, generator=seeded(1))
    new = carried_rows(old, old_ids, new_ids, seeded(2))
    assert new.shape == (len(new_words), 5)
    for word, i in new_ids.items():
        assert (word in old_ids) == any(torch.equal(new[i], row) for row in old)
        if word in old_ids:
            assert torch.equal(new[i], old[old_ids[word]])


def test_new_words_are_like_old_ones() -> None:
    old = torch.randn(400, 3, generator=seeded(0)) * torch.tensor([1.0, 2.0, 0.5]) + 4
    old_ids = {f"old{i}": i for i in range(400)}
    new = carried_rows(old, old_ids, {f"new{i}": i for i in range(4000)}, seeded(1))
    torch.testing.assert_close(new.mean(0), old.mean(0), atol=0.1, rtol=0)
    torch.testing.assert_close(new.std(0), old.std(0), atol=0, rtol=0.05)


def test_an_encoder_means_the_same_by_old_words_in_a_new_vocabulary() -> None:
    tokenizer, text = caption_tokenizer(), "a person walks, front view"
    old_tokenizer = build_t5_tokenizer([text], 200, TOKENS)
    encoder = seeded_weights(0, build_text_encoder, len(old_tokenizer)).eval()
    before = encoder(old_tokenizer(text, return_tensors="pt").input_ids)[0]
    encoder = with_vocabulary(encoder, old_tokenizer, tokenizer, seeded(0))
    assert encoder.config.vocab_size == len(tokenizer) > len(old_tokenizer)
    ids = tokenizer(text, return_tensors="pt").input_ids
    assert not torch.equal(ids, old_tokenizer(text, return_tensors="pt").input_ids)
    torch.testing.assert_close(encoder(ids)[0], before, atol=0, rtol=0)
