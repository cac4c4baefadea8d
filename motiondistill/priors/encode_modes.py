"""How much of an encoding is remembered for its gradient: all, some, or none of it.

Encoders keep far more for their backward pass than denoisers need at all. Every mode gives the same
latents and the same gradient; they differ in memory and time.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, final, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from motiondistill.priors.base import Codec, VideoFormat
from motiondistill.priors.framewise import FramewiseCodec
from motiondistill.priors.placement import PlacedCodec
from motiondistill.priors.tiny_codec import TinyFrameCodec
from motiondistill.priors.wan_encoder import recomputed


@runtime_checkable
class HasAutoencoder(Protocol):
    """A codec around an autoencoder of diffusers."""

    @property
    def vae(self) -> Any:
        """The autoencoder."""


@final
@dataclass(frozen=True)
class TwoPassCodec(Codec):
    """Another codec, which remembers nothing of an encoding but the video.

    The backward pass encodes anew, this time with a graph, and that graph is gone when it ends: so
    it is never alive together with the denoiser. Exact, since encoding draws no random numbers.
    Clips go one by one in both passes, and in pieces of `frames_at_once` where one is given.
    Weights get no gradient.
    """

    codec: Codec
    frames_at_once: int | None = None
    """Only for codecs that encode every frame by itself; None is the whole clip."""

    @property
    def format(self) -> VideoFormat:
        return self.codec.format

    def encode(self, video: Float[Tensor, "B F 3 H W"]) -> Float[Tensor, "B C f h w"]:
        frames = self.frames_at_once or video.shape[1]
        clips = [
            torch.cat(
                [_encode_twice(self.codec, piece) for piece in torch.split(clip, frames, dim=1)],
                dim=2,
            )
            for clip in torch.split(video, 1)
        ]
        return torch.cat(clips)

    def decode(self, latents: Float[Tensor, "B C f h w"]) -> Float[Tensor, "B F 3 H W"]:
        return self.codec.decode(latents)

    def latent_shape(self, frames: int, height: int, width: int) -> tuple[int, int, int, int]:
        return self.codec.latent_shape(frames, height, width)


def two_pass(codec: Codec) -> Codec:
    """The codec that keeps nothing of an encoding, and little while it goes back through it."""
    if isinstance(codec, PlacedCodec):
        return PlacedCodec(two_pass(codec.codec), codec.device)
    if isinstance(codec, HasAutoencoder):
        _checkpoint_blocks(codec.vae)
    return TwoPassCodec(codec, frames_at_once(codec))


def checkpointed(codec: Codec) -> Codec:
    """The codec that keeps of an encoding only what is between the encoder's blocks, or frames.

    Faster than `two_pass`, since it encodes twice instead of three times. Both switch the
    autoencoder itself, for everyone who holds it; codecs without one stay as they are.
    """
    if isinstance(codec, PlacedCodec):
        return PlacedCodec(checkpointed(codec.codec), codec.device)
    if frames_at_once(codec) is not None:
        # A frame's graph is small; nothing of it need be kept.
        return TwoPassCodec(codec, frames_at_once(codec))
    if isinstance(codec, HasAutoencoder):
        _checkpoint_blocks(codec.vae)
    return codec


def frames_at_once(codec: Codec) -> int | None:
    """One for codecs that encode every frame by itself, else the whole clip."""
    return 1 if isinstance(codec, FramewiseCodec | TinyFrameCodec) else None


def _checkpoint_blocks(vae: Any) -> None:
    import diffusers

    wan: Any = diffusers.AutoencoderKLWan
    if isinstance(vae, wan):
        vae.encoder.gradient_checkpointing = True  # read by `wan_encoder`; the library has no way
    else:
        vae.enable_gradient_checkpointing(recomputed)


def _encode_twice(codec: Codec, video: Float[Tensor, "B F 3 H W"]) -> Float[Tensor, "B C f h w"]:
    latents: Tensor = _TwoPass.apply(codec.encode, video)  # type: ignore[no-untyped-call]
    return latents


class _TwoPass(torch.autograd.Function):
    """A function of one tensor that is computed again, with a graph, when its gradient is due."""

    @staticmethod
    def forward(ctx: Any, function: Callable[[Tensor], Tensor], argument: Tensor) -> Tensor:
        ctx.function = function
        ctx.save_for_backward(argument)
        return function(argument)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor]:
        (argument,) = ctx.saved_tensors
        with torch.enable_grad():
            leaf = argument.detach().requires_grad_()
            value = ctx.function(leaf)
        (result,) = torch.autograd.grad(value, leaf, gradient)
        return None, result
