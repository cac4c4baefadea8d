"""Where errors weigh more in the training of the video prior."""

import dataclasses
from typing import Any

import pytest
import torch
from embedded_training.denoising import Denoising, clip_batch, tokeniser
from embedded_training.emphasis import emphasis
from tiny_training import TOKENS, caption_tokenizer, four_clips
from torch import Tensor, nn

from motiondistill.randomness import seeded


def test_errors_weigh_more_where_the_action_moves() -> None:
    """One place of the bows moves, none else: it has `(1 + s K) / (1 + s)`, K places in all."""
    encoded = four_clips()
    latents = encoded.latents[:, :, :1].repeat(1, 1, 3, 1, 1)
    latents[2, :, :, 1, 2] += torch.tensor([-1.0, 0.0, 1.0])
    latents[[0, 1, 3]] += torch.tensor([-1.0, 0.0, 1.0])[:, None, None]
    weights = emphasis(dataclasses.replace(encoded, latents=latents), 1.0)
    assert weights.keys() == set(zip(encoded.labels, encoded.views, strict=True))
    bow = weights[encoded.labels[2], encoded.views[2]]
    assert bow[1, 2].item() == pytest.approx((1 + 64) / 2)
    assert bow.sum().item() == pytest.approx(64) and bow[0, 0].item() == pytest.approx(0.5)
    torch.testing.assert_close(weights[encoded.labels[0], encoded.views[0]], torch.ones(8, 8))


def test_only_captions_that_tell_the_action_shift_the_weights() -> None:
    """The estimate without words stays the mean of all clips, so its errors weigh alike."""
    tokenizer, encoded = caption_tokenizer(), four_clips()
    weights = emphasis(encoded, 3.0)
    batch = clip_batch(encoded, 200, tokeniser(tokenizer, TOKENS), seeded(0), weights)
    plain = clip_batch(encoded, 200, tokeniser(tokenizer, TOKENS), seeded(0))
    assert all(torch.equal(batch[name], plain[name]) for name in plain)
    words = tokenizer.batch_decode(batch["ids"], skip_special_tokens=True)
    silent = torch.tensor([text == "" or text.startswith("a person,") for text in words])
    alike = (batch["weight"] == 1).flatten(1).all(1)
    assert torch.equal(silent, alike) and 10 < silent.sum() < 100


def test_the_loss_weighs_errors_by_place() -> None:
    error = torch.arange(4.0).view(1, 1, 1, 2, 2)
    weight = torch.tensor([[1.0, 2.0], [0.0, 3.0]]).view(1, 1, 1, 2, 2)
    zero, ids = torch.zeros(1, 1, 1, 2, 2), torch.zeros(1, TOKENS, dtype=torch.long)

    def answer(*_: Any) -> Tensor:
        return error

    module = Denoising(nn.Identity(), nn.Identity(), answer)
    loss = module(zero, zero, torch.tensor([5]), ids, ids, weight)
    assert loss.item() == pytest.approx((2 * 1 + 3 * 9) / 4)
