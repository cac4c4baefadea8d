"""Gradients in pixels without the encoder's graph: the decoder shows what to change."""

from dataclasses import dataclass
from typing import Any, final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from motiondistill.priors.base import Codec, VideoFormat, per_sample
from motiondistill.priors.encode_modes import frames_at_once
from motiondistill.priors.placement import PlacedCodec

# A change of the picture below this is none; nothing is divided by it.
_NOTHING = 1e-20


@final
@dataclass(frozen=True)
class DecoderGradientCodec(Codec):
    """Another codec, whose encoder is never differentiated.

    For a gradient g of the latents z = E(x) it decodes them and a small step down: the change of
    the picture `d = D(z) - D(z - eta g)` is the direction of the gradient in pixels. Its length
    follows from one more encoding: the result is the projection of the exact gradient on d, `d <g,
    J d> / <d, d>`, with `J d` the difference of two encodings. So it is exact where the decoder
    inverts an encoder that only turns and scales; elsewhere it lacks what the encoder answers to
    and the decoder never paints.

    Clips go one by one, and each has a projection of its own. Weights get no gradient.
    """

    codec: Codec
    frames_at_once: int | None = None
    """Only for codecs that take every frame by itself; None is the whole clip."""
    latent_step: float = 0.03
    """How far latents move to be seen moving, as a share of their root mean square."""
    pixel_step: float = 0.005
    """How far pixels then move to be felt, of their range: half precision must tell, too."""

    @property
    def format(self) -> VideoFormat:
        return self.codec.format

    def encode(self, video: Float[Tensor, "B F 3 H W"]) -> Float[Tensor, "B C f h w"]:
        latents: Tensor = _ThroughDecoder.apply(self, video)  # type: ignore[no-untyped-call]
        return latents

    def decode(self, latents: Float[Tensor, "B C f h w"]) -> Float[Tensor, "B F 3 H W"]:
        return self.codec.decode(latents)

    def latent_shape(self, frames: int, height: int, width: int) -> tuple[int, int, int, int]:
        return self.codec.latent_shape(frames, height, width)


def through_decoder(codec: Codec) -> Codec:
    """The codec with the encoder's gradient projected on what the decoder shows."""
    if isinstance(codec, PlacedCodec):
        return PlacedCodec(through_decoder(codec.codec), codec.device)
    return DecoderGradientCodec(codec, frames_at_once(codec))


def seen_gradient(
    encoding: DecoderGradientCodec,
    video: Float[Tensor, "B F 3 H W"],
    latents: Float[Tensor, "B C f h w"],
    gradient: Float[Tensor, "B C f h w"],
) -> Float[Tensor, "B F 3 H W"]:
    """The gradient in pixels from that of the latents; zero for clips that no step changes."""
    size = _dot(latents, latents).sqrt() / _dot(gradient, gradient).sqrt()
    step = torch.where(size.isfinite(), encoding.latent_step * size, 0.0)
    lower = latents - per_sample(step, latents) * gradient
    change = _decoded(encoding, latents) - _decoded(encoding, lower)
    length = change.square().flatten(1).mean(1).sqrt()
    unit = change / per_sample(length.clamp(min=_NOTHING), change)
    answer = _encoded(encoding, video + encoding.pixel_step * unit) - latents
    share = _dot(gradient, answer) / (encoding.pixel_step * _dot(unit, unit)).clamp(min=_NOTHING)
    return per_sample(share, unit) * unit


def _encoded(
    encoding: DecoderGradientCodec, video: Float[Tensor, "B F 3 H W"]
) -> Float[Tensor, "B C f h w"]:
    frames = encoding.frames_at_once or video.shape[1]
    clips = [torch.split(clip, frames, 1) for clip in torch.split(video, 1)]
    return torch.cat(
        [torch.cat([encoding.codec.encode(part) for part in clip], 2) for clip in clips]
    )


def _decoded(
    encoding: DecoderGradientCodec, latents: Float[Tensor, "B C f h w"]
) -> Float[Tensor, "B F 3 H W"]:
    frames = encoding.frames_at_once or latents.shape[2]
    clips = [torch.split(clip, frames, 2) for clip in torch.split(latents, 1)]
    return torch.cat(
        [torch.cat([encoding.codec.decode(part) for part in clip], 1) for clip in clips]
    )


def _dot(a: Float[Tensor, "B ..."], b: Float[Tensor, "B ..."]) -> Float[Tensor, " B"]:
    return (a * b).flatten(1).sum(1)


class _ThroughDecoder(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, encoding: DecoderGradientCodec, video: Tensor) -> Tensor:
        latents = _encoded(encoding, video)
        ctx.encoding = encoding
        ctx.save_for_backward(video, latents)
        return latents

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor]:
        video, latents = ctx.saved_tensors
        with torch.no_grad():
            return None, seen_gradient(ctx.encoding, video, latents, gradient)
