"""Starts from a motion that is there: error in closed form, file, fit and its resume."""

import dataclasses
import logging
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from small_problem import body, small_problem

from motiondistill import config, rotations
from motiondistill.bookkeeping.store import restore, snapshot
from motiondistill.building.objects import make_problem, make_settings
from motiondistill.checkpoints import load_checkpoint, save_checkpoint
from motiondistill.data.parametric import parametric_motion
from motiondistill.engine.optimize import initial_state, optimize
from motiondistill.engine.reference_start import as_reference, reference_error
from motiondistill.engine.stages import Settings
from motiondistill.engine.starts import FitSettings, Problem, motion_of, new_field
from motiondistill.motion.timeline import Timeline
from motiondistill.priors.base import DiffusersPrior
from motiondistill.priors.gaussian_videos import gaussian_videos
from motiondistill.randomness import seeded
from motiondistill.schema.jobs import OptimizeConfig
from motiondistill.structures import NUM_JOINTS, Motion

FRAMES, FPS = 9, 8.0
ROUNDING = 1e-5  # float32 rotations
# Metres, mean over joints: in the picture that the shipped prior sees, a pixel is 0.033 m. What is
# left is what the field cannot show: the fastest waves of a step, and turns beyond its limits.
FOUND = 0.01


@pytest.fixture(scope="module")
def prior() -> DiffusersPrior:
    return gaussian_videos()


def walk(frames: int = FRAMES, fps: float = FPS) -> Motion:
    return parametric_motion("walk", "left", seeded(3), body().rest_joints, fps, frames)


def turned(angle: float, aside: float) -> Motion:
    """All joints of a T-pose turned about an oblique axis (radians), and displaced (metres)."""
    axis = torch.tensor([1.0, 2.0, -2.0]) / 3
    turn = rotations.from_axis_angle(angle * axis).expand(4, NUM_JOINTS, 3, 3)
    return Motion(turn, torch.full((4, 3), aside / 3**0.5), FPS)


def loaded(*overrides: str) -> OptimizeConfig:
    return config.load(OptimizeConfig, None, ["score.views=1", *overrides])


def settings(*overrides: str) -> Settings:
    return make_settings(loaded(*overrides))


def problem_of(prior: DiffusersPrior, reference: Motion | None) -> Problem:
    return dataclasses.replace(small_problem(prior, pixels=16, frames=FRAMES), reference=reference)


@given(st.floats(0.01, 3.0), st.floats(-0.3, 0.3))
def test_the_error_is_the_squared_angle_and_distance(angle: float, aside: float) -> None:
    error = reference_error(turned(angle, aside), turned(0.0, 0.0))
    assert float(error) == pytest.approx(angle**2 + aside**2, rel=1e-4)
    assert float(reference_error(turned(angle, aside), turned(angle, aside))) < ROUNDING


def test_hands_and_jaw_count_where_both_have_them() -> None:
    plain, (hands, jaw) = turned(0.2, 0.0), torch.eye(3).expand(2, 4, 3, 3)
    dressed = dataclasses.replace(plain, hands=hands[:, None].expand(4, 30, 3, 3), jaw=jaw)
    bent = dataclasses.replace(
        dressed, jaw=rotations.from_axis_angle(torch.tensor([[0.3, 0.0, 0.0]])).expand(4, 3, 3)
    )
    assert float(reference_error(bent, dressed)) == pytest.approx(0.09, rel=1e-4)
    assert float(reference_error(bent, plain)) < ROUNDING


def test_a_reference_keeps_its_speed_and_is_held_in_place() -> None:
    still = walk(17, 16.0)
    drift = torch.arange(17.0)[:, None] / 16 * torch.tensor([0.7, 0.0, 1.3])
    gone = dataclasses.replace(still, translation=still.translation + drift)
    kept, held = (as_reference(motion, Timeline(FRAMES, FPS)) for motion in (still, gone))
    assert (kept.num_frames, kept.fps) == (FRAMES, FPS)
    assert (kept.rotations - still.rotations[::2]).abs().max() < ROUNDING
    assert (kept.translation - held.translation).abs().max() < ROUNDING
    assert held.translation[:, [0, 2]].mean(0).abs().max() < ROUNDING


@pytest.mark.parametrize(("frames", "told"), [(3, "its last pose is held"), (40, "beginning is")])
def test_another_length_is_told(frames: int, told: str, caplog: pytest.LogCaptureFixture) -> None:
    given_motion = walk(frames)
    with caplog.at_level(logging.INFO):
        reference = as_reference(given_motion, Timeline(FRAMES, FPS))
    assert told in caplog.text
    both = min(frames, FRAMES)
    assert (reference.rotations[:both] - given_motion.rotations[:both]).abs().max() < ROUNDING
    last = reference.rotations[both - 1 :]
    assert frames > FRAMES or (last - last[:1]).abs().max() < ROUNDING


def test_the_fit_shows_the_reference(prior: DiffusersPrior) -> None:
    problem = problem_of(prior, as_reference(walk(), Timeline(FRAMES, FPS)))
    knobs = settings("init.start=reference", "init.motion=x.npz", "score.num_steps=0")
    state = initial_state(problem, knobs)
    assert problem.reference is not None
    goal = problem.body(problem.reference).joints

    @torch.no_grad()
    def joint_error() -> float:
        shown = problem.body(motion_of(problem, state.fields[0])).joints
        return float((shown - goal).norm(dim=-1).mean())

    before = joint_error()
    steps = list(optimize(problem, knobs, state))
    assert len(steps) == FitSettings().num_steps
    assert all(step.video is None and set(step.terms) == {"reference"} for step in steps)
    assert state.stage == "distill"
    assert joint_error() < FOUND < before / 4


def test_resumed_within_the_fit_it_is_the_uninterrupted_one(
    prior: DiffusersPrior, tmp_path: Path
) -> None:
    problem = problem_of(prior, as_reference(walk(), Timeline(FRAMES, FPS)))
    knobs = settings(
        "init.start=reference", "init.motion=x.npz", "init.num_steps=4", "score.num_steps=2"
    )
    state = initial_state(problem, knobs)
    for step in optimize(problem, knobs, state):
        assert step.stage == ("fit" if step.index < 4 else "distill")
        save_checkpoint(tmp_path / str(state.step), snapshot(state))
    for done in (2, 4, 5):
        saved = load_checkpoint(tmp_path / str(done))
        resumed = restore(saved, lambda index: new_field(problem, index))
        list(optimize(problem, knobs, resumed))
        pairs = zip(state.fields.parameters(), resumed.fields.parameters(), strict=True)
        assert all(torch.equal(a, b) for a, b in pairs), done


@pytest.mark.parametrize("override", ["init.start=neutral", "init.num_steps=0"])
def test_without_a_fit_the_distillation_begins_at_once(
    prior: DiffusersPrior, override: str
) -> None:
    problem, knobs = problem_of(prior, None), settings(override, "score.num_steps=2")
    assert knobs.num_steps == 2
    state = initial_state(problem, knobs)
    steps = list(optimize(problem, knobs, state))
    assert [(step.index, step.stage) for step in steps] == [(0, "distill"), (1, "distill")]


def test_a_reference_start_needs_a_reference(prior: DiffusersPrior) -> None:
    with pytest.raises(ValueError, match=r"`problem\.reference` must be a motion"):
        initial_state(problem_of(prior, None), settings("init.start=reference"))
    with pytest.raises(ValueError, match=r"`init\.num_steps` must be above 0 with init\.start=ref"):
        settings("init.start=reference", "init.num_steps=0")


def test_a_start_from_nothing_is_told() -> None:
    with pytest.raises(ValueError, match=r"`init\.motion` must name a motion file .* got null; "):
        make_problem(loaded("init.start=reference"), "x")
    with pytest.raises(FileNotFoundError, match=r"`init\.motion` must be a motion file .* got .*x"):
        make_problem(loaded("init.start=reference", "init.motion=/nowhere/x"), "x")
