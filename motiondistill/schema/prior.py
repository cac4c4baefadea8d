"""What can be said of the prior, in every job; the values are the defaults."""

from dataclasses import dataclass
from typing import Literal

Precision = Literal["float32", "bfloat16", "float16"]


@dataclass(frozen=True)
class PriorConfig:
    """The frozen video model that judges."""

    # `embedded`, another name that `motiondistill priors` lists, a hub id OWNER/NAME, or a folder
    # in the family's own diffusers layout. `gaussian` is known in closed form, knows no person, and
    # tests whole loops.
    model: str = "embedded"
    # Branch, tag or commit of a model from the hub; null takes what is in the hub's local cache,
    # else the newest. A run records the commit.
    revision: str | None = None
    # `random` keeps the architecture and draws fresh weights: a control that knows nothing.
    weights: Literal["pretrained", "random"] = "pretrained"
    # What guidance pushes away from, seen from the same side, so that it strengthens the action and
    # not the view; empty is no text at all.
    negative_prompt: str = "a person"
    # Of the denoiser and the autoencoder: `cpu`, `cuda`, `cuda:1`, ...
    device: str = "cpu"
    # Of the text encoder, which is freed once the prompts are embedded.
    text_device: str = "cpu"
    # Of the denoiser's weights; what goes in and comes out, and guidance, is float32.
    dtype: Precision = "float32"
    # Of the autoencoder, which pixels get their gradient through: some overflow in float16, and
    # Mochi's looks at shades so fine that bfloat16 rounds them away.
    vae_dtype: Precision = "float32"
    # `auto` is float32 beside a float32 denoiser, else bfloat16, because T5 overflows in float16.
    text_dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    # Clips that the denoiser gets at once; null is all of them: every view, with and without the
    # prompt. 1 needs the least memory.
    batch_size: int | None = None
    # What is kept of the encoding for the gradient: all; what is between blocks; nothing, so that
    # encoder and denoiser are never in memory together. The gradient is the same. `latent` never
    # differentiates the encoder: of the gradient it gives the part that the decoder can show, for
    # the least memory and the most arithmetic.
    encode: Literal["graph", "checkpointed", "two_pass", "latent"] = "graph"
    # File (TAEHV family) or folder (`AutoencoderTiny`) of a tiny autoencoder to use instead of the
    # model's own; `motiondistill priors check` tells how alike their gradients are.
    tiny_autoencoder: str | None = None
    # Compiles the denoiser at its first use, which takes a C++ compiler and a minute or more; then
    # a pass takes a fifth to two fifths less time on a CPU.
    compile: bool = False
    # Lets weights in .bin files run any program when they are read; only for makers you trust.
    allow_pickle: bool = False

    @property
    def named(self) -> dict[str, str | None]:
        """Whose weights answer, for records."""
        return {"model": self.model, "revision": self.revision, "weights": self.weights}
