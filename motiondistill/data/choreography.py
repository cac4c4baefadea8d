"""What parametric actions are written with: angles, planted feet, and the step to a motion."""

from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill import rotations
from motiondistill.data.body_pose import LIMBS, BodyPose, joint_rotations
from motiondistill.data.grounding import lowest_sole
from motiondistill.structures import JOINT_INDEX, Motion

SIDES = ("left", "right")
# Legs are never stretched further: a leg that reaches its full length snaps straight.
_MAX_STRETCH = 0.998
# Collar bones follow this share of the upper arm's swing away from its resting place, 50 degrees
# below horizontal.
_COLLAR_SHARE = 0.18
_COLLAR_REST = 0.7

Wave = Float[Tensor, " frames"]


@dataclass(frozen=True)
class Choreography:
    """A body in motion, before it has bones; the trunk as (pitch, yaw, roll) of each frame.

    Pitch leans forwards, yaw turns to the left, roll leans to the right.
    """

    pelvis: Float[Tensor, "frames 3"]
    chest: Float[Tensor, "frames 3"]
    """Relative to the pelvis."""
    head: Float[Tensor, "frames 3"]
    """Relative to the chest."""
    arms: Float[Tensor, "frames 2 2 3"]
    """Directions of upper and lower arms, seen from the chest."""
    legs: Float[Tensor, "frames 2 2 3"]
    """Directions of thighs and shins in the world."""
    feet: Float[Tensor, "frames 2 2"]
    """Pitch (toes down is positive) and yaw (toes to the left) of the feet in the world."""
    root: Float[Tensor, "frames 2"]
    """Horizontal displacement of the pelvis (x, z), metres."""
    lift: Wave
    """Height of the lowest sole above the floor, metres."""


def perform(steps: Choreography, rest_joints: Float[Tensor, "joints 3"], fps: float) -> Motion:
    """The choreography on a skeleton; the pelvis is as high as the lowest sole demands."""
    pelvis = trunk_rotation(steps.pelvis)
    chest = pelvis @ trunk_rotation(steps.chest)
    arms = (chest[:, None, None] @ steps.arms[..., None]).squeeze(-1)
    pose = BodyPose(
        pelvis=pelvis,
        chest=chest,
        neck=trunk_rotation(steps.head),
        collars=_collars(steps.arms[:, :, 0]),
        limbs=torch.cat([arms, steps.legs], 1),
        feet=_feet(steps.feet),
    )
    local = joint_rotations(pose, rest_joints, fps)
    height = steps.lift - lowest_sole(local, rest_joints)
    translation = torch.stack([steps.root[:, 0], height, steps.root[:, 1]], -1)
    return Motion(local, translation, fps)


def arm(side: str, elevation: Wave, azimuth: Wave) -> Float[Tensor, "frames 3"]:
    """Directions seen from the chest.

    Elevation 0 hangs, pi/2 is level, pi overhead; azimuth 0 is outwards, pi/2 ahead.
    """
    outward = 1.0 if side == "left" else -1.0
    level = elevation.sin()
    return torch.stack(
        [outward * level * azimuth.cos(), -elevation.cos(), level * azimuth.sin()], -1
    )


def arm_pair(upper: tuple[Wave, Wave], lower: tuple[Wave, Wave]) -> Float[Tensor, "frames 2 2 3"]:
    """Both arms alike: (elevation, azimuth) of the upper and of the lower arm."""
    return torch.stack(
        [torch.stack([arm(side, *upper), arm(side, *lower)], 1) for side in SIDES], 1
    )


def leg(
    side: str, flexion: Wave, knee: Wave, abduction: float = 0.0
) -> Float[Tensor, "frames 2 3"]:
    """World directions of a thigh flexed forwards and a shin bent back by the knee."""
    outward = torch.sin(torch.tensor(abduction)) * (1.0 if side == "left" else -1.0)
    bones = []
    for angle in (flexion, flexion - knee):
        bones.append(torch.stack([outward.expand_as(angle), -angle.cos(), angle.sin()], -1))
    return torch.nn.functional.normalize(torch.stack(bones, 1), dim=-1)


def planted_legs(
    pelvis: Float[Tensor, "frames 3"],
    displacement: Float[Tensor, "frames 3"],
    ankles: Float[Tensor, "frames 2 3"],
    yaw: Float[Tensor, "frames 2"],
    rest_joints: Float[Tensor, "joints 3"],
) -> Float[Tensor, "frames 2 2 3"]:
    """Directions of thighs and shins that put the ankles where wanted, knees over the toes.

    `pelvis` holds its angles, `displacement` its way from the rest position; `ankles` are in the
    world. An ankle out of reach is approached as far as a nearly straight leg goes.
    """
    frame = trunk_rotation(pelvis)
    legs = []
    for index, (_, hip, knee, ankle) in enumerate(LIMBS[2:]):
        start = rest_joints[0] + displacement + frame @ (rest_joints[hip] - rest_joints[0])
        thigh = (rest_joints[knee] - rest_joints[hip]).norm()
        shin = (rest_joints[ankle] - rest_joints[knee]).norm()
        toes = torch.stack([yaw[:, index].sin(), 0 * yaw[:, index], yaw[:, index].cos()], -1)
        legs.append(_two_bones(ankles[:, index] - start, thigh, shin, toes))
    return torch.stack(legs, 1)


def standing_height(
    ankles: Float[Tensor, "frames 2 3"],
    root: Float[Tensor, "frames 2"],
    rest_joints: Float[Tensor, "joints 3"],
) -> Wave:
    """Vertical displacement of the pelvis at which the more strained leg is nearly straight."""
    heights = []
    for index, (_, hip, knee, ankle) in enumerate(LIMBS[2:]):
        chain = rest_joints[[hip, knee, ankle]].diff(dim=0).norm(dim=-1).sum()
        aside = ankles[:, index, ::2] - rest_joints[hip, ::2] - root
        reach = ((_MAX_STRETCH * chain) ** 2 - aside.square().sum(-1)).clamp(min=0).sqrt()
        heights.append(ankles[:, index, 1] + reach - rest_joints[hip, 1])
    return torch.stack(heights, -1).amin(-1)


def trunk_rotation(angles: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3 3"]:
    """Rotations from (pitch, yaw, roll), applied as roll, pitch, yaw about fixed axes."""
    pitch, yaw, roll = angles.unbind(-1)
    zero = torch.zeros_like(pitch)
    lean = rotations.from_axis_angle(torch.stack([pitch, zero, zero], -1))
    side = rotations.from_axis_angle(torch.stack([zero, zero, roll], -1))
    return rotations.about_y(yaw) @ lean @ side


def trunk(
    pitch: Wave, yaw: Wave | None = None, roll: Wave | None = None
) -> Float[Tensor, "frames 3"]:
    """Angles of the trunk, zero where not given."""
    zero = torch.zeros_like(pitch)
    return torch.stack([pitch, zero if yaw is None else yaw, zero if roll is None else roll], -1)


def keyed(times: Wave, keys: list[tuple[float, float]]) -> Wave:
    """Values that ease from key (time, value) to key, constant outside of them."""
    value = torch.full_like(times, keys[0][1])
    for (start, first), (end, second) in pairwise(keys):
        part = ((times - start) / (end - start)).clamp(0, 1)
        value = value + (second - first) * part * part * (3 - 2 * part)
    return value


def blend(
    first: Float[Tensor, "frames *shape 3"], second: Float[Tensor, "frames *shape 3"], weight: Wave
) -> Float[Tensor, "frames *shape 3"]:
    """Directions between two directions, the second where the weight is 1."""
    share = weight.view(-1, *[1] * (first.ndim - 1))
    return torch.nn.functional.normalize((1 - share) * first + share * second, dim=-1)


def rest_ankles(rest_joints: Float[Tensor, "joints 3"]) -> Float[Tensor, "2 3"]:
    """The ankles in the T-pose."""
    return rest_joints[[JOINT_INDEX["left_ankle"], JOINT_INDEX["right_ankle"]]]


def _two_bones(
    reach: Float[Tensor, "frames 3"],
    first: Float[Tensor, ""],
    second: Float[Tensor, ""],
    pole: Float[Tensor, "frames 3"],
) -> Float[Tensor, "frames 2 3"]:
    """Directions of two bones from the origin to `reach`, bent towards `pole` (law of cosines)."""
    distance = reach.norm(dim=-1, keepdim=True)
    length = distance.clamp(max=_MAX_STRETCH * float(first + second))
    along = reach / distance
    aside = torch.nn.functional.normalize(
        pole - (pole * along).sum(-1, keepdim=True) * along, dim=-1
    )
    cosine = ((first**2 + length**2 - second**2) / (2 * first * length)).clamp(-1, 1)
    upper = cosine * along + (1 - cosine**2).sqrt() * aside
    return torch.stack([upper, (length * along - first * upper) / second], 1)


def _collars(upper: Float[Tensor, "frames 2 3"]) -> Float[Tensor, "frames 2 3 3"]:
    """Collar bones that follow a part of the upper arm's swing."""
    angle = torch.full((len(upper),), _COLLAR_REST)
    rest = torch.stack([arm(side, angle, torch.zeros_like(angle)) for side in SIDES], 1)
    swing = rotations.to_axis_angle(rotations.between(rest, upper))
    return rotations.from_axis_angle(_COLLAR_SHARE * swing)


def _feet(angles: Float[Tensor, "frames 2 2"]) -> Float[Tensor, "frames 2 3 3"]:
    pitch, yaw = angles.unbind(-1)
    return trunk_rotation(torch.stack([pitch, yaw, torch.zeros_like(pitch)], -1))
