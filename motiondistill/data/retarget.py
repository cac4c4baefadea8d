"""From joint positions of any human skeleton to the motion of ours.

Only directions are carried over, never a source's local rotations: hips, waist and shoulders give
the frames of pelvis and chest, bones give the swing of the limbs, the planes of elbows and knees
their twist. What a source's skeleton adds by its own proportions (how far its neck leans, its toes
fall) is measured once on its standing frames.
"""

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill import rotations
from motiondistill.data.body_pose import BodyPose, bone_directions, joint_rotations
from motiondistill.data.directions import (
    about_x,
    between,
    both,
    leg_length,
    median,
    middle,
    turned,
    unit,
)
from motiondistill.data.grounding import floor_height
from motiondistill.data.trunk import (
    NeutralTrunk,
    collar_swings,
    neutral_chest,
    neutral_trunk,
    pelvis_and_chest,
)
from motiondistill.kinematics import forward_kinematics
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

    trunk: NeutralTrunk
    neck_pitch: float
    """From the neck to the head, seen from the chest."""
    foot_elevation: float


def neutral_pose(clips: Sequence[Float[Tensor, "_ joints 3"]]) -> NeutralPose:
    """The source's neutral pose: medians over the standing frames (all if none stands).

    All clips must come from skeletons with the same proportions. Parts the source lacks (NaN) count
    as neutral.
    """
    standing = [clip[_is_standing(clip)] for clip in clips]
    frames = torch.cat([clip for clip in standing if len(clip)] or list(clips))
    trunk = neutral_trunk(frames)
    from_chest = neutral_chest(frames, trunk).transpose(-1, -2)
    neck = turned(from_chest, between(frames, "neck", "head"))
    return NeutralPose(
        trunk=trunk,
        neck_pitch=median(torch.atan2(neck[:, 2], neck[:, 1])),
        foot_elevation=median(both(frames, "ankle", "foot")[..., 1].asin().flatten()),
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
    pose = body_pose(joints, neutral, rest_joints)
    local = joint_rotations(pose, rest_joints, fps)
    return Motion(local, _translation(local, joints, rest_joints), fps)


def retarget_rotations(
    motion: Motion,
    joints: Float[Tensor, "frames joints 3"],
    rest_joints: Float[Tensor, "joints 3"],
) -> Motion:
    """A motion whose rotations are known exactly, on the skeleton of `rest_joints`.

    Rotations against the T-pose are alike on all bodies, so they stay; with them stay twists that
    positions do not show, such as those of head and forearms. `joints`, where the motion's own
    skeleton has them, tell how long its legs are and where its hips go. Feet come to the floor as
    in `retarget`.
    """
    translation = _translation(motion.rotations, joints, rest_joints)
    return dataclasses.replace(motion, translation=translation)


def body_pose(
    joints: Float[Tensor, "frames joints 3"],
    neutral: NeutralPose,
    rest_joints: Float[Tensor, "joints 3"],
) -> BodyPose:
    """The pose that the joint positions show, corrected by the source's neutral pose."""
    pelvis, chest = pelvis_and_chest(joints, neutral.trunk, rest_joints)
    limbs = bone_directions(joints)
    return BodyPose(
        pelvis=pelvis,
        chest=chest,
        neck=_neck(joints, chest, neutral),
        collars=collar_swings(joints, neutral.trunk, rest_joints),
        limbs=limbs,
        feet=_feet(joints, limbs, neutral),
    )


def _translation(
    local: Float[Tensor, "frames joints 3 3"],
    joints: Float[Tensor, "frames joints 3"],
    rest_joints: Float[Tensor, "joints 3"],
) -> Float[Tensor, "frames 3"]:
    """Displacement that takes our hips along the source's path, scaled, with feet on the floor."""
    scale = leg_length(rest_joints[None]) / leg_length(joints)
    _, posed = forward_kinematics(local, rest_joints)
    translation = scale * middle(joints, "hip") - middle(posed, "hip")
    translation[:, 1] -= floor_height(local, translation[:, 1], rest_joints)
    return translation


def _neck(
    joints: Float[Tensor, "frames joints 3"],
    chest: Float[Tensor, "frames 3 3"],
    neutral: NeutralPose,
) -> Float[Tensor, "frames 3 3"]:
    """Swing of the head relative to the chest; positions tell nothing of its twist."""
    seen = turned(chest.transpose(-1, -2), between(joints, "neck", "head"))
    if seen.isnan().any():
        return rotations.identity(len(joints)).to(joints)
    pitch = neutral.neck_pitch
    rest = torch.tensor([0.0, math.cos(pitch), math.sin(pitch)]).to(joints)
    # Rest differs between skeletons, so the swing from the source's own neutral direction is what
    # moves ours.
    return rotations.between(rest.expand_as(seen), seen)


def _feet(
    joints: Float[Tensor, "frames joints 3"],
    limbs: Float[Tensor, "frames 4 2 3"],
    neutral: NeutralPose,
) -> Float[Tensor, "frames 2 3 3"]:
    """World orientations of the feet from ankle and toes; a source without toes bends no ankle."""
    shins = limbs[:, 2:, 1]
    left = unit(torch.stack([between(joints, "right_hip", "left_hip")] * 2, 1))
    hinge = unit(left - (left * shins).sum(-1, keepdim=True) * shins)
    toes = both(joints, "ankle", "foot")
    if toes.isnan().any():
        return torch.stack([hinge, -shins, torch.cross(hinge, -shins, dim=-1)], -1)
    up = _UP.to(joints)
    level = torch.cross(up.expand_as(toes), toes, dim=-1)
    # A foot that points ahead under an upright shin is as good as flat: its left is horizontal.
    flat = level.square().sum(-1, keepdim=True) * -shins[..., 1:2]
    flat = (flat / _FLAT_FOOT).clamp(0, 1)
    lateral = unit(flat * unit(level) + (1 - flat) * hinge)
    lateral = unit(lateral - (lateral * toes).sum(-1, keepdim=True) * toes)
    frames = torch.stack([lateral, torch.cross(toes, lateral, dim=-1), toes], -1)
    return frames @ about_x(neutral.foot_elevation).to(joints)


def _is_standing(joints: Float[Tensor, "frames joints 3"]) -> Tensor:
    """Frames with both knees nearly straight and both thighs nearly vertical."""
    legs = bone_directions(joints)[:, 2:]
    knees = (legs[:, :, 0] * legs[:, :, 1]).sum(-1)
    limit = math.cos(_STANDING_KNEE)
    return ((knees > limit) & (legs[:, :, 0, 1] < -limit)).all(-1)
