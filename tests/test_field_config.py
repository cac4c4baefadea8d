"""Fields, windows and pose statistics by configuration, and what is told of mistakes."""

import dataclasses
from typing import Any

import pytest
import torch
from torch import Tensor

from motiondistill import config, rotations
from motiondistill.building.field import (
    answer_known,
    check_groups,
    make_field,
    make_space,
    make_timeline,
    window_frames,
)
from motiondistill.motion.encodings import FourierEncoding
from motiondistill.motion.field import MotionField
from motiondistill.motion.free_field import FreeField
from motiondistill.motion.hash_grid import HashEncoding
from motiondistill.motion.legacy_field import LegacyField
from motiondistill.motion.limits import anatomical_limits
from motiondistill.motion.pose_field import PoseField
from motiondistill.motion.stances import READY, UPRIGHT, Stance
from motiondistill.motion.statistics import known_actions, load_statistics
from motiondistill.motion.timeline import Timeline
from motiondistill.priors.base import VideoFormat
from motiondistill.randomness import seeded
from motiondistill.schema.field import FieldSettings
from motiondistill.schema.jobs import OptimizeConfig
from motiondistill.schema.runs import RunConfig

ROUNDING = 1e-5  # float32
CLIPS = VideoFormat(fps=8.0, frames=16, height=32, width=32, frame_step=0, frame_offset=16)
TWO_SECONDS = Timeline(16, 8.0)


def loaded(*overrides: str) -> OptimizeConfig:
    return config.load(OptimizeConfig, None, list(overrides))


def made(
    *overrides: str, timeline: Timeline = TWO_SECONDS, stance: Stance = UPRIGHT, seed: int = 0
) -> MotionField:
    settings = loaded(*overrides).field
    timeline = dataclasses.replace(timeline, loop=settings.loop)
    space = make_space(settings)
    return make_field(settings, timeline, space, stance=stance, generator=seeded(seed))


@pytest.mark.parametrize("stance", [UPRIGHT, *READY])
def test_the_default_field_is_the_one_without_configuration_bit_for_bit(stance: Stance) -> None:
    default, plain = made(stance=stance, seed=3), PoseField(stance=stance, generator=seeded(3))
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
