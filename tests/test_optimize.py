"""The main job on small real problems: what it yields, that it repeats, resumes and improves."""

import dataclasses
import itertools
import math
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import torch
from pose_oracle import ORACLE, all_around, oracle, pose
from small_problem import FRAMES, PROMPT, small_problem
from tiny_ltx import save_tiny

from motiondistill.bookkeeping.store import restore, snapshot
from motiondistill.building.method import make_method
from motiondistill.checkpoints import load_checkpoint, save_checkpoint
from motiondistill.engine.optimize import initial_state, optimize
from motiondistill.engine.settings import DistillSettings
from motiondistill.engine.stages import Settings, Step
from motiondistill.engine.starts import FitSettings, Problem, motion_of, new_field
from motiondistill.priors.base import Prior
from motiondistill.priors.loading import load_prior
from motiondistill.regularizers.weights import RegularizerWeights
from motiondistill.render.randomization import random_background

FIT, DISTILL = 3, 3
VIEWS = 2
KNOBS = DistillSettings(num_steps=DISTILL, views=VIEWS)
SETTINGS = Settings(
    FitSettings(num_samples=2, sampling_steps=2, num_steps=FIT),
    KNOBS,
    RegularizerWeights(),
    make_method(KNOBS),
)
NEUTRAL = dataclasses.replace(SETTINGS, fit=dataclasses.replace(SETTINGS.fit, num_steps=0))
REGULARIZERS = {"angular_speed", "joint_acceleration", "ground_penetration", "tilt"}
ROUNDING = 1e-5  # float32 rotations


@pytest.fixture(autouse=True)
def deterministic() -> Iterator[None]:
    """As the command line computes: without it, sums of gradients differ in their last bits."""
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(before)


@pytest.fixture(scope="module")
def prior(tmp_path_factory: pytest.TempPathFactory) -> Prior:
    return load_prior(save_tiny(tmp_path_factory.mktemp("prior")))


@pytest.fixture
def problem(prior: Prior) -> Problem:
    return small_problem(prior)


def run(problem: Problem, settings: Settings) -> list[Step]:
    return list(optimize(problem, settings, initial_state(problem, settings)))


def same_bits(first: Step, second: Step) -> bool:
    return (
        (first.index, first.stage) == (second.index, second.stage)
        and torch.equal(first.loss, second.loss)
        and torch.equal(first.motion.rotations, second.motion.rotations)
        and torch.equal(first.motion.translation, second.motion.translation)
        and torch.equal(first.video, second.video)
    )


def test_a_run_yields_every_update(problem: Problem) -> None:
    state = initial_state(problem, SETTINGS)
    assert state.targets is not None
    assert state.targets.shape == (2, FRAMES, 3, 32, 32)
    counts = []
    for step in optimize(problem, SETTINGS, state):
        counts.append(state.step)
        assert step.index == state.step - 1
        assert step.stage == ("fit" if step.index < FIT else "distill")
        assert set(step.terms) == REGULARIZERS | (
            {"fit", "upright", "usual_poses"} if step.stage == "fit" else {"score"}
        )
        assert all(term.isfinite() and not term.requires_grad for term in step.terms.values())
        assert torch.equal(step.loss, torch.stack(list(step.terms.values())).sum())
        assert step.motion.rotations.shape == (FRAMES, 22, 3, 3)
        assert step.motion.fps == problem.prior.format.fps
        # All stances of both videos, until one of each is kept in the second of three updates.
        shown = 6 if step.index < 2 else VIEWS
        assert step.video.shape == (shown, FRAMES, 3, 32, 32)
    assert counts == list(range(1, SETTINGS.num_steps + 1))
    assert (state.stage, len(state.fields), state.targets) == ("distill", 1, None)


def test_every_update_moves_the_motion(problem: Problem) -> None:
    steps = run(problem, NEUTRAL)
    assert [step.stage for step in steps] == ["distill"] * DISTILL
    for before, after in itertools.pairwise(steps):
        assert (after.motion.rotations - before.motion.rotations).abs().max() > ROUNDING


def test_surroundings_may_be_drawn_anew_for_every_update(prior: Prior) -> None:
    plain = small_problem(prior)
    varied = dataclasses.replace(plain, changes=(random_background,))
    steps, again, without = (run(problem, NEUTRAL) for problem in (varied, varied, plain))
    assert all(same_bits(a, b) for a, b in zip(steps, again, strict=True))
    corners = [step.video[0, 0, :, 0, 0] for step in steps]
    assert not any(torch.allclose(a, b) for a, b in itertools.combinations(corners, 2))
    assert len({tuple(step.video[0, 0, :, 0, 0].tolist()) for step in without}) == 1


def test_cameras_may_be_varied_at_every_update(prior: Prior) -> None:
    plain = small_problem(prior)
    jittered = dataclasses.replace(plain.cameras, elevation_jitter=0.3, fov_jitter=0.1)
    varied = dataclasses.replace(plain, cameras=jittered)
    steps, again, without = (run(problem, NEUTRAL) for problem in (varied, varied, plain))
    assert all(same_bits(a, b) for a, b in zip(steps, again, strict=True))

    def sky(step: Step) -> int:
        """Rows of sky at the left edge, where no body is: they tell the elevation."""
        edge = step.video[0, 0, :, :, 0]
        return int((edge == edge[:, :1]).all(0).sum())

    assert len({sky(step) for step in steps}) > 1
    assert len({sky(step) for step in without}) == 1


def test_a_neutral_start_stands_still_with_hanging_arms(problem: Problem) -> None:
    state = initial_state(problem, NEUTRAL)
    assert (state.stage, len(state.fields), state.targets) == ("distill", 1, None)
    motion = motion_of(problem, state.fields[0])
    assert (motion.rotations - motion.rotations[:1]).abs().max() < ROUNDING
    assert motion.translation.abs().max() == 0
    wrists = problem.body(motion).joints[0, [20, 21], 1]
    assert (wrists < problem.body.rest_joints[[16, 17], 1] - 0.3).all()


def test_equal_seeds_give_equal_bits_and_others_differ(prior: Prior) -> None:
    first, again, other = (run(small_problem(prior, seed=seed), SETTINGS) for seed in (0, 0, 1))
    assert all(same_bits(a, b) for a, b in zip(first, again, strict=True))
    assert not any(same_bits(a, b) for a, b in zip(first, other, strict=True))


@pytest.mark.parametrize("settings", [SETTINGS, NEUTRAL])
def test_resumed_at_any_step_a_run_is_the_uninterrupted_one(
    problem: Problem, settings: Settings, tmp_path: Path
) -> None:
    state = initial_state(problem, settings)
    save_checkpoint(tmp_path / "0", snapshot(state))
    whole = []
    for step in optimize(problem, settings, state):
        whole.append(step)
        save_checkpoint(tmp_path / str(state.step), snapshot(state))
    for done in range(settings.num_steps + 1):
        resumed = restore(load_checkpoint(tmp_path / str(done)), partial(new_field, problem))
        rest = list(optimize(problem, settings, resumed))
        assert all(same_bits(a, b) for a, b in zip(whole[done:], rest, strict=True)), done
        for before, after in zip(
            state.fields.parameters(), resumed.fields.parameters(), strict=True
        ):
            assert torch.equal(before, after), done


@pytest.mark.parametrize("settings", [SETTINGS, NEUTRAL])
def test_a_loss_that_is_no_number_ends_the_run(prior: Prior, settings: Settings) -> None:
    endless = dataclasses.replace(settings, regularize=RegularizerWeights(tilt=math.inf))
    problem = small_problem(prior, seed=7)
    state = initial_state(problem, endless)
    before = [parameter.clone() for parameter in state.fields.parameters()]
    # Upright, the tilt is 0 and its weighted value not a number.
    with pytest.raises(FloatingPointError, match=r"got nan \(.*tilt nan\) at step 0 of seed 7"):
        next(optimize(problem, endless, state))
    assert state.step == 0
    assert all(map(torch.equal, before, state.fields.parameters()))


def test_distillation_brings_the_renderings_to_the_priors_mean() -> None:
    goal = pose(0.3, 0.15)
    videos = all_around(goal)
    problem = small_problem(oracle({PROMPT: goal}), pixels=16, frames=ORACLE.frames)
    knobs = DistillSettings(
        objective="sds",
        num_steps=40,
        views=2,
        guidance_scale=1.0,
        first_level=0.3,
        last_level=0.1,
        azimuth_jitter=0.0,
        learning_rate=1e-3,
    )
    settings = Settings(FitSettings(num_steps=0), knobs, RegularizerWeights(), make_method(knobs))
    state = initial_state(problem, settings)

    def distance() -> float:
        return float((all_around(motion_of(problem, state.fields[0])) - videos).square().mean())

    before = distance()
    for _ in optimize(problem, settings, state):
        pass
    # The thin arms of a body of ten pixels are the rest.
    assert distance() < before / 2


def test_after_the_fit_one_candidate_goes_on_with_a_fresh_optimiser(problem: Problem) -> None:
    knobs = dataclasses.replace(SETTINGS.distill, num_steps=0)
    settings = dataclasses.replace(SETTINGS, distill=knobs)
    state = initial_state(problem, settings)
    candidates = list(state.fields)
    assert [step.stage for step in optimize(problem, settings, state)] == ["fit"] * FIT
    assert (state.stage, len(state.fields)) == ("distill", 1)
    assert any(state.fields[0] is field for field in candidates)
    assert state.optimizer.state_dict()["state"] == {}
