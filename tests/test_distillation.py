"""Updates of score distillation: every objective through the whole loop, targets, resuming."""

import dataclasses
import itertools
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, get_args

import pytest
import tiny_latte
import torch
from small_problem import small_problem
from torch import Tensor, nn

from motiondistill import config
from motiondistill.bookkeeping.store import restore, snapshot
from motiondistill.building.objects import make_settings
from motiondistill.cameras import heading
from motiondistill.checkpoints import load_checkpoint, save_checkpoint
from motiondistill.engine.critics import Critic, guidance_at, prompts_for
from motiondistill.engine.distillation import critics_of
from motiondistill.engine.optimize import initial_state, optimize
from motiondistill.engine.settings import DistillSettings
from motiondistill.engine.stages import Settings, State, Step
from motiondistill.engine.starts import Problem, motion_of, new_field
from motiondistill.motion.still import frozen
from motiondistill.priors.base import Conditioning, DiffusersPrior, Prior
from motiondistill.priors.loading import load_prior
from motiondistill.prompts import with_view
from motiondistill.schema.jobs import OptimizeConfig
from motiondistill.score.query import Query, Reference

FRAMES, PIXELS, STEPS = 16, 32, 4
OBJECTIVES = get_args({f.name: f.type for f in dataclasses.fields(DistillSettings)}["objective"])


@pytest.fixture(autouse=True)
def deterministic() -> Iterator[None]:
    """As the command line computes."""
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(before)


@pytest.fixture(scope="module")
def prior(tmp_path_factory: pytest.TempPathFactory) -> DiffusersPrior:
    return load_prior(tiny_latte.save_tiny(tmp_path_factory.mktemp("prior")))


@pytest.fixture
def problem(prior: Prior) -> Problem:
    return small_problem(prior, pixels=PIXELS, frames=FRAMES)


def settings(**knobs: Any) -> Settings:
    """A neutral start and few updates."""
    short = {"num_steps": STEPS, "views": 2, "target_steps": 2} | knobs
    given = [f"score.{key}={value}" for key, value in short.items()]
    if short.get("objective") not in ("multi_step", "sdi"):
        given = [key for key in given if not key.startswith("score.target_steps")]
    return make_settings(config.load(OptimizeConfig, None, ["init.num_steps=0", *given]))


def run(problem: Problem, knobs: Settings, state: State | None = None) -> list[Step]:
    return list(optimize(problem, knobs, state or initial_state(problem, knobs)))


def same_bits(first: Step, second: Step) -> bool:
    assert first.target is not None and second.target is not None
    return (
        torch.equal(first.loss, second.loss)
        and torch.equal(first.motion.rotations, second.motion.rotations)
        and torch.equal(first.target, second.target)
    )


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_every_objective_moves_the_motion_and_resumes_bit_for_bit(
    problem: Problem, objective: str, tmp_path: Path
) -> None:
    """From within a target that three updates share, to the next one."""
    knobs = settings(objective=objective, updates_per_target=3, motion_amplification=2.0)
    state, whole = initial_state(problem, knobs), []
    for step in optimize(problem, knobs, state):
        whole.append(step)
        save_checkpoint(tmp_path / str(state.step), snapshot(state))
    moved = whole[-1].motion.rotations - whole[0].motion.rotations
    assert moved.abs().max() > 1e-5
    rest = run(
        problem, knobs, restore(load_checkpoint(tmp_path / "2"), partial(new_field, problem))
    )
    assert len(rest) == STEPS - 2
    assert all(map(same_bits, whole[2:], rest))


def test_a_shared_target_is_kept_with_its_views(problem: Problem) -> None:
    steps = run(problem, settings(num_steps=5, updates_per_target=2, level_jitter=0.0))
    targets = [step.target for step in steps]
    assert all(target is not None for target in targets)
    near = [(a - b).abs().max() < 1e-4 for a, b in itertools.pairwise(targets)]
    assert near == [True, False, True, False]
    levels = [float(step.figures["log_snr"]) for step in steps]
    assert levels[0] == levels[1] != levels[2] == levels[3] != levels[4]
    # The ground and the sky at the edge tell the cameras, and the body moves.
    edges = [step.video[:, :, :, :, 0] for step in steps]
    assert torch.equal(edges[0], edges[1])


def test_the_target_is_approached_while_it_is_kept(problem: Problem) -> None:
    first, *_, last = run(
        problem,
        settings(objective="sds", num_steps=8, updates_per_target=8, learning_rate=1e-3),
    )

    def distance(step: Step) -> Tensor:
        assert step.target is not None
        return (problem.prior.encode(step.video) - step.target).square().mean()

    assert distance(last) < distance(first)


def test_one_update_a_target_keeps_none(problem: Problem) -> None:
    knobs = settings()
    state = initial_state(problem, knobs)
    run(problem, knobs, state)
    assert state.memories[0].held is None


def test_the_target_is_the_latents_less_the_residual(problem: Problem) -> None:
    seen: list[tuple[Query, Tensor]] = []
    knobs = settings(num_steps=1)
    method = knobs.method

    def watched(query: Query) -> Tensor:
        residual = method.objective(query)
        seen.append((query, residual))
        return residual

    spied = dataclasses.replace(knobs, method=dataclasses.replace(method, objective=watched))
    (step,) = run(problem, spied)
    ((query, residual),) = seen
    assert step.target is not None
    assert torch.equal(step.target, query.latents - residual)
    assert torch.equal(query.sigma, problem.prior.snap(query.sigma))
    assert float(step.figures["log_snr"]) == pytest.approx(float(-2 * query.sigma.log().mean()))
    level = query.sigma.view(-1, 1, 1, 1, 1)
    gradient = level / (1 + level**2) * residual
    assert float(step.figures["score_gradient"]) == pytest.approx(
        float(gradient.square().mean().sqrt()), rel=1e-5
    )


def references(problem: Problem, objective: str) -> tuple[list[Reference], list[Step], State]:
    seen: list[Reference] = []
    knobs = settings(objective=objective, num_steps=3, reference_prompt="a person bows")
    method = knobs.method

    def watched(query: Query) -> Tensor:
        assert query.reference is not None
        seen.append(query.reference)
        return method.objective(query)

    spied = dataclasses.replace(knobs, method=dataclasses.replace(method, objective=watched))
    state = initial_state(problem, spied)
    with torch.no_grad():  # a start that moves and bends
        state.fields[0].layers.get_parameter("4.weight").normal_(
            0, 0.05, generator=torch.Generator().manual_seed(0)
        )
    return seen, run(problem, spied, state), state


def test_moving_minus_static_compares_with_the_frozen_clip(problem: Problem) -> None:
    seen, steps, _ = references(problem, "moving_minus_static")
    for reference, before in zip(seen[1:], steps, strict=False):
        still = frozen(before.motion)
        assert still.num_frames == FRAMES
        video = problem.prior.decode(reference.latents)
        assert (video - video[:, :1]).abs().max() < 1e-4  # nothing moves
    words = problem.prior.embed([with_view("a person bows", 0.0)]).tensors
    assert reference.prompts.positive.tensors.keys() == words.keys()
    # It follows the motion: another clip at every update.
    assert not torch.equal(seen[0].latents, seen[1].latents)


def test_dds_compares_with_the_motion_of_the_start(problem: Problem) -> None:
    seen, steps, state = references(problem, "dds")
    start = state.memories[0].start
    assert start is not None
    assert (start.rotations - steps[-1].motion.rotations).abs().max() > 1e-5
    # Before the first update both are the same clip; only the words differ.
    first = problem.prior.encode(steps[0].video)
    assert torch.equal(seen[0].latents, first)


def test_guidance_goes_from_first_to_last() -> None:
    knobs = DistillSettings(guidance_scale=25.0, last_guidance_scale=12.0)
    scales = [guidance_at(knobs, progress).scale for progress in (0.0, 0.5, 1.0)]
    assert scales == [25.0, 18.5, 12.0]
    assert guidance_at(DistillSettings(), 0.7).scale == DistillSettings().guidance_scale


def rows(words: Conditioning) -> Tensor:
    return next(iter(words.tensors.values()))


def test_prompts_are_in_the_words_of_each_view(problem: Problem) -> None:
    spoken = dataclasses.replace(problem, negative_prompt="a person")
    azimuths = torch.tensor([0.0, 3.0])

    def judging(**knobs: Any) -> Critic:
        chosen = settings(**knobs)
        return critics_of(spoken, chosen.distill, chosen.method)[0]

    found = prompts_for(judging(avoid_other_views=True), "a person bows", azimuths)

    def embedded(*texts: str) -> Tensor:
        return rows(problem.prior.embed(list(texts)))

    front, side, back = ("front view", "left side view", "back view")
    assert torch.equal(
        rows(found.positive), embedded(f"a person bows, {front}", f"a person bows, {back}")
    )
    assert torch.equal(rows(found.negative), embedded(f"a person, {front}", f"a person, {back}"))
    assert torch.equal(rows(found.empty), embedded("", ""))
    others = [rows(other) for other in found.perpendicular]
    assert torch.equal(others[0], embedded(f"a person bows, {front}", f"a person bows, {side}"))
    assert torch.equal(others[1], embedded(f"a person bows, {side}", f"a person bows, {front}"))
    assert found.weights is not None and found.weights.shape == (2, 2)
    plain = prompts_for(judging(), "a person bows", azimuths)
    assert plain.perpendicular == () and plain.weights is None


@pytest.mark.parametrize(
    "change",
    [
        {"last_guidance_scale": 1.0},
        {"guidance_base": "empty"},
        {"objective": "sds", "guidance_rescale": 0.7},
        {"avoid_other_views": True},
        {"weighting": "flow"},
        {"motion_amplification": 5.0},
        {"max_gradient": 1e-3},
        {"level_path": "sqrt"},
        {"level_path": "inverse_cdf"},
        {"level_path": "uniform"},
        {"level_draw": "antithetic"},
        {"level_draw": "independent"},
    ],
)
def test_every_knob_matters(problem: Problem, change: dict[str, Any]) -> None:
    spoken = dataclasses.replace(problem, negative_prompt="a person")
    usual = {"objective": change["objective"]} if "objective" in change else {}
    plain, changed = (run(spoken, settings(num_steps=2, **k))[-1] for k in (usual, change))
    assert plain.loss.isfinite() and changed.loss.isfinite()
    assert not torch.equal(plain.loss, changed.loss)


def test_vsd_records_how_well_the_copy_learns(problem: Problem) -> None:
    knobs = settings(objective="vsd", lora_learning_rate=1e-2)
    state = initial_state(problem, knobs)
    assert isinstance(state.fields, nn.ModuleList)
    steps = run(problem, knobs, state)
    assert all(float(step.figures["adaptation_loss"]) > 0 for step in steps)
    adaptation = state.memories[0].adaptation
    assert adaptation is not None
    assert all(bool(part.any()) for part in adaptation.parameters)


def test_the_heading_of_a_kept_target_is_kept(problem: Problem) -> None:
    knobs = settings(num_steps=2, updates_per_target=2)
    state = initial_state(problem, knobs)
    before = heading(motion_of(problem, state.fields[0]))
    run(problem, knobs, state)
    assert state.memories[0].held is not None
    assert torch.equal(state.memories[0].held.heading, before)
