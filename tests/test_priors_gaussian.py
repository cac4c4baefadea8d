"""The Gaussian prior against its definition, against autograd, and through the whole sampler."""

import math

import pytest
import torch

from motiondistill.priors.base import Conditioning, VideoFormat
from motiondistill.priors.gaussian import Gaussian, GaussianPrior
from motiondistill.priors.guidance import guide
from motiondistill.priors.sampling import sample, sampling_steps

EXACT = 1e-9  # float64 on 24 dimensions with condition numbers below 1e6
FORMAT = VideoFormat(fps=8.0, frames=2, height=2, width=2)
DIMENSIONS = 3 * 2 * 2 * 2


def random_gaussian(seed):
    generator = torch.Generator().manual_seed(seed)
    factor = torch.randn(DIMENSIONS, DIMENSIONS, generator=generator, dtype=torch.float64)
    covariance = factor @ factor.T / DIMENSIONS
    mean = torch.rand(DIMENSIONS, generator=generator, dtype=torch.float64)
    return mean, covariance


@pytest.fixture
def prior():
    gaussians = {
        name: Gaussian.from_covariance(*random_gaussian(seed))
        for seed, name in enumerate(["walk", "jump"])
    }
    return GaussianPrior(gaussians, FORMAT)


def noisy(batch, seed=7):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(batch, 3, 2, 2, 2, generator=generator, dtype=torch.float64)


def test_denoise_is_the_posterior_mean(prior):
    x, sigma = noisy(2), torch.tensor([0.3, 2.0], dtype=torch.float64)
    estimates = prior.denoise(x, sigma, prior.embed(["walk", "jump"])).flatten(1)
    for row in range(2):
        mean, covariance = random_gaussian(row)
        noise = sigma[row] ** 2 * torch.eye(DIMENSIONS, dtype=torch.float64)
        gain = covariance @ torch.linalg.inv(covariance + noise)
        expected = mean + gain @ (x[row].flatten() - mean)
        assert (estimates[row] - expected).abs().max() < EXACT


@pytest.mark.parametrize("prompt", ["walk", "jump", ""])
@pytest.mark.parametrize("level", [0.1, 1.0, 10.0])
def test_residual_is_the_score(prior, prompt, level):
    """Tweedie: (D - x) / sigma^2 is the gradient of the log density of the noisy latents."""
    x = noisy(3).requires_grad_()
    sigma = torch.full((3,), level, dtype=torch.float64)
    conditioning = prior.embed([prompt] * 3)
    (score,) = torch.autograd.grad(prior.log_density(x, sigma, conditioning).sum(), x)
    residual = (prior.denoise(x, sigma, conditioning) - x) / level**2
    assert (residual - score).abs().max() < EXACT * score.abs().max()


def test_log_density_is_torchs(prior):
    noise = 0.25 * torch.eye(DIMENSIONS, dtype=torch.float64)
    means, covariances = map(torch.stack, zip(*map(random_gaussian, (0, 1)), strict=True))
    components = torch.distributions.MultivariateNormal(means, covariances + noise)
    even = torch.distributions.Categorical(torch.ones(2, dtype=torch.float64))
    mixture = torch.distributions.MixtureSameFamily(even, components)
    x, sigma = noisy(2), torch.full((2,), 0.5, dtype=torch.float64)
    constant = DIMENSIONS / 2 * math.log(2 * math.pi)
    for prompt, expected in [
        ("walk", components.log_prob(x.flatten(1)[:, None])[:, 0]),
        ("jump", components.log_prob(x.flatten(1)[:, None])[:, 1]),
        ("", mixture.log_prob(x.flatten(1))),
    ]:
        ours = prior.log_density(x, sigma, prior.embed([prompt] * 2)) - constant
        assert (ours - expected).abs().max() < EXACT * expected.abs().max()


def test_guidance_extrapolates_from_the_mixture(prior):
    x, sigma = noisy(2), torch.full((2,), 0.7, dtype=torch.float64)
    walk, empty = prior.embed(["walk"] * 2), prior.embed([""] * 2)
    conditional = prior.denoise(x, sigma, walk)
    without = prior.denoise(x, sigma, empty)
    for scale in (0.0, 1.0, 7.5):
        guided = guide(prior, x, sigma, walk, empty, scale)
        assert (guided - (without + scale * (conditional - without))).abs().max() < EXACT


def test_samples_have_the_mean_and_covariance_of_the_prompt(prior):
    count = 2000
    latents = sample(
        prior,
        ["walk"] * count,
        generator=torch.Generator().manual_seed(0),
        num_steps=60,
        guidance_scale=1.0,
    ).flatten(1)
    mean, covariance = random_gaussian(0)
    statistical = 5 / count**0.5  # five standard errors for variances of order one
    assert (latents.mean(0) - mean).abs().max() < statistical * covariance.diagonal().max().sqrt()
    # Euler's steps also shrink the variance a little: a tenth of it is allowed on top.
    error = (latents.T.cov() - covariance).abs().max()
    assert error < (2 * statistical + 0.1) * covariance.diagonal().max()


def test_sampling_is_the_seeds_and_ends_clean(prior):
    def run(seed):
        generator = torch.Generator().manual_seed(seed)
        return list(sampling_steps(prior, ["jump"], generator=generator, num_steps=5))

    first, again, other = run(3), run(3), run(4)
    assert torch.equal(first[-1].x_sigma, again[-1].x_sigma)
    assert not torch.equal(first[-1].x_sigma, other[-1].x_sigma)
    assert [step.index for step in first] == list(range(5))
    assert first[-1].sigma == 0
    assert torch.equal(first[-1].x_sigma, first[-1].clean)


def test_video_passes_through_unchanged(prior):
    video = torch.rand(2, 2, 3, 2, 2, generator=torch.Generator().manual_seed(0))
    assert torch.equal(prior.decode(prior.encode(video)), video)
    assert prior.latent_shape(2, 2, 2) == tuple(prior.encode(video).shape[1:])


def test_unknown_prompts_are_refused(prior):
    with pytest.raises(ValueError, match=r"`prompts` must be among \['walk', 'jump'\].*'fly'"):
        prior.embed(["fly"])
    with pytest.raises(ValueError, match=r"`prompts` must be a list"):
        prior.embed("walk")


def test_conditioning_rows_can_be_chosen_repeated_and_joined():
    rows = Conditioning({"a": torch.arange(3), "b": torch.arange(6).view(3, 2)})
    assert len(rows) == 3
    assert rows[[2, 0]].tensors["a"].tolist() == [2, 0]
    assert rows[1:].tensors["b"].tolist() == [[2, 3], [4, 5]]
    assert rows[:2].repeat(2).tensors["a"].tolist() == [0, 1, 0, 1]
    assert len(Conditioning.cat([rows, rows[:1]])) == 4


def test_formats_name_the_nearest_legal_value():
    video_format = VideoFormat(8.0, 17, 64, 64, frame_step=4, frame_offset=1, size_step=8)
    video_format.check(17, 64, 72)
    with pytest.raises(ValueError, match=r"`frames` must be 4k\+1 .*got 10; nearest: 9 or 13"):
        video_format.check(10, 64, 64)
    with pytest.raises(ValueError, match=r"`frames` .*got 0; nearest: 1"):
        video_format.check(0, 64, 64)
    with pytest.raises(ValueError, match=r"`width` must be a multiple of 8 .*nearest: 56 or 64"):
        video_format.check(17, 64, 60)


def test_formats_can_allow_a_single_number_of_frames():
    video_format = VideoFormat(8.0, 16, 64, 64, frame_step=0, frame_offset=16)
    video_format.check(16, 64, 64)
    for frames in (1, 15, 17, 32):
        with pytest.raises(
            ValueError, match=rf"`frames` must be 16 for this prior, got {frames}; leave it out"
        ):
            video_format.check(frames, 64, 64)
