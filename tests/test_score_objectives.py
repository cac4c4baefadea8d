"""The residual of every objective on Gaussians with full covariances, against dense algebra."""

import dataclasses
import itertools

import pytest
import torch
from queries import clean, gradient_of, mixed, query, reference
from torch import Tensor
from toy_gaussian import DIMENSIONS, SHAPE, latents, random_gaussian, toy_prior

from motiondistill.priors.base import per_sample
from motiondistill.priors.gaussian import Gaussian, GaussianPrior
from motiondistill.score.objectives import (
    Inverted,
    MultiStep,
    NoiseFree,
    csd,
    dds,
    sds,
    vsd,
)
from motiondistill.score.query import Objective, Query

EXACT = 1e-11  # float64 on 24 dimensions
SIGMAS = torch.tensor([0.3, 1.0, 4.0], dtype=torch.float64)
SCALE = 3.0


@pytest.fixture
def prior() -> GaussianPrior:
    return toy_prior()


@pytest.fixture
def asked(prior: GaussianPrior) -> Query:
    """To walk and not to jump: both are single Gaussians, and the empty prompt is their mixture."""
    return query(prior, latents(3), SIGMAS, negative="jump", scale=SCALE)


def guided(x_sigma: Tensor, sigma: Tensor, scale: float) -> Tensor:
    """Walking, away from jumping."""
    walk, jump = clean(0, x_sigma, sigma), clean(1, x_sigma, sigma)
    return walk + (scale - 1) * (walk - jump)


def test_sds_is_the_way_to_the_guided_estimate(asked: Query) -> None:
    expected = asked.latents - guided(asked.noisy(asked.latents), SIGMAS, SCALE)
    assert (sds(asked) - expected).abs().max() < EXACT


@pytest.mark.parametrize("base", ["negative", "empty"])
def test_csd_is_the_way_from_the_base_to_the_prompt(prior: GaussianPrior, base: str) -> None:
    asked = query(prior, latents(3), SIGMAS, negative="jump", scale=SCALE, base=base)
    noisy = asked.noisy(asked.latents)
    away = clean(1, noisy, SIGMAS) if base == "negative" else mixed(noisy, SIGMAS)
    expected = SCALE * (away - clean(0, noisy, SIGMAS))
    assert (csd(asked) - expected).abs().max() < EXACT
    assert expected.abs().max() > 1e-3


def test_nfsd_takes_the_domain_from_the_null_prompt_below_its_level_and_from_the_negative_above(
    asked: Query,
) -> None:
    noisy = asked.noisy(asked.latents)
    walk, jump, null = clean(0, noisy, SIGMAS), clean(1, noisy, SIGMAS), mixed(noisy, SIGMAS)
    prompted = SCALE * (null - walk)
    below, above = noisy - null + prompted, jump - null + prompted
    # 0.3 and 1.0 are flow times 0.23 and 0.5.
    expected = torch.cat([below[:1], above[1:]])
    assert (NoiseFree(0.36)(asked) - expected).abs().max() < EXACT
    assert (NoiseFree(0.0)(asked) - above).abs().max() < EXACT
    assert (NoiseFree(1.0)(asked) - below).abs().max() < EXACT
    assert (below - above).abs().amax((1, 2, 3, 4)).min() > 1e-3


def test_dds_is_the_difference_of_two_sds_under_the_same_noise(
    prior: GaussianPrior, asked: Query
) -> None:
    source = latents(3, seed=11)
    pair = dataclasses.replace(asked, reference=reference(prior, source, "jump", "walk"))
    noisy = asked.noisy(source)
    walk, jump = clean(0, noisy, SIGMAS), clean(1, noisy, SIGMAS)
    theirs = source - (jump + (SCALE - 1) * (jump - walk))
    assert (dds(pair) - (sds(asked) - theirs)).abs().max() < EXACT


def test_dds_asks_nothing_of_the_reference_itself(prior: GaussianPrior, asked: Query) -> None:
    same = reference(prior, asked.latents, "walk", "jump")
    assert torch.equal(dds(dataclasses.replace(asked, reference=same)), torch.zeros(3, *SHAPE))


def test_the_noise_of_a_draw_cancels_in_dds(prior: GaussianPrior) -> None:
    """With one covariance for both prompts nothing of it is left, whatever the draw."""
    mean, covariance = random_gaussian(0)
    other, _ = random_gaussian(1)
    alike = GaussianPrior(
        {
            "walk": Gaussian.from_covariance(mean, covariance),
            "jump": Gaussian.from_covariance(other, covariance),
        },
        prior.format,
    )
    x, source = latents(3), latents(3, seed=11)
    residuals = [
        dds(
            dataclasses.replace(
                query(alike, x, SIGMAS, noise=seed), reference=reference(alike, source, "jump")
            )
        )
        for seed in (0, 1)
    ]
    assert (residuals[0] - residuals[1]).abs().max() < EXACT
    # The difference of the clips, less that of the means, through `sigma^2 (C + sigma^2)^-1`.
    eye = torch.eye(DIMENSIONS, dtype=torch.float64)
    for residual, level, row in zip(residuals[0], SIGMAS, (x - source).flatten(1), strict=True):
        expected = level**2 * torch.linalg.solve(covariance + level**2 * eye, row - mean + other)
        assert (residual.flatten() - expected).abs().max() < EXACT


def test_objectives_that_compare_say_what_they_miss(asked: Query) -> None:
    with pytest.raises(ValueError, match="`reference` must be given"):
        dds(asked)
    with pytest.raises(ValueError, match="`adapted` must be given"):
        vsd(asked)


def levels(sigma: Tensor, num_steps: int, lowest: float) -> list[Tensor]:
    """From the highest to the lowest, even in flow time."""
    tau = sigma / (1 + sigma)
    parts = [tau * (step / num_steps) for step in range(num_steps, -1, -1)]
    return [(part / (1 - part)).clamp(min=lowest) for part in parts]


@pytest.mark.parametrize("num_steps", [1, 2, 5])
def test_multi_step_is_the_way_to_where_the_sampler_ends(asked: Query, num_steps: int) -> None:
    path = levels(SIGMAS, num_steps, lowest=0.0)
    x_sigma = asked.noisy(asked.latents)
    for sigma, following in itertools.pairwise(path):
        noise = (x_sigma - guided(x_sigma, sigma, SCALE)) / per_sample(sigma, x_sigma)
        x_sigma = x_sigma + per_sample(following - sigma, x_sigma) * noise
    assert (MultiStep(num_steps)(asked) - (asked.latents - x_sigma)).abs().max() < EXACT


def test_one_step_is_sds(asked: Query) -> None:
    assert torch.equal(MultiStep(1)(asked), sds(asked))


def test_many_steps_end_at_a_sample_of_the_prompt(prior: GaussianPrior) -> None:
    """The sampler's flow takes noise around the mean to `m + C^1/2 (C + sigma^2)^-1/2 (x - m)`."""
    sigma = torch.tensor([2.0], dtype=torch.float64)
    asked = query(prior, latents(1), sigma)
    mean, covariance = random_gaussian(0)
    values, vectors = torch.linalg.eigh(covariance)
    offset = (asked.noisy(asked.latents).flatten() - mean) @ vectors
    shrunk = (values.clamp(min=0) / (values.clamp(min=0) + sigma**2)).sqrt()
    sample = mean + vectors @ (shrunk * offset)
    errors = [
        float((asked.latents.flatten() - MultiStep(steps)(asked).flatten() - sample).norm())
        for steps in (20, 40, 80)
    ]
    assert errors[2] < 0.05 * float((sample - mean).norm())
    # Euler's method is of the first order.
    assert all(1.6 < a / b < 2.4 for a, b in itertools.pairwise(errors))


@pytest.mark.parametrize(("scale", "used"), [(None, -SCALE), (0.5, 0.5)])
def test_sdi_finds_the_noise_by_running_the_sampler_backwards(
    asked: Query, scale: float | None, used: float
) -> None:
    path = levels(SIGMAS, 4, lowest=1e-3)[::-1]
    x_sigma = asked.latents
    for sigma, following in itertools.pairwise(path):
        noise = (x_sigma - guided(x_sigma, sigma, used)) / per_sample(sigma, x_sigma)
        x_sigma = x_sigma + per_sample(following - sigma, x_sigma) * noise
    found = (x_sigma - asked.latents) / per_sample(SIGMAS, x_sigma)
    mixture = 0.8 * found + 0.6 * asked.noise
    expected = sds(dataclasses.replace(asked, noise=mixture))
    assert (Inverted(4, scale, 0.6)(asked) - expected).abs().max() < 1e-8  # 1e-3 is divided by


def test_sdi_with_all_noise_drawn_is_sds(asked: Query) -> None:
    assert torch.equal(Inverted(3, None, 1.0)(asked), sds(asked))


def test_sdi_with_the_noise_all_found_is_the_same_for_every_draw(prior: GaussianPrior) -> None:
    first, second = (
        Inverted(3, None, 0.0)(query(prior, latents(3), SIGMAS, noise=seed)) for seed in (0, 1)
    )
    assert torch.equal(first, second)


def test_vsd_is_zero_for_a_prior_that_has_learned_nothing_and_unguided(
    prior: GaussianPrior,
) -> None:
    asked = query(prior, latents(3), SIGMAS)
    residual = vsd(dataclasses.replace(asked, adapted=prior))
    assert torch.equal(residual, torch.zeros_like(residual))


def test_vsd_is_the_way_from_what_was_learned_to_what_is_wanted(asked: Query) -> None:
    """A prior that has learned the clips N(m, C) exactly: the residual is known in closed form."""
    learned = Gaussian.from_covariance(*random_gaussian(5))
    noisy = asked.noisy(asked.latents)
    expected = clean(5, noisy, SIGMAS) - guided(noisy, SIGMAS, SCALE)
    adapted = GaussianPrior({"walk": learned, "jump": learned}, asked.prior.format)
    residual = vsd(dataclasses.replace(asked, adapted=adapted))
    assert (residual - expected).abs().max() < EXACT


OBJECTIVES: list[Objective] = [
    sds,
    csd,
    NoiseFree(0.36),
    dds,
    MultiStep(3),
    Inverted(3, None, 0.3),
    vsd,
]


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_every_gradient_is_the_weighted_residual_over_sigma_and_the_number_of_latents(
    asked: Query, objective: Objective
) -> None:
    full = dataclasses.replace(
        asked,
        reference=reference(asked.prior, latents(3, seed=11), "jump"),
        adapted=asked.prior,
    )
    residual = objective(full)
    level = per_sample(SIGMAS, residual)
    expected = level**2 / (1 + level**2) * residual / level / residual.numel()
    assert (gradient_of(objective, full) - expected).abs().max() < EXACT
    assert not residual.requires_grad


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_clips_of_a_batch_know_nothing_of_each_other(asked: Query, objective: Objective) -> None:
    prior, source = asked.prior, latents(3, seed=11)

    def answer(rows: slice) -> Tensor:
        x, noise = asked.latents[rows], asked.noise[rows]
        part = query(prior, x, SIGMAS[rows], negative="jump", scale=SCALE, noise=noise)
        compared = reference(prior, source[rows], "jump")
        return objective(dataclasses.replace(part, reference=compared, adapted=prior))

    alone = torch.cat([answer(slice(k, k + 1)) for k in range(3)])
    assert (answer(slice(None)) - alone).abs().max() < EXACT


def test_prompts_are_known_by_name_and_not_by_place(asked: Query) -> None:
    """With the same words for what is wanted and unwanted, guidance has nothing to add."""
    words = dataclasses.replace(asked.prompts, negative=asked.prompts.positive)
    same = dataclasses.replace(asked, prompts=words)
    noisy = asked.noisy(asked.latents)
    assert csd(same).abs().max() < EXACT
    assert (sds(same) - (asked.latents - clean(0, noisy, SIGMAS))).abs().max() < EXACT
    swapped = dataclasses.replace(
        asked,
        prompts=dataclasses.replace(
            asked.prompts, positive=asked.prompts.negative, negative=asked.prompts.positive
        ),
    )
    assert (csd(swapped) + csd(asked)).abs().max() < EXACT
