"""Prompts to the embeddings of CLIP's text encoders, alone or together with others."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, final

import torch
from jaxtyping import Float, Int
from torch import Tensor

from motiondistill.priors.base import Conditioning, TextEncoder, check_prompts
from motiondistill.priors.text import padded_tokens


@final
@dataclass(frozen=True)
class Tower:
    """A text encoder with its tokenizer and the number of tokens that a prompt is padded to."""

    tokenizer: Any
    encoder: Any
    length: int

    def tokens(self, prompt: str) -> Int[Tensor, "1 tokens"]:
        """The prompt's token numbers, padded or cut; warns where it cuts."""
        tokens = padded_tokens(self.tokenizer, prompt, self.length)
        ids: Tensor = tokens.input_ids.to(self.encoder.device)
        return ids


Reading: TypeAlias = Callable[[str, Sequence[Tower]], Mapping[str, Tensor]]
"""What a family makes of one prompt with its towers: named tensors with one row each."""


@final
@dataclass(frozen=True)
class TowersText(TextEncoder):
    """What a family reads from one or more text encoders."""

    towers: tuple[Tower, ...]
    read: Reading

    @torch.no_grad()
    def embed(self, prompts: Sequence[str]) -> Conditioning:
        """Conditioning with the tensors that the family reads; warns where it cuts a prompt."""
        check_prompts(prompts)
        # One prompt at a time: batched matrix products round differently, and the same prompt must
        # give the same bits whatever its company.
        rows = [Conditioning(self.read(prompt, self.towers)) for prompt in prompts]
        return Conditioning.cat(rows)


def clip_text(components: Mapping[str, Any], length: int) -> TowersText:
    """The text part of a pipeline with one CLIP, read after its last layer (and its norm).

    Stable Diffusion 2 and VideoCrafter2 mean the last layer but one of the original CLIP: their
    folders hold an encoder without the last.
    """
    tower = Tower(components["tokenizer"], components["text_encoder"], length)
    return TowersText((tower,), read_last_layer)


def read_last_layer(prompt: str, towers: Sequence[Tower]) -> Mapping[str, Tensor]:
    """`embeddings` [1 tokens channels] of the only tower."""
    (tower,) = towers
    return {"embeddings": tower.encoder(tower.tokens(prompt))[0]}


def penultimate(
    tower: Tower, prompt: str
) -> tuple[Float[Tensor, "1 tokens channels"], Float[Tensor, "1 pooled"] | None]:
    """The last layer but one without any norm, and the projection of the end token if there is one.

    This is how SDXL and SD3 read their CLIPs.
    """
    output = tower.encoder(tower.tokens(prompt), output_hidden_states=True)
    return output.hidden_states[-2], output.get("text_embeds")
