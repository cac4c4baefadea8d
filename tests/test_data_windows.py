import dataclasses
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from standin_skeleton import rest_joints

from motiondistill import rotations
from motiondistill.data.parametric import parametric_motion
from motiondistill.data.windows import (
    headings,
    hold_in_place,
    looped,
    mirrored,
    resample,
)
from motiondistill.kinematics import forward_kinematics
from motiondistill.randomness import seeded
from motiondistill.structures import MIRROR, Motion

# Logarithms and exponentials of float32 rotations.
TOLERANCE = 1e-4


def turning(frames: int, rate: float, fps: float = 30.0) -> Motion:
    """A body that turns about the vertical at `rate` rad/s while it travels."""
    times = torch.arange(frames) / fps
    local = rotations.identity(frames, 22).clone()
    local[:, 0] = rotations.about_y(rate * times)
    return Motion(local, torch.stack([1.5 * times, 0.1 * times, -0.5 * times], -1), fps)


def walking(frames: int = 45) -> Motion:
    return parametric_motion("walk", "right", seeded(3), rest_joints(), 30.0, frames)


@given(rate=st.floats(-4, 4), start=st.floats(0, 0.5))
def test_resampling_follows_geodesics_and_lines(rate: float, start: float) -> None:
    cut = resample(turning(61, rate), start, 8.0, 9)
    times = start + torch.arange(9) / 8.0
    assert cut.fps == 8.0
    assert torch.allclose(cut.rotations[:, 0], rotations.about_y(rate * times), atol=TOLERANCE)
    assert torch.allclose(cut.translation[:, 0], 1.5 * times, atol=TOLERANCE)


def test_resampling_at_the_own_rate_changes_nothing() -> None:
    motion = walking()
    cut = resample(motion, 0.0, motion.fps, motion.num_frames)
    assert torch.allclose(cut.rotations, motion.rotations, atol=TOLERANCE)
    assert torch.allclose(cut.translation, motion.translation, atol=TOLERANCE)


def test_resampling_repeats_the_last_frame_past_the_end() -> None:
    motion = turning(4, 1.0)
    cut = resample(motion, 10.0, 8.0, 3)
    assert torch.allclose(cut.translation, motion.translation[-1].expand(3, 3), atol=TOLERANCE)


@given(rate=st.floats(-3, 3))
def test_headings_follow_a_turn_frame_by_frame(rate: float) -> None:
    motion = turning(31, rate)
    assert torch.allclose(headings(motion), rate * torch.arange(31) / 30.0, atol=TOLERANCE)


def test_holding_in_place_removes_travel_and_keeps_sway_and_height() -> None:
    time = torch.linspace(0, 2, 33)
    # Whole periods, even about the middle: sway that no straight line explains.
    sway = 0.03 * torch.cos(2 * math.pi * time)
    travel = torch.stack([2 + 1.3 * time, 0.2 * time, -3 * time], -1)
    swaying = travel + sway[:, None] * torch.tensor([1.0, 1.0, 0.0])
    held = hold_in_place(Motion(rotations.identity(33, 22), swaying, 16.0)).translation
    assert torch.allclose(held[:, 0], sway - sway.mean(), atol=TOLERANCE)
    assert torch.allclose(held[:, 1], swaying[:, 1])
    assert torch.allclose(held[:, 2], torch.zeros(33), atol=TOLERANCE)


def test_the_mirror_reflects_every_joint() -> None:
    rest = rest_joints()
    motion = parametric_motion("kick", "left", seeded(1), rest, 8.0, 17)
    mirror = mirrored(motion)
    joints, reflected = (
        forward_kinematics(m.rotations, rest)[1] + m.translation[:, None] for m in (motion, mirror)
    )
    expected = joints[:, list(MIRROR)] * torch.tensor([-1.0, 1.0, 1.0])
    assert torch.allclose(reflected, expected, atol=TOLERANCE)
    assert torch.allclose(mirrored(mirror).rotations, motion.rotations, atol=1e-6)
    assert mirror.rotations.det().allclose(torch.ones(17, 22))


def test_a_loop_goes_on_without_a_jump() -> None:
    motion = walking(45)
    # A steady walk forwards, a little more than one cycle of it.
    ahead = torch.arange(45)[:, None] / 30.0 * torch.tensor([0.0, 0.0, 1.2])
    long = looped(Motion(motion.rotations, motion.translation + ahead, 30.0), 5.0)
    assert long is not None
    assert long.num_frames >= 5 * 30
    own = rotations.geodesic(motion.rotations[1:], motion.rotations[:-1]).mean(-1).max()
    steps = rotations.geodesic(long.rotations[1:], long.rotations[:-1]).mean(-1)
    assert steps.max() < 1.5 * own
    forward = long.translation[:, 2].diff()
    assert torch.allclose(forward, torch.full_like(forward, 0.04), atol=5e-3)


@pytest.mark.parametrize("motion", [turning(20, 0.0), turning(40, 0.0)], ids=["short", "still"])
def test_what_does_not_repeat_has_no_loop(motion: Motion) -> None:
    assert looped(motion, 2.0) is None


def test_an_action_that_does_not_return_has_no_loop() -> None:
    sitting_down = parametric_motion("squat", "right", seeded(0), rest_joints(), 30.0, 61)
    depth = sitting_down.translation[:, 1]
    start = int(depth.argmax())
    end = start + 20
    assert (
        looped(
            Motion(sitting_down.rotations[start:end], sitting_down.translation[start:end], 30.0),
            2.0,
        )
        is None
    )


def with_hands(motion: Motion, seed: int = 0) -> Motion:
    """The same motion with hands and a jaw that move smoothly."""
    generator = torch.Generator().manual_seed(seed)
    phase = torch.linspace(0, 3, motion.num_frames)[:, None, None]
    hands = torch.sin(phase + torch.randn(30, 3, generator=generator))
    jaw = torch.sin(phase[..., 0] + torch.randn(3, generator=generator))
    return dataclasses.replace(
        motion,
        hands=rotations.from_axis_angle(hands),
        jaw=rotations.from_axis_angle(0.2 * jaw),
    )


def test_hands_and_jaw_go_through_every_window() -> None:
    """As rotations of the body would: each change is that of a motion with more joints."""
    motion = with_hands(walking())
    assert motion.hands is not None and motion.jaw is not None
    every = torch.cat([motion.rotations, motion.hands, motion.jaw[:, None]], 1)
    whole = Motion(every, motion.translation, motion.fps)
    cut, expected = resample(motion, 0.1, 12.0, 9), resample(whole, 0.1, 12.0, 9)
    assert cut.hands is not None and cut.jaw is not None
    assert torch.allclose(cut.hands, expected.rotations[:, 22:52], atol=TOLERANCE)
    assert torch.allclose(cut.jaw, expected.rotations[:, 52], atol=TOLERANCE)
    assert torch.equal(hold_in_place(motion).hands, motion.hands)
    long = looped(motion, 4.0)
    assert long is not None and long.hands is not None and long.jaw is not None
    assert long.hands.shape[0] == long.jaw.shape[0] == long.num_frames


def test_the_mirror_exchanges_the_hands() -> None:
    motion = with_hands(walking())
    image = mirrored(motion)
    assert motion.hands is not None and image.hands is not None
    # Turns about +X stay, those about +Y and +Z are reversed, and left becomes right.
    flipped = rotations.to_axis_angle(motion.hands) * torch.tensor([1.0, -1.0, -1.0])
    assert torch.allclose(
        rotations.to_axis_angle(image.hands)[:, 15:], flipped[:, :15], atol=TOLERANCE
    )
    back = mirrored(image)
    for name in ("rotations", "translation", "hands", "jaw"):
        assert torch.allclose(getattr(back, name), getattr(motion, name), atol=TOLERANCE)
