"""A pose free of any skeleton, and the joint rotations that bring a skeleton into it."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill import rotations
from motiondistill.kinematics import to_parent_relative
from motiondistill.structures import JOINT_INDEX as J
from motiondistill.structures import NUM_JOINTS

# The joints of each limb: parent, upper, lower, end. The order of `BodyPose.limbs`.
LIMBS = (
    (J["left_collar"], J["left_shoulder"], J["left_elbow"], J["left_wrist"]),
    (J["right_collar"], J["right_shoulder"], J["right_elbow"], J["right_wrist"]),
    (J["pelvis"], J["left_hip"], J["left_knee"], J["left_ankle"]),
    (J["pelvis"], J["right_hip"], J["right_knee"], J["right_ankle"]),
)
_FIRST_LEG = 2
SPINE = (J["spine1"], J["spine2"], J["spine3"])
# In the T-pose elbows bend forwards (+Z) and knees backwards (-Z): bone x bent bone.
HINGES = torch.tensor([[0.0, -1, 0], [0, 1, 0], [1, 0, 0], [1, 0, 0]])
# Below the first bend (radians) a hinge plane is noise, above the second it is trusted fully.
_HINGE_SEEN, _HINGE_TRUSTED = 0.15, 0.6
# How much the twist-free swing counts against a trusted hinge; it decides alone where no bend is
# seen.
_SWING_WEIGHT = 0.02
_TWIST_SECONDS = 0.07
# Toes bend against the floor when the heel rises: this share of the foot's pitch, up to this angle.
_TOE_SHARE, _TOE_LIMIT = 0.75, 0.8


@dataclass(frozen=True)
class BodyPose:
    """Where the parts of a body point in the world, whatever the lengths of its bones."""

    pelvis: Float[Tensor, "frames 3 3"]
    chest: Float[Tensor, "frames 3 3"]
    neck: Float[Tensor, "frames 3 3"]
    """Rotation of the head relative to the chest."""
    collars: Float[Tensor, "frames 2 3 3"]
    """Relative to the chest; left, right."""
    limbs: Float[Tensor, "frames 4 2 3"]
    """Unit directions of the upper and lower bone of left arm, right arm, left leg, right leg."""
    feet: Float[Tensor, "frames 2 3 3"]
    """World orientations; identity is flat on the floor, from ankle to toes along +Z."""


def joint_rotations(
    pose: BodyPose, rest_joints: Float[Tensor, "joints 3"], fps: float
) -> Float[Tensor, "frames joints 3 3"]:
    """Parent-relative rotations that bring the skeleton into the pose.

    Bends are shared evenly: pelvis to chest over three spine joints, chest to head over neck and
    head. The bones of the limbs point exactly where the pose says; their twist comes from the
    planes of elbows and knees.
    """
    neck = _fraction(pose.neck, 1 / 2)
    collars = pose.chest[:, None] @ pose.collars
    parents = torch.cat([collars, pose.pelvis[:, None].expand(-1, 2, -1, -1)], 1)
    upper, lower = _limb_rotations(pose.limbs, parents, rest_joints, fps)
    world = {0: pose.pelvis}
    for joint, rotation in zip(SPINE, spine_rotations(pose.pelvis, pose.chest), strict=True):
        world[joint] = rotation
    world[J["neck"]] = pose.chest @ neck
    world[J["head"]] = pose.chest @ pose.neck
    for limb, (parent, top, middle, end) in enumerate(LIMBS):
        leg = limb >= _FIRST_LEG
        if not leg:
            world[parent] = parents[:, limb]
        world[top], world[middle] = upper[:, limb], lower[:, limb]
        world[end] = lower[:, limb]
        if leg:
            toes = J["left_foot"] + limb - _FIRST_LEG
            ahead = rest_joints[toes] - rest_joints[end]
            # The skeleton's own foot may point a little outwards in the T-pose.
            rest_yaw = torch.atan2(ahead[0], ahead[2])
            world[end] = pose.feet[:, limb - _FIRST_LEG] @ rotations.about_y(-rest_yaw)
            world[toes] = world[end] @ _toe_bend(world[end])
    return to_parent_relative(torch.stack([world[joint] for joint in range(NUM_JOINTS)], 1))


def spine_rotations(
    pelvis: Float[Tensor, "frames 3 3"], chest: Float[Tensor, "frames 3 3"]
) -> tuple[Float[Tensor, "frames 3 3"], Float[Tensor, "frames 3 3"], Float[Tensor, "frames 3 3"]]:
    """World rotations of the joints of `SPINE`, which share the bend evenly."""
    step = _fraction(pelvis.transpose(-1, -2) @ chest, 1 / 3)
    return pelvis @ step, pelvis @ step @ step, chest


def bone_directions(joints: Float[Tensor, "*batch joints 3"]) -> Float[Tensor, "*batch 4 2 3"]:
    """Unit directions of the upper and lower bones of the four limbs."""
    chains = joints[..., torch.tensor(LIMBS)[:, 1:], :]
    return torch.nn.functional.normalize(chains.diff(dim=-2), dim=-1)


def _limb_rotations(
    limbs: Float[Tensor, "frames 4 2 3"],
    parents: Float[Tensor, "frames 4 3 3"],
    rest_joints: Float[Tensor, "joints 3"],
    fps: float,
) -> tuple[Float[Tensor, "frames 4 3 3"], Float[Tensor, "frames 4 3 3"]]:
    """World rotations of the upper and lower bones."""
    rest = bone_directions(rest_joints)
    hinges = HINGES.to(rest)
    hinges = torch.nn.functional.normalize(hinges - _dot(hinges, rest[:, 0]) * rest[:, 0], dim=-1)
    upper, lower = limbs.unbind(-2)
    swing = rotations.between(_apply(parents, rest[:, 0]), upper) @ parents
    straight = _apply(swing, hinges)
    normal = torch.cross(upper, lower, dim=-1)
    bend = torch.atan2(normal.norm(dim=-1), (upper * lower).sum(-1))
    trust = ((bend - _HINGE_SEEN) / (_HINGE_TRUSTED - _HINGE_SEEN)).clamp(0, 1)
    normal = torch.nn.functional.normalize(normal, dim=-1)
    sine = (upper * torch.cross(straight, normal, dim=-1)).sum(-1)
    # Twists as weighted phasors: averaging over time carries a seen twist through frames with a
    # straight limb.
    phasor = _smooth(trust[..., None] * torch.stack([(straight * normal).sum(-1), sine], -1), fps)
    twist = torch.atan2(phasor[..., 1], phasor[..., 0] + _SWING_WEIGHT)
    top = rotations.from_axis_angle(twist[..., None] * upper) @ swing
    return top, rotations.between(_apply(top, rest[:, 1]), lower) @ top


def _toe_bend(foot: Float[Tensor, "frames 3 3"]) -> Float[Tensor, "frames 3 3"]:
    """Rotation of the toes relative to a foot that points down."""
    pitch = torch.asin((-foot[:, 1, 2]).clamp(-1, 1))
    bend = (_TOE_SHARE * pitch).clamp(0, _TOE_LIMIT)
    zero = torch.zeros_like(bend)
    return rotations.from_axis_angle(torch.stack([-bend, zero, zero], -1))


def _smooth(values: Float[Tensor, "frames limbs 2"], fps: float) -> Float[Tensor, "frames limbs 2"]:
    """Gaussian average over time, with the ends repeated."""
    deviation = _TWIST_SECONDS * fps
    radius = int(3 * deviation) + 1
    offsets = torch.arange(-radius, radius + 1)
    kernel = torch.exp(-0.5 * (offsets / deviation) ** 2).to(values)
    index = (torch.arange(len(values))[:, None] + offsets).clamp(0, len(values) - 1)
    return torch.einsum("k,fklc->flc", kernel / kernel.sum(), values[index])


def _fraction(rotation: Float[Tensor, "*batch 3 3"], part: float) -> Float[Tensor, "*batch 3 3"]:
    return rotations.from_axis_angle(part * rotations.to_axis_angle(rotation))


def _apply(
    rotation: Float[Tensor, "*#batch 3 3"], vector: Float[Tensor, "*#batch 3"]
) -> Float[Tensor, "*result 3"]:
    return (rotation @ vector[..., None]).squeeze(-1)


def _dot(a: Float[Tensor, "*batch 3"], b: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 1"]:
    return (a * b).sum(-1, keepdim=True)
