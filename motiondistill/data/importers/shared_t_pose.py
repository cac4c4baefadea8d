"""Exact rotations of files whose skeleton is ours, such as those that we write."""

from collections.abc import Sequence
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill.body.t_pose import LIMB_DIRECTIONS
from motiondistill.data.importers.skeleton import AnimatedSkeleton
from motiondistill.kinematics import forward_kinematics
from motiondistill.rotations import identity
from motiondistill.structures import HAND_NAMES, JOINT_GROUPS, JOINT_NAMES, PARENTS, Motion
from motiondistill.structures import JOINT_INDEX as J

# Between unit vectors. Bodies keep limbs that are this near to the T-pose as they are.
_SAME_DIRECTION: Final = 2e-3
_UNSCALED: Final = 1e-4
# Metres: how far joints may be from where rotations alone take them.
_SAME_PLACE: Final = 1e-4
_NEXT: Final = {"shoulder": "elbow", "elbow": "wrist", "hip": "knee", "knee": "ankle"}


def to_motion(
    skeleton: AnimatedSkeleton,
) -> tuple[Motion, Float[Tensor, "joints 3"]] | None:
    """The motion of a skeleton that is ours, and its T-pose, metres; None for any other skeleton.

    It is ours if it has our 22 names and hierarchy, its limbs point as in our T-pose where no bone
    is turned, and rotations and the pelvis' path are all that moves it. Then every rotation means
    what it means in a `Motion`. Hands and jaw that are not there, or always at rest, are None.
    """
    place = {name: node for node, name in enumerate(skeleton.names)}
    if skeleton.rotations is None or not all(name in place for name in JOINT_NAMES):
        return None
    nodes = [place[name] for name in JOINT_NAMES]
    above = [skeleton.parents[node] for node in nodes]
    if above != [-1, *(nodes[parent] for parent in PARENTS[1:])]:
        return None
    body, positions = skeleton.rotations[:, nodes], skeleton.positions[:, nodes]
    rest = _sums(skeleton.offsets[nodes])
    translation = positions[:, 0] - rest[0]
    _, moved = forward_kinematics(body, rest)
    apart = (moved + translation[:, None] - positions).abs().max()
    if not _is_t_pose(rest) or not _is_rigid(body) or float(apart) > _SAME_PLACE:
        return None
    hands, jaw = (
        _at_work(skeleton.rotations[:, [place[name] for name in names if name in place]], names)
        for names in (HAND_NAMES, JOINT_GROUPS["jaw"])
    )
    jaw = None if jaw is None else jaw[:, 0]
    return Motion(body, translation, skeleton.fps, hands, jaw), rest


def _sums(offsets: Float[Tensor, "joints 3"]) -> Float[Tensor, "joints 3"]:
    """Positions of joints that are held off from their parents, when nothing is turned."""
    positions: list[Tensor] = []
    for offset, parent in zip(offsets, PARENTS, strict=True):
        positions.append(offset if parent < 0 else positions[parent] + offset)
    return torch.stack(positions)


def _is_t_pose(rest: Float[Tensor, "joints 3"]) -> bool:
    """Whether arms and legs point as in the T-pose."""
    for side, sign in (("left", 1.0), ("right", -1.0)):
        for name, after in _NEXT.items():
            limb = rest[J[f"{side}_{after}"]] - rest[J[f"{side}_{name}"]]
            x, y, z = LIMB_DIRECTIONS[name]
            wanted = torch.tensor([sign * x, y, z]).to(limb)
            directions = torch.nn.functional.normalize(torch.stack([limb, wanted]), dim=-1)
            if float((directions[0] - directions[1]).norm()) > _SAME_DIRECTION:
                return False
    return True


def _is_rigid(turns: Float[Tensor, "*batch 3 3"]) -> bool:
    """Whether the matrices only turn."""
    products = turns.transpose(-1, -2) @ turns
    return float((products - torch.eye(3).to(turns)).abs().max()) < _UNSCALED


def _at_work(
    turns: Float[Tensor, "frames found 3 3"], names: Sequence[str]
) -> Float[Tensor, "frames found 3 3"] | None:
    """The rotations of all these joints; None if some are missing, or none is ever turned."""
    if turns.shape[1] < len(names) or torch.equal(turns, identity(*turns.shape[:2]).to(turns)):
        return None
    return turns
