"""Where the parts of a prior are held, and how its networks serve callers from elsewhere."""

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill.priors.base import Codec, Conditioning, Denoiser, VideoFormat


@final
@dataclass(frozen=True)
class Placement:
    """Device and precision of every part.

    Half precision is of weights and of what flows through the network: latents, noise, clean
    estimates and guidance stay in single precision outside it. The autoencoder has its own, because
    pixels get their gradient through it, and some overflow in float16; so do T5 encoders.
    """

    device: torch.device | str = "cpu"
    text_device: torch.device | str = "cpu"
    dtype: torch.dtype = torch.float32
    """Of the denoiser; modules that the library keeps in single precision stay there."""
    vae_dtype: torch.dtype = torch.float32
    text_dtype: torch.dtype = torch.float32
    batch_size: int | None = None
    """Clips that the denoiser gets at once; None is all of them, with and without the prompt."""

    def of(self, part: str) -> tuple[torch.device | str, torch.dtype]:
        """Device and precision of the part of that name in `model_index.json`."""
        if part.startswith("text_encoder"):
            return self.text_device, self.text_dtype
        return self.device, self.vae_dtype if part == "vae" else self.dtype


@final
@dataclass(frozen=True)
class PlacedCodec(Codec):
    """A codec on its own device; tensors from elsewhere travel there and back, and so gradients."""

    codec: Codec
    device: torch.device | str

    @property
    def format(self) -> VideoFormat:
        return self.codec.format

    def encode(self, video: Float[Tensor, "B F 3 H W"]) -> Float[Tensor, "B C f h w"]:
        return self.codec.encode(video.to(self.device)).to(video.device)

    def decode(self, latents: Float[Tensor, "B C f h w"]) -> Float[Tensor, "B F 3 H W"]:
        return self.codec.decode(latents.to(self.device)).to(latents.device)

    def latent_shape(self, frames: int, height: int, width: int) -> tuple[int, int, int, int]:
        return self.codec.latent_shape(frames, height, width)


@final
@dataclass(frozen=True)
class PlacedDenoiser(Denoiser):
    """A denoiser on its own device, which gets at most so many clips at once.

    With one at a time, guidance takes half the memory and about the same time where the network is
    large enough to keep the device busy with a single clip.
    """

    denoiser: Denoiser
    device: torch.device | str
    batch_size: int | None = None

    def predict(
        self,
        scaled: Float[Tensor, "B C f h w"],
        time: Float[Tensor, " B"],
        conditioning: Conditioning,
    ) -> Float[Tensor, "B C f h w"]:
        size = self.batch_size or len(scaled)
        outputs = [
            self.denoiser.predict(
                scaled[start : start + size].to(self.device),
                time[start : start + size].to(self.device),
                _moved(conditioning[start : start + size], self.device),
            ).to(scaled.device)
            for start in range(0, len(scaled), size)
        ]
        return torch.cat(outputs)

    def randomized(self, generator: torch.Generator) -> "PlacedDenoiser":
        return PlacedDenoiser(self.denoiser.randomized(generator), self.device, self.batch_size)


def _moved(conditioning: Conditioning, device: torch.device | str) -> Conditioning:
    return Conditioning({name: row.to(device) for name, row in conditioning.tensors.items()})
