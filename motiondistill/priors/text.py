"""Prompts to T5 embeddings, and a small T5 tokenizer built from captions without any download."""

import logging
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, final

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from motiondistill.priors.base import Conditioning, TextEncoder, check_prompts

logger = logging.getLogger(__name__)

SPECIAL_PIECES = ("<pad>", "</s>", "<unk>")  # T5's order; the ids 0, 1, 2 are fixed in its classes
SPACE_PIECE = "\u2581"
ASCII = tuple(chr(code) for code in range(33, 127))
CHARACTER_PENALTY = 10.0
"""How much less likely (in log) any spelled-out character is than the rarest whole word."""


def padded_tokens(
    tokenizer: Any,
    text: str,
    length: int,
    *,
    prompt: str | None = None,
    template: int = 0,
    padding_side: str | None = None,
) -> Any:
    """The library's encoding of a text, padded or cut to `length`; warns where it cuts.

    Where the prompt is only a part of the text, it and the number of the template's tokens are
    given for the warning. Sides are the tokenizer's own by default.
    """
    needed = len(tokenizer(text, verbose=False).input_ids)
    if needed > length:
        logger.warning(
            "The prompt has %d tokens but the model reads %d; its end is ignored: %r",
            needed - template,
            length - template,
            text if prompt is None else prompt,
        )
    return tokenizer(
        [text],
        padding="max_length",
        padding_side=padding_side,
        max_length=length,
        truncation=True,
        return_tensors="pt",
    )


def encode_with_padding(
    encoder: Any, ids: Int[Tensor, "B tokens"], mask: Int[Tensor, "B tokens"]
) -> Float[Tensor, "B tokens channels"]:
    """Embeddings by a T5 that is given no mask, so that words depend on the padding too."""
    embeddings: Tensor = encoder(ids)[0]
    return embeddings


def encode_without_padding(
    encoder: Any, ids: Int[Tensor, "B tokens"], mask: Int[Tensor, "B tokens"]
) -> Float[Tensor, "B tokens channels"]:
    """Embeddings by a T5 that does not see the padding, whose own embeddings become zero."""
    embeddings: Tensor = encoder(ids, attention_mask=mask)[0]
    return embeddings * mask[..., None].to(embeddings)


def plain_prompt(prompt: str) -> str:
    """The prompt in small letters without outer space, as several pipelines read it uncleaned."""
    return prompt.lower().strip()


@final
class T5Text(TextEncoder):
    """T5 embeddings and their padding masks.

    `prepare` is what the family does to a prompt first, `encode` how it treats the padding. The
    length is part of the model: another one gives other embeddings, or more of them to attend to.
    """

    def __init__(
        self,
        tokenizer: Any,
        encoder: Any,
        max_length: int,
        *,
        prepare: Callable[[str], str] = str,
        encode: Callable[[Any, Tensor, Tensor], Tensor] = encode_with_padding,
    ) -> None:
        self._tokenizer = tokenizer
        self._encoder = encoder
        self._max_length = max_length
        self._prepare = prepare
        self._encode = encode
        self._told: set[str] = set()

    def embed(self, prompts: Sequence[str]) -> Conditioning:
        """Conditioning with `embeddings` [B L D] and `mask` [B L].

        Warns where it cuts a prompt, and once of every word that it can only spell.
        """
        check_prompts(prompts)
        for word in spelled_words(self._tokenizer, " ".join(prompts)):
            if word not in self._told:
                self._told.add(word)
                logger.warning(
                    "The model does not know the word %r; what it makes of it may be anything.",
                    word,
                )
        # One prompt at a time: batched matrix products round differently, and the same prompt must
        # give the same bits whatever its company.
        rows = [self._embed_one(self._prepare(prompt)) for prompt in prompts]
        return Conditioning(
            {
                "embeddings": torch.cat([embeddings for embeddings, _ in rows]),
                "mask": torch.cat([mask for _, mask in rows]),
            }
        )

    @torch.no_grad()
    def _embed_one(
        self, prompt: str
    ) -> tuple[Float[Tensor, "1 tokens channels"], Bool[Tensor, "1 tokens"]]:
        tokens = padded_tokens(self._tokenizer, prompt, self._max_length)
        tokens = tokens.to(self._encoder.device)
        embeddings = self._encode(self._encoder, tokens.input_ids, tokens.attention_mask)
        return embeddings, tokens.attention_mask.bool()


def spelled_words(tokenizer: Any, text: str) -> list[str]:
    """The words of which the tokenizer knows no part but single letters; short ones never count."""
    words = dict.fromkeys(re.findall(r"[^\W\d_]{4,}", text))
    return [
        word
        for word in words
        if all(len(piece.strip(SPACE_PIECE)) < 2 for piece in tokenizer.tokenize(word))
    ]


def build_t5_tokenizer(captions: Iterable[str], vocab_size: int, max_length: int) -> Any:
    """A `T5Tokenizer` whose pieces are the captions' commonest words, then single ASCII characters.

    Deterministic, where the library's Unigram trainer gives another vocabulary at each run. What is
    not ASCII becomes the unknown token. Case matters, as in T5. At most `vocab_size` pieces.
    """
    from transformers import T5Tokenizer

    fixed = (*SPECIAL_PIECES, SPACE_PIECE, *ASCII)
    if vocab_size < len(fixed):
        raise ValueError(
            f"`vocab_size` must be at least {len(fixed)} (special tokens and ASCII characters), "
            f"got {vocab_size}."
        )
    counts = Counter(
        word for caption in captions for word in _words(caption) if word and word.isascii()
    )
    # Ties by the alphabet: the order of a set or of the captions must not matter.
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[: vocab_size - len(fixed)]
    total = sum(count for _, count in ranked)
    words = [(SPACE_PIECE + word, math.log(count / total)) for word, count in ranked]
    rarest = min((score for _, score in words), default=0.0)
    characters = [(piece, rarest - CHARACTER_PENALTY) for piece in (SPACE_PIECE, *ASCII)]
    vocab = [*((piece, 0.0) for piece in SPECIAL_PIECES), *words, *characters]
    return T5Tokenizer(vocab=vocab, extra_ids=0, model_max_length=max_length)


def _words(caption: str) -> list[str]:
    """The caption's words without the punctuation at their ends."""
    return [word.strip(".,;:!?\"'()") for word in caption.split()]
