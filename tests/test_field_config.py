"""Fields, windows and pose statistics by configuration, and what is told of mistakes."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from small_problem import PROMPT, small_problem
from tiny_ltx import save_tiny
from torch import Tensor

from motiondistill import build, config, rotations, runs
from motiondistill.build_field import (
    answer_known,
    check_groups,
    make_field,
    make_space,
    make_timeline,
    window_frames,
)
from motiondistill.checkpoints import load_checkpoint, save_checkpoint
from motiondistill.commands.optimize import answer_known as told
from motiondistill.field_schema import FieldSettings
from motiondistill.motion.encodings import FourierEncoding
from motiondistill.motion.field import MotionField
from motiondistill.motion.free_field import FreeField
from motiondistill.motion.hash_grid import HashEncoding
from motiondistill.motion.legacy_field import LegacyField
from motiondistill.motion.limits import anatomical_limits
from motiondistill.motion.pose_field import PoseField
from motiondistill.motion.statistics import known_actions, load_statistics
from motiondistill.motion.timeline import Timeline
from motiondistill.optimize import (
    DistillSettings,
    RegularizerWeights,
    Settings,
    initial_state,
    optimize,
)
from motiondistill.priors.base import Prior, VideoFormat
from motiondistill.priors.loading import load_prior
from motiondistill.randomness import seeded
from motiondistill.schema import OptimizeConfig, RunConfig
from motiondistill.score.objectives import csd_loss
from motiondistill.starts import FitSettings, Problem, clip_of, motion_of, new_field
from motiondistill.structures import Motion

ROUNDING = 1e-5  # float32
CLIPS = VideoFormat(fps=8.0, frames=16, height=32, width=32, frame_step=0, frame_offset=16)
TWO_SECONDS = Timeline(16, 8.0)


def loaded(*overrides: str) -> OptimizeConfig:
    return config.load(OptimizeConfig, None, list(overrides))


def made(
    *overrides: str, timeline: Timeline = TWO_SECONDS, arm_lift: float = 0.0, seed: int = 0
) -> MotionField:
    settings = loaded(*overrides).field
    timeline = dataclasses.replace(timeline, loop=settings.loop)
    space = make_space(settings)
    return make_field(settings, timeline, space, arm_lift=arm_lift, generator=seeded(seed))


@pytest.mark.parametrize("lift", [0.0, 1.1])
def test_the_default_field_is_the_one_without_configuration_bit_for_bit(lift: float) -> None:
    default, plain = made(arm_lift=lift, seed=3), PoseField(arm_lift=lift, generator=seeded(3))
    states = default.state_dict(), plain.state_dict()
    assert list(states[0]) == list(states[1])
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    for field in (default, plain):
        torch.nn.init.normal_(field.get_parameter("layers.4.weight"), generator=seeded(1))
    a, b = default(16, 8.0), plain(16, 8.0)
    assert torch.equal(a.rotations, b.rotations) and torch.equal(a.translation, b.translation)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("fourier", PoseField), ("hash", PoseField), ("legacy", LegacyField), ("free", FreeField)],
)
@pytest.mark.parametrize("start", ["neutral", "mean"])
def test_every_kind_starts_at_the_start(name: str, kind: type, start: str) -> None:
    field = made(f"field.encoding={name}", f"field.start={start}", "field.constraint=none")
    assert type(field) is kind
    if isinstance(field, PoseField):
        encoding = FourierEncoding if name == "fourier" else HashEncoding
        assert type(field.encoding) is encoding
    pose = load_statistics().mean if start == "mean" else anatomical_limits().neutral
    motion = field(16, 8.0)
    assert torch.allclose(motion.rotations[:, 1:], pose.expand(16, -1, -1, -1), atol=ROUNDING)
    assert torch.equal(motion.translation, torch.zeros(16, 3))


@pytest.mark.parametrize("constraint", ["limits", "soft", "hard", "none"])
@pytest.mark.parametrize("statistics", ["generic", "action"])
@pytest.mark.parametrize("start", ["neutral", "mean"])
def test_constraints_and_starts_go_together(constraint: str, statistics: str, start: str) -> None:
    given = [f"field.constraint={constraint}", f"field.statistics={statistics}"]
    given += [f"field.start={start}"]
    given += ["field.action=walk"] if statistics == "action" else []
    space = make_space(loaded(*given).field)
    known = load_statistics("walk" if statistics == "action" else "generic")
    wanted = known.mean if start == "mean" else anatomical_limits().neutral
    turned = space(space.first()[None], 8.0).rotations[0, 1:]
    far = rotations.geodesic(turned, wanted)
    if constraint == "none" or (constraint != "limits") == (start == "mean"):
        assert float(far.max()) < 1e-3  # arcs of float32
    assert bool((far < 1.0).all())
    extreme = 50 * torch.randn(9, space.size, generator=seeded(0))
    offsets = known.offsets(space(extreme, 8.0).rotations[:, 1:])
    spine = slice(2, 3)  # turns little, so that offsets tell the numbers
    inside = bool((offsets[:, spine].norm(dim=-1) <= (3 * known.std[spine]).norm() + 1e-4).all())
    assert inside == (constraint in ("soft", "hard")) or constraint == "limits"


def test_deviations_widen_the_range() -> None:
    def reach(*more: str) -> Tensor:
        settings = loaded("field.constraint=hard", *more).field
        numbers = torch.zeros(1, 72)
        numbers[0, 9] = 10.0  # the left knee bends
        bent = make_space(settings)(numbers, 8.0).rotations[0, 4]
        return rotations.geodesic(bent, load_statistics().mean[3])

    bend = load_statistics().std[3, 0]
    assert torch.allclose(reach("field.deviations=1"), bend, atol=1e-4)
    assert torch.allclose(reach("field.deviations=2.5"), 2.5 * bend, atol=1e-4)


def test_an_action_without_statistics_is_told_those_that_have_them() -> None:
    for given in ("wave", "WALK", None):
        settings = FieldSettings(statistics="action", action=given)
        with pytest.raises(ValueError) as caught:
            make_space(settings)
        message = str(caught.value)
        assert message.startswith("`field.action` must be an action that has pose statistics (")
        assert all(action in message for action in known_actions())
        assert f"got {given or 'null'}; choose one" in message


def test_what_knows_the_answer_says_so() -> None:
    assert answer_known(FieldSettings()) == "" == answer_known(FieldSettings(statistics="none"))
    marked = answer_known(FieldSettings(statistics="action", action="walk"))
    assert marked == "pose statistics of the action 'walk' (field.statistics=action)"


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["field.groups=[]"], "`field.groups` must hold one group or more, each once, got []"),
        (["field.groups=[jaw,jaw]"], "`field.groups` must hold one group or more, each once"),
        (
            ["field.statistics=none", "field.constraint=soft"],
            "`field.constraint` must not be soft with field.statistics=none, which has no mean; ",
        ),
        (
            ["field.statistics=none", "field.start=mean"],
            "`field.start` must not be mean with field.statistics=none, which has no mean; ",
        ),
        (
            ["field.encoding=legacy", "field.loop=true"],
            "`field.loop` must be false with field.encoding=legacy, ",
        ),
        (
            ["field.encoding=hash", "field.hash_coarsest=8", "field.hash_finest=4"],
            "`field.hash_finest` must be at least field.hash_coarsest=8, got 4; ",
        ),
        (
            ["run.frames=16", "run.seconds=4"],
            "`run.seconds` must be left out with run.frames=16, got 4; ",
        ),
        (["field.deviations=0"], "`field.deviations` must be between 0.1 and 20, got 0"),
        (["field.action=walk"], "`field.action` must be left out with field.statistics=generic"),
    ],
)
def test_mistakes_are_told(overrides: list[str], message: str) -> None:
    with pytest.raises(ValueError) as caught:
        loaded(*overrides)
    assert str(caught.value).startswith(message)


def test_longer_motions_have_as_fast_features() -> None:
    def count(frames: int, *more: str) -> int:
        field = made(*more, timeline=Timeline(frames, 8.0))
        assert isinstance(field, PoseField) and isinstance(field.encoding, FourierEncoding)
        return field.encoding.num_frequencies

    assert [count(frames) for frames in (5, 16, 17, 31, 32, 64, 80)] == [4, 4, 4, 4, 5, 6, 6]
    assert [count(frames, "field.loop=true") for frames in (8, 16, 20, 80)] == [4, 4, 5, 20]
    assert count(64, "field.frequencies=3") == 3


@pytest.mark.parametrize(
    ("run", "loop", "motion", "window"),
    [
        (RunConfig(), False, 16, 16),
        (RunConfig(frames=16), False, 16, 16),
        (RunConfig(seconds=2.0), False, 16, 16),
        (RunConfig(seconds=6.0), False, 48, 16),
        (RunConfig(frames=40), False, 40, 16),
        (RunConfig(frames=8), False, 8, 8),  # which this prior then refuses
        (RunConfig(seconds=1.0), True, 8, 16),  # sees the loop twice
        (RunConfig(frames=40, window=12), False, 40, 12),
    ],
)
def test_windows_are_what_the_prior_takes_of_the_motion(
    run: RunConfig, loop: bool, motion: int, window: int
) -> None:
    timeline = make_timeline(FieldSettings(loop=loop), run, CLIPS)
    assert (timeline.num_frames, timeline.loop) == (motion, loop)
    assert window_frames(run, timeline, CLIPS) == window


def test_priors_of_any_length_and_of_images_see_the_whole_motion() -> None:
    images = VideoFormat(fps=8.0, frames=1, height=32, width=32)
    any_length = VideoFormat(fps=8.0, frames=9, height=32, width=32, frame_step=4, frame_offset=1)
    limited = dataclasses.replace(any_length, frame_step=1, frame_offset=0, max_frames=32)
    for native, run, window in (
        (images, RunConfig(), 16),
        (images, RunConfig(frames=50), 50),
        (any_length, RunConfig(frames=13), 13),
        (limited, RunConfig(frames=32), 32),
        (limited, RunConfig(frames=33), 9),
    ):
        timeline = make_timeline(FieldSettings(), run, native)
        assert window_frames(run, timeline, native) == window
    with pytest.raises(ValueError, match=r"`run\.window` must be at most the motion's 16 frames"):
        window_frames(RunConfig(window=20), TWO_SECONDS, any_length)


def test_hands_need_a_body_that_has_them(low_body: Any) -> None:
    check_groups(FieldSettings(), low_body)
    bare = dataclasses.replace(low_body, detail=None)
    with pytest.raises(ValueError, match=r"`field\.groups` must not hold hands and jaw with the"):
        check_groups(FieldSettings(groups=("hands", "body", "jaw")), bare)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny(tmp_path_factory.mktemp("prior"))


@pytest.fixture(scope="module")
def prior(folder: Path) -> Prior:
    return load_prior(folder)


def distilling(num_steps: int, views: int = 1) -> Settings:
    knobs = DistillSettings(num_steps=num_steps, views=views)
    return Settings(FitSettings(num_steps=0), knobs, RegularizerWeights(), csd_loss)


def problem_of(prior: Prior, *overrides: str, frames: int, window: int | None) -> Problem:
    plain, given = small_problem(prior, frames=frames), loaded(*overrides).field
    timeline = Timeline(frames, prior.format.fps, given.loop)
    space = make_space(given)

    def maker(*, arm_lift: float, generator: torch.Generator) -> MotionField:
        return make_field(given, timeline, space, arm_lift=arm_lift, generator=generator)

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
        save_checkpoint(tmp_path / str(state.step), runs.snapshot(state))
    assert float((whole[-1].rotations - whole[0].rotations).abs().max()) > ROUNDING
    again = runs.restore(
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
    problem = build.make_problem(loaded(*given, "field.encoding=free"), PROMPT)
    rate = problem.prior.format.fps
    assert (problem.num_frames, problem.clip_frames) == (round(3 * rate), 9)
    state = initial_state(problem, distilling(1))
    motion = runs.current_motion(problem, state)
    assert motion.fps == 30.0
    assert motion.num_frames == int(30 * (problem.num_frames - 1) / rate + 1e-6) + 1
    assert told(problem) == {}
    action = [f"prior.model={folder}", "field.statistics=action", "field.action=walk"]
    marked = build.make_problem(loaded(*action), PROMPT)
    assert json.dumps(told(marked)).startswith('{"knows_the_answer": "pose statistics of the')
