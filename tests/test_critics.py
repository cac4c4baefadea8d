"""Several priors at once: where they agree, what each sees, what counts, and resuming."""

import dataclasses
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import tiny_latte
import tiny_stable_diffusion
import torch
from canvas import FRAMES, PIXELS, canvas_problem, gaussian, painted, standing
from small_problem import small_problem
from torch import Tensor

from motiondistill import config
from motiondistill.bookkeeping.store import restore, snapshot
from motiondistill.building.method import make_method
from motiondistill.building.objects import make_settings
from motiondistill.checkpoints import load_checkpoint, save_checkpoint
from motiondistill.engine.critics import Critic, draw, prompts_for
from motiondistill.engine.distillation import Verdict, judge
from motiondistill.engine.optimize import initial_state, optimize
from motiondistill.engine.settings import DistillSettings
from motiondistill.engine.stages import Settings, Step
from motiondistill.engine.starts import Problem, new_field
from motiondistill.priors.base import DiffusersPrior
from motiondistill.priors.gaussian_videos import gaussian_videos
from motiondistill.priors.loading import load_prior
from motiondistill.prompts import with_view
from motiondistill.randomness import seeded
from motiondistill.schema.jobs import OptimizeConfig
from motiondistill.score.objectives import sds
from motiondistill.score.query import Query

IMAGE = "image_score"
FRAME = 3 * PIXELS**2
"""Numbers in a frame."""
VIEWS = 2
# Levels are drawn in single precision.
SINGLE = 1e-6


def random_gaussian(size: int, seed: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    factor = torch.randn(size, size, generator=generator, dtype=torch.float64)
    mean = torch.randn(size, generator=generator, dtype=torch.float64)
    return mean, factor @ factor.T / size


VIDEO, STILL = random_gaussian(FRAMES * FRAME, 1), random_gaussian(FRAME, 2)


def mean_sds(query: Query) -> Tensor:
    """The exact mean over noise: a Gaussian's estimate is affine in it."""
    opposite = dataclasses.replace(query, noise=-query.noise)
    return (sds(query) + sds(opposite)) / 2


def knobs_at(level: float, **others: Any) -> DistillSettings:
    still = {"first_level": level, "last_level": level, "level_jitter": 0.0}
    usual = {"objective": "sds", "guidance_scale": 1.0, "views": VIEWS}
    return DistillSettings(**(usual | still | others))


def averaged(knobs: DistillSettings) -> Any:
    return dataclasses.replace(make_method(knobs), objective=mean_sds)


def image_critic(level: float, images: int, weight: float = 1.0) -> Critic:
    knobs = knobs_at(level)
    prior = gaussian(1, *STILL)
    return Critic(IMAGE, prior, knobs, averaged(knobs), weight=weight, images=images)


def pulls(
    problem: Problem, knobs: DistillSettings, pixels: Tensor, step: int = 0
) -> tuple[Tensor, Verdict]:
    """The gradient of the summed score by the pixels."""
    leaf = pixels.clone().requires_grad_()
    verdict = judge(
        problem, knobs, averaged(knobs), [], standing(), painted(leaf), index=step, begin=0
    )
    (gradient,) = torch.autograd.grad(torch.stack(list(verdict.terms.values())).sum(), leaf)
    return gradient, verdict


def pull(covariance: Tensor, level: float) -> Tensor:
    """The matrix of a critic's mean gradient, before it is divided by the number of latents.

    The residual of score distillation is `sigma^2 (C + sigma^2)^-1 (x - m)` for the mean noise, and
    its weight by default `sigma / (1 + sigma^2)`.
    """
    sigma = level / (1 - level)
    noisy = covariance + sigma**2 * torch.eye(len(covariance), dtype=torch.float64)
    return sigma**3 / (1 + sigma**2) * torch.linalg.inv(noisy)


def stills() -> tuple[Tensor, Tensor]:
    """Mean and covariance of a clip whose frames are independent stills, as latents are ordered."""
    order = torch.arange(FRAMES * FRAME).view(3, FRAMES, -1).transpose(0, 1).flatten()
    mean = torch.empty(FRAMES * FRAME, dtype=torch.float64)
    covariance = torch.zeros(FRAMES * FRAME, FRAMES * FRAME, dtype=torch.float64)
    for frame in order.view(FRAMES, FRAME):
        mean[frame] = STILL[0]
        covariance[frame[:, None], frame] = STILL[1]
    return mean, covariance


@pytest.mark.parametrize("weights", [(1.0, 1.0), (0.3, 2.0)])
def test_two_gaussians_agree_on_the_precision_weighted_mean(weights: tuple[float, float]) -> None:
    """Every frame seen: the summed score vanishes where the noisy Gaussians' product peaks."""
    levels = 0.5, 0.4
    knobs = knobs_at(levels[0], weight=weights[0])
    problem = canvas_problem(gaussian(FRAMES, *VIDEO), image_critic(levels[1], FRAMES, weights[1]))
    size = FRAMES * FRAME
    # The score is affine in the pixels: its zero by as many evaluations as there are pixels.
    at_zero, _ = pulls(problem, knobs, torch.zeros(size, dtype=torch.float64))
    slope = torch.stack(
        [pulls(problem, knobs, unit)[0] - at_zero for unit in torch.eye(size, dtype=torch.float64)]
    )
    found = torch.linalg.solve(slope.T, -at_zero)

    means, covariances = zip(VIDEO, stills(), strict=True)
    precisions = [
        weight * pull(covariance, level)
        for weight, covariance, level in zip(weights, covariances, levels, strict=True)
    ]
    expected = torch.linalg.solve(
        sum(precisions), sum(p @ m for p, m in zip(precisions, means, strict=True))
    )
    assert torch.allclose(slope, sum(precisions) / size, rtol=1e-5, atol=SINGLE)
    assert torch.allclose(found, expected, rtol=1e-5, atol=1e-5)
    assert (found - VIDEO[0]).abs().max() > 0.1 and (found - stills()[0]).abs().max() > 0.1


def test_only_the_frames_of_the_draw_are_judged_and_by_the_closed_form() -> None:
    prior, critic = gaussian(FRAMES, *VIDEO), image_critic(0.4, 1)
    problem, knobs = canvas_problem(prior, critic), knobs_at(0.5, weight=0.0)
    pixels = torch.randn(FRAMES * FRAME, generator=seeded(3), dtype=torch.float64)
    seen = set()
    for step in range(6):
        gradient, verdict = pulls(problem, knobs, pixels, step)
        assert set(verdict.terms) == {IMAGE} and verdict.target is None
        drawn = draw(critic, 0.0, VIEWS, (FRAMES, PIXELS, PIXELS), seeded(0, step, IMAGE)).frames
        assert drawn is not None
        expected = torch.zeros(FRAMES, FRAME, dtype=torch.float64)
        frames = pixels.view(3, FRAMES, -1).transpose(0, 1).reshape(FRAMES, FRAME)
        for frame in drawn.flatten().tolist():
            expected[frame] += pull(STILL[1], 0.4) @ (frames[frame] - STILL[0]) / (VIEWS * FRAME)
        got = gradient.view(3, FRAMES, -1).transpose(0, 1).reshape(FRAMES, FRAME)
        assert torch.allclose(got, expected, rtol=1e-5, atol=SINGLE)
        seen.add(tuple(drawn.flatten().tolist()))
    assert len(seen) > 1


def test_frames_are_a_subset_that_seed_and_step_decide() -> None:
    critic = dataclasses.replace(image_critic(0.4, 3), prior=gaussian_videos())

    def frames(*draws: int) -> list[list[int]]:
        found = draw(critic, 0.0, 4, (16, 8, 8), seeded(*draws, IMAGE))
        assert found.frames is not None and len(found.sigma) == len(found.noise) == 12
        return list(found.frames.tolist())

    drawn = frames(0, 5)
    assert all(len(set(row)) == 3 and 0 <= min(row) <= max(row) < 16 for row in drawn)
    assert len({tuple(row) for row in drawn}) > 1  # each view its own
    assert frames(0, 5) == drawn
    assert drawn != frames(0, 6) and drawn != frames(1, 5)


def test_a_row_is_spoken_of_as_its_view_is() -> None:
    critic = dataclasses.replace(image_critic(0.4, 2), prior=gaussian_videos())
    words = prompts_for(critic, "a person bows", torch.tensor([0.0, 3.0])).positive
    texts = [with_view("a person bows", azimuth) for azimuth in (0.0, 0.0, 3.0, 3.0)]
    expected = critic.prior.embed(texts)
    assert all(torch.equal(words.tensors[n], expected.tensors[n]) for n in expected.tensors)


@pytest.fixture(scope="module")
def prior(tmp_path_factory: pytest.TempPathFactory) -> DiffusersPrior:
    return load_prior(tiny_latte.save_tiny(tmp_path_factory.mktemp("prior")))


@pytest.fixture
def deterministic() -> Iterator[None]:
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


@pytest.fixture(scope="module")
def image_prior(tmp_path_factory: pytest.TempPathFactory) -> DiffusersPrior:
    return load_prior(tiny_stable_diffusion.save_tiny(tmp_path_factory.mktemp("image_prior")))


def two_critics(
    prior: DiffusersPrior, image_prior: DiffusersPrior, **score: Any
) -> tuple[Problem, Settings]:
    short = {"num_steps": 4, "views": 2} | score
    given = [f"score.{key}={value}" for key, value in short.items()]
    settings = make_settings(config.load(OptimizeConfig, None, ["init.num_steps=0", *given]))
    image = Critic(
        IMAGE, image_prior, settings.distill, settings.method, prompt="a person bows", images=2
    )
    return dataclasses.replace(small_problem(prior, frames=16), critics=(image,)), settings


@pytest.mark.parametrize("objective", ["csd", "dds", "vsd"])
def test_a_run_with_two_critics_resumes_bit_for_bit(
    prior: DiffusersPrior,
    image_prior: DiffusersPrior,
    deterministic: None,
    objective: str,
    tmp_path: Path,
) -> None:
    """From within targets that three updates share, each critic with its own."""
    problem, settings = two_critics(prior, image_prior, objective=objective, updates_per_target=3)
    state, whole = initial_state(problem, settings), []
    for step in optimize(problem, settings, state):
        whole.append(step)
        save_checkpoint(tmp_path / str(state.step), snapshot(state))
    assert {"score", IMAGE} <= set(whole[0].terms)
    assert f"{IMAGE}_log_snr" in whole[0].figures and "log_snr" in whole[0].figures
    held = [memory.held for memory in state.memories]
    assert [len(kept.target) for kept in held if kept is not None] == [2, 4]
    resumed = restore(load_checkpoint(tmp_path / "2"), partial(new_field, problem))

    def bits(step: Step) -> list[Tensor]:
        return [step.loss, *step.terms.values(), *step.figures.values(), step.motion.rotations]

    for before, after in zip(whole[2:], optimize(problem, settings, resumed), strict=True):
        assert all(map(torch.equal, bits(before), bits(after)))


def test_weights_scale_the_terms_and_nothing_else(
    prior: DiffusersPrior, image_prior: DiffusersPrior
) -> None:
    def first(score: float, image: float) -> Step:
        problem, settings = two_critics(prior, image_prior, weight=score)
        critic = dataclasses.replace(problem.critics[0], weight=image)
        weighted = dataclasses.replace(problem, critics=(critic,))
        return next(optimize(weighted, settings, initial_state(weighted, settings)))

    usual, other = first(1.0, 1.0), first(0.5, 4.0)
    assert torch.equal(other.terms["score"], usual.terms["score"] * 0.5)
    assert torch.equal(other.terms[IMAGE], usual.terms[IMAGE] * 4.0)
    assert usual.figures.keys() == other.figures.keys()
    assert all(torch.equal(usual.figures[name], other.figures[name]) for name in usual.figures)
    alone = first(1.0, 0.0)
    assert IMAGE not in alone.terms
    assert torch.equal(alone.terms["score"], usual.terms["score"])
