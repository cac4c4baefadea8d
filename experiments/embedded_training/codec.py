"""The training of the codec, and its latents made to have zero mean and unit deviation."""

import math
from typing import Any, Final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from embedded_training.clips import Clips
from embedded_training.denoising import Batch
from embedded_training.networks import CHANNELS, SHRINKAGE

BATCH: Final = 24
"""Frames a step."""
RATE: Final = 2e-3
"""The peak of the learning rate."""

_BODY_WEIGHT = 5.0
# How far a pixel is from the flat background of its row to belong to the body, in sRGB.
_DIFFERENT = 0.03
_ABSOLUTE, _DIVERGENCE = 0.02, 1e-6
# The log variance of latents with which a codec is trained on: a twentieth of their deviation.
_LOG_VARIANCE = -6.0


class Rebuilding(nn.Module):
    """A codec and its error; errors on the moving body count more than on what surrounds it.

    A codec of images takes images, one of videos clips.
    """

    def __init__(self, codec: Any) -> None:
        super().__init__()
        self.codec = codec

    def forward(
        self,
        images: Float[Tensor, "B 3 *frames height width"],
        noise: Float[Tensor, "B C *f h w"],
    ) -> Float[Tensor, " B"]:
        """The loss of each image or clip (sRGB in [0, 1])."""
        posterior = self.codec.encode(images * 2 - 1).latent_dist
        latents = posterior.mean + posterior.std * noise
        error = self.codec.decode(latents).sample * 0.5 + 0.5 - images
        size = error.square() + _ABSOLUTE * error.abs()
        loss: Tensor = ((1 + _BODY_WEIGHT * sees_body(images)) * size).flatten(1).mean(1)
        # Diffusers' sum leaves the last axis of a clip's latents.
        divergence = posterior.kl().view(len(images), -1).sum(1) / math.prod(images.shape[2:-2])
        return loss + _DIVERGENCE * divergence


def sees_body(
    images: Float[Tensor, "B 3 *frames height width"],
) -> Float[Tensor, "B 1 *frames height width"]:
    """One where a pixel differs from both ends of its row: ground and sky have one colour a row."""
    edges = (images[..., :1], images[..., -1:])
    differs = [(images - edge).abs().amax(1, keepdim=True) > _DIFFERENT for edge in edges]
    return (differs[0] & differs[1]).to(images)


def frame_images(clips: Clips, size: int, generator: torch.Generator) -> Batch:
    """What `Rebuilding` asks for, of random frames."""
    clip = torch.randint(len(clips), (size,), generator=generator)
    frame = torch.randint(clips.num_frames, (size,), generator=generator)
    images = clips.frames(clip, frame).float() / 255
    shape = (size, CHANNELS, *(side // SHRINKAGE for side in images.shape[-2:]))
    return {"images": images, "noise": torch.randn(shape, generator=generator)}


@torch.no_grad()
def with_little_noise(codec: Any) -> Any:
    """The codec with the same little spread of its latents everywhere; what it rebuilds stays.

    Pipelines read the mode alone, so a shipped codec may have any spread, such as one in which the
    first steps of a further training would drown. It is changed in place.
    """
    codec.quant_conv.weight[CHANNELS:] = 0
    codec.quant_conv.bias[CHANNELS:] = _LOG_VARIANCE
    return codec


@torch.no_grad()
def normalise(codec: Any, latents: Float[Tensor, "N C f h w"]) -> None:
    """Folds zero mean and unit deviation per channel into the 1x1 convolutions around the latents.

    `latents` are what the codec makes now of many clips. The pipeline knows only one scale for all
    channels, so the codec itself must give such latents. What it rebuilds stays the same.
    """
    mean = latents.mean((0, 2, 3, 4)).to(codec.device)
    std = latents.std((0, 2, 3, 4)).to(codec.device)
    inward, outward = codec.quant_conv, codec.post_quant_conv
    outward.bias += outward.weight[..., 0, 0] @ mean
    outward.weight *= std[None, :, None, None]
    inward.weight[:CHANNELS] /= std[:, None, None, None]
    inward.bias[:CHANNELS] = (inward.bias[:CHANNELS] - mean) / std
    inward.bias[CHANNELS:] -= 2 * std.log()  # the log variance
