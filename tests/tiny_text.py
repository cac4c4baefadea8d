"""The tiny random text parts that the tiny pipelines share."""

from typing import Any

from motiondistill.priors.text import build_t5_tokenizer

CAPTIONS = ("a person is walking, front view", "a person squats", "a person waves, back view")
CHANNELS = 16


def tiny_tokenizer(max_length: int) -> Any:
    """A tokenizer made of the captions' words and single characters."""
    return build_t5_tokenizer(CAPTIONS, vocab_size=120, max_length=max_length)


def tiny_encoder(tokenizer: Any, channels: int = CHANNELS) -> Any:
    """A T5 encoder of one layer with random weights from the global generator."""
    from transformers import T5Config, T5EncoderModel

    config = T5Config(
        vocab_size=len(tokenizer),
        d_model=channels,
        d_kv=8,
        d_ff=32,
        num_layers=1,
        num_heads=2,
        dropout_rate=0.1,
    )
    return T5EncoderModel(config).eval()


def tiny_umt5_encoder(tokenizer: Any) -> Any:
    """A UMT5 encoder of one layer with random weights from the global generator."""
    from transformers import UMT5Config, UMT5EncoderModel

    config = UMT5Config(
        vocab_size=len(tokenizer),
        d_model=CHANNELS,
        d_kv=8,
        d_ff=32,
        num_layers=1,
        num_heads=2,
        dropout_rate=0.1,
    )
    return UMT5EncoderModel(config).eval()
