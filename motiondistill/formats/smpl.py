"""Our motions in the terms of SMPL, SMPL-H and SMPL-X.

Their rest poses differ from our T-pose: arms droop by up to 18 degrees, and legs stand otherwise.
How, follows from their joints: `SmplSkeleton.t_pose`. Without the user's own licensed body these
are the average ones of `data.importers.smpl_skeletons`, four decimals.

`smplx` turns the body about its pelvis, which is not at its origin, and adds `transl` afterwards:
the pelvis is at `J_0 + transl`, with `J_0` that of the template.
"""

from dataclasses import dataclass
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill import rotations
from motiondistill.body.base import Body
from motiondistill.body.skeleton import DETAILED_PARENTS, JAW, detailed_rotations, in_detail
from motiondistill.body.smplx import SmplxBody
from motiondistill.data.importers.smpl_skeletons import SMPLX, SmplSkeleton
from motiondistill.formats.rest_pose import from_rest_pose
from motiondistill.structures import NUM_JOINTS, PARENTS, Motion

# From our world, +Y up, to one with +Z up: who faces +Z faces -Y. A quarter turn about +X.
_Z_UP: Final = ((1.0, 0.0, 0.0), (0.0, 0.0, -1.0), (0.0, 1.0, 0.0))


@dataclass(frozen=True)
class SmplPoses:
    """What SMPL's family takes for a motion; metres, radians, float64."""

    body: Float[Tensor, "frames 22 3"]
    """Rotation vectors relative to the parents, against the template; the first is the root's."""
    jaw: Float[Tensor, "frames 3"]
    hands: Float[Tensor, "frames 30 3"]
    """The left hand's first, in the order of `HAND_NAMES`; zeros are flat hands."""
    transl: Float[Tensor, "frames 3"]


def skeleton_of(body: Body) -> SmplSkeleton:
    """SMPL-X's skeleton: the body's own if it is SMPL-X, else the average."""
    if not isinstance(body, SmplxBody):
        return SMPLX
    joints = body.joints[:NUM_JOINTS].double()
    offsets = [joints[0] - joints[0]]
    offsets += [joints[k] - joints[parent] for k, parent in enumerate(PARENTS) if parent >= 0]
    x, y, z = joints[0].tolist()
    rows = tuple((a, b, c) for a, b, c in torch.stack(offsets).tolist())
    return SmplSkeleton("smplx", (x, y, z), rows, float(body.rest_joints[0, 1]))


def to_smpl(motion: Motion, skeleton: SmplSkeleton) -> SmplPoses:
    """The motion of that skeleton as SMPL's family counts it, +Y up; exact.

    The motion must be one of the skeleton: see `rest_pose.on_skeleton`.
    """
    motion = motion.map(torch.Tensor.double)
    t_pose = in_detail(skeleton.t_pose().double())
    turns = from_rest_pose(detailed_rotations(motion), t_pose, DETAILED_PARENTS)
    vectors = rotations.to_axis_angle(turns)
    pelvis = skeleton.rest_joints()[0].double() - torch.tensor(skeleton.pelvis).double()
    return SmplPoses(
        vectors[:, :NUM_JOINTS],
        vectors[:, JAW],
        vectors[:, JAW + 1 :],
        motion.translation + pelvis,
    )


def z_up(poses: SmplPoses, skeleton: SmplSkeleton) -> SmplPoses:
    """The same in a world with +Z up, where the subject faces -Y as Blender's figures do.

    With `Z` the quarter turn, the pelvis goes from `J_0 + t` to `Z (J_0 + t)`: the new translation
    is `Z (J_0 + t) - J_0`. Turning `t` alone would shift the body by `Z J_0 - J_0`, half a metre.
    """
    turn = torch.tensor(_Z_UP).double()
    pelvis = torch.tensor(skeleton.pelvis).double()
    root = turn @ rotations.from_axis_angle(poses.body[:, :1])
    return SmplPoses(
        torch.cat([rotations.to_axis_angle(root), poses.body[:, 1:]], 1),
        poses.jaw,
        poses.hands,
        (poses.transl + pelvis) @ turn.T - pelvis,
    )
