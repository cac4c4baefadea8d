"""No autoencoder: latents that are the pixels."""

from dataclasses import dataclass
from typing import Final, final

from jaxtyping import Float
from torch import Tensor

from motiondistill.priors.base import Codec, VideoFormat

PIXEL_CHANNELS: Final = 3


@final
@dataclass(frozen=True)
class PixelCodec(Codec):
    """The latents are the pixels, in [-1, 1]."""

    video_format: VideoFormat

    @property
    def format(self) -> VideoFormat:
        return self.video_format

    def encode(self, video: Float[Tensor, "B F 3 H W"]) -> Float[Tensor, "B C f h w"]:
        return (video * 2 - 1).transpose(1, 2)

    def decode(self, latents: Float[Tensor, "B C f h w"]) -> Float[Tensor, "B F 3 H W"]:
        return (latents.transpose(1, 2) / 2 + 0.5).clamp(0, 1)

    def latent_shape(self, frames: int, height: int, width: int) -> tuple[int, int, int, int]:
        return PIXEL_CHANNELS, frames, height, width
