"""What every family must do, on tiny random models that went through folders."""

import subprocess
import sys

import pytest
import tiny_latte
import tiny_ltx
import torch
from tiny_text import CAPTIONS

from motiondistill.priors.loading import load_prior, randomized
from motiondistill.priors.sampling import sample

SINGLE = 1e-4  # float32 through a random network
PROMPTS = [CAPTIONS[0], CAPTIONS[1]]


@pytest.fixture(scope="module", params=[tiny_latte, tiny_ltx], ids=["latte", "ltx"])
def family(request):
    return request.param


@pytest.fixture(scope="module")
def folder(family, tmp_path_factory):
    return family.save_tiny(tmp_path_factory.mktemp("a folder with spaces") / "tiny")


@pytest.fixture(scope="module")
def prior(folder):
    return load_prior(folder)


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def native_size(prior):
    return prior.format.frames, prior.format.height, prior.format.width


def networks(prior):
    return prior.codec.vae, prior.denoiser.transformer, prior.text._encoder


def test_every_frame_gets_gradient_that_finite_differences_confirm(prior):
    frames, height, width = native_size(prior)
    video = draw(2, frames, 3, height, width, seed=1).sigmoid().requires_grad_()
    latents = prior.encode(video)
    assert tuple(latents.shape[1:]) == prior.latent_shape(frames, height, width)
    weights = draw(*latents.shape)
    (gradient,) = torch.autograd.grad((weights * latents).sum(), video)
    assert (gradient.abs().amax(dim=(0, 2, 3, 4)) > 0).all()
    direction = draw(*video.shape, seed=5)
    step = 1e-3  # float32: larger than rounding, smaller than the encoder's curvature

    with torch.no_grad():
        ahead, behind = (
            (weights * prior.encode(video + sign * step * direction)).double().sum()
            for sign in (1, -1)
        )
    slope = (ahead - behind) / (2 * step)
    # Differences of float32 sums: a few per mille is what they can resolve.
    assert slope.item() == pytest.approx((gradient * direction).sum().item(), rel=1e-2)


def test_a_prompt_means_the_same_whatever_its_company(prior):
    conditioning = prior.embed(PROMPTS)
    alone, swapped = prior.embed([PROMPTS[0]]), prior.embed(PROMPTS[::-1])
    for name, tensor in conditioning.tensors.items():
        assert not torch.equal(tensor[0], tensor[1])
        assert torch.equal(tensor[:1], alone.tensors[name])
        assert torch.equal(tensor[:1], swapped.tensors[name][1:])


def test_denoising_depends_on_prompt_and_level_but_not_on_other_clips(prior):
    x, sigma = draw(2, *prior.latent_shape(*native_size(prior))), torch.tensor([0.5, 2.0])
    conditioning = prior.embed(PROMPTS)
    with torch.no_grad():
        base = prior.denoise(x, sigma, conditioning)
        assert not torch.allclose(base, prior.denoise(x, sigma, prior.embed(["", ""])))
        assert not torch.allclose(base, prior.denoise(x, sigma.flip(0), conditioning))
        rows = torch.cat(
            [prior.denoise(x[i : i + 1], sigma[i : i + 1], conditioning[[i]]) for i in (0, 1)]
        )
    assert (rows - base).abs().max() < SINGLE


def test_loaded_modules_are_frozen_evaluation_float32(prior):
    for module in networks(prior):
        assert not any(part.training for part in module.modules())
        for parameter in module.parameters():
            assert not parameter.requires_grad
            assert parameter.dtype == torch.float32


def test_half_precision_weights_load_as_float32(family, folder, tmp_path, prior):
    half = family.save_tiny(tmp_path / "half", torch.float16)
    sizes = [sum(p.stat().st_size for p in f.rglob("*.safetensors")) for f in (half, folder)]
    assert sizes[0] < 0.7 * sizes[1]
    loaded = load_prior(half)
    for module in networks(loaded):
        assert {p.dtype for p in module.parameters()} == {torch.float32}
    x, sigma = draw(1, *prior.latent_shape(*native_size(prior))), torch.tensor([1.0])
    with torch.no_grad():
        ours, other = (p.denoise(x, sigma, p.embed(PROMPTS[:1])) for p in (prior, loaded))
    assert 0 < (ours - other).abs().max() < 1e-2  # half precision keeps three digits


def test_random_weights_are_other_weights_of_the_same_shape(prior):
    def weights(seed):
        fresh = randomized(prior, torch.Generator().manual_seed(seed))
        return fresh.denoiser.transformer.state_dict()

    trained = prior.denoiser.transformer.state_dict()
    state = torch.random.get_rng_state()
    first, again, other = weights(1), weights(1), weights(2)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert {k: v.shape for k, v in first.items()} == {k: v.shape for k, v in trained.items()}
    matrices = [name for name, tensor in first.items() if tensor.ndim > 1]
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not any(torch.equal(first[name], trained[name]) for name in matrices)
    assert not any(torch.equal(first[name], other[name]) for name in matrices)


def test_sample_gives_one_native_clip_per_prompt(prior):
    generator = torch.Generator().manual_seed(0)
    latents = sample(prior, PROMPTS, generator=generator, num_steps=2)
    frames, height, width = native_size(prior)
    assert latents.shape == (2, *prior.latent_shape(frames, height, width))
    video = prior.decode(latents)
    assert video.shape == (2, frames, 3, height, width)
    assert 0 <= video.min() < video.max() <= 1


def test_importing_the_priors_does_not_import_the_libraries():
    """They cost seconds, which a command's `--help` must not pay."""
    code = (
        "import sys, motiondistill.priors; print({'diffusers', 'transformers'} & set(sys.modules))"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert output.stdout.decode().strip() == "set()"
