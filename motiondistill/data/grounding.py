"""Feet on the floor: heights of the soles of a posed skeleton, and of the floor under a clip."""

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill.kinematics import forward_kinematics
from motiondistill.structures import JOINT_INDEX as J

_HEEL_BEHIND_ANKLE = 0.05
_TOES_BEFORE_BALL = 0.06
# A foot pitched by less (sine) may be standing flat.
_FLAT = 0.3
# Flat feet are also seen in swing and flight; the lowest tenth of them stands on the floor.
_FLOOR_QUANTILE = 0.1
# What may lie on the floor besides the feet, and how thick it is round its joint, metres.
_ROUND_JOINTS = [J[f"{side}_{name}"] for side in ("left", "right") for name in ("knee", "elbow")]
_ROUND_JOINTS += [J["left_wrist"], J["right_wrist"]]
_LIMB_RADIUS = 0.05


def sole_heights(
    rotations: Float[Tensor, "*batch joints 3 3"], rest_joints: Float[Tensor, "joints 3"]
) -> Float[Tensor, "*batch 2 3"]:
    """Heights under heel, ball and toes of both feet, metres, the pelvis at its rest position.

    The soles are flat on the floor y = 0 in the T-pose.
    """
    world, positions = forward_kinematics(rotations, rest_joints)
    heights = []
    for side in ("left", "right"):
        ankle, ball = J[f"{side}_ankle"], J[f"{side}_foot"]
        for joint, ahead in ((ankle, -_HEEL_BEHIND_ANKLE), (ball, 0.0), (ball, _TOES_BEFORE_BALL)):
            down = -rest_joints[joint, 1]
            offset = torch.stack([0 * down, down, 0 * down + ahead])
            heights.append((positions[..., joint, :] + world[..., joint, :, :] @ offset)[..., 1])
    return torch.stack([torch.stack(heights[:3], -1), torch.stack(heights[3:], -1)], -2)


def lowest_sole(
    rotations: Float[Tensor, "*batch joints 3 3"], rest_joints: Float[Tensor, "joints 3"]
) -> Float[Tensor, "*batch"]:
    """Height of the lowest point of both soles, metres, with the pelvis at its rest position."""
    return sole_heights(rotations, rest_joints).flatten(-2).amin(-1)


def floor_height(
    rotations: Float[Tensor, "frames joints 3 3"],
    pelvis_height: Float[Tensor, " frames"],
    rest_joints: Float[Tensor, "joints 3"],
) -> Float[Tensor, ""]:
    """The height on which flat feet stand, metres; of the lowest sole if no foot is ever flat.

    `pelvis_height` is the pelvis' displacement from rest. Tilted feet do not count: at the end of a
    step a foot that is stiff in our skeleton would dip its toes below the floor.
    """
    world, _ = forward_kinematics(rotations, rest_joints)
    flat = world[:, [J["left_ankle"], J["right_ankle"]], 1, 2].abs() < _FLAT
    heights = sole_heights(rotations, rest_joints).amin(-1) + pelvis_height[:, None]
    standing = heights[flat]
    return standing.quantile(_FLOOR_QUANTILE) if len(standing) else heights.min()


def lowest_point(
    rotations: Float[Tensor, "*batch joints 3 3"], rest_joints: Float[Tensor, "joints 3"]
) -> Float[Tensor, "*batch"]:
    """Height of the body's lowest point, metres, with the pelvis at its rest position.

    Joints other than the feet are taken as the centres of balls.
    """
    _, positions = forward_kinematics(rotations, rest_joints)
    balls = positions[..., _ROUND_JOINTS, 1].amin(-1) - _LIMB_RADIUS
    return torch.minimum(balls, lowest_sole(rotations, rest_joints))
