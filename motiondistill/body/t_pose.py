"""The T-pose that bodies share: which way their limbs point when no joint is turned.

Meshes come in rest poses of their own: Anny's arms hang at 45 degrees, and those of SMPL-X droop by
up to 18. Were rotations counted from there, one motion would be another pose on every body.
"""

from collections.abc import Sequence
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill import rotations
from motiondistill.structures import JOINT_INDEX, NUM_JOINTS

# Of the left side, from the joint to the next one; the right side is its mirror image. Arms are
# straight and level. Legs are those of Anny's average, which stands with its feet a little apart.
LIMB_DIRECTIONS: Final = {
    "shoulder": (1.0, 0.0, 0.0),
    "elbow": (1.0, 0.0, 0.0),
    "hip": (0.0790, -0.9936, 0.0802),
    "knee": (0.0925, -0.9933, -0.0696),
}
_LIMBS: Final = (("shoulder", "elbow", "wrist"), ("hip", "knee", "ankle"))
# What points that way within 1/17 degree stays exactly as it is.
_CLOSE: Final = 1e-3


def t_pose_rotations(joints: Float[Tensor, "joints 3"]) -> Float[Tensor, "joints 3 3"]:
    """World rotations of the 22 joints that take a body's own rest pose to the T-pose.

    Hands go with the forearms. Feet stay as they are, flat on the floor; so does the trunk.

    Args:
        joints: Positions in the body's rest pose, metres, in the world's axes.
    """
    result = torch.eye(3, dtype=joints.dtype).repeat(NUM_JOINTS, 1, 1)
    for side, sign in (("left", 1.0), ("right", -1.0)):
        mirror = torch.tensor([sign, 1.0, 1.0], dtype=joints.dtype)
        for limb in _LIMBS:
            start, middle, end = (JOINT_INDEX[f"{side}_{name}"] for name in limb)
            upper, lower = (
                mirror * torch.tensor(LIMB_DIRECTIONS[name], dtype=joints.dtype)
                for name in limb[:2]
            )
            raised = _swing(joints[middle] - joints[start], upper)
            straightened = _swing(raised @ (joints[end] - joints[middle]), lower)
            result[start], result[middle] = raised, straightened @ raised
        result[JOINT_INDEX[f"{side}_wrist"]] = result[JOINT_INDEX[f"{side}_elbow"]]
    return result


def rest_positions(
    joints: Float[Tensor, "joints 3"], t_pose: Float[Tensor, "joints 3 3"], parents: Sequence[int]
) -> Float[Tensor, "joints 3"]:
    """The joints in the T-pose, the first where it was.

    Args:
        joints: Positions in the body's own rest pose.
        t_pose: World rotations that take it to the T-pose.
        parents: The parent of every joint; parents precede children.
    """
    rest = [joints[0]]
    for joint, parent in enumerate(parents[1:], start=1):
        rest.append(rest[parent] + t_pose[parent] @ (joints[joint] - joints[parent]))
    return torch.stack(rest)


def _swing(source: Float[Tensor, " 3"], target: Float[Tensor, " 3"]) -> Float[Tensor, "3 3"]:
    """The smallest rotation between two directions, the identity where they agree."""
    apart = torch.nn.functional.normalize(source, dim=0) - torch.nn.functional.normalize(
        target, dim=0
    )
    if float(apart.norm()) < _CLOSE:
        return torch.eye(3, dtype=source.dtype)
    return rotations.between(source, target)
