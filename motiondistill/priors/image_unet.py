"""A denoiser of images, asked about every frame of a video by itself."""

from dataclasses import dataclass
from typing import Any, final

from jaxtyping import Float
from torch import Generator, Tensor

from motiondistill.priors.base import Conditioning, Denoiser
from motiondistill.priors.frames import as_images, as_video, per_frame
from motiondistill.priors.random_weights import reinitialized


@final
@dataclass(frozen=True)
class ImageUNet(Denoiser):
    """A `UNet2DConditionModel` that reads nothing but the text.

    Some predict a variance in further channels, which is not used.
    """

    unet: Any

    def predict(
        self,
        scaled: Float[Tensor, "B C f h w"],
        time: Float[Tensor, " B"],
        conditioning: Conditioning,
    ) -> Float[Tensor, "B C f h w"]:
        dtype = self.unet.dtype
        output: Tensor = self.unet(
            as_images(scaled).to(dtype),
            per_frame(time, scaled),
            encoder_hidden_states=per_frame(conditioning.tensors["embeddings"].to(dtype), scaled),
            return_dict=False,
        )[0]
        return as_video(output[:, : scaled.shape[1]], scaled)

    def randomized(self, generator: Generator) -> "ImageUNet":
        return ImageUNet(reinitialized(self.unet, generator))


def check_unet(unet: Any, latent_channels: int) -> None:
    """Nothing, or a ValueError for a UNet that wants more than noisy latents, a time and a text."""
    if unet.config.in_channels != latent_channels:
        raise ValueError(
            f"`in_channels` of the UNet must be {latent_channels}, as many as the latents have, "
            f"got {unet.config.in_channels}; inpainting and editing models do not denoise alone."
        )
    if unet.config.get("time_cond_proj_dim") is not None:
        raise ValueError(
            "`time_cond_proj_dim` of the UNet must be null, got "
            f"{unet.config.time_cond_proj_dim}; models distilled into few steps have no score."
        )
