"""Forward kinematics of a skeleton, that of the 22 joints unless told otherwise."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill.structures import PARENTS


def forward_kinematics(
    rotations: Float[Tensor, "*batch joints 3 3"],
    rest_joints: Float[Tensor, "joints 3"],
    parents: Sequence[int] = PARENTS,
) -> tuple[Float[Tensor, "*batch joints 3 3"], Float[Tensor, "*batch joints 3"]]:
    """World rotations and positions of all joints, with the pelvis at its rest position.

    A motion's translation is not known here: add it to the positions. `rest_joints` are the T-pose
    positions; `parents` precede their children.
    """
    world = [rotations[..., 0, :, :]]
    positions = [rest_joints[0].expand((*rotations.shape[:-3], 3))]
    for joint, parent in enumerate(parents[1:], start=1):
        offset = rest_joints[joint] - rest_joints[parent]
        world.append(world[parent] @ rotations[..., joint, :, :])
        positions.append(positions[parent] + world[parent] @ offset)
    return torch.stack(world, -3), torch.stack(positions, -2)


def to_parent_relative(
    world: Float[Tensor, "*batch joints 3 3"],
) -> Float[Tensor, "*batch joints 3 3"]:
    """Rotations relative to the parent: undoes the chain of `forward_kinematics`."""
    parents = world[..., list(PARENTS[1:]), :, :]
    relative = parents.transpose(-1, -2) @ world[..., 1:, :, :]
    return torch.cat([world[..., :1, :, :], relative], -3)
