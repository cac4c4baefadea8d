"""What every family must do, on tiny random models that went through folders."""

import subprocess
import sys

import pytest
import tiny_animatediff
import tiny_cogvideox
import tiny_deepfloyd
import tiny_hunyuan
import tiny_latte
import tiny_ltx
import tiny_mochi
import tiny_sd3
import tiny_sdxl
import tiny_stable_diffusion
import tiny_unet3d
import tiny_wan
import torch
from tiny_text import CAPTIONS

from motiondistill.priors.loading import family_of, load_components, load_prior, randomized
from motiondistill.priors.on_demand import OnDemand
from motiondistill.priors.sampling import sample

SINGLE = 1e-4  # float32 through a random network
PROMPTS = [CAPTIONS[0], CAPTIONS[1]]


VIDEO = [tiny_latte, tiny_ltx, tiny_cogvideox, tiny_wan, tiny_hunyuan, tiny_mochi]
UNETS = [tiny_unet3d, tiny_animatediff]
IMAGES = [tiny_stable_diffusion, tiny_sdxl, tiny_sd3, tiny_deepfloyd]
FAMILIES = [*VIDEO, *UNETS, *IMAGES]


@pytest.fixture(scope="module", params=FAMILIES, ids=lambda module: module.__name__)
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


def networks(folder):
    """All networks of a folder, the text encoders as well."""
    parts = load_components(folder, family_of(folder)).values()
    return [part for part in parts if isinstance(part, OnDemand | torch.nn.Module)]


def denoising_network(prior):
    return getattr(prior.denoiser, "transformer", None) or prior.denoiser.unet


def test_every_frame_gets_gradient_that_finite_differences_confirm(family, prior):
    frames, height, width = native_size(prior)
    video = draw(2, frames, 3, height, width, seed=1).sigmoid().requires_grad_()
    latents = prior.encode(video)
    assert tuple(latents.shape[1:]) == prior.latent_shape(frames, height, width)
    weights = draw(*latents.shape)
    (gradient,) = torch.autograd.grad((weights * latents).sum(), video)
    assert (gradient.abs().amax(dim=(0, 2, 3, 4)) > 0).all()
    direction = draw(*video.shape, seed=5)
    # float32: larger than rounding, smaller than the encoder's curvature
    step = getattr(family, "STEP", 1e-3)

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


def test_loaded_modules_are_frozen_evaluation_float32(folder):
    assert len(networks(folder)) >= 2
    for module in networks(folder):
        assert not any(part.training for part in module.modules())
        for parameter in module.parameters():
            assert not parameter.requires_grad
            assert parameter.dtype == torch.float32


def test_half_precision_weights_load_as_float32(family, folder, tmp_path, prior):
    half = family.save_tiny(tmp_path / "half", torch.float16)
    sizes = [sum(p.stat().st_size for p in f.rglob("*.safetensors")) for f in (half, folder)]
    assert sizes[0] < 0.7 * sizes[1]
    loaded = load_prior(half)
    for module in networks(half):
        assert {p.dtype for p in module.parameters()} == {torch.float32}
    x, sigma = draw(1, *prior.latent_shape(*native_size(prior))), torch.tensor([1.0])
    with torch.no_grad():
        ours, other = (p.denoise(x, sigma, p.embed(PROMPTS[:1])) for p in (prior, loaded))
    assert 0 < (ours - other).abs().max() < 1e-2  # half precision keeps three digits


def test_random_weights_are_other_weights_of_the_same_shape(prior):
    def weights(seed):
        fresh = randomized(prior, torch.Generator().manual_seed(seed))
        return dict(denoising_network(fresh).named_parameters())

    trained = dict(denoising_network(prior).named_parameters())
    state = torch.random.get_rng_state()
    first, again, other = weights(1), weights(1), weights(2)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert {k: v.shape for k, v in first.items()} == {k: v.shape for k, v in trained.items()}
    # Some, like Mochi's frequencies of positions, start as zeros.
    matrices = [name for name, tensor in first.items() if tensor.ndim > 1 and tensor.any()]
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
