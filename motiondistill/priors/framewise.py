"""Image autoencoders as video codecs: every frame by itself."""

from dataclasses import dataclass
from typing import Any, final

from jaxtyping import Float
from torch import Tensor

from motiondistill.priors.base import Codec, VideoFormat


@final
@dataclass(frozen=True)
class FramewiseCodec(Codec):
    """An image autoencoder on every frame by itself; latents are scaled to about unit variance."""

    vae: Any
    video_format: VideoFormat

    @property
    def format(self) -> VideoFormat:
        return self.video_format

    def encode(self, video: Float[Tensor, "B F 3 H W"]) -> Float[Tensor, "B C f h w"]:
        centred = (video * 2 - 1).flatten(0, 1).to(self.vae.dtype)
        mode: Tensor = self.vae.encode(centred).latent_dist.mode().to(video)
        frames = mode.view(*video.shape[:2], *mode.shape[1:])
        shift, scale = self._statistics()
        return (frames.transpose(1, 2) - shift) * scale

    def decode(self, latents: Float[Tensor, "B C f h w"]) -> Float[Tensor, "B F 3 H W"]:
        shift, scale = self._statistics()
        frames = latents.transpose(1, 2) / scale + shift
        centred: Tensor = self.vae.decode(frames.flatten(0, 1).to(self.vae.dtype)).sample
        video = (centred.to(latents) / 2 + 0.5).clamp(0, 1)
        return video.view(*frames.shape[:2], *video.shape[1:])

    def latent_shape(self, frames: int, height: int, width: int) -> tuple[int, int, int, int]:
        space = space_ratio(self.vae)
        return self.vae.config.latent_channels, frames, height // space, width // space

    def _statistics(self) -> tuple[float, float]:
        """What is subtracted from raw latents, and what they are multiplied by then."""
        config = self.vae.config
        return config.get("shift_factor") or 0.0, config.scaling_factor


def space_ratio(vae: Any) -> int:
    """How many pixels one latent is wide and high."""
    ratio: int = 2 ** (len(vae.config.block_out_channels) - 1)
    return ratio
