"""Biovision hierarchy (BVH): our joints under their names, in a rest pose that is named."""

import math
from pathlib import Path
from typing import Final, Literal, assert_never

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill import rotations
from motiondistill.atomic import write_atomically
from motiondistill.body.skeleton import (
    DETAILED_NAMES,
    DETAILED_PARENTS,
    detailed_rotations,
    in_detail,
    is_detailed,
)
from motiondistill.body.t_pose import rest_positions
from motiondistill.formats.rest_pose import from_rest_pose
from motiondistill.structures import JOINT_INDEX, JOINT_NAMES, NUM_JOINTS, Motion

Unit = Literal["cm", "m"]
RestPose = Literal["t_pose", "a_pose"]

_SLOPE: Final = math.radians(45)
_ARMS: Final = ("shoulder", "elbow", "wrist")
# Where limbs without a further joint end, metres: the top of the head, the chin, and the tips of
# hands; those of the feet are on the floor.
_ENDS: Final = {
    "head": (0.0, 0.18, 0.0),
    "jaw": (0.0, -0.04, 0.08),
    "left_wrist": (0.15, 0.0, 0.0),
    "right_wrist": (-0.15, 0.0, 0.0),
}
_TOES: Final = 0.08
_FINGERTIP: Final = 0.02
_CHANNELS: Final = "Zrotation Yrotation Xrotation"
_POSITION: Final = "Xposition Yposition Zposition"
# Below this cosine the middle angle is a quarter turn, and the other two turn about one axis.
_GIMBAL: Final = 1e-6


def metres_of(unit: Unit) -> float:
    """How long the file's unit is."""
    match unit:
        case "cm":
            return 0.01
        case "m":
            return 1.0
        case _:
            assert_never(unit)


def rest_rotations(rest: RestPose) -> Float[Tensor, "22 3 3"]:
    """World rotations that take the rest pose to our T-pose; float64.

    In the A-pose the arms hang straight at 45 degrees from the shoulders, and the palms go along.
    """
    turns = torch.eye(3).double().repeat(NUM_JOINTS, 1, 1)
    match rest:
        case "t_pose":
            return turns
        case "a_pose":
            for side, sign in (("left", 1.0), ("right", -1.0)):
                raised = rotations.from_axis_angle(torch.tensor([0.0, 0.0, sign * _SLOPE]).double())
                for part in _ARMS:
                    turns[JOINT_INDEX[f"{side}_{part}"]] = raised
            return turns
        case _:
            assert_never(rest)


def bvh_text(
    motion: Motion,
    rest_joints: Float[Tensor, "joints 3"],
    *,
    unit: Unit = "cm",
    rest: RestPose = "t_pose",
) -> str:
    """The text of a BVH file, +Y up.

    Hands and jaw are joints where the motion has them. The root's offset is zero and its channels
    are the pelvis' place in the world: programs disagree whether they add the two. Feet end on the
    floor that the body stands on in the T-pose.

    Args:
        motion: One motion without a batch.
        rest_joints: The body's joints in the T-pose on the floor, metres: the 22, or those of
            `DETAILED_NAMES` for a motion with hands or a jaw.
        unit: Of the file.
        rest: The pose of zero rotations.
    """
    detailed = is_detailed(motion)
    names = DETAILED_NAMES if detailed else JOINT_NAMES
    if len(rest_joints) != len(names):
        raise ValueError(
            f"`rest_joints` must have {len(names)} joints for this motion, got {len(rest_joints)}; "
            "give those of hands and jaw with a motion that has them, and only then."
        )
    parents = DETAILED_PARENTS[: len(names)]
    t_pose = in_detail(rest_rotations(rest))[: len(names)]
    joints = rest_positions(rest_joints.double(), t_pose.transpose(-1, -2), parents)
    ends = _ends(rest_joints.double(), names, parents)
    ends = (t_pose.transpose(-1, -2) @ ends[..., None])[..., 0]  # back, like their joints
    motion = motion.map(torch.Tensor.double)
    turns = detailed_rotations(motion) if detailed else motion.rotations
    angles = zyx_angles(from_rest_pose(rotations.nearest(turns), t_pose, parents))
    # Programs interpolate angles: these must not jump by whole turns.
    angles = torch.from_numpy(np.unwrap(angles.numpy(), axis=0)).rad2deg()
    per_metre = 1 / metres_of(unit)
    pelvis = per_metre * (motion.translation + rest_joints[0].double())
    order = _order(parents)
    rows = torch.cat([pelvis, angles[:, order].flatten(1)], 1)
    lines = ["HIERARCHY"]
    _add_joint(lines, 0, names, per_metre * (joints - joints[0]), per_metre * ends)
    lines += ["MOTION", f"Frames: {len(rows)}", f"Frame Time: {1 / motion.fps:.9f}"]
    lines += [" ".join(f"{value:.6f}" for value in row) for row in rows.tolist()]
    return "\n".join(lines) + "\n"


def write_bvh(
    path: Path,
    motion: Motion,
    rest_joints: Float[Tensor, "joints 3"],
    *,
    unit: Unit = "cm",
    rest: RestPose = "t_pose",
) -> None:
    """The file of `bvh_text`, whole or not at all."""
    text = bvh_text(motion, rest_joints, unit=unit, rest=rest)
    write_atomically(path, lambda part: part.write_text(text, encoding="ascii"))


def zyx_angles(matrix: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 3"]:
    """Angles (z, y, x) with `R = R_z R_y R_x`, radians; y is between minus and plus a quarter turn.

    Where y is a quarter turn only the sum or difference of z and x counts: x is zero.
    """
    cosine = torch.hypot(matrix[..., 0, 0], matrix[..., 1, 0])
    y = torch.atan2(-matrix[..., 2, 0], cosine)
    locked = cosine < _GIMBAL
    z = torch.where(
        locked,
        torch.atan2(-matrix[..., 0, 1], matrix[..., 1, 1]),
        torch.atan2(matrix[..., 1, 0], matrix[..., 0, 0]),
    )
    x = torch.atan2(matrix[..., 2, 1], matrix[..., 2, 2])
    return torch.stack([z, y, torch.where(locked, torch.zeros_like(x), x)], -1)


def _ends(
    joints: Float[Tensor, "joints 3"], names: tuple[str, ...], parents: tuple[int, ...]
) -> Float[Tensor, "joints 3"]:
    """Where joints without a further one end, seen from them in the T-pose; others have zeros."""
    ends = torch.zeros_like(joints)
    for joint, name in enumerate(names):
        if joint in parents:
            continue
        if name.endswith("_foot"):
            ends[joint] = torch.tensor([0.0, -float(joints[joint, 1]), _TOES])
        elif name in _ENDS:
            ends[joint] = torch.tensor(_ENDS[name])
        else:
            bone = joints[joint] - joints[parents[joint]]
            ends[joint] = _FINGERTIP * torch.nn.functional.normalize(bone, dim=0)
    return ends


def _order(parents: tuple[int, ...]) -> list[int]:
    """The joints as a file lists them: each is followed by all that hangs from it."""
    order: list[int] = []
    waiting = [0]
    while waiting:
        joint = waiting.pop()
        order.append(joint)
        waiting += [child for child, parent in enumerate(parents) if parent == joint][::-1]
    return order


def _add_joint(
    lines: list[str],
    joint: int,
    names: tuple[str, ...],
    joints: Float[Tensor, "joints 3"],
    ends: Float[Tensor, "joints 3"],
    depth: int = 0,
) -> None:
    """Appends the joint and all that hangs from it."""
    parents = DETAILED_PARENTS[: len(names)]
    outer, inner = "\t" * depth, "\t" * (depth + 1)
    place = joints[joint] - joints[parents[joint]] if depth else joints[joint]
    lines += [f"{outer}{'JOINT' if depth else 'ROOT'} {names[joint]}", f"{outer}{{"]
    lines.append(f"{inner}OFFSET {_in_numbers(place)}")
    count, channels = (3, _CHANNELS) if depth else (6, f"{_POSITION} {_CHANNELS}")
    lines.append(f"{inner}CHANNELS {count} {channels}")
    children = [child for child, parent in enumerate(parents) if parent == joint]
    for child in children:
        _add_joint(lines, child, names, joints, ends, depth + 1)
    if not children:
        lines += [f"{inner}End Site", f"{inner}{{"]
        lines += [f"{inner}\tOFFSET {_in_numbers(ends[joint])}", f"{inner}}}"]
    lines.append(f"{outer}}}")


def _in_numbers(point: Float[Tensor, " 3"]) -> str:
    return " ".join(f"{value:.6f}" for value in point.tolist())
