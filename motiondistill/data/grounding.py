"""Feet on the floor: the height of the soles of a posed skeleton."""

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill.kinematics import forward_kinematics
from motiondistill.structures import JOINT_INDEX

_HEEL_BEHIND_ANKLE = 0.05
_TOES_BEFORE_BALL = 0.06


def lowest_sole(
    rotations: Float[Tensor, "*batch joints 3 3"], rest_joints: Float[Tensor, "joints 3"]
) -> Float[Tensor, "*batch"]:
    """Height of the lowest point under heels, balls and toes, metres, when the pelvis is at its rest position.

    The soles are flat on the floor y = 0 in the T-pose.
    """
    world, positions = forward_kinematics(rotations, rest_joints)
    heights = []
    for side in ("left", "right"):
        for name, ahead in (("ankle", -_HEEL_BEHIND_ANKLE), ("foot", 0.0), ("foot", _TOES_BEFORE_BALL)):
            joint = JOINT_INDEX[f"{side}_{name}"]
            offset = torch.zeros_like(rest_joints[0])
            offset[1], offset[2] = -rest_joints[joint, 1], ahead
            heights.append((positions[..., joint, :] + world[..., joint, :, :] @ offset)[..., 1])
    return torch.stack(heights, -1).amin(-1)
