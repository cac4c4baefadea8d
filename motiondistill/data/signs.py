"""Signs of actions: does a window show the action of its clip's label, and on which side?"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill.data.choreography import SIDES
from motiondistill.data.grounding import lowest_sole
from motiondistill.data.windows import headings
from motiondistill.kinematics import forward_kinematics
from motiondistill.structures import JOINT_INDEX as J
from motiondistill.structures import Motion

_MAX_TURN = math.radians(60)
_WALKING_SPEED = (0.6, 2.0)
_RUNNING_SPEED = (2.2, 7.0)
# Game clips run on the spot.
_ON_THE_SPOT = 0.25
# Heights of the lowest sole over the floor, metres: what a window may reach, and what half of its
# frames keep.
_SOLES = (-0.1, 0.6)
_MAX_HOVER = 0.12
# A hand at the mouth is this near the head joint, metres.
_AT_MOUTH = 0.27
# How far the head is below the pelvis of who turns over, metres.
_HEAD_OVER_HEELS = 0.05
# Hips of who sits are no higher over the ankles than this share of the length of the legs.
_SEATED = 0.72


def stays_on_floor(motion: Motion, rest_joints: Float[Tensor, "joints 3"]) -> bool:
    """Whether feet neither sink nor fly impossibly, and mostly stand on the floor."""
    soles = lowest_sole(motion.rotations, rest_joints) + motion.translation[:, 1]
    low, high = _SOLES
    return bool(soles.min() > low and soles.max() < high and soles.median() < _MAX_HOVER)


def side_shown(
    action: str, motion: Motion, speed: float, rest_joints: Float[Tensor, "joints 3"]
) -> str | None:
    """The side with which the window does the action, or None if it does not do it.

    Actions without a side answer "right". `motion` faces the front and is held in place; `speed` is
    that of the pelvis before, m/s.
    """
    _, posed = forward_kinematics(motion.rotations, rest_joints)
    joints = posed + motion.translation[:, None]
    match action:
        case "walk" | "run":
            usual = _WALKING_SPEED if action == "walk" else _RUNNING_SPEED
            return _right_if(_alternates(joints) and _travels(speed, usual) and not _turns(motion))
        case "jump":
            soles = lowest_sole(motion.rotations, rest_joints) + motion.translation[:, 1]
            return _right_if(bool(soles[2:-2].max() > 0.12))
        case "jumping jacks":
            return _right_if(_opens_and_closes(joints))
        case "squat":
            return _right_if(
                _range(joints[:, 0, 1]) > 0.25 and _range(joints[:, J["left_ankle"], 1]) < 0.12
            )
        case "wave":
            return _waving_side(joints)
        case "kick":
            return _striking_side(joints, motion.fps, "ankle", "hip", min_speed=3.0, min_reach=0.0)
        case "punch":
            return _striking_side(
                joints, motion.fps, "wrist", "shoulder", min_speed=1.7, min_reach=0.38
            )
        case "bow":
            trunk = joints[:, J["neck"]] - joints[:, 0]
            return _right_if(bool(torch.atan2(trunk[:, 2], trunk[:, 1]).max() > 0.6))
        case "stand":
            return _right_if(_stands(joints))
        case "throw":
            return _striking_side(
                joints, motion.fps, "wrist", "shoulder", min_speed=2.5, min_reach=0.2
            )
        case "drink":
            return _drinking_side(joints)
        case "sit":
            return _right_if(_sits(joints, rest_joints))
        case "cartwheel" | "backflip" | "roll":
            return _side_turned_over(joints)
        case _:
            return "right"


def _right_if(shown: bool) -> str | None:
    return "right" if shown else None


def _travels(speed: float, limits: tuple[float, float]) -> bool:
    return speed < _ON_THE_SPOT or limits[0] < speed < limits[1]


def _turns(motion: Motion) -> bool:
    heading = headings(motion)
    relative = torch.atan2((heading - heading[0]).sin(), (heading - heading[0]).cos())
    return _range(relative) > _MAX_TURN


def _alternates(joints: Float[Tensor, "frames joints 3"]) -> bool:
    """The feet swing against each other."""
    left = joints[:, J["left_ankle"], 2] - joints[:, 0, 2]
    right = joints[:, J["right_ankle"], 2] - joints[:, 0, 2]
    correlation = torch.corrcoef(torch.stack([left, right]))[0, 1]
    return bool(correlation < -0.5) and min(_range(left), _range(right)) > 0.3


def _opens_and_closes(joints: Float[Tensor, "frames joints 3"]) -> bool:
    above = joints[:, [J["left_wrist"], J["right_wrist"]], 1] - joints[:, [J["head"]], 1]
    aside = joints[:, J["left_ankle"], 0] - joints[:, J["right_ankle"], 0]
    return bool(above.amin(1).max() > 0.0 and above.amax(1).min() < -0.3) and _range(aside) > 0.2


def _waving_side(joints: Float[Tensor, "frames joints 3"]) -> str | None:
    """The hand that is up and moves while the other one is down."""
    for index, side in enumerate(SIDES):
        wrist, other = J[f"{side}_wrist"], J[f"{SIDES[1 - index]}_wrist"]
        raised = joints[:, wrist, 1] - joints[:, J[f"{side}_shoulder"], 1]
        resting = joints[:, other, 1] - joints[:, J["spine2"], 1]
        moves = (joints[:, wrist] - joints[:, J[f"{side}_elbow"]]).std(0).norm()
        if bool((raised > 0.02).float().mean() > 0.85 and resting.max() < 0.1 and moves > 0.04):
            return side
    return None


def _striking_side(
    joints: Float[Tensor, "frames joints 3"],
    fps: float,
    end: str,
    start: str,
    *,
    min_speed: float,
    min_reach: float,
) -> str | None:
    """The limb that alone is thrust forwards, far and fast, in the middle of the window."""
    limbs = torch.stack(
        [joints[:, J[f"{side}_{end}"], 2] - joints[:, J[f"{side}_{start}"], 2] for side in SIDES]
    )
    speeds = limbs.diff(dim=1) * fps
    margin = speeds.shape[1] // 5
    peaks = speeds[:, margin:-margin].amax(1)
    best = int(peaks.argmax())
    if peaks[best] < min_speed or peaks[1 - best] > 0.8 * peaks[best]:
        return None
    return SIDES[best] if limbs[best].max() > min_reach else None


def _stands(joints: Float[Tensor, "frames joints 3"]) -> bool:
    moving = (joints - joints.mean(0)).norm(dim=-1).max()
    knees = (
        joints[:, [J["left_hip"], J["right_hip"]], 1]
        - joints[:, [J["left_ankle"], J["right_ankle"]], 1]
    )
    hands = joints[:, [J["left_wrist"], J["right_wrist"]], 1] - joints[:, [J["spine2"]], 1]
    return bool(moving < 0.12 and knees.min() > 0.72 and hands.max() < 0.05)


def _range(values: Float[Tensor, " frames"]) -> float:
    return float(values.max() - values.min())


def _drinking_side(joints: Float[Tensor, "frames joints 3"]) -> str | None:
    """The hand that is at the mouth for a while, the other one being away from it."""
    near = torch.stack(
        [(joints[:, J[f"{side}_wrist"]] - joints[:, J["head"]]).norm(dim=-1) for side in SIDES]
    )
    drinking = (near < _AT_MOUTH).float().mean(1) > 0.2
    if drinking.sum() != 1:
        return None
    return SIDES[int(drinking.int().argmax())]


def _sits(joints: Float[Tensor, "frames joints 3"], rest_joints: Float[Tensor, "joints 3"]) -> bool:
    """Ends with the hips low, the knees bent and the trunk upright."""
    legs = rest_joints[J["left_hip"], 1] - rest_joints[J["left_ankle"], 1]
    late = joints[-(len(joints) // 3) :]
    height = late[:, J["left_hip"], 1] - late[:, J["left_ankle"], 1]
    trunk = torch.nn.functional.normalize(late[:, J["neck"]] - late[:, 0], dim=-1)
    return bool((height < _SEATED * legs).all() and (trunk[:, 1] > 0.8).all())


def _side_turned_over(joints: Float[Tensor, "frames joints 3"]) -> str | None:
    """The side to which the trunk leans a quarter into a window that goes head over heels."""
    upturned = joints[:, 0, 1] - joints[:, J["head"], 1]
    if upturned.max() < _HEAD_OVER_HEELS:
        return None
    early = joints[len(joints) // 4]
    return "left" if early[J["neck"], 0] > early[0, 0] else "right"
