"""What encoding with its gradient and denoising take, by networks without weights."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch

from motiondistill.priors.base import Codec, DiffusersPrior, VideoFormat
from motiondistill.priors.costs import Cost, denoising_cost, empty_conditioning, encoding_cost
from motiondistill.priors.decoder_gradient import through_decoder
from motiondistill.priors.encode_modes import checkpointed, two_pass
from motiondistill.priors.outline import published_outline
from motiondistill.priors.placement import Placement
from motiondistill.priors.published import PUBLISHED

COMMON = (17, 256, 256)  # frames, height, width
HALF = torch.bfloat16
PLACEMENT = Placement(dtype=HALF, vae_dtype=HALF, text_dtype=HALF)
MODES: Mapping[str, Callable[[Codec], Codec]] = {
    "graph": lambda codec: codec,
    "checkpointed": checkpointed,
    "two_pass": two_pass,
    "latent": through_decoder,
}

Size = tuple[int, int, int]


@dataclass(frozen=True)
class Row:
    """One prior at one size."""

    name: str
    size: Size
    parameters: Mapping[str, int]
    encoding: Mapping[str, Cost]
    """By mode."""
    denoising: Cost
    """One pass, without gradient."""

    @property
    def weights(self) -> int:
        """Bytes of all but the text encoders, which are gone by then, and idle second experts."""
        return HALF.itemsize * sum(
            count for part, count in self.parameters.items() if not part.startswith("text_encoder")
        )

    def peak(self, mode: str) -> int:
        """Bytes of a step: weights, and the most that encoding or denoising needs beside them."""
        cost = self.encoding[mode]
        return self.weights + max(cost.peak_bytes, cost.kept_bytes + self.denoising.peak_bytes)

    def flops(self, mode: str) -> float:
        """Of a step: encoding with its gradient, denoising with and without the prompt."""
        return self.encoding[mode].flops + 2 * self.denoising.flops


def parameters(name: str) -> Mapping[str, int]:
    """How many numbers every network holds, by its part's name."""
    return published_outline(name, PLACEMENT).parameters


def empty_prior(name: str) -> DiffusersPrior:
    """The prior on the meta device, without text encoders."""
    # A pass asks one of two experts, and they are alike.
    idle = [part for part in PUBLISHED[name].parts if part.startswith(("text", "transformer_2"))]
    return published_outline(name, PLACEMENT, left_out=idle).prior


def common_size(native: VideoFormat) -> Size:
    """The longest clip within `COMMON` that the prior can take."""
    if native.frame_step == 0:
        return (native.frame_offset, *COMMON[1:])
    frames = min(COMMON[0], native.frames)
    frames -= (frames - native.frame_offset) % native.frame_step
    return (frames, *COMMON[1:])


def measure(name: str, known: dict[tuple[str, Size], dict[str, Cost]]) -> Iterator[Row]:
    """The prior at the common size and at its own."""
    counts = parameters(name)
    prior = empty_prior(name)
    native = prior.format
    sizes = [(native.frames, native.height, native.width)]
    if "vae" in counts:  # models of pixels are made for one size
        sizes.insert(0, common_size(native))
    conditioning = empty_conditioning(PUBLISHED[name].prompt)
    for size in dict.fromkeys(sizes):
        denoising = denoising_cost(prior.denoiser, prior.latent_shape(*size), conditioning)
        yield Row(name, size, counts, encoding_costs(name, size, known), denoising)


def vae_key(name: str) -> str:
    """Alike for priors with one and the same autoencoder."""
    codec = empty_prior(name).codec
    return f"{type(getattr(codec, 'vae', None))} {PUBLISHED[name].parts.get('vae')}"


def encoding_costs(
    name: str, size: Size, known: dict[tuple[str, Size], dict[str, Cost]]
) -> dict[str, Cost]:
    """The cost of encoding by mode, measured once for all priors that share an autoencoder."""
    key = vae_key(name), size
    if key not in known:
        codec = empty_prior(name).codec
        # Modes leave their mark on the autoencoder, but none that a later one would not make.
        known[key] = {mode: encoding_cost(make(codec), *size) for mode, make in MODES.items()}
    return known[key]
