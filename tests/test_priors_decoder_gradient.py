"""The gradient that comes back through the decoder: exact for rotations, a projection elsewhere."""

import dataclasses
from dataclasses import dataclass
from typing import final, get_args, get_type_hints

import pytest
import torch
from test_priors_encode_modes import differentiate, draw, draw_video, plain
from tiny_codecs import SIZES, tiny_codec
from torch import Tensor

from motiondistill.building.prior import make_prior
from motiondistill.priors.base import Codec, VideoFormat
from motiondistill.priors.decoder_gradient import (
    DecoderGradientCodec,
    seen_gradient,
    through_decoder,
)
from motiondistill.priors.placement import PlacedCodec
from motiondistill.schema.prior import PriorConfig

# Random networks bend a lot, so steps must be short, as float64 allows. What rounding leaves.
STEP, ROUNDING = 1e-6, 2e-2
# The library computes parts of this one in float32: it needs longer steps to feel anything.
SINGLE, SINGLE_STEP, SINGLE_ROUNDING = "ltx", 1e-5, 0.1


@final
@dataclass(frozen=True)
class TurnedPatches(Codec):
    """Latents are patches of 2x2 pixels, turned in their twelve dimensions and scaled."""

    turn: Tensor
    scale: float

    @property
    def format(self) -> VideoFormat:
        return VideoFormat(8.0, 3, 8, 8)

    def encode(self, video: Tensor) -> Tensor:
        patches = torch.nn.functional.pixel_unshuffle(video, 2)
        return self.scale * torch.einsum("cd,bfdhw->bcfhw", self.turn, patches)

    def decode(self, latents: Tensor) -> Tensor:
        patches = torch.einsum("cd,bcfhw->bfdhw", self.turn, latents) / self.scale
        return torch.nn.functional.pixel_shuffle(patches, 2)

    def latent_shape(self, frames: int, height: int, width: int) -> tuple[int, int, int, int]:
        return 12, frames, height // 2, width // 2


@pytest.fixture
def turned() -> TurnedPatches:
    return TurnedPatches(torch.linalg.qr(draw(12, 12)).Q, 3.0)


def test_where_the_encoder_turns_and_scales_the_gradient_is_exact(turned):
    video = draw(2, 3, 3, 8, 8, seed=1).sigmoid()
    latents, exact, _ = differentiate(turned.encode, video)
    ours, gradient, _ = differentiate(through_decoder(turned).encode, video)
    assert torch.equal(ours, latents)
    assert (gradient - exact).abs().max() < 1e-10 * exact.abs().max()


@pytest.mark.parametrize("name", SIZES)
def test_elsewhere_it_is_the_exact_gradients_projection(name):
    """So it points downhill, and what is missing is at right angles to it."""
    video = draw_video(name)
    latents, exact, _ = differentiate(plain(name), video)
    step, rounding = (SINGLE_STEP, SINGLE_ROUNDING) if name == SINGLE else (STEP, ROUNDING)
    codec = through_decoder(tiny_codec(name))
    codec = dataclasses.replace(codec, latent_step=step, pixel_step=step)
    ours, gradient, kept = differentiate(codec.encode, video)
    assert torch.equal(ours, latents)
    # The latents are kept as a view of mean and variance.
    assert kept <= video.nbytes + 2 * latents.nbytes
    assert (gradient.abs().amax(dim=(0, 2, 3, 4)) > 0).all(), "some frame gets no gradient"
    along = (exact * gradient).sum()
    assert 0 < gradient.square().sum() < exact.square().sum()
    assert abs(along / gradient.square().sum() - 1) < rounding


def test_a_clip_without_gradient_gets_none_and_spoils_no_other(turned):
    video = draw(2, 3, 3, 8, 8, seed=1).sigmoid()
    codec, latents = DecoderGradientCodec(turned), turned.encode(video)
    gradient = draw(*latents.shape)
    alone = seen_gradient(codec, video[1:], latents[1:], gradient[1:])
    gradient[0] = 0
    both = seen_gradient(codec, video, latents, gradient)
    assert (both[0] == 0).all()
    assert torch.allclose(both[1:], alone)


def test_the_device_is_chosen_outside_of_the_mode():
    codec = through_decoder(PlacedCodec(tiny_codec("frames"), "cpu"))
    assert isinstance(codec, PlacedCodec)
    assert isinstance(codec.codec, DecoderGradientCodec)


def test_all_else_is_the_codecs(turned):
    wrapped = through_decoder(turned)
    latents = turned.encode(draw(1, 3, 3, 8, 8))
    assert wrapped.format == turned.format
    assert wrapped.latent_shape(3, 8, 8) == (12, 3, 4, 4)
    assert torch.equal(wrapped.decode(latents), turned.decode(latents))


@pytest.mark.parametrize("name", get_args(get_type_hints(PriorConfig)["encode"]))
def test_every_mode_has_a_name_that_brings_it_to_a_prior(name):
    """The shipped codec paints what it encodes, so even its projected gradient points downhill."""
    video = draw(1, 16, 3, 64, 64).sigmoid().float()
    latents, exact, kept = differentiate(make_prior(PriorConfig(), 0).encode, video)
    ours, gradient, less = differentiate(make_prior(PriorConfig(encode=name), 0).encode, video)
    # Frames one by one are summed in another order.
    assert torch.allclose(ours, latents, atol=1e-4)
    assert less == kept if name == "graph" else less < 0.1 * kept
    if name == "latent":
        assert 0 < torch.cosine_similarity(gradient.flatten(), exact.flatten(), dim=0) < 0.9
    else:
        assert torch.allclose(gradient, exact, atol=1e-4 * float(exact.abs().max()))
