"""Gaussian videos against the dense Gaussian of the same covariance, and by name in commands."""

import dataclasses
import math
from typing import get_args, get_type_hints

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from motiondistill.building import objects
from motiondistill.building import prior as build_prior
from motiondistill.checkup.prior_table import rows
from motiondistill.cli import main
from motiondistill.priors.base import VideoFormat
from motiondistill.priors.gaussian import Gaussian, GaussianPrior
from motiondistill.priors.gaussian_videos import (
    PROMPT_VARIANCE,
    VIDEO_VARIANCE,
    PromptWaves,
    cosines,
    from_waves,
    gaussian_videos,
    spreads,
    to_waves,
)
from motiondistill.priors.loading import randomized
from motiondistill.priors.sampling import sample
from motiondistill.schema.prior import PriorConfig

EXACT = 1e-10  # float64
SINGLE = 2e-5  # float32 sums of some hundred waves
SIZE = (5, 3, 6)  # frames, height, width; one side is shorter than prompts have waves
PROMPT = "a person is walking"


@pytest.fixture(scope="module")
def prior():
    return gaussian_videos()


def draw(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def dense(prompt):
    """The same distribution by its full covariance, from the formula of a cosine transform."""
    waves, videos = torch.ones(1, 1), math.prod(SIZE)
    for side in SIZE:
        rows = [
            [math.cos(math.pi * k * (2 * i + 1) / (2 * side)) for i in range(side)]
            for k in range(side)
        ]
        basis = torch.tensor(rows, dtype=torch.float64)
        waves = torch.kron(waves, basis / basis.norm(dim=1, keepdim=True))
    own, among = (spread.double().flatten() for spread in spreads(*SIZE))
    variance = own if prompt else own + among
    covariance = torch.block_diag(*[waves.T @ torch.diag(variance) @ waves] * 3)
    mean = torch.zeros(3 * videos, dtype=torch.float64)
    if prompt:
        low = torch.zeros(3, *SIZE, dtype=torch.float64)
        drawn = PromptWaves().embed([prompt]).tensors["waves"][0].double()
        low[:, :4, :3, :4] = drawn[:, :4, :3, :4]
        mean = ((low.flatten(1) * among.sqrt()) @ waves).flatten()
    gaussian = Gaussian.from_covariance(mean, covariance)
    return GaussianPrior({"it": gaussian}, VideoFormat(8.0, *SIZE))


@pytest.mark.parametrize("prompt", [PROMPT, ""])
@pytest.mark.parametrize("level", [0.01, 0.3, 3.0, 300.0])
def test_the_clean_estimate_is_that_of_the_dense_gaussian(prior, prompt, level):
    sigma = torch.tensor([level], dtype=torch.float64)
    x_sigma = draw(1, 3, *SIZE) * (1 + level)
    oracle = dense(prompt)
    expected = oracle.denoise(x_sigma, sigma, oracle.embed(["it"]))
    ours = prior.denoise(x_sigma, sigma, prior.embed([prompt]))
    # What prompts are drawn with is of single precision, in both.
    assert (ours - expected).abs().max() < 1e-6
    single = prior.denoise(x_sigma.float(), sigma.float(), prior.embed([prompt]))
    assert (single - expected).abs().max() < SINGLE * (1 + level)


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 9))
def test_waves_are_orthonormal_and_come_back(frames, height, width):
    video = draw(2, frames, height, width)
    waves = to_waves(video)
    assert (waves.square().sum() - video.square().sum()).abs() < EXACT * video.square().sum()
    assert (from_waves(waves) - video).abs().max() < EXACT
    identity = torch.eye(width, dtype=torch.float64)
    assert (cosines(width) @ cosines(width).T - identity).abs().max() < EXACT


@given(st.integers(1, 20), st.integers(1, 20), st.integers(1, 20))
def test_pixels_vary_as_told_at_any_size(frames, height, width):
    own, among = spreads(frames, height, width)
    assert (own > 0).all() and (among >= 0).all()
    assert own.mean().item() == pytest.approx(VIDEO_VARIANCE, rel=1e-5)
    assert among.mean().item() == pytest.approx(PROMPT_VARIANCE, rel=1e-5)


def test_prompts_are_standard_normal_and_each_its_own(prior):
    prompts = [f"a person does {number}" for number in range(500)]
    waves = prior.embed(prompts).tensors["waves"]
    assert waves.mean().abs() < 4 / math.sqrt(waves.numel())  # four standard deviations
    assert (waves.var() - 1).abs() < 4 * math.sqrt(2 / waves.numel())
    assert len({tuple(row.flatten().tolist()) for row in waves}) == 500
    again = prior.embed([prompts[7], ""]).tensors
    assert torch.equal(again["waves"][0], waves[7])
    assert again["unknown"].tolist() == [0, 1] and not again["waves"][1].any()


def test_samples_have_the_mean_and_the_spread_of_the_prompt(prior):
    count = 200
    latents = sample(
        prior,
        [PROMPT] * count,
        generator=torch.Generator().manual_seed(0),
        num_steps=200,
        guidance_scale=1.0,
        size=SIZE,
    )
    waves = to_waves(latents)
    own, among = spreads(*SIZE)
    mean = torch.zeros(3, *SIZE)
    mean[:, :4, :3, :4] = prior.embed([PROMPT]).tensors["waves"][0, :, :4, :3, :4]
    mean = mean * among.sqrt()
    deviations = (waves.mean(0) - mean) / (own / count).sqrt()
    assert deviations.abs().max() < 4.5  # of 270 standard normal numbers
    assert deviations.square().mean().item() == pytest.approx(1, abs=0.3)
    # Euler's steps lose some of the small waves' spread.
    ratios = (waves.var(0) / own).mean(0)
    assert ratios[0, 0, 0].item() == pytest.approx(1, abs=0.25)
    assert 0.75 < ratios.mean() < 1.1


def test_it_is_reached_by_name(tmp_path, capsys):
    clip = tmp_path / "clip.mp4"
    knobs = ["run.frames=3", "sample.size=[16,24]"]
    assert main(["priors", "check", "gaussian", "--out", str(clip), *knobs]) == 0
    assert "encoded 3x3x16x24 to 3x3x16x24" in capsys.readouterr().out
    assert clip.exists()
    sampled = tmp_path / "sample.mp4"
    arguments = ["sample", PROMPT, "--out", str(sampled), "prior.model=gaussian", *knobs]
    assert main([*arguments, "sample.num_steps=2"]) == 0
    assert sampled.exists()


def test_it_is_listed():
    row = next(row for row in rows(PriorConfig()) if row.name == "gaussian")
    assert (row.parameters, row.weights, row.encoding, row.state) == (0, 0, 0, "here")


def test_what_it_cannot_do_is_told(prior):
    config = PriorConfig(model="gaussian", revision="main")
    for make in (objects.pinned, lambda config: objects.make_prior(config, 0)):
        with pytest.raises(ValueError, match=r"`prior.revision` must be left out .*no files, got"):
            make(config)
    plain = dataclasses.replace(config, revision=None)
    assert objects.pinned(plain) == plain
    with pytest.raises(ValueError, match=r"`prior.weights` must be pretrained for .*gaussian"):
        randomized(prior, torch.Generator())
    with pytest.raises(ValueError, match=r"`prior.weights` must be pretrained"):
        objects.make_prior(dataclasses.replace(plain, weights="random"), 0)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("dtype", "bfloat16"),
        ("vae_dtype", "float16"),
        ("compile", True),
        ("allow_pickle", True),
        ("tiny_autoencoder", "taehv.pth"),
    ],
)
def test_what_would_be_ignored_is_refused(name, value):
    config = PriorConfig(model="gaussian", **{name: value})
    with pytest.raises(ValueError, match=rf"^`prior.{name}` must be left out .* got {value!r}"):
        build_prior.make_prior(config, 0)


@pytest.mark.parametrize("encode", get_args(get_type_hints(PriorConfig)["encode"]))
def test_every_way_of_encoding_has_the_same_gradient(encode):
    """Pixels are only scaled, so that even the gradient through the decoder is the exact one."""
    config = PriorConfig(model="gaussian", encode=encode, batch_size=1)
    prior = build_prior.make_prior(config, 0)
    video = torch.rand(2, 2, 3, 4, 4, generator=torch.Generator().manual_seed(0)).requires_grad_()
    (gradient,) = torch.autograd.grad(prior.encode(video).square().sum() / 2, video)
    # A difference of pixels by a hundredth loses two digits.
    rounding = 1e-4 if encode == "latent" else 1e-6
    assert (gradient - 2 * (2 * video - 1)).abs().max() < rounding
