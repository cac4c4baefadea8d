"""How much motions differ from each other, in joint positions alone."""

import itertools
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill import rotations
from motiondistill.structures import JOINT_INDEX

Joints = Float[Tensor, "_ joints 3"]


def started_alike(joints: Float[Tensor, "frames joints 3"]) -> Float[Tensor, "frames joints 3"]:
    """The motion turned about +Y and moved along the floor so that it starts at the origin.

    In the first frame the pelvis lies over the origin, and the hips face +Z.
    """
    across = joints[0, JOINT_INDEX["left_hip"]] - joints[0, JOINT_INDEX["right_hip"]]
    turn = rotations.about_y(torch.atan2(across[2], across[0]))
    level = torch.tensor([1.0, 0.0, 1.0]).to(joints)
    return (joints - joints[0, 0] * level) @ turn.T


def joint_distance(first: Joints, second: Joints) -> Float[Tensor, ""]:
    """Mean distance of the joints at equal times, as long as both motions last, metres."""
    frames = min(len(first), len(second))
    return torch.as_tensor((first[:frames] - second[:frames]).norm(dim=-1).mean())


def diversity_joints(motions: Sequence[Joints]) -> Float[Tensor, ""]:
    """Mean over all pairs of motions of their `joint_distance`, metres.

    The motions have one frame rate, and start alike (see `started_alike`). Raises ValueError for
    fewer than two.
    """
    if len(motions) < 2:
        raise ValueError(f"`motions` must be at least 2 to differ, got {len(motions)}; give more.")
    pairs = itertools.combinations(motions, 2)
    return torch.stack([joint_distance(first, second) for first, second in pairs]).mean()


def multimodality_joints(groups: Sequence[Sequence[Joints]]) -> Float[Tensor, ""]:
    """Mean over groups, such as the motions of one prompt, of the diversity within, metres.

    Raises ValueError for a group of fewer than two, and without groups.
    """
    if not groups:
        raise ValueError(
            "`groups` must hold two motions of one prompt, got none; give several seeds."
        )
    return torch.stack([diversity_joints(group) for group in groups]).mean()
