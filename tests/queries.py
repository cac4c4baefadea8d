"""Queries of priors in closed form, and the gradients that objectives make of them."""

import torch
from torch import Tensor
from toy_gaussian import DIMENSIONS, random_gaussian

from motiondistill.priors.base import Prior
from motiondistill.priors.guidance import Base, Guidance, Prompts
from motiondistill.score.loss import score_gradient, score_loss
from motiondistill.score.query import Objective, Query, Reference, draw_noise


def prompts(prior: Prior, count: int, positive: str, negative: str = "") -> Prompts:
    """The same words for every clip."""
    return Prompts(*(prior.embed([text] * count) for text in (positive, negative, "")))


def query(
    prior: Prior,
    x: Tensor,
    sigma: Tensor,
    *,
    prompt: str = "walk",
    negative: str = "",
    scale: float = 1.0,
    base: Base = "negative",
    noise: Tensor | int = 0,
) -> Query:
    """A query about the prompt; `noise` may be a seed."""
    if isinstance(noise, int):
        noise = draw_noise(x, torch.Generator().manual_seed(noise))
    words = prompts(prior, len(x), prompt, negative)
    return Query(prior, x, words, prior.snap(sigma), noise, Guidance(scale, base))


def reference(prior: Prior, x: Tensor, prompt: str, negative: str = "") -> Reference:
    """Clips to compare with."""
    return Reference(x, prompts(prior, len(x), prompt, negative))


def gradient_of(objective: Objective, asked: Query) -> Tensor:
    """What the latents get, by autograd."""
    x = asked.latents.clone().requires_grad_()
    loss = score_loss(x, score_gradient(objective(asked), asked.sigma))
    (gradient,) = torch.autograd.grad(loss, x)
    return gradient


def clean(seed: int, x_sigma: Tensor, sigma: Tensor) -> Tensor:
    """E[x0 | x_sigma] for `random_gaussian(seed)`, by solving with the dense covariance."""
    mean, covariance = random_gaussian(seed)
    eye = torch.eye(DIMENSIONS, dtype=torch.float64)
    rows = [
        mean + covariance @ torch.linalg.solve(covariance + level**2 * eye, row - mean)
        for row, level in zip(x_sigma.flatten(1), sigma, strict=True)
    ]
    return torch.stack(rows).view_as(x_sigma)


def mixed(x_sigma: Tensor, sigma: Tensor) -> Tensor:
    """The same for the even mixture of seeds 0 and 1, which the empty prompt means."""
    eye = torch.eye(DIMENSIONS, dtype=torch.float64)
    logits = []
    for seed in (0, 1):
        mean, covariance = random_gaussian(seed)
        logits.append(
            torch.stack(
                [
                    torch.distributions.MultivariateNormal(
                        mean, covariance + level**2 * eye
                    ).log_prob(row)
                    for row, level in zip(x_sigma.flatten(1), sigma, strict=True)
                ]
            )
        )
    share = torch.stack(logits).softmax(0).view(2, -1, 1, 1, 1, 1)
    return share[0] * clean(0, x_sigma, sigma) + share[1] * clean(1, x_sigma, sigma)
