"""Free clips go where the prior wants them: closed forms, resumption, and what is refused."""

import dataclasses
import itertools
import math
from pathlib import Path
from typing import Any, get_args

import pytest
import tiny_latte
import torch
from torch import Tensor
from toy_gaussian import DIMENSIONS, FORMAT, SHAPE, random_gaussian

from motiondistill import config
from motiondistill.building.latents import make_latent_method
from motiondistill.building.method import make_method
from motiondistill.checkpoints import load_checkpoint, save_checkpoint
from motiondistill.engine.critics import MAIN, Critic
from motiondistill.engine.settings import DistillSettings
from motiondistill.latents.ablation import (
    LatentMethod,
    LatentProblem,
    initial_latents,
    optimize_latents,
)
from motiondistill.latents.spaces import LatentSpace, PixelSpace, Space, decoded, held_still
from motiondistill.latents.state import LatentState, LatentStep
from motiondistill.priors.base import DiffusersPrior, Prior
from motiondistill.priors.gaussian import Gaussian, GaussianPrior
from motiondistill.priors.gaussian_videos import gaussian_videos
from motiondistill.priors.loading import load_prior
from motiondistill.prompts import Wording
from motiondistill.randomness import seeded
from motiondistill.schema.jobs import LatentsConfig

PLAIN = Wording(template="{prompt}", negative_template="{prompt}")
OBJECTIVES = [
    name
    for name in get_args({f.name: f.type for f in dataclasses.fields(DistillSettings)}["objective"])
    if name != "vsd"
]
SPACES: list[Space] = [LatentSpace(), PixelSpace()]
REST = 2e-3  # what Adam leaves of a way of length one when its rate has fallen to nothing


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> DiffusersPrior:
    return load_prior(tiny_latte.save_tiny(tmp_path_factory.mktemp("prior")))


def points(walk: Tensor, jump: Tensor) -> GaussianPrior:
    """A prior that is sure of one clip for each prompt, whatever the noise."""
    eye = torch.eye(DIMENSIONS, dtype=torch.float64)
    none = torch.zeros(DIMENSIONS, dtype=torch.float64)
    return GaussianPrior(
        {"walk": Gaussian(walk, none, eye), "jump": Gaussian(jump, none, eye)}, FORMAT
    )


def problem_of(
    prior: Prior, *, prompt: str = "walk", start: Tensor | None = None, **knobs: Any
) -> LatentProblem:
    """Two views of a toy's clip, told apart by nothing but their noise."""
    short = {"objective": "sds", "views": 2, "num_steps": 4, "target_steps": 2, "max_norm": None}
    settings = DistillSettings(**(short | knobs))
    if start is None:
        start = torch.rand(2, 2, 3, 2, 2, generator=seeded(3), dtype=torch.float64)
    critic = Critic(MAIN, prior, settings, make_method(settings), "jump", wording=PLAIN)
    return LatentProblem(prompt, critic, start, torch.tensor([0.0, math.pi]), seed=0)


def method_of(problem: LatentProblem, space: Space) -> LatentMethod:
    name = "pixels" if isinstance(space, PixelSpace) else "latents"
    knobs = problem.critic.knobs
    given = [f"latents.space={name}", f"score.objective={knobs.objective}"]
    return make_latent_method(config.load(LatentsConfig, None, given))


def run(
    problem: LatentProblem, space: Space, state: LatentState | None = None
) -> tuple[LatentState, list[LatentStep]]:
    method = method_of(problem, space)
    state = state or initial_latents(problem, method)
    return state, list(optimize_latents(problem, method, state))


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("scale", [1.0, 3.0])
def test_sds_ends_where_guidance_puts_the_prompts_clip(space: Space, scale: float) -> None:
    """`D = m_base + s (m_prompt - m_base)` at every level: there the residual is zero."""
    generator = seeded(1)
    walk, jump = (
        0.4 + 0.1 * torch.rand(DIMENSIONS, generator=generator, dtype=torch.float64)
        for _ in range(2)
    )
    problem = problem_of(
        points(walk, jump), guidance_scale=scale, num_steps=300, learning_rate=0.03
    )
    state, _ = run(problem, space)
    expected = (jump + scale * (walk - jump)).view(SHAPE)
    if isinstance(space, PixelSpace):
        expected = expected.transpose(0, 1)
    assert (state.numbers.detach() - expected).abs().max() < REST


def test_pixels_stay_pixels_where_the_prior_wants_others() -> None:
    walk = torch.linspace(-0.5, 1.5, DIMENSIONS, dtype=torch.float64)
    problem = problem_of(points(walk, walk), guidance_scale=1.0, num_steps=300, learning_rate=0.03)
    state, _ = run(problem, PixelSpace())
    expected = walk.view(SHAPE).transpose(0, 1).clamp(0, 1)
    assert (state.numbers.detach() - expected).abs().max() < REST


def test_sds_under_noise_ends_where_the_mean_residual_is_zero() -> None:
    """With `K = sigma^2 (C + sigma^2)^-1` of prompt and base: `((1-s) K_b + s K_p) x = (1-s) K_b
    m_b + s K_p m_p`.
    """
    scale, tau = 1.5, 0.6
    known = [random_gaussian(seed) for seed in (0, 1)]
    prior = GaussianPrior(
        {
            name: Gaussian.from_covariance(*given)
            for name, given in zip(("walk", "jump"), known, strict=True)
        },
        FORMAT,
    )
    level = {"first_level": tau, "last_level": tau, "level_jitter": 0.0}
    problem = problem_of(prior, guidance_scale=scale, num_steps=1500, learning_rate=0.03, **level)
    state, _ = run(problem, LatentSpace())
    eye, variance = torch.eye(DIMENSIONS, dtype=torch.float64), (tau / (1 - tau)) ** 2
    pull = [variance * torch.linalg.inv(spread + variance * eye) for _, spread in known]
    shares = (scale, 1 - scale)
    matrix = sum(share * one for share, one in zip(shares, pull, strict=True))
    goal = sum(
        share * one @ mean for share, one, (mean, _) in zip(shares, pull, known, strict=True)
    )
    expected = torch.linalg.solve(matrix, goal).view(SHAPE)
    mean, start = known[0][0].view(SHAPE), problem.start.transpose(1, 2)
    error = (state.numbers.detach() - expected).square().mean().sqrt()
    assert error < 0.1 < 0.2 * (start - expected).square().mean().sqrt()
    assert (mean - expected).square().mean().sqrt() > 0.3, "guidance goes beyond the mean"


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_every_objective_moves_the_clips(tiny: DiffusersPrior, objective: str) -> None:
    start = torch.rand(2, 16, 3, 32, 32, generator=seeded(0))
    problem = problem_of(tiny, start=start, objective=objective, num_steps=2)
    state, steps = run(problem, LatentSpace())
    assert state.numbers.shape == (2, 4, 16, 8, 8) and state.step == len(steps) == 2
    assert all(bool(step.loss.isfinite()) for step in steps)
    assert not torch.equal(state.numbers, state.start)


def test_pixels_get_the_latents_gradient_through_the_encoder() -> None:
    """Of the codec `z = 2 v - 1` it is twice the latents'."""
    start = torch.rand(2, 4, 3, 8, 8, generator=seeded(0))
    problem = problem_of(gaussian_videos(), start=start, num_steps=1)
    (in_latents, _), (in_pixels, _) = run(problem, LatentSpace()), run(problem, PixelSpace())
    assert in_latents.numbers.grad is not None and in_pixels.numbers.grad is not None
    expected = 2 * in_latents.numbers.grad.transpose(1, 2)
    torch.testing.assert_close(in_pixels.numbers.grad, expected)


def test_the_first_update_is_as_long_as_the_rate_however_many_latents() -> None:
    """Gradients divided by their number would drown in Adam's epsilon."""
    start = torch.rand(2, 16, 3, 96, 96, generator=seeded(0))
    problem = problem_of(gaussian_videos(), start=start, num_steps=1, learning_schedule="constant")
    state, _ = run(problem, LatentSpace())
    way = (state.numbers - state.start).abs().detach() / problem.critic.knobs.learning_rate
    assert way.quantile(0.01) > 0.999


@pytest.mark.parametrize("objective", ["dds", "moving_minus_static"])
def test_a_still_clip_is_left_alone_by_what_compares_it_with_itself(
    tiny: DiffusersPrior, objective: str
) -> None:
    start = torch.rand(2, 1, 3, 32, 32, generator=seeded(0)).expand(-1, 16, -1, -1, -1)
    knobs = {"objective": objective, "reference_prompt": "walk"}
    problem = problem_of(tiny, start=start, **knobs)
    state, steps = run(problem, LatentSpace())
    assert torch.equal(state.numbers, state.start) and steps[0].gradients["numbers"] == 0
    video = decoded(tiny, state.numbers)
    assert video.diff(dim=1).abs().max() == 0, "a still start has no motion energy"
    moved, _ = run(problem_of(tiny, start=start, objective=objective), LatentSpace())
    assert not torch.equal(moved.numbers, moved.start), "other words do move it"


def test_the_still_reference_is_the_clip_with_every_frame_its_mean() -> None:
    prior = gaussian_videos()
    video = 0.2 + 0.6 * torch.rand(2, 5, 3, 8, 8, generator=seeded(0))
    still = decoded(prior, held_still(prior, prior.encode(video), prior.encode(video)))
    torch.testing.assert_close(still, video.mean(1, keepdim=True).expand_as(video))


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("objective", ["dds", "multi_step", "moving_minus_static"])
def test_resumed_clips_are_the_uninterrupted_ones_bit_for_bit(
    tmp_path: Path, objective: str, space: Space
) -> None:
    start = torch.rand(2, 4, 3, 8, 8, generator=seeded(0))
    knobs = {"objective": objective, "updates_per_target": 3, "num_steps": 7}
    problem = problem_of(gaussian_videos(), start=start, **knobs)
    whole, steps = run(problem, space)
    method = method_of(problem, space)
    for cut in (1, 3, 5):
        state = initial_latents(problem, method)
        for step, _ in zip(optimize_latents(problem, method, state), range(cut), strict=False):
            assert torch.equal(step.loss, steps[step.index].loss)
        save_checkpoint(tmp_path / "state", state.to_tree())
        again = LatentState.from_tree(load_checkpoint(tmp_path / "state"))
        assert again.step == state.step >= cut
        resumed, later = run(problem, space, again)
        assert torch.equal(resumed.numbers, whole.numbers)
        assert torch.equal(later[-1].target, steps[-1].target)


def test_updates_share_a_target_with_its_noise() -> None:
    start = torch.rand(2, 4, 3, 8, 8, generator=seeded(0))
    knobs = {"objective": "multi_step", "updates_per_target": 2, "num_steps": 5}
    state, steps = run(problem_of(gaussian_videos(), start=start, **knobs), LatentSpace())
    same = [torch.equal(a.target, b.target) for a, b in itertools.pairwise(steps)]
    assert same == [True, False, True, False]
    assert steps[0].figures["log_snr"] == steps[1].figures["log_snr"]
    assert state.held is not None and torch.equal(state.held, steps[-1].target)


@pytest.mark.parametrize("space", SPACES)
def test_parts_of_the_views_sum_to_all_of_them(space: Space) -> None:
    start = torch.rand(2, 4, 3, 8, 8, generator=seeded(0))
    (whole, (first, *_)), (parts, (second, *_)) = (
        run(problem_of(gaussian_videos(), start=start, accumulate=count), space) for count in (1, 2)
    )
    torch.testing.assert_close(parts.numbers, whole.numbers)
    torch.testing.assert_close(second.loss, first.loss)


def test_what_is_not_finite_changes_nothing() -> None:
    class Broken:
        def __call__(self, query: Any) -> Tensor:
            return torch.full_like(query.latents, math.nan)

    problem = problem_of(gaussian_videos(), start=torch.rand(2, 4, 3, 8, 8, generator=seeded(0)))
    method = dataclasses.replace(problem.critic.method, objective=Broken())
    critic = dataclasses.replace(problem.critic, method=method)
    problem = dataclasses.replace(problem, critic=critic)
    state = initial_latents(problem, LatentMethod(LatentSpace()))
    with pytest.raises(FloatingPointError, match="must be finite, got others at the clips at step"):
        list(optimize_latents(problem, LatentMethod(LatentSpace()), state))
    assert state.step == 0 and torch.equal(state.numbers, state.start)


def test_a_checkpoint_of_a_motion_is_none_of_clips() -> None:
    with pytest.raises(ValueError, match="must be one of clips, of layout 1, got layout 2; start"):
        LatentState.from_tree({"layout": 2, "fields": {}})


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("score.objective=vsd", "`score.objective` must not be vsd in `latents`, which adapts no"),
        ("score.azimuth_jitter=0.1", "`score.azimuth_jitter` must be left out of `latents`"),
        ("score.max_norm=1", "`score.max_norm` must be left out of `latents`"),
        ("score.weight=2", "`score.weight` must be left out of `latents`"),
        ("camera.fov_jitter=0.1", "`camera.fov_jitter` must be left out of `latents`"),
        ("score.levels=auto", "`score.levels` must be left out of `latents`, as a probe suggests"),
        (
            "score.probe=/x",
            "`score.probe` must be left out of `latents`, as a probe suggests",
        ),
        ("score.accumulate=3", "`score.accumulate` must divide score.views=4, got 3"),
        ("latents.start=reference", "`latents.motion` must name a motion file or a run's folder"),
        ("latents.motion=x", "`latents.motion` must be left out with latents.start=neutral"),
        ("latents.models=[a,a]", "`latents.models` must name each prior once, got ['a', 'a']"),
        ("latents.space=voxels", "`latents.space` must be one of latents, pixels, got 'voxels'"),
        ("run.frames=2", "`run.frames` must be between 3 and 1024, got 2"),
    ],
)
def test_what_clips_cannot_be_asked_is_refused(override: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        config.load(LatentsConfig, None, [override])
    assert str(caught.value).startswith(message)


def test_several_priors_have_no_common_revision() -> None:
    given = ["latents.models=[a,b]", "prior.revision=main"]
    with pytest.raises(ValueError, match=r"`prior\.revision` must be left out with several priors"):
        config.load(LatentsConfig, None, given)
