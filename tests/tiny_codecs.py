"""Every kind of autoencoder, tiny and with random weights, and the plainest codec around it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor

from motiondistill.priors import wan_encoder
from motiondistill.priors.base import Codec, VideoFormat
from motiondistill.priors.framewise import FramewiseCodec


@final
@dataclass(frozen=True)
class RawCodec(Codec):
    """The posterior's mean as it is: no family's scaling."""

    vae: Any
    video_format: VideoFormat
    mean: Callable[[Any, Tensor], Tensor]

    @property
    def format(self) -> VideoFormat:
        return self.video_format

    def encode(self, video: Tensor) -> Tensor:
        return self.mean(self.vae, video.transpose(1, 2) * 2 - 1)

    def decode(self, latents: Tensor) -> Tensor:
        return self.vae.decode(latents).sample.transpose(1, 2) / 2 + 0.5

    def latent_shape(self, frames: int, height: int, width: int) -> tuple[int, int, int, int]:
        raise NotImplementedError


def library_mean(vae: Any, centred: Tensor) -> Tensor:
    """The mean as the library computes it."""
    return vae.encode(centred).latent_dist.mode()


def frames() -> Any:
    """The autoencoder of Stable Diffusion."""
    import diffusers

    return diffusers.AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        block_out_channels=(8, 16, 16),
        layers_per_block=1,
        norm_num_groups=4,
        sample_size=32,
    )


def ltx() -> Any:
    """The first LTX-Video's, 8 times smaller in time and 32 in space."""
    import diffusers

    return diffusers.AutoencoderKLLTXVideo(
        latent_channels=8,
        block_out_channels=(8, 8, 8, 8),
        decoder_block_out_channels=(8, 8, 8, 8),
        layers_per_block=(1, 1, 1, 1, 1),
        decoder_layers_per_block=(1, 1, 1, 1, 1),
    )


def cogvideox() -> Any:
    """CogVideoX's."""
    import diffusers

    return diffusers.AutoencoderKLCogVideoX(
        block_out_channels=(8, 8, 8, 8), latent_channels=4, layers_per_block=1, norm_num_groups=2
    )


def hunyuan() -> Any:
    """HunyuanVideo's."""
    import diffusers

    return diffusers.AutoencoderKLHunyuanVideo(
        latent_channels=4, block_out_channels=(8, 8, 8, 8), layers_per_block=1, norm_num_groups=4
    )


def mochi() -> Any:
    """Mochi's."""
    import diffusers

    return diffusers.AutoencoderKLMochi(
        latent_channels=4,
        encoder_block_out_channels=(32, 32, 32, 32),
        decoder_block_out_channels=(32, 32, 32, 32),
        layers_per_block=(1, 1, 1, 1, 1),
        out_channels=3,
    )


def wan21() -> Any:
    """Wan 2.1's: plain blocks, the last of them without downsampling in time."""
    import diffusers

    return diffusers.AutoencoderKLWan(
        base_dim=8, z_dim=4, dim_mult=[1, 2, 2, 2], temperal_downsample=[False, True, True]
    )


def wan22() -> Any:
    """Wan 2.2's: patches of pixels, and blocks with shortcuts around their downsampling."""
    import diffusers

    return diffusers.AutoencoderKLWan(
        base_dim=8,
        decoder_base_dim=8,
        z_dim=4,
        dim_mult=[1, 2, 2, 2],
        temperal_downsample=[False, True, True],
        is_residual=True,
        in_channels=12,
        out_channels=12,
        patch_size=2,
        scale_factor_spatial=16,
    )


# Frames, and height and width in pixels, of the smallest clip that goes through all caches.
SIZES: Mapping[str, tuple[int, int]] = {
    "frames": (3, 16),
    "ltx": (9, 32),
    "cogvideox": (9, 16),
    "hunyuan": (9, 16),
    "mochi": (7, 16),
    "wan21": (13, 16),
    "wan22": (13, 32),
}


def tiny_codec(name: str) -> Codec:
    """The codec of this name in float64; fixed seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        vae = globals()[name]().double().eval().requires_grad_(False)
    num_frames, side = SIZES[name]
    video_format = VideoFormat(8.0, num_frames, side, side)
    if name == "frames":
        return FramewiseCodec(vae, video_format)
    mean = wan_encoder.posterior_mean if name.startswith("wan") else library_mean
    return RawCodec(vae, video_format, mean)
