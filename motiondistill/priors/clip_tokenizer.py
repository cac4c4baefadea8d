"""A small CLIP tokenizer built from captions without any download."""

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final

from motiondistill.priors.text import ASCII

_END: Final = "</w>"
_SPECIAL: Final = ("<|startoftext|>", "<|endoftext|>")

Merge = tuple[str, str]


def build_clip_tokenizer(captions: Iterable[str], max_length: int) -> Any:
    """A `CLIPTokenizer` that knows every word of the captions as one token, and spells others.

    Deterministic. Words are in small letters, as CLIP reads them; what is not ASCII becomes the
    unknown token.
    """
    from transformers import CLIPTokenizer

    words = {word for caption in captions for word in re.findall("[a-z]+", caption.lower())}
    merges = byte_pair_merges(sorted(words))
    joined = (first + second for first, second in merges)
    endings = (character + _END for character in ASCII)
    # Two pairs may join to one piece; it keeps its first number.
    pieces = dict.fromkeys(itertools.chain(ASCII, endings, joined, _SPECIAL))
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    # The annotations of the library allow strings alone, which it would have to take apart again.
    options: Any = {"vocab": vocabulary, "merges": merges}
    return CLIPTokenizer(**options, model_max_length=max_length)


def byte_pair_merges(words: Sequence[str]) -> list[Merge]:
    """The merges, in their order, after which each of the words is one piece.

    Byte pair encoding (Sennrich et al. 2016), every word counted once, ties by the alphabet. As
    words are read by the same merges in the same order, each of these becomes one token.
    """
    spelled = [(*word[:-1], word[-1] + _END) for word in words]
    merges: list[Merge] = []
    while counts := Counter(pair for pieces in spelled for pair in itertools.pairwise(pieces)):
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        merges.append(best)
        spelled = [_merged(pieces, best) for pieces in spelled]
    return merges


def _merged(pieces: Sequence[str], pair: Merge) -> tuple[str, ...]:
    """The pieces with every occurrence of the pair joined, from the left."""
    result: list[str] = []
    rest = list(pieces)
    while rest:
        joined = tuple(rest[:2]) == pair
        result.append("".join(rest[:2]) if joined else rest[0])
        rest = rest[2 if joined else 1 :]
    return tuple(result)
