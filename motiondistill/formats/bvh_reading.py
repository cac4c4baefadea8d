"""BVH files of our own joints, read exactly: rotations, not only where the joints are."""

from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill.body.skeleton import (
    DETAILED_NAMES,
    DETAILED_PARENTS,
    JAW,
    in_detail,
)
from motiondistill.body.t_pose import rest_positions, t_pose_rotations
from motiondistill.data.importers.bvh import BvhAnimation, parse_animation
from motiondistill.data.importers.placement import guess_unit
from motiondistill.formats.rest_pose import from_t_pose
from motiondistill.structures import JOINT_NAMES, NUM_JOINTS, PARENTS, Motion

_ENDS = ("left_foot_end", "right_foot_end")


@dataclass(frozen=True)
class BvhMotion:
    """A motion and the skeleton that it belongs to."""

    motion: Motion
    rest_joints: Float[Tensor, "22 3"]
    """In our T-pose, the pelvis above the origin and the feet's ends on the floor, metres."""


def read_bvh(path: Path, *, unit: float | None = None) -> BvhMotion | None:
    """The motion in a BVH file of our joints, +Y up; None for other skeletons.

    Ours are the 22 of `JOINT_NAMES`, each below its parent, with the feet's ends; hands and jaw are
    read where all of them are there. The rest pose may be any: the T-pose follows from the offsets.
    Raises ValueError for damaged files.

    Args:
        path: The file.
        unit: Metres per unit of the file; guessed from the length of the legs if None.
    """
    try:
        animation = parse_animation(path.read_text(encoding="utf-8", errors="replace"))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    if not _is_ours(animation):
        return None
    template = _placed(animation)
    unit = unit or guess_unit([template[[animation.names.index(n) for n in JOINT_NAMES]][None]])
    return _to_motion(animation, unit * template, unit)


def _is_ours(animation: BvhAnimation) -> bool:
    names = animation.names
    if not {*JOINT_NAMES, *_ENDS} <= set(names) or len(set(names)) < len(names):
        return False
    above = [animation.parents[names.index(name)] for name in JOINT_NAMES]
    told = [names[parent] if parent >= 0 else "" for parent in above]
    return told == ["", *(JOINT_NAMES[parent] for parent in PARENTS[1:])]


def _placed(animation: BvhAnimation) -> Float[Tensor, "nodes 3"]:
    """The nodes at rest, the root at the origin."""
    nodes = [torch.zeros(3)]
    for node, parent in enumerate(animation.parents[1:], start=1):
        nodes.append(nodes[parent] + animation.offsets[node])
    return torch.stack(nodes)


def _to_motion(
    animation: BvhAnimation, template: Float[Tensor, "nodes 3"], unit: float
) -> BvhMotion:
    names = animation.names
    detailed = set(DETAILED_NAMES) <= set(names)
    wanted = DETAILED_NAMES if detailed else JOINT_NAMES
    nodes = [names.index(name) for name in wanted]
    parents = DETAILED_PARENTS[: len(wanted)]
    t_pose = in_detail(t_pose_rotations(template[nodes[:NUM_JOINTS]].double()))[: len(wanted)]
    turns = from_t_pose(animation.turns[:, nodes], t_pose, parents).float()
    joints = rest_positions(template[nodes].double(), t_pose, parents)[:NUM_JOINTS]
    feet = [names.index(name) for name in _ENDS]
    ends = [
        joints[JOINT_NAMES.index(names[animation.parents[foot]])]
        + t_pose[JOINT_NAMES.index(names[animation.parents[foot]])]
        @ (template[foot] - template[animation.parents[foot]]).double()
        for foot in feet
    ]
    floor = torch.stack(ends)[:, 1].mean()
    rest = joints - torch.stack([joints[0, 0], floor, joints[0, 2]])
    pelvis = unit * animation.places[:, nodes[0]]
    motion = Motion(
        turns[:, :NUM_JOINTS],
        (pelvis - rest[0]).float(),
        animation.fps,
        hands=turns[:, JAW + 1 :] if detailed else None,
        jaw=turns[:, JAW] if detailed else None,
    )
    return BvhMotion(motion, rest.float())
