"""Score distillation against the Gaussian prior, where every answer has a closed form."""

import dataclasses

import pytest
import torch
from queries import gradient_of, query
from torch import Tensor
from toy_gaussian import (
    DIMENSIONS,
    FORMAT,
    SHAPE,
    STANDARD_ERRORS,
    latents,
    random_gaussian,
    toy_prior,
)

from motiondistill.priors.base import VideoFormat
from motiondistill.priors.gaussian import Gaussian, GaussianPrior
from motiondistill.score.loss import score_gradient, score_loss
from motiondistill.score.objectives import csd, prompt_evidence, sds

EXACT = 1e-12  # float64 on 24 dimensions
SIGMAS = torch.tensor([0.2, 1.0, 4.0], dtype=torch.float64)


@pytest.fixture
def prior() -> GaussianPrior:
    return toy_prior()


def sds_gradient(
    prior: GaussianPrior,
    x: Tensor,
    sigma: Tensor,
    *,
    prompt: str = "walk",
    scale: float = 1.0,
    seed: int = 0,
) -> Tensor:
    return gradient_of(sds, query(prior, x, sigma, prompt=prompt, scale=scale, noise=seed))


def csd_gradient(
    prior: GaussianPrior, x: Tensor, sigma: Tensor, *, prompts: tuple[str, str], scale: float
) -> Tensor:
    """The gradient towards the second prompt, away from the first."""
    away, towards = prompts
    return gradient_of(csd, query(prior, x, sigma, prompt=towards, negative=away, scale=scale))


def closed_form(x: Tensor, sigma: Tensor, seed: int) -> Tensor:
    """The expected gradient, `w sigma (sigma^2 I + C)^-1 (x - m)` over the number of latents."""
    mean, covariance = random_gaussian(seed)
    rows = []
    for row, level in zip(x.flatten(1), sigma, strict=True):
        noisy = covariance + level**2 * torch.eye(DIMENSIONS, dtype=torch.float64)
        weight = level**2 / (1 + level**2)
        rows.append(weight * level * torch.linalg.solve(noisy, row - mean))
    return torch.stack(rows).view_as(x) / x.numel()


def antithetic(prior: GaussianPrior, x: Tensor, sigma: Tensor) -> Tensor:
    """The mean gradient of a draw and its mirror image: the noise enters linearly and cancels."""
    asked = query(prior, x, sigma)
    mirrored = dataclasses.replace(asked, noise=-asked.noise)
    gradients = [gradient_of(sds, each) for each in (asked, mirrored)]
    assert not torch.equal(*gradients)
    return torch.stack(gradients).mean(0)


def test_the_mean_gradient_is_the_closed_form(prior: GaussianPrior) -> None:
    x = latents(len(SIGMAS))
    gradient = antithetic(prior, x, SIGMAS)
    assert (gradient - closed_form(x, SIGMAS, 0)).abs().max() < EXACT


def test_the_expected_gradient_is_the_closed_form(prior: GaussianPrior) -> None:
    count, x, sigma = 4000, latents(1), SIGMAS[1:2]
    many = sds_gradient(prior, x.expand(count, *SHAPE), sigma.expand(count)) * count
    error = many.mean(0, keepdim=True) - closed_form(x, sigma, 0)
    assert (error / (many.std(0) / count**0.5)).abs().max() < STANDARD_ERRORS


def test_noise_is_added_and_taken_off_by_the_same_draw(prior: GaussianPrior) -> None:
    x = latents(len(SIGMAS))
    noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(0)).double()
    level = SIGMAS.view(-1, 1, 1, 1, 1)
    clean = prior.denoise(x + level * noise, SIGMAS, prior.embed(["walk"] * 3))
    predicted = (x + level * noise - clean) / level
    expected = level**2 / (1 + level**2) * (predicted - noise) / x.numel()
    assert (sds_gradient(prior, x, SIGMAS) - expected).abs().max() < EXACT


@pytest.mark.parametrize("scale", [0.0, 3.0, 7.5])
def test_guidance_extrapolates(prior: GaussianPrior, scale: float) -> None:
    x = latents(3)
    without = sds_gradient(prior, x, SIGMAS, prompt="", scale=1.0)
    conditional = sds_gradient(prior, x, SIGMAS, prompt="jump", scale=1.0)
    guided = sds_gradient(prior, x, SIGMAS, prompt="jump", scale=scale)
    assert (guided - (without + scale * (conditional - without))).abs().max() < EXACT
    assert (conditional - without).abs().max() > 1e-3  # there is something to extrapolate


@pytest.mark.parametrize("scale", [1.0, 4.0])
def test_csd_is_what_guidance_adds_to_sds(prior: GaussianPrior, scale: float) -> None:
    x = latents(3)
    towards = csd_gradient(prior, x, SIGMAS, prompts=("", "jump"), scale=scale)
    unguided = sds_gradient(prior, x, SIGMAS, prompt="", scale=1.0)
    guided = sds_gradient(prior, x, SIGMAS, prompt="jump", scale=scale)
    assert (towards - (guided - unguided)).abs().max() < EXACT
    assert towards.abs().max() > 1e-3


def test_csd_shrinks_nothing() -> None:
    """Of two Gaussians that differ in their means alone, it is the line between them, anywhere."""
    mean, covariance = random_gaussian(0)
    other, _ = random_gaussian(1)
    prior = GaussianPrior(
        {
            "walk": Gaussian.from_covariance(mean, covariance),
            "jump": Gaussian.from_covariance(other, covariance),
        },
        FORMAT,
    )
    near, far = (
        csd_gradient(prior, x, SIGMAS, prompts=("walk", "jump"), scale=2.0)
        for x in (latents(3), 10 * latents(3, seed=8))
    )
    # The closed form at x = mean of "walk", less that of "jump" there, which is zero.
    expected = -2 * closed_form(other.view(1, *SHAPE).expand(3, *SHAPE), SIGMAS, 0)
    assert (near - expected).abs().max() < EXACT
    assert (far - expected).abs().max() < EXACT


@pytest.mark.parametrize(("batch", "frames", "size"), [(1, 2, 2), (4, 2, 2), (1, 5, 4)])
def test_what_a_motion_feels_does_not_depend_on_the_number_of_latents(
    batch: int, frames: int, size: int
) -> None:
    """The same change of every latent is pulled alike, whatever the views, frames and pixels."""
    count = 3 * frames * size * size
    eye = torch.eye(count, dtype=torch.float64)
    mean, variance, level, offset = 0.2, 0.5, 0.8, 1.3
    gaussian = Gaussian.from_covariance(torch.full_like(eye[0], mean), variance * eye)
    prior = GaussianPrior({"walk": gaussian}, VideoFormat(8.0, frames, size, size))
    x = torch.full((batch, 3, frames, size, size), offset, dtype=torch.float64)
    sigma = torch.full((batch,), level, dtype=torch.float64)
    pull = antithetic(prior, x, sigma).sum()
    expected = level**3 / (1 + level**2) * (offset - mean) / (variance + level**2)
    assert abs(pull - expected) < EXACT


def test_no_gradient_flows_through_the_denoiser(prior: GaussianPrior) -> None:
    mean, covariance = random_gaussian(0)
    mean.requires_grad_()
    watched = GaussianPrior({"walk": Gaussian.from_covariance(mean, covariance)}, FORMAT)
    x = latents(3).requires_grad_()
    asked = query(watched, x, SIGMAS, scale=3.0)
    residual = sds(asked)
    assert not residual.requires_grad
    score_loss(x, score_gradient(residual, asked.sigma)).backward()
    assert mean.grad is None
    assert x.grad is not None


def test_equal_generators_give_equal_bits(prior: GaussianPrior) -> None:
    x = latents(3)
    first, again, other = (sds_gradient(prior, x, SIGMAS, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_evidence_snaps_noise_levels_before_noise_is_added(prior: GaussianPrior) -> None:
    x = latents(2)
    beyond = torch.tensor([1e6, 1e-9], dtype=torch.float64)
    ends = torch.tensor([prior.max_sigma, prior.min_sigma], dtype=torch.float64)
    walk, empty = prior.embed(["walk"] * 2), prior.embed([""] * 2)
    evidence = [
        prompt_evidence(
            prior, x, walk, empty, sigma=sigma, generator=torch.Generator().manual_seed(0)
        )
        for sigma in (beyond, ends)
    ]
    assert torch.equal(*evidence)


@pytest.mark.parametrize("prompt", ["walk", "jump"])
def test_descent_ends_at_the_mode_of_the_prompt(prior: GaussianPrior, prompt: str) -> None:
    means = {name: gaussian.mean for name, gaussian in prior.gaussians.items()}
    x = latents(1).requires_grad_()
    optimizer = torch.optim.Adam([x], lr=0.1)
    steps = 400
    for step in range(steps):
        progress = step / steps
        optimizer.param_groups[0]["lr"] = 0.1 * (1 - progress)
        x.grad = sds_gradient(prior, x.detach(), SIGMAS[1:2], prompt=prompt, seed=step)
        optimizer.step()
    distances = {name: float((x.detach().flatten() - mean).norm()) for name, mean in means.items()}
    apart = float((means["walk"] - means["jump"]).norm())
    # Without an end to the annealing a little of the noise of the last steps stays.
    assert distances[prompt] < 0.1 * apart, distances
    assert min(distances, key=distances.__getitem__) == prompt
