"""Tiny video autoencoders (TAEHV, Boer Bohan 2025): stand-ins for the large ones of many families.

They are trained to give a family's normalised latents, in a hundredth of its autoencoder's time.
Layers are plain images' but for two things: some see the frame before, too, and some merge frames
or split them. Published weights differ only in sizes, which their shapes tell.

Layout and behaviour as in https://github.com/madebyollin/taehv (MIT), commit 1f14a56.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

import torch
from jaxtyping import Float
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from motiondistill.priors.pickled import named_tensors, read_pickled

STAGES: Final = 3
"""Times that the encoder halves height and width."""
_ENCODER_WIDTH: Final = 64
_DECODER_WIDTHS: Final = {False: (256, 128, 64, 64), True: (512, 256, 128, 64)}  # by `wide`
_LAYERS_PER_STAGE: Final = 5  # of the encoder: merge, shrink, three blocks
_BLOCKS: Final = 3
_LATENT_LIMIT: Final = 3.0
_COLOURS: Final = 3
_PLAIN: Final = "get a file from github.com/madebyollin/taehv, which holds tensors alone"


@final
@dataclass(frozen=True)
class TinyArchitecture:
    """Sizes that the published weights differ in."""

    latent_channels: int = 16
    patch: int = 1
    """Pixels that are one for the networks, squared."""
    frame_merges: tuple[int, int, int] = (2, 2, 1)
    """Frames that each stage of the encoder makes one."""
    frame_splits: tuple[int, int, int] = (1, 2, 2)
    """Frames that each stage of the decoder makes of one."""
    wide: bool = False
    """Whether the decoder is the larger one."""

    @property
    def frames_per_latent(self) -> int:
        """How many frames one latent stands for."""
        merges = self.frame_merges
        return merges[0] * merges[1] * merges[2]

    @property
    def pixels_per_latent(self) -> int:
        """How many pixels one latent is wide and high."""
        return int(self.patch * 2**STAGES)

    @classmethod
    def of(cls, weights: Mapping[str, Tensor]) -> "TinyArchitecture":
        """The architecture of published weights, read off their shapes.

        Raises KeyError for weights that lack a layer, ValueError for a decoder that makes more or
        fewer frames than its encoder takes.
        """

        def ratio(name: str, axis: int) -> int:
            shape = weights[f"{name}.conv.weight"].shape
            return shape[axis] // shape[1 - axis]

        first = weights["encoder.0.weight"].shape[1]
        patch = round((first / _COLOURS) ** 0.5)
        wide = "decoder.1.conv.1.weight" in weights
        merges = [2 + _LAYERS_PER_STAGE * stage for stage in range(STAGES)]
        splits = [7 * (stage + 1) for stage in range(STAGES)]
        if not wide:
            splits = [7 + 6 * stage for stage in range(STAGES)]
        last = 2 + _LAYERS_PER_STAGE * STAGES
        a, b, c = (ratio(f"encoder.{index}", 1) for index in merges)
        d, e, f = (ratio(f"decoder.{index}", 0) for index in splits)
        if a * b * c != d * e * f:
            raise ValueError(f"{a * b * c} frames to a latent, but {d * e * f} of it")
        return cls(len(weights[f"encoder.{last}.weight"]), patch, (a, b, c), (d, e, f), wide)


@final
class TinyAutoencoder(nn.Module):
    """Video in [0, 1] to normalised latents and back; layers stand where the weights have them."""

    def __init__(self, architecture: TinyArchitecture) -> None:
        super().__init__()
        self.architecture = architecture
        self.encoder = _encoder(architecture)
        self.decoder = _wide_decoder(architecture) if architecture.wide else _decoder(architecture)

    def encode(self, video: Float[Tensor, "B F 3 H W"]) -> Float[Tensor, "B f C h w"]:
        """The latents; the last frame is repeated until a latent's frames are complete."""
        missing = -video.shape[1] % self.architecture.frames_per_latent
        video = torch.cat([video, video[:, -1:].expand(-1, missing, -1, -1, -1)], dim=1)
        patches = nn.functional.pixel_unshuffle(video, self.architecture.patch)
        return _through(self.encoder, patches)

    def decode(self, latents: Float[Tensor, "B f C h w"]) -> Float[Tensor, "B F 3 H W"]:
        """The video of n r + 1 frames of n + 1 latents of r frames each, in [0, 1]."""
        patches = _through(self.decoder, latents)
        video = nn.functional.pixel_shuffle(patches, self.architecture.patch)
        return video[:, self.architecture.frames_per_latent - 1 :].clamp(0, 1)


def load_tiny_autoencoder(path: Path) -> TinyAutoencoder:
    """The frozen autoencoder in a published file, `.safetensors` or `.pth`, on the CPU in float32.

    Raises FileNotFoundError for a file that is missing, ValueError for one that is something else.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"`prior.tiny_autoencoder` must be a file or folder that exists, got {path}; "
            "check the path."
        )
    weights = _read(path)
    try:
        network = TinyAutoencoder(TinyArchitecture.of(weights))
        network.load_state_dict(weights)
    except (KeyError, IndexError, ValueError, RuntimeError, ZeroDivisionError) as error:
        raise ValueError(
            f"`{path}` must hold a tiny video autoencoder of the TAEHV family, but does not fit "
            f"one ({error}); get a file from github.com/madebyollin/taehv."
        ) from error
    return network.eval().requires_grad_(False)


@final
class MemoryBlock(nn.Module):
    """A residual block that sees the frame before, too; before the first there is nothing."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Sequential(
            _conv(2 * channels, channels),
            nn.ReLU(),
            _conv(channels, channels),
            nn.ReLU(),
            _conv(channels, channels),
        )

    def forward(self, video: Float[Tensor, "B F C H W"]) -> Float[Tensor, "B F C H W"]:
        return nn.functional.relu(_each(self.conv, _with_past(video)) + video)


@final
class WideMemoryBlock(nn.Module):
    """The larger decoder's block: a wide convolution of each channel, then two of single pixels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        twice, middle = 2 * channels, 4 * channels
        self.conv = nn.Sequential(
            nn.Conv2d(twice, twice, 7, padding=3, groups=twice, bias=False),
            nn.Conv2d(twice, middle, 1),
            nn.ReLU(),
            nn.Conv2d(middle, channels, 1, bias=False),
        )

    def forward(self, video: Float[Tensor, "B F C H W"]) -> Float[Tensor, "B F C H W"]:
        return _each(self.conv, _with_past(video)) + video


@final
class MergeFrames(nn.Module):
    """Every few frames become one."""

    def __init__(self, channels: int, frames: int) -> None:
        super().__init__()
        self.frames = frames
        self.conv = nn.Conv2d(frames * channels, channels, 1, bias=False)

    def forward(self, video: Float[Tensor, "B F C H W"]) -> Float[Tensor, "B f C H W"]:
        batch, frames, channels, height, width = video.shape
        merged = self.frames * channels
        return _each(self.conv, video.reshape(batch, frames // self.frames, merged, height, width))


@final
class SplitFrames(nn.Module):
    """Every frame becomes a few."""

    def __init__(self, channels: int, frames: int) -> None:
        super().__init__()
        self.frames = frames
        self.conv = nn.Conv2d(channels, frames * channels, 1, bias=False)

    def forward(self, video: Float[Tensor, "B f C H W"]) -> Float[Tensor, "B F C H W"]:
        return _each(self.conv, video).reshape(len(video), -1, *video.shape[2:])


@final
class Limit(nn.Module):
    """Latents kept within what the decoder was trained on."""

    def forward(self, latents: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
        return torch.tanh(latents / _LATENT_LIMIT) * _LATENT_LIMIT


_VIDEO_LAYERS: Final = (MemoryBlock, WideMemoryBlock, MergeFrames, SplitFrames)


def _encoder(architecture: TinyArchitecture) -> nn.Sequential:
    width = _ENCODER_WIDTH
    layers: list[nn.Module] = [_conv(_COLOURS * architecture.patch**2, width), nn.ReLU()]
    for frames in architecture.frame_merges:
        shrink = nn.Conv2d(width, width, 3, stride=2, padding=1, bias=False)
        blocks = [MemoryBlock(width) for _ in range(_BLOCKS)]
        layers += [MergeFrames(width, frames), shrink, *blocks]
    return nn.Sequential(*layers, _conv(width, architecture.latent_channels))


def _decoder(architecture: TinyArchitecture) -> nn.Sequential:
    widths = _DECODER_WIDTHS[False]
    layers = [Limit(), _conv(architecture.latent_channels, widths[0]), nn.ReLU()]
    for frames, width, narrower in zip(architecture.frame_splits, widths, widths[1:], strict=False):
        thinned = nn.Conv2d(width, narrower, 3, padding=1, bias=False)
        blocks = [MemoryBlock(width) for _ in range(_BLOCKS)]
        layers += [*blocks, nn.Upsample(scale_factor=2), SplitFrames(width, frames), thinned]
    return nn.Sequential(*layers, nn.ReLU(), _conv(widths[-1], _COLOURS * architecture.patch**2))


def _wide_decoder(architecture: TinyArchitecture) -> nn.Sequential:
    widths = _DECODER_WIDTHS[True]
    layers: list[nn.Module] = [nn.Conv2d(architecture.latent_channels, widths[0], 1, bias=False)]
    for frames, width, narrower in zip(architecture.frame_splits, widths, widths[1:], strict=False):
        blocks = [WideMemoryBlock(width) for _ in range(_BLOCKS)]
        enlarge = [_conv(width, 4 * narrower), nn.ReLU(), nn.PixelShuffle(2)]
        layers += [*blocks, *enlarge, SplitFrames(narrower, frames)]
    return nn.Sequential(*layers, _conv(widths[-1], _COLOURS * architecture.patch**2))


def _through(
    layers: nn.Sequential, video: Float[Tensor, "B F C H W"]
) -> Float[Tensor, "B f c h w"]:
    for layer in layers:
        video = layer(video) if isinstance(layer, _VIDEO_LAYERS) else _each(layer, video)
    return video


def _each(layer: nn.Module, video: Float[Tensor, "B F C H W"]) -> Float[Tensor, "B F c h w"]:
    """The layer on every frame by itself."""
    images: Tensor = layer(video.flatten(0, 1))
    return images.view(*video.shape[:2], *images.shape[1:])


def _with_past(video: Float[Tensor, "B F C H W"]) -> Float[Tensor, "B F twice H W"]:
    """Every frame with the one before as further channels."""
    past = nn.functional.pad(video, (0, 0, 0, 0, 0, 0, 1, -1))
    return torch.cat([video, past], dim=2)


def _conv(channels: int, out_channels: int) -> nn.Conv2d:
    return nn.Conv2d(channels, out_channels, 3, padding=1)


def _read(path: Path) -> dict[str, Tensor]:
    if path.suffix != ".safetensors":
        return named_tensors(path, read_pickled(path, remedy=_PLAIN))
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise ValueError(
            f"`{path}` must be a complete safetensors file ({error}); copy it anew."
        ) from error
