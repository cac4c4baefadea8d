"""Motions longer than the prior's clips: optimised on windows, looped, and read at other rates."""

import dataclasses
import json
from pathlib import Path

import pytest
import torch
from small_problem import PROMPT, small_problem
from tiny_ltx import save_tiny

from motiondistill import config
from motiondistill.bookkeeping import store
from motiondistill.building import objects
from motiondistill.building.field import make_field, make_space
from motiondistill.building.method import make_method
from motiondistill.checkpoints import load_checkpoint, save_checkpoint
from motiondistill.commands.optimize import answer_known as told
from motiondistill.engine.optimize import initial_state, optimize
from motiondistill.engine.settings import DistillSettings
from motiondistill.engine.stages import Settings
from motiondistill.engine.starts import FitSettings, Problem, clip_of, motion_of, new_field
from motiondistill.motion.field import MotionField
from motiondistill.motion.stances import Stance
from motiondistill.motion.timeline import Timeline
from motiondistill.priors.base import Prior
from motiondistill.priors.loading import load_prior
from motiondistill.regularizers.weights import RegularizerWeights
from motiondistill.schema.jobs import OptimizeConfig
from motiondistill.structures import Motion

ROUNDING = 1e-5  # float32


def loaded(*overrides: str) -> OptimizeConfig:
    return config.load(OptimizeConfig, None, list(overrides))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny(tmp_path_factory.mktemp("prior"))


@pytest.fixture(scope="module")
def prior(folder: Path) -> Prior:
    return load_prior(folder)


def distilling(num_steps: int, views: int = 1) -> Settings:
    knobs = DistillSettings(num_steps=num_steps, views=views)
    return Settings(FitSettings(num_steps=0), knobs, RegularizerWeights(), make_method(knobs))


def problem_of(prior: Prior, *overrides: str, frames: int, window: int | None) -> Problem:
    plain, given = small_problem(prior, frames=frames), loaded(*overrides).field
    timeline = Timeline(frames, prior.format.fps, given.loop)
    space = make_space(given)

    def maker(*, stance: Stance, generator: torch.Generator) -> MotionField:
        return make_field(given, timeline, space, stance=stance, generator=generator)

    return dataclasses.replace(plain, new_field=maker, window=window, loop=given.loop)


KINDS = [
    ["field.encoding=fourier", "field.loop=true"],
    ["field.encoding=hash", "field.start=mean", "field.constraint=soft"],
    ["field.encoding=legacy", "field.constraint=hard"],
    ["field.encoding=free", "field.groups=[body,translation]", "field.constraint=none"],
]


@pytest.mark.parametrize("overrides", KINDS)
def test_long_motions_are_optimised_on_windows_and_resume_bit_for_bit(
    prior: Prior, overrides: list[str], tmp_path: Path
) -> None:
    torch.use_deterministic_algorithms(True)
    problem, settings = problem_of(prior, *overrides, frames=11, window=5), distilling(4)
    state = initial_state(problem, settings)
    whole: list[Motion] = []
    for step in optimize(problem, settings, state):
        assert step.video.shape[1] == 5 and step.motion.num_frames == 11
        whole.append(step.motion)
        save_checkpoint(tmp_path / str(state.step), store.snapshot(state))
    assert float((whole[-1].rotations - whole[0].rotations).abs().max()) > ROUNDING
    again = store.restore(
        load_checkpoint(tmp_path / "2"), lambda index: new_field(problem, index + 5)
    )
    for step, before in zip(optimize(problem, settings, again), whole[2:], strict=True):
        assert torch.equal(step.motion.rotations, before.rotations)
        assert torch.equal(step.motion.translation, before.translation)


def test_windows_of_updates_are_drawn_from_seed_and_step(prior: Prior) -> None:
    problem = problem_of(prior, "field.encoding=free", frames=30, window=5)
    field = new_field(problem, 0)
    with torch.no_grad():
        field.get_parameter("numbers")[:, -1] = torch.arange(30) / 100  # forwards, metres
    whole = motion_of(problem, field).translation[:, 2]

    def first(step: int | None, seed: int = 0) -> int:
        part = clip_of(dataclasses.replace(problem, seed=seed), field, step)
        assert part.num_frames == 5 and part.fps == prior.format.fps
        return int((whole - part.translation[0, 2]).abs().argmin())

    assert first(None) == 0
    places = [first(step) for step in range(20)]
    assert places == [first(step) for step in range(20)]
    assert places != [first(step, seed=1) for step in range(20)]
    assert len(set(places)) > 8


def test_a_problem_of_another_length_and_rate(folder: Path) -> None:
    given = [f"prior.model={folder}", "run.seconds=3", "run.window=9", "run.fps=30"]
    problem = objects.make_problem(loaded(*given, "field.encoding=free"), PROMPT)
    rate = problem.prior.format.fps
    assert (problem.num_frames, problem.clip_frames) == (round(3 * rate), 9)
    state = initial_state(problem, distilling(1))
    motion = store.result_of(problem, store.current_field(problem, state))
    assert motion.fps == 30.0
    assert motion.num_frames == int(30 * (problem.num_frames - 1) / rate + 1e-6) + 1
    assert told(problem) == {}
    action = [f"prior.model={folder}", "field.statistics=action", "field.action=walk"]
    marked = objects.make_problem(loaded(*action), PROMPT)
    assert json.dumps(told(marked)).startswith('{"knows_the_answer": "pose statistics of the')
