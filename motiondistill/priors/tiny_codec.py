"""Codecs of tiny autoencoders, and how far their gradients are from the full one's."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, final

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill.priors.base import Codec, VideoFormat
from motiondistill.priors.placement import PlacedCodec
from motiondistill.priors.tiny_autoencoder import TinyAutoencoder, load_tiny_autoencoder
from motiondistill.priors.weights import Part, load_network

_PROBE_SIDE: Final = 128  # pixels; details do not matter for how codecs compare
_PROBE_FRAMES: Final = 9


@final
@dataclass(frozen=True)
class TinyVideoCodec(Codec):
    """A tiny video autoencoder in place of a family's own, with that one's rules for clips."""

    network: TinyAutoencoder
    video_format: VideoFormat

    @property
    def format(self) -> VideoFormat:
        return self.video_format

    def encode(self, video: Float[Tensor, "B F 3 H W"]) -> Float[Tensor, "B C f h w"]:
        weight = next(self.network.parameters())
        return self.network.encode(video.to(weight)).transpose(1, 2).to(video)

    def decode(self, latents: Float[Tensor, "B C f h w"]) -> Float[Tensor, "B F 3 H W"]:
        weight = next(self.network.parameters())
        return self.network.decode(latents.transpose(1, 2).to(weight)).to(latents)

    def latent_shape(self, frames: int, height: int, width: int) -> tuple[int, int, int, int]:
        sizes = self.network.architecture
        side = sizes.pixels_per_latent
        length = -(-frames // sizes.frames_per_latent)
        return sizes.latent_channels, length, height // side, width // side


@final
@dataclass(frozen=True)
class TinyFrameCodec(Codec):
    """A tiny image autoencoder (diffusers' `AutoencoderTiny`) on every frame by itself."""

    network: Any
    video_format: VideoFormat

    @property
    def format(self) -> VideoFormat:
        return self.video_format

    def encode(self, video: Float[Tensor, "B F 3 H W"]) -> Float[Tensor, "B C f h w"]:
        centred = (video * 2 - 1).flatten(0, 1).to(self.network.dtype)
        frames: Tensor = self.network.encode(centred).latents.to(video)
        latents = frames.view(*video.shape[:2], *frames.shape[1:]).transpose(1, 2)
        shift, scale = self._statistics()
        return (latents - shift) * scale

    def decode(self, latents: Float[Tensor, "B C f h w"]) -> Float[Tensor, "B F 3 H W"]:
        shift, scale = self._statistics()
        frames = latents.transpose(1, 2) / scale + shift
        centred: Tensor = self.network.decode(frames.flatten(0, 1).to(self.network.dtype)).sample
        video = (centred.to(latents) / 2 + 0.5).clamp(0, 1)
        return video.view(*frames.shape[:2], *video.shape[1:])

    def latent_shape(self, frames: int, height: int, width: int) -> tuple[int, int, int, int]:
        side = 2 ** (len(self.network.config.encoder_block_out_channels) - 1)
        return self.network.config.latent_channels, frames, height // side, width // side

    def _statistics(self) -> tuple[float, float]:
        """What is subtracted from raw latents, and what they are multiplied by then."""
        return self.network.config.shift_factor, self.network.config.scaling_factor


def load_tiny_codec(path: Path, full: Codec, dtype: torch.dtype = torch.float32) -> Codec:
    """The tiny codec in a file of the TAEHV family or in a folder of an `AutoencoderTiny`.

    `full` is the codec that it replaces, on whose device it works: latents of another shape raise
    ValueError. So do files that hold something else; missing ones raise FileNotFoundError.
    """
    if isinstance(full, PlacedCodec):
        tiny = _load(path, full.codec, full.device, dtype)
        codec: Codec = PlacedCodec(tiny, full.device)
    else:
        codec = _load(path, full, "cpu", dtype)
    clip = full.format.frames, full.format.height, full.format.width
    ours, theirs = codec.latent_shape(*clip), full.latent_shape(*clip)
    if ours != theirs:
        raise ValueError(
            f"`{path}` must make latents of the prior's shape {theirs}, got {ours}; choose the "
            "tiny autoencoder that was made for this family."
        )
    return codec


def _load(path: Path, full: Codec, device: torch.device | str, dtype: torch.dtype) -> Codec:
    if path.is_dir():
        part = Part(path, "diffusers.AutoencoderTiny")
        return TinyFrameCodec(load_network(part, device, dtype), full.format)
    network = load_tiny_autoencoder(path).to(device, dtype)
    # Its decoder gives n r + 1 frames, whatever else the family's own can.
    step = max(network.architecture.frames_per_latent, full.format.frame_step)
    rules = dataclasses.replace(full.format, frame_step=step, frame_offset=1)
    return TinyVideoCodec(network, rules)


def gradient_cosine(
    full: Codec,
    tiny: Codec,
    video: Float[Tensor, "B F 3 H W"],
    target: Float[Tensor, "B F 3 H W"],
) -> float:
    """The cosine between the pixel gradients that two codecs make of one gradient in latents.

    That is the full codec's latents of the video minus those of the target: what would move the
    one towards the other. 1 is as good as the full codec, 0 is of no use.
    """
    with torch.no_grad():
        wanted = full.encode(video) - full.encode(target)
    ours, theirs = (_pixel_gradient(codec, video, wanted) for codec in (full, tiny))
    return float(torch.nn.functional.cosine_similarity(ours.flatten(), theirs.flatten(), dim=0))


def probe(codec: Codec) -> tuple[Float[Tensor, "1 F 3 H W"], Float[Tensor, "1 F 3 H W"]]:
    """Two short clips that the codec can take: a bright disc goes right, or left, before a wall."""
    rules = codec.format
    step, offset = rules.frame_step, rules.frame_offset
    frames = rules.frames
    if step:
        frames = min(frames, offset + step * max(1, (_PROBE_FRAMES - offset) // step))
    height, width = (
        min(side, -(-_PROBE_SIDE // rules.size_step) * rules.size_step)
        for side in (rules.height, rules.width)
    )
    return _moving_disc(frames, height, width, 1.0), _moving_disc(frames, height, width, -1.0)


def _moving_disc(frames: int, height: int, width: int, way: float) -> Float[Tensor, "1 F 3 H W"]:
    """A disc of a quarter of the image that crosses half of it."""
    y, x = torch.meshgrid(
        torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij"
    )
    centre = way * torch.linspace(-0.5, 0.5, frames)[:, None, None]
    # A soft edge of about a pixel: nothing that an encoder was trained on is sharper.
    inside = torch.sigmoid((0.25 - torch.hypot(x - centre, y.expand(frames, -1, -1))) * height)
    wall = 0.4 + 0.2 * y
    colours = torch.tensor([0.9, 0.7, 0.5])[:, None, None]
    return (wall + inside[:, None] * (colours - wall))[None]


def _pixel_gradient(
    codec: Codec, video: Float[Tensor, "B F 3 H W"], wanted: Float[Tensor, "B C f h w"]
) -> Float[Tensor, "B F 3 H W"]:
    leaf = video.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(codec.encode(leaf), leaf, wanted)
    return gradient
