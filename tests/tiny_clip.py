"""The tiny random CLIP and autoencoder that the tiny pipelines of image models share."""

import itertools
from typing import Any

CHANNELS = 16
LENGTH = 77  # the pipelines know no other
BETAS = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}


def tiny_tokenizer() -> Any:
    """A CLIP tokenizer that spells words letter by letter, laid out as the released one."""
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import CLIPTokenizer

    letters = sorted(ByteLevel.alphabet())
    special = ("<|startoftext|>", "<|endoftext|>")
    pieces = itertools.chain(letters, (letter + "</w>" for letter in letters), special)
    vocab = {piece: number for number, piece in enumerate(pieces)}
    return CLIPTokenizer(vocab=vocab, merges=[], model_max_length=LENGTH)


def tiny_encoder(tokenizer: Any, *, projection: int | None = None) -> Any:
    """A CLIP text encoder of three layers with random weights from the global generator."""
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=CHANNELS,
        intermediate_size=32,
        num_hidden_layers=3,
        num_attention_heads=2,
        max_position_embeddings=LENGTH,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        projection_dim=projection or CHANNELS,
    )
    kind = CLIPTextModelWithProjection if projection else CLIPTextModel
    encoder = kind(config).eval()
    for parameter in encoder.parameters():
        # The library starts so small that every prompt would mean almost the same.
        parameter.data *= 4 if parameter.ndim > 1 else 1
    return encoder


def tiny_vae(**options: Any) -> Any:
    """An image autoencoder with random weights, 4x smaller in space."""
    from diffusers import AutoencoderKL

    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        block_out_channels=(8, 8, 16),
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=4,
        mid_block_add_attention=False,
        **options,
    ).eval()
