import math

import pytest
import torch
from standin_skeleton import rest_joints

from motiondistill.data.choreography import keyed, planted_legs, trunk_rotation
from motiondistill.data.grounding import lowest_sole, sole_heights
from motiondistill.data.parametric import PARAMETRIC_ACTIONS, parametric_motion
from motiondistill.kinematics import forward_kinematics
from motiondistill.randomness import seeded
from motiondistill.structures import JOINT_INDEX as J
from motiondistill.structures import Motion

SEEDS = range(6)
FPS, FRAMES = 30.0, 61
# Float32 chains of rotations.
TOLERANCE = 1e-4
# A foot that stands may roll a little over its edge, metres.
PLANTED = 0.01


def perform(action: str, seed: int, side: str = "right") -> tuple[Motion, torch.Tensor]:
    rest = rest_joints()
    motion = parametric_motion(action, side, seeded(seed, 0, action), rest, FPS, FRAMES)
    _, joints = forward_kinematics(motion.rotations, rest)
    return motion, joints + motion.translation[:, None]


def spread(values: torch.Tensor) -> float:
    return float(values.max() - values.min())


def correlation(a: torch.Tensor, b: torch.Tensor) -> float:
    return float(torch.corrcoef(torch.stack([a, b]))[0, 1])


def bend(joints: torch.Tensor, side: str, chain: tuple[str, str, str]) -> torch.Tensor:
    a, b, c = (joints[:, J[f"{side}_{name}"]] for name in chain)
    cosine = torch.nn.functional.cosine_similarity(b - a, c - b, dim=-1)
    return cosine.clamp(-1, 1).acos()


@pytest.mark.parametrize("action", [name for name in PARAMETRIC_ACTIONS if name != "stand"])
def test_motions_of_an_action_start_alike(action: str) -> None:
    joints = torch.stack([perform(action, seed)[1] for seed in range(16)])
    moving = joints - joints.mean(1, keepdim=True)
    # Free phases would leave a sixteenth of the movement in the mean of sixteen motions.
    assert moving.mean(0).square().mean() > 0.4 * moving.square().mean()


@pytest.mark.parametrize("action", PARAMETRIC_ACTIONS)
@pytest.mark.parametrize("seed", SEEDS)
def test_every_motion_is_sound(action: str, seed: int) -> None:
    motion, joints = perform(action, seed)
    assert motion.rotations.shape == (FRAMES, 22, 3, 3)
    eye = motion.rotations @ motion.rotations.transpose(-1, -2)
    assert torch.allclose(eye, torch.eye(3).expand_as(eye), atol=TOLERANCE)
    assert motion.rotations.det().allclose(torch.ones(FRAMES, 22), atol=TOLERANCE)
    # Nothing moves faster than 12 m/s: no branch of the inverse kinematics flips.
    assert (joints.diff(dim=0).norm(dim=-1) * FPS).max() < 12
    # Elbows and knees bend their own way.
    knees = forward_kinematics(motion.rotations, rest_joints())[0][
        :, [J["left_hip"], J["right_hip"]]
    ]
    shins = (
        joints[:, [J["left_ankle"], J["right_ankle"]]]
        - joints[:, [J["left_knee"], J["right_knee"]]]
    )
    ahead = (knees.transpose(-1, -2) @ shins[..., None])[..., 2, 0]
    assert ahead.max() < 0.05


@pytest.mark.parametrize("action", PARAMETRIC_ACTIONS)
def test_feet_neither_sink_nor_float(action: str) -> None:
    for seed in SEEDS:
        motion, _ = perform(action, seed)
        soles = lowest_sole(motion.rotations, rest_joints()) + motion.translation[:, 1]
        assert soles.min() > -TOLERANCE
        # A hop may touch down between two frames.
        assert soles.min() < PLANTED
        if action not in ("run", "jump", "jumping jacks"):
            assert soles.max() < TOLERANCE


@pytest.mark.parametrize("action", ["stand", "squat", "bow", "wave", "raise both arms", "punch"])
def test_planted_feet_stay_flat_where_they_are(action: str) -> None:
    for seed in SEEDS:
        motion, joints = perform(action, seed)
        ankles = joints[:, [J["left_ankle"], J["right_ankle"]]]
        assert (ankles - ankles[:1]).norm(dim=-1).max() < PLANTED
        soles = sole_heights(motion.rotations, rest_joints()) + motion.translation[:, 1, None, None]
        assert soles.max() < PLANTED


@pytest.mark.parametrize("seed", SEEDS)
def test_same_generator_same_motion(seed: int) -> None:
    for action in PARAMETRIC_ACTIONS:
        first, again, other = (
            perform(action, seed)[0],
            perform(action, seed)[0],
            perform(action, seed + 100)[0],
        )
        assert torch.equal(first.rotations, again.rotations)
        assert torch.equal(first.translation, again.translation)
        assert not torch.allclose(first.rotations, other.rotations, atol=1e-2)


@pytest.mark.parametrize("seed", SEEDS)
def test_walking_alternates_and_runs_fly(seed: int) -> None:
    for action in ("walk", "run"):
        motion, joints = perform(action, seed)
        left, right = (joints[:, J[f"{side}_ankle"], 2] for side in ("left", "right"))
        assert correlation(left, right) < -0.6
        assert min(spread(left), spread(right)) > 0.35
        # The arms swing against the legs.
        assert correlation(joints[:, J["left_wrist"], 2], left) < -0.5
        soles = lowest_sole(motion.rotations, rest_joints()) + motion.translation[:, 1]
        assert (soles.max() > 0.03) == (action == "run")


@pytest.mark.parametrize("seed", SEEDS)
def test_jumping_jacks_open_arms_and_legs_together(seed: int) -> None:
    _, joints = perform("jumping jacks", seed)
    hands = joints[:, J["left_wrist"], 1] - joints[:, J["head"], 1]
    feet = joints[:, J["left_ankle"], 0] - joints[:, J["right_ankle"], 0]
    assert hands.max() > 0.1
    assert hands.min() < -0.5
    assert spread(feet) > 0.35
    assert correlation(hands, feet) > 0.8


@pytest.mark.parametrize("seed", SEEDS)
def test_squats_sink_on_bent_knees_in_balance(seed: int) -> None:
    _, joints = perform("squat", seed)
    assert spread(joints[:, J["pelvis"], 1]) > 0.25
    lowest = joints[:, J["pelvis"], 1].argmin()
    for side in ("left", "right"):
        assert bend(joints, side, ("hip", "knee", "ankle")).max() > 1.2
        # Arms ahead.
        assert (
            joints[lowest, J[f"{side}_wrist"], 2] - joints[lowest, J[f"{side}_shoulder"], 2] > 0.3
        )
    # The middle of trunk, thighs and arms stays over the feet.
    heavy = joints[
        lowest, [J[name] for name in ("pelvis", "spine3", "neck", "left_knee", "left_elbow")], 2
    ]
    feet = joints[lowest, [J["left_ankle"], J["left_foot"]], 2]
    assert feet[0] - 0.08 < heavy.mean() < feet[1] + 0.08


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("seed", SEEDS)
def test_the_named_hand_waves_and_the_other_rests(side: str, seed: int) -> None:
    _, joints = perform("wave", seed, side)
    other = "left" if side == "right" else "right"
    raised = joints[:, J[f"{side}_wrist"], 1] - joints[:, J[f"{side}_shoulder"], 1]
    assert (raised > 0.05).float().mean() > 0.95
    # Wide, and from the side as well.
    assert spread(joints[:, J[f"{side}_wrist"], 0]) > 0.3
    assert spread(joints[:, J[f"{side}_wrist"], 2]) > 0.12
    assert (joints[:, J[f"{other}_wrist"], 1] < joints[:, J["spine3"], 1]).all()
    assert spread(joints[:, J[f"{other}_wrist"], 0]) < 0.08


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("seed", SEEDS)
def test_kicks_and_punches_use_the_named_limb(side: str, seed: int) -> None:
    other = "left" if side == "right" else "right"
    _, joints = perform("kick", seed, side)
    assert joints[:, J[f"{side}_ankle"], 1].max() > 0.4
    assert joints[:, J[f"{other}_ankle"], 1].max() < 0.12
    _, joints = perform("punch", seed, side)
    reach = {s: joints[:, J[f"{s}_wrist"]] - joints[:, J[f"{s}_shoulder"]] for s in (side, other)}
    assert reach[side][:, 2].max() > 0.42
    assert reach[other].norm(dim=-1).max() < 0.4


@pytest.mark.parametrize("seed", SEEDS)
def test_jumps_bows_and_raised_arms(seed: int) -> None:
    motion, joints = perform("jump", seed)
    soles = lowest_sole(motion.rotations, rest_joints()) + motion.translation[:, 1]
    assert 0.23 < soles.max() < 0.41
    # A crouch comes before the flight.
    flight = int(soles.argmax())
    assert joints[:flight, J["pelvis"], 1].min() < joints[0, J["pelvis"], 1] - 0.1
    _, joints = perform("bow", seed)
    trunk = joints[:, J["neck"]] - joints[:, J["pelvis"]]
    assert torch.atan2(trunk[:, 2], trunk[:, 1]).max() > 0.6
    _, joints = perform("raise both arms", seed)
    for side in ("left", "right"):
        above = joints[:, J[f"{side}_wrist"], 1] - joints[:, J["head"], 1]
        assert above.max() > 0.1
        assert above.min() < -0.3


@pytest.mark.parametrize("seed", SEEDS)
def test_who_sits_down_stays_on_level_thighs_over_upright_shins(seed: int) -> None:
    _, joints = perform("sit", seed)
    assert joints[0, 0, 1] - joints[-1, 0, 1] > 0.3
    seated = joints[-15:]
    assert spread(seated[:, 0, 1]) < 0.02
    for side in ("left", "right"):
        hip, knee, ankle = (seated[:, J[f"{side}_{name}"]] for name in ("hip", "knee", "ankle"))
        thigh, shin = (
            torch.nn.functional.normalize(bone, dim=-1) for bone in (knee - hip, knee - ankle)
        )
        assert thigh[:, 1].abs().max() < 0.4
        assert shin[:, 1].min() > 0.9
    trunk = torch.nn.functional.normalize(seated[:, J["neck"]] - seated[:, 0], dim=-1)
    assert trunk[:, 1].min() > 0.95


@pytest.mark.parametrize("seed", SEEDS)
def test_dancers_step_from_side_to_side_with_swinging_hips_and_arms(seed: int) -> None:
    _, joints = perform("dance", seed)
    hips = joints[:, 0, 0]
    assert spread(hips) > 0.2
    # The foot without weight is lifted: the left one when the hips are over the right one.
    lifts = joints[:, J["left_ankle"], 1] - joints[:, J["right_ankle"], 1]
    assert correlation(lifts, hips) < -0.8
    assert lifts.max() > 0.08 and lifts.min() < -0.08
    hands = joints[:, J["left_wrist"], 1] - joints[:, J["right_wrist"], 1]
    assert hands.max() > 0.2 and hands.min() < -0.2


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("seed", SEEDS)
def test_the_named_hand_goes_to_the_mouth_and_back(side: str, seed: int) -> None:
    _, joints = perform("drink", seed, side)
    other = "left" if side == "right" else "right"
    mouth = joints[:, J["head"]] + torch.tensor([0.0, 0.05, 0.12])
    away = {}
    for name in (side, other):
        wrist, elbow = joints[:, J[f"{name}_wrist"]], joints[:, J[f"{name}_elbow"]]
        palm = wrist + 0.4 * (wrist - elbow)
        away[name] = (palm - mouth).norm(dim=-1)
    assert away[side].min() < 0.18
    assert min(away[side][0], away[side][-1], away[other].min()) > 0.5
    # Long enough for a sip.
    assert 0.4 < (away[side] < 0.22).float().mean() * FRAMES / FPS < 1.0


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("seed", SEEDS)
def test_the_named_hand_throws_from_behind_the_head_to_the_front(side: str, seed: int) -> None:
    _, joints = perform("throw", seed, side)
    hand = joints[:, J[f"{side}_wrist"]] - joints[:, J["neck"]]
    back, front = int(hand[:, 2].argmin()), int(hand[:, 2].argmax())
    assert back < front
    assert hand[back, 2] < -0.2 and hand[front, 2] > 0.3
    assert hand[back : front + 1, 1].max() > 0.1
    other = "left" if side == "right" else "right"
    speed = {s: joints[:, J[f"{s}_wrist"]].diff(dim=0).norm(dim=-1).max() for s in (side, other)}
    assert speed[side] > 1.3 * speed[other]


def test_planted_legs_reach_their_ankles() -> None:
    rest = rest_joints()
    down = torch.linspace(0.02, 0.4, 9)
    displacement = torch.stack([0.05 * down, -down, -0.3 * down], -1)
    ankles = rest[[J["left_ankle"], J["right_ankle"]]].expand(9, 2, 3)
    pelvis = torch.stack([down, 0.3 * down, 0.1 * down], -1)
    legs = planted_legs(pelvis, displacement, ankles, torch.zeros(9, 2), rest)
    for index, side in enumerate(("left", "right")):
        hip, knee, ankle = (rest[J[f"{side}_{name}"]] for name in ("hip", "knee", "ankle"))
        start = rest[0] + displacement + (trunk_rotation(pelvis) @ (hip - rest[0]))
        thigh, shin = (knee - hip).norm(), (ankle - knee).norm()
        end = start + thigh * legs[:, index, 0] + shin * legs[:, index, 1]
        assert torch.allclose(end, ankles[:, index], atol=TOLERANCE)
        assert torch.allclose(legs[:, index].norm(dim=-1), torch.ones(9, 2), atol=TOLERANCE)


def test_keys_are_met_and_eased_between() -> None:
    times = torch.tensor([-1.0, 0.0, 0.5, 1.0, 2.0, 9.0])
    values = keyed(times, [(0.0, 1.0), (1.0, 3.0), (2.0, -1.0)])
    assert torch.allclose(values, torch.tensor([1.0, 1.0, 2.0, 3.0, -1.0, -1.0]), atol=TOLERANCE)


@pytest.mark.parametrize(("action", "side"), [("fly", "right"), ("wave", "both")])
def test_unknown_actions_and_sides_are_refused(action: str, side: str) -> None:
    with pytest.raises(ValueError, match=action if action == "fly" else side):
        parametric_motion(action, side, seeded(0), rest_joints(), 8.0, 17)


@pytest.mark.parametrize(("fps", "frames"), [(0.0, 16), (math.nan, 16), (8.0, 0)])
def test_motions_without_time_are_refused(fps: float, frames: int) -> None:
    with pytest.raises(ValueError, match="`fps` and `frames` must be positive"):
        parametric_motion("walk", "left", seeded(0), rest_joints(), fps, frames)
