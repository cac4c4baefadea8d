import math
import os
from pathlib import Path

import pytest
import torch
from standin_skeleton import rest_joints

from motiondistill import rotations
from motiondistill.data.body_pose import bone_directions
from motiondistill.data.grounding import lowest_sole
from motiondistill.data.joints import JOINTS_FPS, read_joint_clips
from motiondistill.data.parametric import PARAMETRIC_ACTIONS, parametric_motion
from motiondistill.data.retarget import NeutralPose, neutral_pose, retarget
from motiondistill.kinematics import forward_kinematics
from motiondistill.randomness import seeded
from motiondistill.structures import JOINT_INDEX as J
from motiondistill.structures import Motion

FPS = 30.0
# Directions of limbs are copied, so only float32 rounding is left.
DIRECTION_TOLERANCE = 1e-4
# Positions pass through a few products of rotations and a median; metres.
POSITION_TOLERANCE = 1e-4
# The bend of the trunk is shared evenly again, but its split at the waist is measured on a chord of
# it; metres.
TRUNK_TOLERANCE = 0.03
# A trace of the twist-free swing is always mixed in, radians.
TWIST_TOLERANCE = 0.1
# Soles are compared after the floor was found as a quantile of frames.
FLOOR_TOLERANCE = 0.01
# The brief's measure of a good retargeting, metres.
MOCAP_ERROR = 0.03


def joints_of(motion: Motion, rest: torch.Tensor) -> torch.Tensor:
    _, positions = forward_kinematics(motion.rotations, rest)
    return positions + motion.translation[:, None]


def own_neutral(rest: torch.Tensor) -> NeutralPose:
    return neutral_pose([rest[None]])


def performed(action: str, seed: int = 0) -> Motion:
    return parametric_motion(action, "right", seeded(seed, 0, action), rest_joints(), FPS, 61)


def test_the_t_pose_becomes_the_t_pose() -> None:
    rest = rest_joints()
    motion = retarget(rest.expand(5, -1, -1), FPS, own_neutral(rest), rest)
    assert torch.allclose(motion.rotations, rotations.identity(5, 22), atol=DIRECTION_TOLERANCE)
    assert torch.allclose(motion.translation, torch.zeros(5, 3), atol=POSITION_TOLERANCE)


@pytest.mark.parametrize("action", PARAMETRIC_ACTIONS)
def test_a_motion_of_our_own_skeleton_comes_back(action: str) -> None:
    rest, source = rest_joints(), performed(action)
    seen = joints_of(source, rest)
    joints = joints_of(retarget(seen, FPS, own_neutral(rest), rest), rest)
    assert torch.allclose(bone_directions(joints), bone_directions(seen), atol=DIRECTION_TOLERANCE)
    legs = [J[f"{side}_{name}"] for side in ("left", "right") for name in ("hip", "knee", "ankle")]
    assert torch.allclose(joints[:, legs], seen[:, legs], atol=FLOOR_TOLERANCE)
    arms = [J[f"{side}_{name}"] for side in ("left", "right") for name in ("shoulder", "wrist")]
    assert (joints[:, arms] - seen[:, arms]).norm(dim=-1).median() < TRUNK_TOLERANCE


def test_knees_and_elbows_stay_hinges() -> None:
    rest, source = rest_joints(), performed("squat")
    motion = retarget(joints_of(source, rest), FPS, own_neutral(rest), rest)
    knees = rotations.to_axis_angle(motion.rotations[:, [J["left_knee"], J["right_knee"]]])
    bent = knees.norm(dim=-1) > 0.8
    assert bent.sum() > 10
    # Knees bend about +X, and only about it.
    axes = torch.nn.functional.normalize(knees[bent], dim=-1)
    assert axes[:, 0].min() > 0.97
    punch = retarget(joints_of(performed("punch"), rest), FPS, own_neutral(rest), rest)
    elbow = rotations.to_axis_angle(punch.rotations[:, J["left_elbow"]])
    axes = torch.nn.functional.normalize(elbow[elbow.norm(dim=-1) > 0.8], dim=-1)
    # The left elbow bends about -Y.
    assert len(axes) > 10
    assert axes[:, 1].max() < -0.97


def test_a_straight_limb_keeps_the_twist_seen_before() -> None:
    rest = rest_joints()
    local = rotations.identity(40, 22).clone()
    twist = rotations.from_axis_angle(torch.tensor([0.7, 0.0, 0.0]))
    bend = 1.2 * (torch.arange(40) < 38)
    local[:, J["left_shoulder"]] = twist
    local[:, J["left_elbow"]] = rotations.about_y(-bend)
    source = Motion(local, torch.zeros(40, 3), FPS)
    motion = retarget(joints_of(source, rest), FPS, own_neutral(rest), rest)
    # The last two frames show a straight arm, which has no visible twist: 0.7 rad would be lost.
    angles = rotations.geodesic(motion.rotations[:, J["left_shoulder"]], twist.expand(40, 3, 3))
    assert angles.max() < TWIST_TOLERANCE


def test_turning_the_source_turns_the_motion() -> None:
    rest = rest_joints()
    seen = joints_of(performed("walk"), rest)
    turn = rotations.about_y(torch.tensor(2.0))
    plain = retarget(seen, FPS, own_neutral(rest), rest)
    turned = retarget(seen @ turn.T, FPS, own_neutral(rest), rest)
    assert torch.allclose(turned.rotations[:, 1:], plain.rotations[:, 1:], atol=1e-3)
    assert torch.allclose(turned.rotations[:, 0], turn @ plain.rotations[:, 0], atol=1e-3)
    assert torch.allclose(turned.translation, plain.translation @ turn.T, atol=1e-3)


@pytest.mark.parametrize("scale", [0.5, 1.4])
def test_the_size_of_the_source_does_not_matter(scale: float) -> None:
    rest = rest_joints()
    seen = joints_of(performed("jump"), rest)
    plain = retarget(seen, FPS, own_neutral(rest), rest)
    scaled = retarget(scale * seen, FPS, own_neutral(rest), rest)
    assert torch.allclose(scaled.rotations, plain.rotations, atol=1e-3)
    assert torch.allclose(scaled.translation, plain.translation, atol=1e-3)


def test_a_source_with_other_proportions_stands_as_we_do() -> None:
    """A hunched skeleton with dropped toes, standing at rest, is still neutral."""
    rest = rest_joints()
    odd = rest.clone()
    odd[[J["left_foot"], J["right_foot"]], 1] -= 0.04
    odd[J["head"], 2] += 0.06
    odd[[J["spine2"], J["spine3"]], 2] -= 0.03
    motion = retarget(odd.expand(3, -1, -1), FPS, own_neutral(odd), rest)
    angles = rotations.geodesic(motion.rotations, rotations.identity(3, 22))
    assert angles.max() < math.radians(1)


def test_missing_joints_fall_back_to_their_parents() -> None:
    rest = rest_joints()
    seen = joints_of(performed("walk"), rest)
    missing = ["spine1", "spine3", "neck", "left_collar", "right_collar", "left_foot", "right_foot"]
    lacking = seen.clone()
    lacking[:, [J[name] for name in missing]] = torch.nan
    motion = retarget(lacking, FPS, neutral_pose([lacking]), rest)
    assert motion.rotations.isfinite().all()
    assert motion.translation.isfinite().all()
    identity = torch.eye(3).expand(61, 3, 3)
    for name in ("neck", "head"):
        assert torch.allclose(motion.rotations[:, J[name]], identity, atol=DIRECTION_TOLERANCE)
    # The shoulders still tell a trace of how far they are raised.
    collar = rotations.geodesic(motion.rotations[:, J["left_collar"]], identity)
    assert collar.max() < math.radians(1)
    directions = bone_directions(joints_of(motion, rest))
    assert torch.allclose(directions, bone_directions(seen), atol=DIRECTION_TOLERANCE)


def test_feet_stand_on_the_floor_and_jumps_leave_it() -> None:
    rest = rest_joints()
    seen = joints_of(performed("jump"), rest) + torch.tensor([0.0, 3.0, 0.0])
    motion = retarget(seen, FPS, own_neutral(rest), rest)
    soles = lowest_sole(motion.rotations, rest) + motion.translation[:, 1]
    assert soles.median().abs() < FLOOR_TOLERANCE
    assert soles.max() > 0.2


@pytest.mark.skipif(
    "MOTIONDISTILL_MOCAP" not in os.environ, reason="MOTIONDISTILL_MOCAP is not set"
)
def test_motion_capture_is_met_within_three_centimetres() -> None:
    """Seen from hips and shoulders, with every bone of the source scaled to ours."""
    rest = rest_joints()
    folder = Path(os.environ["MOTIONDISTILL_MOCAP"])
    clips = [clip for clip in read_joint_clips(folder) if clip.source == "cmu"]
    neutral = neutral_pose([clip.joints for clip in clips])
    chains = torch.tensor(
        [
            [J[f"{s}_{n}"] for n in limb]
            for s in ("left", "right")
            for limb in (("shoulder", "elbow", "wrist"), ("hip", "knee", "ankle"))
        ]
    )
    lengths = rest[chains].diff(dim=1).norm(dim=-1)
    errors = []
    for clip in clips[:20]:
        joints = joints_of(retarget(clip.joints, JOINTS_FPS, neutral, rest), rest)[:, chains]
        bones = torch.nn.functional.normalize(clip.joints[:, chains].diff(dim=2), dim=-1)
        expected = joints[:, :, :1] + (bones * lengths[..., None]).cumsum(2)
        errors.append((joints[:, :, 1:] - expected).norm(dim=-1).flatten())
    assert torch.cat(errors).median() < MOCAP_ERROR
