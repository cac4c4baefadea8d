"""What the tests of the priors' trainings share: words, clips, and networks to train."""

import functools
from typing import Any

import torch
from embedded_training import captions
from embedded_training.denoising import Denoising, latte_velocity
from embedded_training.encoded import Encoded
from embedded_training.networks import build_denoiser, build_text_encoder, seeded_weights

from motiondistill.priors.text import build_t5_tokenizer
from motiondistill.randomness import seeded

TOKENS = 20


@functools.cache
def caption_tokenizer() -> Any:
    """Of all words that captions have."""
    return build_t5_tokenizer(captions.vocabulary(), 1024, TOKENS)


def four_clips() -> Encoded:
    """Random latents of four clips."""
    labels = (("walk", "right"), ("wave", "left"), ("bow", "right"), ("walk", "left"))
    return Encoded(torch.randn(4, 4, 3, 8, 8, generator=seeded(0)), labels, (0, 3, 5, 7))


def tiny_denoising() -> Denoising:
    """Text encoder and denoiser with the weights of seed 0."""
    text = seeded_weights(0, build_text_encoder, len(caption_tokenizer()))
    return Denoising(text, seeded_weights(0, build_denoiser, 3, 32, 16, 1), latte_velocity)
