"""Each signature is passed by motions of its own action, and by no others."""

import math

import pytest
import torch
from standin_skeleton import rest_joints

from motiondistill import rotations
from motiondistill.data.parametric import PARAMETRIC_ACTIONS, parametric_motion
from motiondistill.kinematics import forward_kinematics
from motiondistill.metrics import signatures
from motiondistill.metrics.signatures import SIGNATURES, Check
from motiondistill.structures import JOINT_INDEX, NUM_JOINTS

FPS, FRAMES, SEEDS = 8.0, 17, range(10)
ROUNDING = 1e-4  # float32 angles, and correlations of them, of positions of about a metre
WALK, JACKS, WAVE, SQUAT = SIGNATURES
# What each parametric action is to pass; the others, such as bows and kicks, pass nothing.
OWN = {
    "walk": {WALK},
    "run": {WALK},  # hips in opposition, too: the signature tells no speed
    "jumping jacks": {JACKS},
    "squat": {SQUAT},
    "sit": {SQUAT},  # down on bent knees, too: the signature tells no rising
    "dance": {WALK},  # the legs take the weight by turns
}
CASES = [(action, side) for action in PARAMETRIC_ACTIONS for side in ("left", "right")]


def passed(joints: torch.Tensor) -> set[str]:
    return {
        prompt
        for prompt, signature in SIGNATURES.items()
        if all(check.passed for check in signature(joints))
    }


def performed(action: str, side: str, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    motion = parametric_motion(action, side, generator, rest_joints(), FPS, FRAMES)
    _, joints = forward_kinematics(motion.rotations, rest_joints())
    return joints + motion.translation[:, None]


def posed(axis_angle: dict[str, tuple[torch.Tensor, torch.Tensor, torch.Tensor]]) -> torch.Tensor:
    """Joints of hand-made rotations (axis-angle series per joint), arms hanging by default."""
    zero = torch.zeros(FRAMES)
    hang = {
        "left_shoulder": (zero, zero, zero - 1.4),
        "right_shoulder": (zero, zero, zero + 1.4),
    }
    vectors = torch.zeros(FRAMES, NUM_JOINTS, 3)
    for name, series in (hang | axis_angle).items():
        vectors[:, JOINT_INDEX[name]] = torch.stack(series, -1)
    _, joints = forward_kinematics(rotations.from_axis_angle(vectors), rest_joints())
    return joints


@pytest.mark.parametrize(("action", "side"), CASES)
def test_parametric_motions_pass_their_own_signature_alone(action: str, side: str) -> None:
    expected = {WAVE} if (action, side) == ("wave", "right") else OWN.get(action, set())
    for seed in SEEDS:
        assert passed(performed(action, side, seed)) == expected, seed


@pytest.mark.parametrize("action", ["walk", "jumping jacks", "wave", "squat"])
def test_a_frozen_clip_passes_none(action: str) -> None:
    for frame in performed(action, "right", 0):
        assert passed(frame.expand(FRAMES, -1, -1)) == set()


@pytest.mark.parametrize("action", ["walk", "jumping jacks", "wave", "squat"])
def test_figures_do_not_depend_on_place_or_heading(action: str) -> None:
    joints = performed(action, "right", 0)
    for angle in (0.7, math.pi, -2.0):
        turned = joints @ rotations.about_y(torch.tensor(angle)).T
        moved = turned + torch.tensor([1.5, 0.0, -2.0])
        for signature in SIGNATURES.values():
            for before, after in zip(signature(joints), signature(moved), strict=True):
                assert after.value == pytest.approx(before.value, abs=ROUNDING), before.name


def test_hand_made_walk_has_the_swing_it_was_given() -> None:
    zero = torch.zeros(FRAMES)
    swing = 0.4 * torch.linspace(0, 4 * math.pi, FRAMES).sin()
    checks = signatures.walking(
        posed({"left_hip": (-swing, zero, zero), "right_hip": (swing, zero, zero)})
    )
    correlation, left, right = (check.value for check in checks)
    assert correlation == pytest.approx(-1, abs=ROUNDING)
    # The stand-in's thighs are straight but for a centimetre; so is the measured range.
    assert left == pytest.approx(0.8, abs=0.01)
    assert right == pytest.approx(0.8, abs=0.01)
    hop = posed({"left_hip": (-swing, zero, zero), "right_hip": (-swing, zero, zero)})
    assert passed(hop) == set()  # both legs at once: no walk


def test_hand_made_jacks_pass_and_lose_by_any_one_limb() -> None:
    zero = torch.zeros(FRAMES)
    open_ = (1 - torch.linspace(0, 4 * math.pi, FRAMES).cos()) / 2
    limbs = {
        "left_shoulder": (zero, zero, -1.4 + 2.6 * open_),
        "right_shoulder": (zero, zero, 1.4 - 2.6 * open_),
        "left_hip": (zero, zero, 0.4 * open_),
        "right_hip": (zero, zero, -0.4 * open_),
    }
    assert passed(posed(limbs)) == {JACKS}
    for name, (x, y, z) in limbs.items():
        still = limbs | {name: (x, y, z[:1].expand(FRAMES))}
        opposed = limbs | {name: (x, y, z[0] + z.amax() + z.amin() - z - z[0])}
        assert passed(posed(still)) == set(), name
        assert passed(posed(opposed)) == set(), name


def test_legs_exactly_at_rest_do_not_hide_behind_moving_arms() -> None:
    """Their correlation is not a number, which Python's `min` passes over."""
    zero = torch.zeros(FRAMES)
    open_ = (1 - torch.linspace(0, 4 * math.pi, FRAMES).cos()) / 2
    joints = posed(
        {
            "left_shoulder": (zero, zero, -1.4 + 2.6 * open_),
            "right_shoulder": (zero, zero, 1.4 - 2.6 * open_),
        }
    )
    for side in ("left", "right"):  # thighs straight down, with no rounding at all
        joints[:, JOINT_INDEX[f"{side}_knee"]] = joints[:, JOINT_INDEX[f"{side}_hip"]]
        joints[:, JOINT_INDEX[f"{side}_knee"], 1] -= 0.4
    assert passed(joints) == set()


def test_arms_raised_ahead_while_legs_spread_are_no_jacks() -> None:
    zero = torch.zeros(FRAMES)
    raised = (1 - torch.linspace(0, 4 * math.pi, FRAMES).cos()) / 2
    # Down and slightly outwards at first, then ahead and a little above level.
    lift = {
        f"{side}_shoulder": rotations.to_axis_angle(
            rotations.from_axis_angle(torch.stack([-1.75 * raised, zero, zero], -1))
            @ rotations.from_axis_angle(torch.tensor([0.0, 0.0, -sign * 1.4]))
        ).unbind(-1)
        for side, sign in (("left", 1.0), ("right", -1.0))
    }
    joints = posed(
        {
            **lift,
            "left_hip": (zero, zero, 0.4 * raised),
            "right_hip": (zero, zero, -0.4 * raised),
        }
    )
    figures = {check.name: check for check in signatures.jumping_jacks(joints)}
    assert figures["left arm's range, rad"].passed  # the angle alone is fooled
    assert passed(joints) == set()


def test_the_other_hand_and_a_still_hand_do_not_wave() -> None:
    zero = torch.zeros(FRAMES)
    swing = 0.5 * torch.linspace(0, 4 * math.pi, FRAMES).sin()
    right = {"right_shoulder": (zero, zero, zero - 1.0), "right_elbow": (zero, zero, swing)}
    left = {"left_shoulder": (zero, zero, zero + 1.0), "left_elbow": (zero, zero, swing)}
    still = {"right_shoulder": (zero, zero, zero - 1.0)}
    assert passed(posed(right)) == {WAVE}
    assert passed(posed(left)) == set()
    assert passed(posed(still)) == set()
    assert passed(posed(right | left)) == set()


def test_a_fall_on_straight_legs_is_no_squat() -> None:
    joints = performed("squat", "right", 0)
    sunk = joints[:1].expand(FRAMES, -1, -1).clone()
    sunk[..., 1] += (joints[:, :1, 1] - joints[:1, :1, 1]).expand(-1, NUM_JOINTS)
    assert passed(joints) == {SQUAT}
    assert passed(sunk) == set()


def test_a_figure_that_is_no_number_passes_neither_way() -> None:
    assert not Check("", math.nan, 0.0).passed
    assert not Check("", math.nan, 0.0, above=False).passed
    assert Check("", 1.0, 0.0).passed
    assert not Check("", 1.0, 0.0, above=False).passed
