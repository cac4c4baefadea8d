"""From joint positions of any human skeleton to the motion of ours.

Only directions are carried over, never a source's local rotations: hips, waist and shoulders give
the frames of pelvis and chest, bones give the swing of the limbs, the planes of elbows and knees
their twist. What a source's skeleton adds by its own proportions (how far its neck leans, its toes
fall) is measured once on its standing frames.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill import rotations
from motiondistill.data.body_pose import BodyPose, bone_directions, joint_rotations
from motiondistill.data.grounding import floor_height
from motiondistill.kinematics import forward_kinematics
from motiondistill.structures import JOINT_INDEX as J
from motiondistill.structures import Motion

_UP = torch.tensor([0.0, 1.0, 0.0])
_STANDING_KNEE = math.radians(35)
# From this on (squared cosine of the toes' slope times the shin's uprightness) a foot counts as
# flat.
_FLAT_FOOT = 0.7


@dataclass(frozen=True)
class NeutralPose:
    """How a source's skeleton measures when its subject just stands.

    Angles in radians; forwards and up are positive.
    """

    waist_pitch: float
    chest_pitch: float
    neck_pitch: float
    foot_elevation: float
    collars: Float[Tensor, "2 3"]
    """Unit directions from collar to shoulder, seen from the chest."""


def neutral_pose(clips: Sequence[Float[Tensor, "_ joints 3"]]) -> NeutralPose:
    """The source's neutral pose: medians over the standing frames (all if none stands).

    All clips must come from skeletons with the same proportions. Parts the source lacks (NaN) count
    as neutral.
    """
    standing = [clip[_is_standing(clip)] for clip in clips]
    frames = torch.cat([clip for clip in standing if len(clip)] or list(clips))
    lateral, waist, torso = _trunk(frames)
    chest_pitch = _median(_pitch(lateral[1], torso))
    from_chest = (_frame(lateral[1], torso) @ _about_x(-chest_pitch).to(frames)).transpose(-1, -2)
    neck = _apply(from_chest, _between(frames, "neck", "head"))
    collars = _apply(from_chest[:, None], _both(frames, "collar", "shoulder"))
    return NeutralPose(
        waist_pitch=_median(_pitch(lateral[0], waist)),
        chest_pitch=chest_pitch,
        neck_pitch=_median(torch.atan2(neck[:, 2], neck[:, 1])),
        foot_elevation=_median(_both(frames, "ankle", "foot")[..., 1].asin().flatten()),
        collars=_unit(collars.nanmedian(0).values),
    )


def retarget(
    joints: Float[Tensor, "frames joints 3"],
    fps: float,
    neutral: NeutralPose,
    rest_joints: Float[Tensor, "joints 3"],
) -> Motion:
    """The clip's motion on the skeleton of `rest_joints`, scaled by the length of the legs.

    `joints` are in metres, +Y up, NaN where the source has no such joint. Flat feet stand on the
    floor y = 0; the height is moved once for the whole clip, so jumps stay jumps.
    """
    pose = body_pose(joints, neutral)
    local = joint_rotations(pose, rest_joints, fps)
    scale = _leg_length(rest_joints[None]) / _leg_length(joints)
    _, posed = forward_kinematics(local, rest_joints)
    translation = scale * _middle(joints, "hip") - _middle(posed, "hip")
    translation[:, 1] -= floor_height(local, translation[:, 1], rest_joints)
    return Motion(local, translation, fps)


def body_pose(joints: Float[Tensor, "frames joints 3"], neutral: NeutralPose) -> BodyPose:
    """The pose that the joint positions show, corrected by the source's neutral pose."""
    lateral, waist, torso = _trunk(joints)
    pelvis = _frame(lateral[0], waist) @ _about_x(-neutral.waist_pitch).to(joints)
    chest = _frame(lateral[1], torso) @ _about_x(-neutral.chest_pitch).to(joints)
    limbs = bone_directions(joints)
    return BodyPose(
        pelvis=pelvis,
        chest=chest,
        neck=_neck(joints, chest, neutral),
        collars=_collars(joints, chest, neutral),
        limbs=limbs,
        feet=_feet(joints, limbs, neutral),
    )


def _trunk(
    joints: Float[Tensor, "frames joints 3"],
) -> tuple[list[Float[Tensor, "frames 3"]], Float[Tensor, "frames 3"], Float[Tensor, "frames 3"]]:
    """Directions to the left (hips, shoulders), from hips to waist, and from waist to neck."""
    lateral = [_between(joints, f"right_{name}", f"left_{name}") for name in ("hip", "shoulder")]
    waist = joints[:, J["spine2"]]
    neck = joints[:, J["neck"]]
    top = neck if not neck.isnan().any() else _middle(joints, "shoulder")
    return lateral, _unit(waist - _middle(joints, "hip")), _unit(top - waist)


def _neck(
    joints: Float[Tensor, "frames joints 3"],
    chest: Float[Tensor, "frames 3 3"],
    neutral: NeutralPose,
) -> Float[Tensor, "frames 3 3"]:
    """Swing of the head relative to the chest; positions tell nothing of its twist."""
    seen = _apply(chest.transpose(-1, -2), _between(joints, "neck", "head"))
    if seen.isnan().any():
        return rotations.identity(len(joints)).to(joints)
    pitch = neutral.neck_pitch
    rest = torch.tensor([0.0, math.cos(pitch), math.sin(pitch)]).to(joints)
    # Rest differs between skeletons, so the swing from the source's own neutral direction is what
    # moves ours.
    return rotations.between(rest.expand_as(seen), seen)


def _collars(
    joints: Float[Tensor, "frames joints 3"],
    chest: Float[Tensor, "frames 3 3"],
    neutral: NeutralPose,
) -> Float[Tensor, "frames 2 3 3"]:
    """Swing of the collar bones away from where the source keeps them at rest."""
    seen = _apply(chest.transpose(-1, -2)[:, None], _both(joints, "collar", "shoulder"))
    if seen.isnan().any():
        return rotations.identity(len(joints), 2).to(joints)
    return rotations.between(neutral.collars.to(joints).expand_as(seen), seen)


def _feet(
    joints: Float[Tensor, "frames joints 3"],
    limbs: Float[Tensor, "frames 4 2 3"],
    neutral: NeutralPose,
) -> Float[Tensor, "frames 2 3 3"]:
    """World orientations of the feet from ankle and toes; a source without toes bends no ankle."""
    shins = limbs[:, 2:, 1]
    left = _unit(torch.stack([_between(joints, "right_hip", "left_hip")] * 2, 1))
    hinge = _unit(left - (left * shins).sum(-1, keepdim=True) * shins)
    toes = _both(joints, "ankle", "foot")
    if toes.isnan().any():
        return torch.stack([hinge, -shins, torch.cross(hinge, -shins, dim=-1)], -1)
    up = _UP.to(joints)
    level = torch.cross(up.expand_as(toes), toes, dim=-1)
    # A foot that points ahead under an upright shin is as good as flat: its left is horizontal.
    flat = level.square().sum(-1, keepdim=True) * -shins[..., 1:2]
    flat = (flat / _FLAT_FOOT).clamp(0, 1)
    lateral = _unit(flat * _unit(level) + (1 - flat) * hinge)
    lateral = _unit(lateral - (lateral * toes).sum(-1, keepdim=True) * toes)
    frames = torch.stack([lateral, torch.cross(toes, lateral, dim=-1), toes], -1)
    return frames @ _about_x(neutral.foot_elevation).to(joints)


def _is_standing(joints: Float[Tensor, "frames joints 3"]) -> Tensor:
    """Frames with both knees nearly straight and both thighs nearly vertical."""
    legs = bone_directions(joints)[:, 2:]
    knees = (legs[:, :, 0] * legs[:, :, 1]).sum(-1)
    limit = math.cos(_STANDING_KNEE)
    return ((knees > limit) & (legs[:, :, 0, 1] < -limit)).all(-1)


def _leg_length(joints: Float[Tensor, "frames joints 3"]) -> float:
    chains = [
        [J[f"{side}_{name}"] for name in ("hip", "knee", "ankle")] for side in ("left", "right")
    ]
    return float(joints[:, chains].diff(dim=2).norm(dim=-1).sum(-1).median())


def _frame(
    left: Float[Tensor, "*batch 3"], up: Float[Tensor, "*batch 3"]
) -> Float[Tensor, "*batch 3 3"]:
    """World orientations whose +Y is `up` and whose +X is as near `left` as possible."""
    y = _unit(up)
    x = _unit(left - (left * y).sum(-1, keepdim=True) * y)
    return torch.stack([x, y, torch.cross(x, y, dim=-1)], -1)


def _pitch(
    left: Float[Tensor, "frames 3"], direction: Float[Tensor, "frames 3"]
) -> Float[Tensor, " frames"]:
    """Angle from the vertical, positive when it leans forwards."""
    forward = _unit(torch.cross(left, _UP.to(left).expand_as(left), dim=-1))
    return torch.atan2((direction * forward).sum(-1), direction[:, 1])


def _about_x(angle: float) -> Float[Tensor, "3 3"]:
    return rotations.from_axis_angle(torch.tensor([angle, 0.0, 0.0]))


def _middle(joints: Float[Tensor, "frames joints 3"], name: str) -> Float[Tensor, "frames 3"]:
    return (joints[:, J[f"left_{name}"]] + joints[:, J[f"right_{name}"]]) / 2


def _between(
    joints: Float[Tensor, "frames joints 3"], start: str, end: str
) -> Float[Tensor, "frames 3"]:
    return _unit(joints[:, J[end]] - joints[:, J[start]])


def _both(
    joints: Float[Tensor, "frames joints 3"], start: str, end: str
) -> Float[Tensor, "frames 2 3"]:
    """Unit directions between two joints of the left and of the right side."""
    return torch.stack(
        [_between(joints, f"{side}_{start}", f"{side}_{end}") for side in ("left", "right")], 1
    )


def _apply(
    rotation: Float[Tensor, "*#batch 3 3"], vector: Float[Tensor, "*#batch 3"]
) -> Float[Tensor, "*result 3"]:
    return (rotation @ vector[..., None]).squeeze(-1)


def _unit(vector: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3"]:
    return torch.nn.functional.normalize(vector, dim=-1)


def _median(values: Float[Tensor, " frames"]) -> float:
    """Median of the finite values, zero where there is none."""
    finite = values[~values.isnan()]
    return float(finite.median()) if len(finite) else 0.0
