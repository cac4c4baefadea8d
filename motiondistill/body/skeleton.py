"""The joints of a body in full detail: the 22, the jaw and the fingers."""

from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill.kinematics import forward_kinematics
from motiondistill.structures import (
    JOINT_GROUPS,
    JOINT_INDEX,
    NUM_HAND_JOINTS,
    NUM_JOINTS,
    PARENTS,
    Motion,
)

DETAILED_NAMES: Final = tuple(
    name for group in ("root", "body", "jaw", "hands") for name in JOINT_GROUPS[group]
)
NUM_DETAILED: Final = len(DETAILED_NAMES)
JAW: Final = DETAILED_NAMES.index("jaw")


def _holder(name: str) -> int:
    """The nearest of the 22 joints that carries this one along: itself, head or wrist."""
    if name in JOINT_INDEX:
        return JOINT_INDEX[name]
    return JOINT_INDEX["head" if name == "jaw" else f"{name.partition('_')[0]}_wrist"]


HOLDERS: Final = tuple(_holder(name) for name in DETAILED_NAMES)
DETAILED_PARENTS: Final = (
    *PARENTS,
    HOLDERS[JAW],
    *(
        HOLDERS[joint] if DETAILED_NAMES[joint].endswith("1") else joint - 1
        for joint in range(JAW + 1, NUM_DETAILED)
    ),
)
# The joints beyond the 22 by their distance from them: jaw and knuckles, then ten fingers' joints.
_LEVELS: Final = tuple(
    tuple(
        joint
        for joint in range(NUM_JOINTS, NUM_DETAILED)
        if (DETAILED_NAMES[joint] == "jaw" and level == 1)
        or DETAILED_NAMES[joint].endswith(str(level))
    )
    for level in (1, 2, 3)
)
# Where each joint stands when the levels follow one another.
_PLACES: Final = tuple(
    [*range(NUM_JOINTS), *(joint for level in _LEVELS for joint in level)].index(joint)
    for joint in range(NUM_DETAILED)
)


def is_detailed(motion: Motion) -> bool:
    """Whether the motion moves more than the 22 joints."""
    return motion.hands is not None or motion.jaw is not None


def detailed_rotations(motion: Motion) -> Float[Tensor, "*batch frames 53 3 3"]:
    """Rotations of all joints in the order of `DETAILED_NAMES`; what is not given is at rest."""
    body = motion.rotations
    eye = torch.eye(3, dtype=body.dtype, device=body.device)
    jaw = eye.expand_as(body[..., 0, :, :]) if motion.jaw is None else motion.jaw
    hands = motion.hands
    if hands is None:
        hands = eye.expand(*body.shape[:-3], NUM_HAND_JOINTS, 3, 3)
    return torch.cat([body, jaw[..., None, :, :], hands], -3)


def skeleton_kinematics(
    rotations: Float[Tensor, "*batch joints 3 3"], rest_joints: Float[Tensor, "joints 3"]
) -> tuple[Float[Tensor, "*batch joints 3 3"], Float[Tensor, "*batch joints 3"]]:
    """`forward_kinematics` of the 22 joints or of all; fingers move together, level by level."""
    world, positions = forward_kinematics(
        rotations[..., :NUM_JOINTS, :, :], rest_joints[:NUM_JOINTS]
    )
    if len(rest_joints) == NUM_JOINTS:
        return world, positions
    for level in _LEVELS:
        joints, parents = list(level), [DETAILED_PARENTS[joint] for joint in level]
        held = world[..., [_PLACES[parent] for parent in parents], :, :]
        offsets = (rest_joints[joints] - rest_joints[parents])[..., None]
        heads = positions[..., [_PLACES[parent] for parent in parents], :]
        positions = torch.cat([positions, heads + (held @ offsets)[..., 0]], -2)
        world = torch.cat([world, held @ rotations[..., joints, :, :]], -3)
    return world[..., list(_PLACES), :, :], positions[..., list(_PLACES), :]


def in_detail(of_joints: Float[Tensor, "joints 3 3"]) -> Float[Tensor, "53 3 3"]:
    """Rotations of the 22 joints, repeated for the joints that they carry."""
    assert len(of_joints) == NUM_JOINTS
    return of_joints[list(HOLDERS)]
