"""Orientations of pelvis and chest that put our shoulders where a source has them."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill import rotations
from motiondistill.data.body_pose import SPINE, spine_rotations
from motiondistill.data.directions import (
    about_x,
    between,
    facing,
    leg_length,
    level,
    median,
    middle,
    pitch,
    turned,
    unit,
)
from motiondistill.structures import JOINT_INDEX as J

# Each step leaves a fraction of the error.
_STEPS = 4


@dataclass(frozen=True)
class NeutralTrunk:
    """How a source's trunk measures when its subject just stands: angles in radians.

    Pitches are positive forwards.
    """

    lower: float
    """Pitch from the middle of the hips to the waist."""
    upper: float
    """Pitch from the waist to the neck."""
    whole: float
    """Pitch from the middle of the hips to that of the shoulders."""
    lead: float
    """By how much the line from the hips to the neck is ahead of that to the shoulders."""
    shoulders: Float[Tensor, "2 3"]
    """From the neck, seen from the chest, in lengths of the leg; left, right."""


@dataclass(frozen=True)
class _Lines:
    """Unit directions in the world."""

    hips: Float[Tensor, "frames 3"]
    """From the right to the left one."""
    shoulders: Float[Tensor, "frames 3"]
    lower: Float[Tensor, "frames 3"]
    """From the middle of the hips to the waist."""
    upper: Float[Tensor, "frames 3"]
    """From the waist to the neck."""
    neck: Float[Tensor, "frames 3"]
    """From the middle of the hips to the neck."""
    whole: Float[Tensor, "frames 3"]
    """From the middle of the hips to that of the shoulders."""


def neutral_trunk(standing: Float[Tensor, "frames joints 3"]) -> NeutralTrunk:
    """Medians over frames of standing."""
    lines = _lines(standing)
    upper = median(pitch(lines.shoulders, lines.upper))
    chest = facing(lines.shoulders, lines.upper) @ about_x(-upper).to(standing)
    return NeutralTrunk(
        lower=median(pitch(lines.hips, lines.lower)),
        upper=upper,
        whole=median(pitch(lines.hips, lines.whole)),
        lead=median(pitch(lines.hips, lines.neck) - pitch(lines.hips, lines.whole)),
        shoulders=_shoulders(standing, chest).median(0).values,
    )


def neutral_chest(
    joints: Float[Tensor, "frames joints 3"], neutral: NeutralTrunk
) -> Float[Tensor, "frames 3 3"]:
    """World orientations of the source's own chest, upright when its subject stands."""
    lines = _lines(joints)
    return facing(lines.shoulders, lines.upper) @ about_x(-neutral.upper).to(joints)


def pelvis_and_chest(
    joints: Float[Tensor, "frames joints 3"],
    neutral: NeutralTrunk,
    rest_joints: Float[Tensor, "joints 3"],
) -> tuple[Float[Tensor, "frames 3 3"], Float[Tensor, "frames 3 3"]]:
    """World orientations that put our shoulders where the source has them, seen from the hips.

    Where a source has its waist, and its neck before or behind the shoulders, is a matter of its
    skeleton: the bend there counts from the neutral pose, and the neck only tells how the trunk
    moves. Where it has its shoulders above the hips is not: in the neutral pose that line is met
    exactly, and the lines of hips always are.
    """
    seen, ours = _lines(joints), _lines(rest_joints[None])
    own = float(pitch(ours.hips, ours.whole))
    own_lead = float(pitch(ours.hips, ours.neck)) - own
    lean = neutral.whole - own
    wanted = facing(seen.shoulders, seen.neck) @ about_x(own_lead - neutral.lead).to(joints)
    pelvis = facing(seen.hips, seen.lower) @ about_x(lean - neutral.lower).to(joints)
    chest = facing(seen.shoulders, seen.upper) @ about_x(lean - neutral.upper).to(joints)
    for _ in range(_STEPS):
        missing = rotations.between(_posed_neck(pelvis, chest, rest_joints), wanted[..., 1])
        pelvis = level(seen.hips, turned(missing, pelvis[..., 1]))
        chest = facing(seen.shoulders, turned(missing, chest[..., 1]))
    return pelvis, chest


def collar_swings(
    joints: Float[Tensor, "frames joints 3"],
    neutral: NeutralTrunk,
    rest_joints: Float[Tensor, "joints 3"],
) -> Float[Tensor, "frames 2 3 3"]:
    """Swings of our collar bones that move our shoulders as far from rest as the source's."""
    collars, shoulders = (
        rest_joints[[J[f"left_{name}"], J[f"right_{name}"]]] for name in ("collar", "shoulder")
    )
    theirs = neutral.shoulders.to(joints)
    moved = _shoulders(joints, neutral_chest(joints, neutral)) - theirs
    moved = moved * (shoulders[0] - shoulders[1]).norm() / (theirs[0] - theirs[1]).norm()
    bones = (shoulders - collars).to(joints).expand_as(moved)
    return rotations.between(bones, bones + moved)


def _lines(joints: Float[Tensor, "frames joints 3"]) -> _Lines:
    """The trunk's directions; the middle of the shoulders stands for a missing neck."""
    waist, hips, shoulders = joints[:, J["spine2"]], middle(joints, "hip"), _top(joints, "shoulder")
    neck = _top(joints, "neck")
    return _Lines(
        hips=between(joints, "right_hip", "left_hip"),
        shoulders=between(joints, "right_shoulder", "left_shoulder"),
        lower=unit(waist - hips),
        upper=unit(neck - waist),
        neck=unit(neck - hips),
        whole=unit(shoulders - hips),
    )


def _top(joints: Float[Tensor, "frames joints 3"], name: str) -> Float[Tensor, "frames 3"]:
    neck = joints[:, J["neck"]]
    return middle(joints, "shoulder") if name == "shoulder" or neck.isnan().any() else neck


def _posed_neck(
    pelvis: Float[Tensor, "frames 3 3"],
    chest: Float[Tensor, "frames 3 3"],
    rest_joints: Float[Tensor, "joints 3"],
) -> Float[Tensor, "frames 3"]:
    """From the middle of our hips to our neck, metres."""
    chain = [middle(rest_joints[None], "hip")[0], *rest_joints[list(SPINE)]]
    bones = torch.stack([*chain, rest_joints[J["neck"]]]).diff(dim=0)
    turns = torch.stack([pelvis, *spine_rotations(pelvis, chest)], 1)
    return turned(turns, bones.to(pelvis)).sum(1)


def _shoulders(
    joints: Float[Tensor, "frames joints 3"], chest: Float[Tensor, "frames 3 3"]
) -> Float[Tensor, "frames 2 3"]:
    """Shoulders seen from the neck in the chest's axes, in lengths of the leg."""
    shoulders = joints[:, [J["left_shoulder"], J["right_shoulder"]]]
    seen = turned(chest.transpose(-1, -2)[:, None], shoulders - _top(joints, "neck")[:, None])
    return seen / leg_length(joints)
