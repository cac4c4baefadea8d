"""Prompts with words that a text encoder was never shown."""

import logging

import pytest
import torch
from tiny_text import tiny_encoder, tiny_tokenizer

from motiondistill.priors.text import T5Text, spelled_words


def test_words_that_are_only_spelled_are_found() -> None:
    tokenizer = tiny_tokenizer(32)
    assert spelled_words(tokenizer, "a person squats") == []
    assert spelled_words(tokenizer, "a person juggles, juggles 2 axes") == ["juggles", "axes"]


def test_a_word_that_is_not_known_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    torch.manual_seed(0)
    tokenizer = tiny_tokenizer(32)
    text = T5Text(tokenizer, tiny_encoder(tokenizer), 32)
    with caplog.at_level(logging.WARNING, logger="motiondistill"):
        text.embed(["a person squats", ""])
        assert not caplog.records
        text.embed(["a person juggles", "a person juggles, front view"])
        text.embed(["a person juggles"])
    assert [record.getMessage() for record in caplog.records] == [
        "The model does not know the word 'juggles'; what it makes of it may be anything."
    ]
