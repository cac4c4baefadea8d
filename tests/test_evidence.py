"""Which clip does a prompt explain? Against Gaussians, whose errors have a closed form."""

import pytest
import torch
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

from motiondistill.priors.gaussian import Gaussian, GaussianPrior
from motiondistill.score.objectives import prompt_evidence


@pytest.fixture
def prior() -> GaussianPrior:
    return toy_prior()


def evidence_of(
    prior: GaussianPrior, x: Tensor, prompt: str, other: str, sigma: float, count: int = 2000
) -> Tensor:
    """The evidence of one clip under many draws of noise."""
    return prompt_evidence(
        prior,
        x.expand(count, *x.shape[1:]),
        prior.embed([prompt] * count),
        prior.embed([other] * count),
        sigma=torch.full((count,), sigma, dtype=torch.float64),
        generator=torch.Generator().manual_seed(0),
    )


def expected_error(x: Tensor, mean: Tensor, covariance: Tensor, sigma: float) -> float:
    """The mean over latents of E (D(x + sigma n) - x)^2 / sigma^2 for one Gaussian.

    The bias is `sigma^2 (C + sigma^2)^-1 (m - x)`, and the noise passes by the gain C (C +
    sigma^2)^-1.
    """
    noisy = covariance + sigma**2 * torch.eye(DIMENSIONS, dtype=torch.float64)
    bias = sigma * torch.linalg.solve(noisy, mean - x.flatten())
    gain = torch.linalg.solve(noisy, covariance)
    return float((bias.square().sum() + gain.square().sum()) / DIMENSIONS)


@pytest.mark.parametrize("sigma", [0.3, 1.0, 3.0])
def test_evidence_is_the_difference_of_the_expected_errors(
    prior: GaussianPrior, sigma: float
) -> None:
    x = latents(1)
    errors = [expected_error(x, *random_gaussian(seed), sigma) for seed in (0, 1)]
    for prompt, other, expected in (
        ("walk", "jump", errors[1] - errors[0]),
        ("jump", "walk", errors[0] - errors[1]),
    ):
        draws = evidence_of(prior, x, prompt, other, sigma)
        error = (draws.mean() - expected) / (draws.std() / len(draws) ** 0.5)
        assert abs(error) < STANDARD_ERRORS


@pytest.mark.parametrize("sigma", [0.8, 1.5])
def test_evidence_is_for_the_prompt_that_made_the_clip(prior: GaussianPrior, sigma: float) -> None:
    for right, wrong in (("walk", "jump"), ("jump", "walk")):
        clip = prior.gaussians[right].mean.view(1, *SHAPE)
        assert evidence_of(prior, clip, right, "", sigma).mean() > 0
        assert evidence_of(prior, clip, wrong, "", sigma).mean() < 0


def test_evidence_does_not_prefer_stillness_where_the_plain_error_does() -> None:
    """A walk of any phase: its mean is stillness, and what marks it is variance along the swing."""
    swing = torch.nn.functional.normalize(latents(1).flatten(), dim=0)
    rest, sigma = 0.01 * torch.eye(DIMENSIONS, dtype=torch.float64), 1.0
    walk, mean = rest + 4.0 * torch.outer(swing, swing), torch.zeros(DIMENSIONS).double()
    prior = GaussianPrior(
        {
            "walk": Gaussian.from_covariance(mean, walk),
            "stand": Gaussian.from_covariance(mean, rest),
        },
        FORMAT,
    )
    still, moving = torch.zeros(1, *SHAPE).double(), 2.0 * swing.view(1, *SHAPE)
    assert expected_error(still, mean, walk, sigma) < expected_error(moving, mean, walk, sigma)
    evidence = {
        name: evidence_of(prior, clip, "walk", "", sigma)
        for name, clip in (("still", still), ("moving", moving))
    }
    margin = evidence["moving"] - evidence["still"]  # paired: both saw the same noise
    assert margin.mean() > STANDARD_ERRORS * margin.std() / len(margin) ** 0.5
    assert evidence["still"].mean() < 0 < evidence["moving"].mean()
