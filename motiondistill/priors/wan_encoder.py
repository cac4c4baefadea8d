"""Wan's causal encoder with its feature caches passed along, so that it can be checkpointed.

`AutoencoderKLWan` encodes the first frame and then four frames at a time. Its convolutions over
time see the end of the previous chunk through caches that the module holds, and keeps changing: a
recomputation would meet other caches, so the library offers no gradient checkpointing for it. Here
they are arguments and results. A chunk is forgotten but for its pixels and the caches it began
with; when its turn comes in the backward pass it is computed again, and so is each block in it.
"""

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor
from torch.utils.checkpoint import checkpoint

Cache: TypeAlias = Tensor | None
"""The features that a convolution over time saw last; None before the first chunk."""
Call: TypeAlias = Callable[..., tuple[Any, ...]]
"""Calls a function with arguments."""

CHUNK = 4
"""Frames encoded at a time, after the first one."""
MEMORY = 2
"""Frames that a convolution over time looks back."""


def posterior_mean(
    vae: Any, centred: Float[Tensor, "B 3 F H W"]
) -> Float[Tensor, "B C f height width"]:
    """`vae.encode(centred).latent_dist.mode()` of an `AutoencoderKLWan`, to the last bit.

    Checkpoints if `vae.encoder.gradient_checkpointing` is set. Takes clips of 4k+1 frames, in
    [-1, 1]; raises ValueError for others, of which the library drops the last frames silently.
    """
    frames = centred.shape[2]
    if (frames - 1) % CHUNK:
        raise ValueError(f"`centred` must have {CHUNK}k+1 frames for Wan, got {frames}; cut it.")
    if vae.config.patch_size is not None:
        centred = _patched(centred, vae.config.patch_size)
    call = recomputed if vae.encoder.gradient_checkpointing else _kept
    caches: tuple[Cache, ...] = (None,) * sum(_cache_sizes(vae.encoder))
    parts = []
    encode = functools.partial(_encode_chunk, vae.encoder, call)
    for chunk in torch.split(centred, [1] + [CHUNK] * (frames // CHUNK), dim=2):
        part, *caches = call(encode, chunk, *caches)
        parts.append(part)
    mean: Tensor = vae.quant_conv(torch.cat(parts, dim=2)).chunk(2, dim=1)[0]
    return mean


def recomputed(function: Callable[..., Any], *arguments: Any) -> Any:
    """`function(*arguments)`, which the backward pass computes again instead of remembering it.

    Exact for what draws no random numbers. Tensors must be arguments of their own: inside of lists
    they are not seen, and stay in memory.
    """
    return checkpoint(function, *arguments, use_reentrant=False, preserve_rng_state=False)


def _kept(function: Callable[..., Any], *arguments: Any) -> Any:
    return function(*arguments)


def _encode_chunk(
    encoder: Any, call: Call, chunk: Float[Tensor, "B C F H W"], *caches: Cache
) -> tuple[Cache, ...]:
    """The encoder on one chunk: its latents, and the caches for the next chunk."""
    sizes = iter(_cache_sizes(encoder))
    left = iter(caches)

    def take() -> tuple[Cache, ...]:
        return tuple(next(left) for _ in range(next(sizes)))

    features, *after = _conv(encoder.conv_in, chunk, *take())
    for block in (*encoder.down_blocks, encoder.mid_block):
        features, *later = call(functools.partial(_block, block), features, *take())
        after += later
    features = encoder.nonlinearity(encoder.norm_out(features))
    latents, *later = _conv(encoder.conv_out, features, *take())
    return (latents, *after, *later)


def _block(block: Any, features: Float[Tensor, "B C F H W"], *caches: Cache) -> tuple[Cache, ...]:
    updated = list(caches)  # the library writes into the list that it is given
    features = block(features, feat_cache=updated, feat_idx=[0])
    return (features, *updated)


def _conv(conv: Any, features: Float[Tensor, "B C F H W"], cache: Cache) -> tuple[Tensor, Tensor]:
    """A causal convolution by itself, as the library's encoder does its first and its last."""
    last = features[:, :, -MEMORY:].clone()
    if last.shape[2] < MEMORY and cache is not None:
        last = torch.cat([cache[:, :, -1:], last], dim=2)
    return conv(features, cache), last


def _cache_sizes(encoder: Any) -> Iterator[int]:
    """How many caches each stage of the encoder takes, in the order of the stages."""
    kind = type(encoder.conv_in)
    stages: Sequence[Any] = (
        encoder.conv_in,
        *encoder.down_blocks,
        encoder.mid_block,
        encoder.conv_out,
    )
    for stage in stages:
        # Shortcuts of kernel size 1 are of this kind too and need none; theirs stay None.
        yield sum(isinstance(module, kind) for module in stage.modules())


def _patched(
    video: Float[Tensor, "B C F H W"], size: int
) -> Float[Tensor, "B patched F height width"]:
    """Squares of pixels as channels: channels by columns by rows, in the library's order."""
    batch, channels, frames, height, width = video.shape
    grid = video.view(batch, channels, frames, height // size, size, width // size, size)
    return grid.permute(0, 1, 6, 4, 2, 3, 5).reshape(
        batch, channels * size * size, frames, height // size, width // size
    )
