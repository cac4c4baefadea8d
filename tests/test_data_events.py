import math

import pytest
import torch
from mocap_folder import clip_joints
from standin_skeleton import rest_joints

from motiondistill import rotations
from motiondistill.data.cuts import Window, windows_of
from motiondistill.data.events import TIMINGS, event_cuts, peaks
from motiondistill.data.joints import JointClip
from motiondistill.data.retarget import neutral_pose, retarget
from motiondistill.kinematics import forward_kinematics
from motiondistill.structures import JOINT_INDEX as J
from motiondistill.structures import Motion

FPS, FRAMES = 8.0, 16
DURATION = (FRAMES - 1) / FPS
# Half a frame of the window, as a share of it.
TOLERANCE = 0.5 / (FRAMES - 1) + 1e-3


def turning_over(axis: str, *, way: float = 1.0, heading: float = 0.0) -> Motion:
    """One second upright, one turn within a second about an axis of the pelvis, one upright."""
    times = torch.arange(91) / 30.0
    angle = way * 2 * math.pi * (times - 1).clamp(0, 1)
    zero = torch.zeros_like(angle)
    turn = torch.stack([angle, zero, zero] if axis == "x" else [zero, zero, angle], -1)
    local = rotations.identity(91, 22).clone()
    local[:, 0] = rotations.about_y(torch.tensor(heading)) @ rotations.from_axis_angle(turn)
    return Motion(local, torch.tensor([0.0, 0.3, 0.0]).repeat(91, 1), 30.0)


def cut_windows(action: str, motion: Motion, *, vary: bool = True) -> list[Window]:
    clip = JointClip("x", "s", action, torch.zeros(1, 22, 3))
    return windows_of(clip, motion, [action], rest_joints(), FPS, FRAMES, vary=vary)


def positions(window: Window) -> torch.Tensor:
    motion = window.motion
    return forward_kinematics(motion.rotations, rest_joints())[1] + motion.translation[:, None]


@pytest.mark.parametrize(
    ("action", "axis", "way"),
    [
        ("backflip", "x", -1.0),
        ("roll", "x", 1.0),
        ("cartwheel", "z", 1.0),
        ("cartwheel", "z", -1.0),
    ],
)
def test_windows_of_a_turn_show_it_at_its_time_from_the_front(
    action: str, axis: str, way: float
) -> None:
    (window,) = cut_windows(action, turning_over(axis, way=way, heading=2.0), vary=False)
    joints = positions(window)
    upside_down = (joints[:, 0, 1] - joints[:, J["head"], 1]).argmax() / (FRAMES - 1)
    assert abs(upside_down - TIMINGS[action].share) < TOLERANCE
    assert joints.mean((0, 1))[[0, 2]].norm() < 0.01
    left = joints[0, J["left_shoulder"]] - joints[0, J["right_shoulder"]]
    assert left[0] > 0.95 * left.norm()
    # All cartwheels go the same way: over the subject's right hand.
    if action == "cartwheel":
        early = joints[FRAMES // 4 + 1]
        assert early[J["head"], 0] < early[0, 0]


@pytest.mark.parametrize("action", ["backflip", "cartwheel"])
def test_rare_events_are_shown_at_many_tempos_and_nearly_at_their_time(action: str) -> None:
    cuts = event_cuts(action, turning_over("x"), DURATION, rest_joints())
    assert len(set(cuts)) == 81
    for cut in cuts:
        # In seconds of the window.
        shown = (1.5 - cut.start) / cut.tempo
        assert shown == pytest.approx(TIMINGS[action].share * DURATION, abs=0.13)
    assert {cut.tempo for cut in cuts} > {0.85, 1.0, 1.16}


def test_one_window_an_event_where_nothing_is_varied() -> None:
    (window,) = cut_windows("backflip", turning_over("x"), vary=False)
    (cut,) = event_cuts("backflip", turning_over("x"), DURATION, rest_joints(), vary=False)
    assert cut.tempo == 1.0
    assert cut.start + TIMINGS["backflip"].share * DURATION == pytest.approx(1.5, abs=0.05)
    assert window.clip == "s/x"


def test_upright_people_turn_over_nowhere() -> None:
    motion = turning_over("x", way=0.0)
    for action in ("backflip", "roll", "cartwheel"):
        assert cut_windows(action, motion) == []


@pytest.mark.parametrize(
    ("action", "joint", "axis"), [("jump", "pelvis", 1), ("kick", "right_ankle", 2)]
)
def test_common_actions_show_their_event_in_the_middle(action: str, joint: str, axis: int) -> None:
    joints = torch.from_numpy(clip_joints(action, 3.5))
    # It begins later than the parametric form does.
    late = torch.cat([joints[:1].repeat(20, 1, 1), joints])
    motion = retarget(late, 30.0, neutral_pose([late]), rest_joints())
    (window,) = cut_windows(action, motion)
    shown = positions(window)[:, J[joint], axis]
    assert abs(int(shown.argmax()) / (FRAMES - 1) - TIMINGS[action].share) < 1.5 / FRAMES


def test_peaks_are_the_highest_within_reach_and_not_at_the_ends() -> None:
    signal = torch.tensor([5.0, 0, 1, 0, 0, 3, 2, 0, 0, 0, 2.9, 0, 9])
    assert peaks(signal, 1.0, 1.0, 0.5) == [2.0, 5.0, 10.0]
    assert peaks(signal, 2.0, 0.5, 2.95) == [2.5]


def test_actions_without_an_event_are_refused() -> None:
    assert "stand" not in TIMINGS
    with pytest.raises(KeyError):
        event_cuts("stand", turning_over("x"), DURATION, rest_joints())
