"""Which of several motions goes on after the fit: by evidence, by misfit, and both on one scale."""

import math
from collections.abc import Sequence

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pose_oracle import ORACLE, oracle, pose
from small_problem import FRAMES, body, rendered, small_problem
from tiny_ltx import save_tiny
from torch import Tensor, nn

from motiondistill.data.parametric import parametric_motion
from motiondistill.engine.candidates import choose, evidence, misfits, standard_scores
from motiondistill.engine.fitting import fit_errors, fit_state
from motiondistill.engine.stages import State
from motiondistill.engine.starts import Problem, motion_of, start_azimuths
from motiondistill.motion.pose_field import PoseField
from motiondistill.priors.base import Prior
from motiondistill.priors.loading import load_prior
from motiondistill.randomness import seeded
from motiondistill.structures import Motion

PROMPTS = ("a person stands on the right", "a person stands on the left")
ASIDE = (-0.2, 0.2)
ROUNDING = 1e-5  # float32


@pytest.fixture(scope="module")
def prior(tmp_path_factory: pytest.TempPathFactory) -> Prior:
    return load_prior(save_tiny(tmp_path_factory.mktemp("prior")))


def standing(aside: float, seed: int = 0) -> PoseField:
    """One who stands this far to the left of the middle, in metres."""
    field = PoseField(generator=seeded(seed))
    with torch.no_grad():
        # The third last output is the way aside, bounded softly by one metre.
        field.layers.get_parameter("4.bias")[-3] = math.atanh(aside)
    return field


def asked(prompt: str) -> Problem:
    """Who knows how those look who stand aside, and is asked for one of them."""
    prior = oracle({name: pose(0.0, aside) for name, aside in zip(PROMPTS, ASIDE, strict=True)})
    return small_problem(prior, pixels=16, frames=ORACLE.frames, prompt=prompt)


def own_videos(problem: Problem, fields: Sequence[PoseField]) -> Tensor:
    """What each candidate looks like itself, from where its video is seen: no misfit is left."""
    motion = Motion.stack([motion_of(problem, field).detach() for field in fields])
    return rendered(problem, motion, start_azimuths(len(fields)))


def state_of(fields: Sequence[PoseField], targets: Tensor) -> State:
    return State("fit", nn.ModuleList(fields), targets)


@pytest.mark.parametrize("wanted", [0, 1])
def test_of_two_that_fit_the_one_that_the_prompt_explains_best_is_chosen(wanted: int) -> None:
    problem = asked(PROMPTS[wanted])
    fields = [standing(aside, seed) for seed, aside in enumerate(ASIDE)]
    state = state_of(fields, own_videos(problem, fields))
    assert torch.equal(misfits(problem, state), torch.zeros(2))
    assert choose(problem, state) == wanted


@pytest.mark.parametrize("wanted", [0, 1])
def test_of_two_alike_the_one_that_follows_its_video_is_chosen(wanted: int) -> None:
    problem = asked(PROMPTS[0])
    fields = [standing(ASIDE[0]), standing(ASIDE[0])]
    videos = own_videos(problem, fields)
    videos[1 - wanted] = videos[1 - wanted].flip(-1)
    assert choose(problem, state_of(fields, videos)) == wanted


@pytest.mark.parametrize("wanted", [0, 1])
def test_where_two_disagree_the_misfit_decides(wanted: int) -> None:
    problem = asked(PROMPTS[1 - wanted])
    fields = [standing(aside, seed) for seed, aside in enumerate(ASIDE)]
    videos = own_videos(problem, fields)
    videos[1 - wanted] = videos[1 - wanted].flip(-1)
    assert choose(problem, state_of(fields, videos)) == wanted


def test_what_is_no_number_is_not_chosen() -> None:
    problem = asked(PROMPTS[0])
    fields = [standing(aside, seed) for seed, aside in enumerate(ASIDE)]
    videos = own_videos(problem, fields)
    videos[1, 0, 0, 0, 0] = torch.nan
    with pytest.raises(FloatingPointError, match=r"must be finite, got .* at step 0 of seed 0"):
        choose(problem, state_of(fields, videos))


def test_one_candidate_needs_no_prior_and_no_video(prior: Prior) -> None:
    field = standing(0.0)
    state = State("fit", nn.ModuleList([field]), None)
    assert choose(small_problem(prior), state) == 0


def test_misfits_are_the_errors_of_the_fit_without_a_blur(prior: Prior) -> None:
    problem = small_problem(prior)
    videos = torch.rand(2, FRAMES, 3, 32, 32, generator=seeded(0))
    state = fit_state(problem, videos, 3)
    found = misfits(problem, state)
    assert found.shape == (6,)
    for index, field in enumerate(state.fields):
        seen = rendered(problem, motion_of(problem, field), start_azimuths(2)[index // 3, None])
        apart = fit_errors(seen, videos[index // 3, None], 1.0)
        assert (found[index] - apart).abs() < ROUNDING
        assert (apart - 100 * (seen[0] - videos[index // 3]).square().mean()).abs() < ROUNDING


def test_evidence_draws_the_same_noise_for_every_candidate(prior: Prior) -> None:
    problem = small_problem(prior)
    motions = [
        parametric_motion(
            "wave", side, torch.Generator().manual_seed(0), body().rest_joints, 8.0, FRAMES
        )
        for side in ("left", "right")
    ]
    gains = [evidence(problem, motion) for motion in motions]
    assert gains == [evidence(problem, motion) for motion in motions]
    assert gains[0] != gains[1]
    assert gains[0] != evidence(small_problem(prior, seed=1), motions[0])


@given(
    st.lists(st.integers(-1000, 1000), min_size=2, max_size=9),
    st.sampled_from([1e-6, 1.0, 1e6]),
    st.integers(-3, 3),
)
def test_standard_scores_know_neither_scale_nor_origin(
    values: list[int], scale: float, origin: int
) -> None:
    plain = torch.tensor(values, dtype=torch.float64)
    scores = standard_scores(plain)
    moved = standard_scores(scale * (plain + origin))
    assert torch.allclose(scores, moved, atol=1e-6)
    assert scores.sum().abs() < 1e-9
    alike = len(set(values)) == 1
    assert scores.square().mean().sub(0.0 if alike else 1.0).abs() < 1e-9
    assert torch.equal(scores.argsort(stable=True), plain.argsort(stable=True))
