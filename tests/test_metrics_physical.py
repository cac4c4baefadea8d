"""Physical figures of whole motions on a body: statues, noise, walks, and what must not count."""

import dataclasses
import math
from collections.abc import Callable

import pytest
import torch
from regularizer_cases import turned

from motiondistill import rotations
from motiondistill.body.skinning import SkinnedBody
from motiondistill.data.parametric import parametric_motion
from motiondistill.data.windows import mirrored
from motiondistill.metrics.catalogue import CATALOGUE, STILL
from motiondistill.metrics.physical import acceleration, dynamic_degree, jerk, physical_metrics
from motiondistill.motion.limits import anatomical_limits
from motiondistill.randomness import seeded
from motiondistill.report.measuring import floor_estimate, physical_measurements, posed
from motiondistill.structures import JOINT_INDEX, NUM_JOINTS, Motion

FPS = 30.0
ROUNDING = 1e-4  # float32 positions of metres, differences by 1/30 s
# Third differences of float32 metres at 30/s: 2e-7 * 30^3 and the sum of eight of them.
JERK_ROUNDING = 0.05


def figures(motion: Motion, body: SkinnedBody) -> dict[str, float]:
    return {
        each.metric.id: math.nan if each.value is None else each.value
        for each in physical_measurements(motion, body)
    }


def statue(seconds: float = 2.0) -> Motion:
    """The neutral stance."""
    pose = torch.cat([rotations.identity(1), anatomical_limits().neutral])
    frames = int(seconds * FPS)
    return Motion(pose.expand(frames, NUM_JOINTS, 3, 3), torch.zeros(frames, 3), FPS)


def moved(motion: Motion, path: torch.Tensor) -> Motion:
    return dataclasses.replace(motion, translation=motion.translation + path)


def walk(body: SkinnedBody, fps: float = FPS, seed: int = 3) -> Motion:
    return parametric_motion("walk", "left", seeded(seed), body.rest_joints, fps, int(2 * fps) + 1)


def noise(size: float, fps: float = FPS) -> Motion:
    """The neutral stance with a new error in each frame, radians."""
    still = statue()
    generator = torch.Generator().manual_seed(0)
    errors = size * torch.randn(still.num_frames, NUM_JOINTS, 3, generator=generator)
    turns = rotations.from_axis_angle(errors)
    return dataclasses.replace(still, rotations=turns @ still.rotations, fps=fps)


def test_every_physical_metric_is_measured_with_its_n(low_body: SkinnedBody) -> None:
    found = physical_measurements(walk(low_body), low_body)
    physical = [metric for metric in CATALOGUE.values() if metric.kind == "physical"]
    assert [each.metric for each in found] == physical
    assert all(each.n == 61 and each.value is not None for each in found)


def test_a_frozen_clip_has_no_figures_but_is_told_from_life(low_body: SkinnedBody) -> None:
    found = figures(statue(), low_body)
    for id in ("foot_skating_ratio", "sliding_distance", "acceleration", "jerk", "root_speed"):
        assert found[id] == 0, id
        assert CATALOGUE[id].rewards_stillness or id == "root_speed"
    assert found["joint_limit_violation"] == pytest.approx(0, abs=1e-3)
    assert (
        found["dynamic_degree"] == 0 < STILL < figures(walk(low_body), low_body)["dynamic_degree"]
    )


def test_a_gliding_statue_skates_and_is_no_less_a_statue(low_body: SkinnedBody) -> None:
    still = statue()
    times = torch.arange(still.num_frames) / FPS
    glide = torch.stack([1.2 * times, 0 * times, 0.5 * times], -1)
    found = figures(moved(still, glide), low_body)
    seconds = (still.num_frames - 1) / FPS
    assert found["foot_skating_ratio"] == 1
    assert found["sliding_speed"] == pytest.approx(1.3, rel=1e-3)
    assert found["sliding_distance"] == pytest.approx(2 * 1.3 * seconds, rel=1e-3)  # both feet
    assert found["treadmill_sliding_speed"] == pytest.approx(0, abs=1e-3)
    assert found["root_speed"] == pytest.approx(1.3, rel=1e-3)
    assert found["dynamic_degree"] == pytest.approx(0, abs=ROUNDING)
    assert found["jerk"] < JERK_ROUNDING


def test_a_spinning_and_tumbling_statue_is_a_statue(low_body: SkinnedBody) -> None:
    still = statue()
    angle = torch.arange(still.num_frames)[:, None] / FPS * torch.tensor([1.0, 2.0, 0.5])
    spin = rotations.from_axis_angle(angle)
    spun = still.rotations.clone()
    spun[:, 0] = spin @ spun[:, 0]
    found = figures(dataclasses.replace(still, rotations=spun), low_body)
    assert found["dynamic_degree"] == pytest.approx(0, abs=ROUNDING)
    assert found["acceleration"] > 1


def test_noise_is_rough_and_no_walk(low_body: SkinnedBody) -> None:
    rough, smooth = (figures(each, low_body) for each in (noise(0.1), walk(low_body)))
    assert rough["jerk"] > 20 * smooth["jerk"]
    assert rough["acceleration"] > 5 * smooth["acceleration"]
    # Knees and elbows leave their ranges, which end near the neutral stance.
    assert (
        rough["joint_limit_violation"] > 0.01 > figures(statue(), low_body)["joint_limit_violation"]
    )


def test_a_raised_body_floats_and_a_sunk_one_penetrates(low_body: SkinnedBody) -> None:
    still = statue()
    base = figures(still, low_body)
    for height in (0.3, -0.2):
        found = figures(moved(still, torch.tensor([0.0, height, 0.0])), low_body)
        lowest = base["floating"] - base["penetration"] + height
        assert found["floating"] == pytest.approx(max(lowest, 0), abs=ROUNDING)
        assert found["penetration"] == pytest.approx(max(-lowest, 0), abs=ROUNDING)
    raised = posed(low_body, moved(still, torch.tensor([0.0, 0.3, 0.0])))
    assert floor_estimate(raised) == pytest.approx(0.3 + base["floating"], abs=0.01)


def test_feet_that_never_touch_have_no_skating_and_say_why(low_body: SkinnedBody) -> None:
    found = physical_measurements(moved(statue(), torch.tensor([0.0, 1.0, 0.0])), low_body)
    without = {each.metric.id: each.note for each in found if each.value is None}
    reason = "no foot ever touches the floor"
    assert without == dict.fromkeys(
        ("foot_skating_ratio", "sliding_distance", "sliding_speed", "treadmill_sliding_speed"),
        reason,
    )


def test_a_knee_bent_the_wrong_way_violates_by_its_angle(low_body: SkinnedBody) -> None:
    still = statue()
    bent = still.rotations.clone()
    excess = 0.5
    lower = anatomical_limits().lower[JOINT_INDEX["left_knee"] - 1, 0]
    wrong = torch.stack([lower - excess, torch.zeros(()), torch.zeros(())])
    bent[:, JOINT_INDEX["left_knee"]] = rotations.from_axis_angle(wrong)
    found = figures(dataclasses.replace(still, rotations=bent), low_body)
    # One of 21 joints, in all frames.
    expected = excess / math.sqrt(NUM_JOINTS - 1)
    assert found["joint_limit_violation"] == pytest.approx(expected, rel=1e-3)


def test_a_hand_in_the_belly_penetrates(low_body: SkinnedBody) -> None:
    still = statue()
    bent = still.rotations.clone()
    turn = rotations.from_axis_angle(torch.tensor([0.0, 0.0, -0.6]))
    left = JOINT_INDEX["left_shoulder"]
    bent[:, left] = turn @ bent[:, left]  # the arm swings down into the thigh and the trunk
    found = figures(dataclasses.replace(still, rotations=bent), low_body)
    assert figures(still, low_body)["self_penetration"] == 0
    assert 0.01 < found["self_penetration"] < 0.3


def test_a_cubic_has_one_jerk_and_a_parabola_one_acceleration() -> None:
    times = torch.arange(20, dtype=torch.float64) / FPS
    way = torch.tensor([2.0, 1.0, 2.0], dtype=torch.float64) / 3
    for order, function in ((3, jerk), (2, acceleration)):
        joints = ((times**order)[:, None, None] * way).expand(-1, NUM_JOINTS, -1)
        assert float(function(joints, FPS)) == pytest.approx(math.factorial(order), rel=1e-9)
        higher = jerk if order == 2 else None
        if higher is not None:
            assert float(higher(joints, FPS)) == pytest.approx(0, abs=1e-6)


def test_the_dynamic_degree_of_one_turning_arm_is_its_speed() -> None:
    """One joint circles at radius 0.5 m and 2 rad/s, while the whole travels and turns."""
    times = torch.arange(61, dtype=torch.float64) / FPS
    joints = torch.zeros(61, NUM_JOINTS, 3, dtype=torch.float64)
    joints[:, 1:] = torch.randn(NUM_JOINTS - 1, 3, generator=torch.Generator().manual_seed(0))
    circle = 0.5 * torch.stack([(2 * times).cos(), (2 * times).sin(), 0 * times], -1)
    joints[:, 21] = circle
    spin = rotations.about_y(3 * times)
    world = (spin[:, None] @ joints[..., None])[..., 0] + times[:, None, None]
    shrink = math.sin(1 / FPS) / (1 / FPS)  # a chord is shorter than its arc
    expected = 0.5 * 2 * shrink / (NUM_JOINTS - 1)
    assert float(dynamic_degree(world, spin, FPS)) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    "change",
    [
        lambda motion: turned(motion, 2.1, (0.7, -1.3)),
        mirrored,
    ],
    ids=["turned and shifted", "mirrored"],
)
def test_place_heading_and_mirror_change_nothing(
    low_body: SkinnedBody, change: Callable[[Motion], Motion]
) -> None:
    motion = walk(low_body)
    before, after = figures(motion, low_body), figures(change(motion), low_body)
    for id, value in before.items():
        # The body is not quite its own mirror image; the treadmill is a median along each axis.
        close = {"treadmill_sliding_speed": 0.25}.get(id, 0.03)
        assert after[id] == pytest.approx(value, rel=close, abs=2e-3), id


def smooth(fps: float) -> Motion:
    """The neutral stance that bends, turns, waves and sways along the floor at up to 1 Hz."""
    times = torch.arange(int(2 * fps) + 1) / fps
    base = statue().rotations[:1].repeat(len(times), 1, 1, 1)
    for name, axis, size, rate in (
        ("spine1", 0, 0.3, 0.5),
        ("left_shoulder", 2, 1.0, 1.0),
        ("right_elbow", 1, 0.8, 1.0),
        ("pelvis", 1, 0.4, 0.5),
    ):
        angle = torch.zeros(len(times), 3)
        angle[:, axis] = size * (2 * math.pi * rate * times).sin()
        joint = JOINT_INDEX[name]
        base[:, joint] = rotations.from_axis_angle(angle) @ base[:, joint]
    sway = torch.stack([0.3 * (math.pi * times).sin(), 0 * times, 0.5 * times], -1)
    return Motion(base, sway, fps)


def test_frame_rates_agree_on_smooth_motions(low_body: SkinnedBody) -> None:
    fast, slow = (figures(smooth(fps), low_body) for fps in (60.0, 30.0))
    for id, value in fast.items():
        assert slow[id] == pytest.approx(value, rel=0.03, abs=2e-3), id
    assert fast["jerk"] > 1 and fast["sliding_speed"] > 0.3


def test_frame_rates_agree_on_walks(low_body: SkinnedBody) -> None:
    fast, slow = (figures(walk(low_body, fps), low_body) for fps in (60.0, 30.0))
    for id, value in fast.items():
        # A step more or less is in contact. Where a foot lands its velocity jumps, and has no
        # derivatives that differences could approach.
        close = {"foot_skating_ratio": 0.1, "treadmill_sliding_speed": 0.2}
        if id not in ("jerk", "acceleration"):
            assert slow[id] == pytest.approx(value, rel=close.get(id, 0.05), abs=2e-3), id


def test_the_sliding_distance_is_speed_times_time_in_contact() -> None:
    """One foot slides 1 m/s for 2 s, the other is in the air."""
    times = torch.arange(61) / FPS
    foot = torch.stack([times, 0 * times, 0 * times], -1)[:, None]
    high = foot + torch.tensor([0.0, 1.0, 0.0])
    joints = torch.zeros(61, NUM_JOINTS, 3)
    found = physical_metrics(joints, FPS, (foot, high), torch.zeros(61))
    assert float(found.sliding.distance) == pytest.approx(2, rel=1e-4)
    assert float(found.root_speed) == 0
