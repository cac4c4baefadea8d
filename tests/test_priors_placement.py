"""Precision, device, batches and memory of a prior's weights."""

import shutil

import pytest
import tiny_wan
import torch
from parity import draw
from safetensors.torch import load_file
from test_priors_weights import PARTS, PROMPT, estimate
from tiny_families import TINY
from tiny_latte import save_tiny

from motiondistill.priors import memory
from motiondistill.priors.base import Denoiser
from motiondistill.priors.loading import load_prior, randomized
from motiondistill.priors.placement import PlacedCodec, PlacedDenoiser, Placement

SINGLE = 1e-4  # float32 through a random network
BFLOAT = 0.1  # bfloat16 keeps two to three digits, through a few layers


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return save_tiny(tmp_path_factory.mktemp("priors") / "whole")


@pytest.fixture(scope="module")
def prior(whole):
    return load_prior(whole)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_stays_inside_of_the_networks(prior, whole, dtype):
    half = load_prior(whole, Placement(dtype=dtype, vae_dtype=dtype, text_dtype=torch.bfloat16))
    networks = half.codec.vae, half.denoiser.transformer
    assert all({p.dtype for p in n.parameters()} == {dtype} for n in networks)
    assert half.embed([PROMPT]).tensors["embeddings"].dtype == torch.bfloat16
    for ours, exact in zip(estimate(half), estimate(prior), strict=True):
        assert ours.dtype == torch.float32
        assert 0 < (ours - exact).abs().max() < BFLOAT * exact.abs().max()


@pytest.mark.slow
@pytest.mark.parametrize("tiny", TINY, ids=lambda module: module.__name__)
def test_every_family_works_with_bfloat16_weights(tiny, tmp_path):
    folder = tiny.save_tiny(tmp_path / "tiny")
    exact = load_prior(folder)
    ours = load_prior(folder, Placement(dtype=torch.bfloat16, text_dtype=torch.bfloat16))
    size = exact.format.frames, exact.format.height, exact.format.width
    x, sigma = draw(1, *exact.latent_shape(*size)), exact.snap(torch.tensor([1.0]))
    with torch.no_grad():
        inexact, known = (p.denoise(x, sigma, p.embed([PROMPT])) for p in (ours, exact))
    assert inexact.dtype == torch.float32
    assert 0 < (inexact - known).norm() < BFLOAT * known.norm()


def test_modules_that_need_single_precision_keep_it(tmp_path):
    folder = tiny_wan.save_tiny(tmp_path / "tiny")
    prior = load_prior(folder, Placement(dtype=torch.bfloat16))
    fresh = randomized(prior, torch.Generator().manual_seed(0))
    types = [
        {name: weight.dtype for name, weight in p.denoiser.transformer.named_parameters()}
        for p in (prior, fresh)
    ]
    assert types[0] == types[1]
    assert set(types[0].values()) == {torch.float32, torch.bfloat16}


def test_each_part_has_its_own_precision(whole):
    mixed = load_prior(whole, Placement(dtype=torch.bfloat16))
    assert mixed.codec.vae.dtype == torch.float32
    assert mixed.denoiser.transformer.dtype == torch.bfloat16
    assert mixed.embed([PROMPT]).tensors["embeddings"].dtype == torch.float32


@pytest.mark.slow
def test_gradients_in_pixels_are_single_precision_beside_half_weights(whole, prior):
    half = load_prior(whole, Placement(vae_dtype=torch.bfloat16))
    video = draw(1, 16, 3, 64, 64).sigmoid().requires_grad_()
    weights = draw(*half.encode(video).shape)
    ours, exact = (
        torch.autograd.grad((p.encode(video) * weights).sum(), video)[0] for p in (half, prior)
    )
    assert ours.dtype == torch.float32
    assert torch.nn.functional.cosine_similarity(ours.flatten(), exact.flatten(), 0) > 0.999


@pytest.mark.parametrize("size", [1, 2, 3, 8])
def test_batches_give_what_all_clips_at_once_give(prior, whole, size):
    parted = load_prior(whole, Placement(batch_size=size))
    assert isinstance(parted.denoiser, PlacedDenoiser)
    assert (estimate(parted, clips=5)[0] - estimate(prior, clips=5)[0]).abs().max() < SINGLE


def test_the_denoiser_gets_no_more_clips_than_allowed(prior):
    seen = []

    class Spy(Denoiser):
        def predict(self, scaled, time, conditioning):
            seen.append((len(scaled), len(time), len(conditioning)))
            return scaled

        def randomized(self, generator):
            return self

    x = draw(5, 4, 16, 16, 16)
    output = PlacedDenoiser(Spy(), "cpu", 2).predict(x, torch.ones(5), prior.embed([PROMPT] * 5))
    assert torch.equal(output, x)
    assert seen == [(2, 2, 2), (2, 2, 2), (1, 1, 1)]


def test_placed_parts_pass_values_and_gradients_through(prior):
    codec = PlacedCodec(prior.codec, "cpu")
    video = draw(1, 16, 3, 64, 64).sigmoid().requires_grad_()
    ours, theirs = codec.encode(video), prior.codec.encode(video)
    assert torch.equal(ours, theirs)
    gradients = [torch.autograd.grad(z.square().sum(), video)[0] for z in (ours, theirs)]
    assert torch.equal(*gradients)
    assert codec.latent_shape(16, 64, 64) == prior.latent_shape(16, 64, 64)
    assert codec.format == prior.format


@pytest.mark.gpu
def test_a_prior_on_another_device_answers_on_the_callers(prior, whole):
    placed = load_prior(whole, Placement(device="cuda", text_device="cuda"))
    assert placed.denoiser.denoiser.transformer.device.type == "cuda"
    for ours, exact in zip(estimate(placed), estimate(prior), strict=True):
        assert ours.device.type == "cpu"
        assert (ours - exact).abs().max() < 1e-2  # convolutions there may use TF32
    video = draw(1, 16, 3, 64, 64).sigmoid().requires_grad_()
    (gradient,) = torch.autograd.grad(placed.encode(video).square().sum(), video)
    assert gradient.abs().amax(dim=(0, 2, 3, 4)).min() > 0


def test_weights_are_counted_from_the_heads_of_files(whole, tmp_path):
    vae = load_prior(whole).codec.vae
    numbers = sum(parameter.numel() for parameter in vae.parameters())
    assert memory.weight_bytes(whole / "vae", torch.float32) == 4 * numbers
    assert memory.weight_bytes(whole / "vae", torch.bfloat16) == 2 * numbers
    (path,) = shutil.copytree(whole / "vae", tmp_path / "vae").glob("*.safetensors")
    torch.save(load_file(path), path.with_suffix(".bin"))
    path.unlink()
    of_pickle = memory.weight_bytes(tmp_path / "vae", torch.float32)
    assert 4 * numbers <= of_pickle < 5 * numbers + 100_000


def test_too_little_memory_is_told_before_weights_are_read(whole, monkeypatch):
    sizes = {part: memory.weight_bytes(whole / part, torch.float32) for part in PARTS}
    needed = sizes["vae"] + sizes["transformer"]
    monkeypatch.setattr(memory, "free_bytes", lambda device: needed - 1)
    message = r"weights of vae and transformer must fit the free memory of cpu.*prior\.dtype=bfloat"
    with pytest.raises(ValueError, match=message):
        load_prior(whole)
    load_prior(whole, Placement(dtype=torch.bfloat16))
    monkeypatch.setattr(memory, "free_bytes", lambda device: needed)
    load_prior(whole)


def test_text_encoders_need_memory_only_for_new_prompts(whole, tmp_path, monkeypatch):
    load_prior(whole, embeddings=tmp_path).embed([PROMPT])
    prior = load_prior(whole, embeddings=tmp_path)
    size = memory.weight_bytes(whole / "text_encoder", torch.float32)
    monkeypatch.setattr(memory, "free_bytes", lambda device: size - 1)
    prior.embed([PROMPT])
    with pytest.raises(ValueError, match=r"weights of text_encoder must fit .*prior\.text_device"):
        prior.embed(["another prompt"])
    monkeypatch.setattr(memory, "free_bytes", lambda device: size)
    prior.embed(["another prompt"])


def test_free_memory_is_less_than_all_memory():
    free = memory.free_bytes(torch.device("cpu"))
    assert free is None or 0 < free < 2**50
    assert memory.free_bytes(torch.device("meta")) is None
