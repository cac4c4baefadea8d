"""Sampled starts: the blur, the error of a fit, the samples, and a known motion found again."""

import dataclasses
import itertools
import math

import pytest
import torch
from small_problem import FRAMES, body, rendered, small_problem, usual_poses
from tiny_ltx import save_tiny
from torch import Tensor, nn

from motiondistill import rotations
from motiondistill.bookkeeping.store import restore, snapshot
from motiondistill.building.method import make_method
from motiondistill.data.parametric import parametric_motion
from motiondistill.engine import fitting as fitting_module
from motiondistill.engine.fitting import blur, fit, fit_errors, fit_state, guides
from motiondistill.engine.optimize import initial_state
from motiondistill.engine.settings import DistillSettings
from motiondistill.engine.stages import Settings, State
from motiondistill.engine.starts import (
    FitSettings,
    motion_of,
    new_field,
    sample_targets,
    start_azimuths,
)
from motiondistill.motion.pose_field import PoseField
from motiondistill.motion.pose_space import PoseSpace
from motiondistill.motion.stances import READY, Stance
from motiondistill.priors.base import Prior
from motiondistill.priors.loading import load_prior
from motiondistill.prompts import view_name
from motiondistill.regularizers.statistics import pose_deviation
from motiondistill.regularizers.weights import References, RegularizerWeights
from motiondistill.structures import NUM_JOINTS, Motion

ROUNDING = 1e-6  # float32 sums of values in [0, 1]
FOUND = 0.03  # metres, across the view: a mean joint error less than a wrist is thick


@pytest.fixture(scope="module")
def prior(tmp_path_factory: pytest.TempPathFactory) -> Prior:
    return load_prior(save_tiny(tmp_path_factory.mktemp("prior")))


def images(*shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("size", [(20, 20), (9, 14)])
@pytest.mark.parametrize("sigma", [0.5, 1.5, 8.0])
def test_blur_is_a_convolution_with_a_gaussian(size: tuple[int, int], sigma: float) -> None:
    batch = images(2, 3, *size)
    radius = math.ceil(2.5 * sigma)
    bell = torch.exp(-torch.arange(-radius, radius + 1.0).square() / (2 * sigma**2))
    kernel = torch.outer(bell, bell) / bell.sum() ** 2
    expected = nn.functional.conv2d(batch, kernel.expand(3, 1, -1, -1), padding=radius, groups=3)
    assert (blur(batch, sigma) - expected).abs().max() < ROUNDING


@pytest.mark.parametrize("sigma", [1.0, 3.0])
def test_blur_keeps_what_is_away_from_the_edges(sigma: float) -> None:
    point = torch.zeros(1, 1, 41, 41)
    point[0, 0, 20, 20] = 1.0
    spread = blur(point, sigma)
    assert abs(spread.sum() - 1) < ROUNDING
    assert spread.amax() < 0.2
    at_the_edge = torch.zeros(1, 1, 41, 41)
    at_the_edge[..., 0] = 1.0
    assert blur(at_the_edge, sigma).sum() < 0.8 * 41  # the rest has left the image


def test_no_blur_is_the_image_itself() -> None:
    batch = images(2, 3, 8, 8)
    assert torch.equal(blur(batch, 0.0), batch)


@pytest.mark.parametrize("progress", [0.0, 0.5, 1.0])
def test_each_clip_has_an_error_of_its_own(progress: float) -> None:
    video, target = images(6, 4, 3, 16, 16).split(3)
    each = [fit_errors(video[k : k + 1], target[k : k + 1], progress) for k in range(3)]
    assert torch.allclose(fit_errors(video, target, progress), torch.cat(each), rtol=1e-5)
    assert min(each) > 0
    assert not fit_errors(target, target, progress).any()


def test_only_the_coarse_error_feels_a_distant_part_come_nearer() -> None:
    def square(column: int) -> Tensor:
        video = torch.zeros(1, 1, 3, 48, 48)
        video[..., 20:24, column : column + 4] = 1.0
        return video

    target = square(4)
    far, near = (
        [float(fit_errors(square(column), target, progress)) for progress in (0.0, 1.0)]
        for column in (24, 14)
    )
    assert near[0] < 0.9 * far[0]
    assert near[1] == far[1]


def test_samples_are_wanted_for_frontal_views_in_turn() -> None:
    names = [view_name(azimuth) for azimuth in start_azimuths(5).tolist()]
    assert names == [
        "front view",
        "front left view",
        "front right view",
        "front view",
        "front left view",
    ]


def test_samples_are_videos_of_the_problem_and_repeat_with_the_seed(prior: Prior) -> None:
    settings = FitSettings(num_samples=2, sampling_steps=2)
    videos = sample_targets(small_problem(prior), settings)
    assert videos.shape == (2, FRAMES, 3, 32, 32)
    assert 0 <= videos.min() < videos.max() <= 1
    assert torch.equal(videos, sample_targets(small_problem(prior), settings))
    for other in (small_problem(prior, seed=1), small_problem(prior, prompt="a person squats")):
        assert not torch.equal(videos, sample_targets(other, settings))


def test_guides_fall_evenly_in_the_logarithm_and_stay_at_a_hundredth() -> None:
    leaning = Motion(
        rotations.from_axis_angle(torch.tensor([0.5, 0, 0])).expand(1, NUM_JOINTS, 3, 3),
        torch.zeros(1, 3),
        8.0,
    )

    def upright(progress: float) -> float:
        terms = guides(leaning, progress, upright=2.0, usual=0.0, poses=None)
        assert [*terms] == ["upright"]
        return float(terms["upright"])

    whole = 2 * (1 - math.cos(0.5))
    for progress, left in ((0.0, 1.0), (0.15, 0.01**0.25), (0.3, 0.1), (0.6, 0.01), (1.0, 0.01)):
        assert upright(progress) == pytest.approx(left * whole, rel=1e-4)
    assert guides(leaning, 0.0, upright=0.0, usual=0.0, poses=None) == {}
    usual = guides(leaning, 0.3, upright=0.0, usual=0.7, poses=usual_poses())["usual_poses"]
    pose = leaning.rotations[:, 1:]
    assert float(usual) == pytest.approx(0.07 * float(pose_deviation(pose, usual_poses())))
    with pytest.raises(ValueError, match="`poses` must be given"):
        guides(leaning, 0.0, upright=0.0, usual=0.7, poses=None)


def test_a_guided_start_needs_usual_poses_before_it_samples(prior: Prior) -> None:
    unknowing = dataclasses.replace(small_problem(prior), references=References())
    with pytest.raises(ValueError, match=r"`problem\.references\.statistics` must be given .*0\.3"):
        initial_state(unknowing, fitting(1, 2))


def test_guides_look_at_the_whole_motion_where_the_prior_sees_a_window(
    prior: Prior, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem, seen = small_problem(prior, frames=11), []
    videos = rendered(problem, new_field(problem, 0)(FRAMES, 8.0), start_azimuths(1))

    def noted(motion: Motion, *given: object, **named: object) -> dict[str, Tensor]:
        seen.append(motion.num_frames)
        return {}

    monkeypatch.setattr(fitting_module, "guides", noted)
    problem = dataclasses.replace(problem, window=FRAMES)
    next(fit(problem, fitting(1, 2), fit_state(problem, videos, 1)))
    assert seen == [11]


def fitting(num_stances: int, num_steps: int) -> Settings:
    knobs = FitSettings(
        num_samples=2, num_steps=num_steps, num_stances=num_stances, learning_rate=1e-3
    )
    return Settings(knobs, DistillSettings(), RegularizerWeights(), make_method(DistillSettings()))


@pytest.fixture
def two_videos(prior: Prior) -> Tensor:
    """One person with the arms low, and one with the arms up."""
    problem, views = small_problem(prior), start_azimuths(2)
    seen = [dataclasses.replace(READY[0], arm_lift=lift) for lift in (0.4, 2.2)]
    motions = [new_field(problem, 0, stance)(FRAMES, 8.0).detach() for stance in seen]
    return torch.cat([rendered(problem, motions[k], views[k : k + 1]) for k in range(2)])


def test_the_stance_that_comes_nearest_is_kept_with_its_optimiser(
    prior: Prior, two_videos: Tensor
) -> None:
    state = fit_state(small_problem(prior), two_videos, 3)
    candidates, steps = list(state.fields), fit(small_problem(prior), fitting(3, 8), state)
    for _ in range(3):
        next(steps)
    remembered = dict(state.optimizer.state)
    next(steps)
    assert [*state.fields] == [candidates[0], candidates[5]]  # the low arms, and those up
    kept = dict(state.optimizer.state)
    assert {*kept} == {*state.fields.parameters()} < {*remembered}
    assert all(int(memory["step"]) == 4 for memory in kept.values())
    assert len(list(steps)) == 4 and len(state.fields) == 2


def test_a_field_that_cannot_lift_its_arms_has_one_stance(prior: Prior, two_videos: Tensor) -> None:
    def rigid(*, stance: Stance, generator: torch.Generator) -> PoseField:
        space = PoseSpace(groups=("orientation", "translation"))
        return PoseField(space=space, stance=stance, generator=generator)

    problem = dataclasses.replace(small_problem(prior), new_field=rigid)
    assert len(fit_state(problem, two_videos, 3).fields) == 2


def test_stances_do_not_know_of_each_other(prior: Prior, two_videos: Tensor) -> None:
    """The gradient of each is that of a fit which begins with it alone."""
    problem = small_problem(prior)
    together = fit_state(problem, two_videos, 3)
    next(fit(problem, fitting(3, 8), together))
    for index, stance in enumerate(READY):
        fields = [new_field(problem, video, stance) for video in range(2)]
        alone = State("fit", nn.ModuleList(fields), two_videos)
        next(fit(problem, fitting(1, 8), alone))
        for video, field in enumerate(alone.fields):
            other = together.fields[3 * video + index]
            for a, b in zip(field.parameters(), other.parameters(), strict=True):
                assert a.grad is not None and b.grad is not None
                assert torch.allclose(a.grad, b.grad, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("after", [1, 2, 5])
def test_a_fit_of_several_stances_resumes_bit_for_bit(prior: Prior, after: int) -> None:
    problem, settings = small_problem(prior), fitting(3, 8)
    videos = rendered(problem, new_field(problem, 9, READY[1])(FRAMES, 8.0), start_azimuths(2))
    whole = fit_state(problem, videos, 3)
    list(fit(problem, settings, whole))
    begun = fit_state(problem, videos, 3)
    for _ in itertools.islice(fit(problem, settings, begun), after):
        pass
    again = restore(snapshot(begun), lambda index: new_field(problem, index))
    list(fit(problem, settings, again))
    pairs = zip(whole.fields.parameters(), again.fields.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


@pytest.mark.slow
def test_a_fit_finds_a_known_motion_again(prior: Prior) -> None:
    """Jumping jacks, seen from the front only: how deep the limbs are is not in the picture."""
    problem = small_problem(prior, pixels=64, frames=7)
    known = parametric_motion(
        "jumping jacks", "left", torch.Generator().manual_seed(1), body().rest_joints, 8.0, 7
    )
    settings = Settings(
        FitSettings(num_samples=1, sampling_steps=1, num_steps=150),
        DistillSettings(),
        RegularizerWeights(),
        make_method(DistillSettings()),
    )

    @torch.no_grad()
    def joint_error(field: nn.Module) -> float:
        goal = problem.body(known).joints
        error = problem.body(motion_of(problem, field)).joints - goal
        return float(error[..., :2].norm(dim=-1).mean())

    fields = initial_state(small_problem(prior, frames=FRAMES), settings).fields
    state = State("fit", fields, rendered(problem, known, start_azimuths(1)))
    before = joint_error(fields[0])
    errors = [float(step.terms["fit"]) for step in fit(problem, settings, state)]
    after = joint_error(state.fields[0])
    assert len(errors) == state.step == 150
    assert after < FOUND, (before, after)
    assert after < before / 4, (before, after)
