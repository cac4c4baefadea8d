"""Weights of an earlier prior for a training with other words."""

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn


def carried_rows(
    old: Float[Tensor, "old_words channels"],
    old_ids: Mapping[str, int],
    new_ids: Mapping[str, int],
    generator: torch.Generator,
) -> Float[Tensor, "new_words channels"]:
    """An embedding for new token ids, its rows taken by the tokens' strings.

    Words that the old vocabulary lacks are drawn from the normal distribution, channel by channel,
    of its words: they are as far from each other, and as loud, as words that were learned.
    """
    count = max(new_ids.values()) + 1
    known = torch.tensor(sorted(old_ids.values()))
    mean, deviation = old[known].mean(0), old[known].std(0)
    rows = mean + deviation * torch.randn(count, old.shape[1], generator=generator)
    for token, index in new_ids.items():
        if token in old_ids:
            rows[index] = old[old_ids[token]]
    return rows


@torch.no_grad()
def with_vocabulary(
    encoder: Any, old_tokenizer: Any, new_tokenizer: Any, generator: torch.Generator
) -> Any:
    """The text encoder (transformers) for another tokenizer; known words mean what they meant.

    It is changed in place.
    """
    old = encoder.get_input_embeddings().weight
    rows = carried_rows(old, old_tokenizer.get_vocab(), new_tokenizer.get_vocab(), generator)
    encoder.set_input_embeddings(nn.Embedding.from_pretrained(rows, freeze=False))
    encoder.config.vocab_size = len(rows)
    return encoder
