"""Bodies as bones and weights: what programs that animate skinned meshes take."""

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill.body.base import Body
from motiondistill.body.skeleton import DETAILED_NAMES, DETAILED_PARENTS
from motiondistill.body.skinning import Skin, SkinnedBody, joint_from_mesh
from motiondistill.body.smplx import SmplxBody


@final
@dataclass(frozen=True)
class Rig:
    """Named bones, and a mesh in the pose in which it hangs on them; float64.

    Where the body's kinematics put bone b with world rotation `G_b` and position `p_b`, vertex v of
    the mesh goes to `sum_b w_vb (G_b A_b [v; 1] + p_b)`, `A_b` being `bone_from_mesh`. At rest all
    bones have the world's axes.
    """

    names: tuple[str, ...]
    """The 22 joints, then jaw and fingers if the body has them."""
    parents: tuple[int, ...]
    """Parents precede children; -1 for the pelvis."""
    rest_joints: Float[Tensor, "bones 3"]
    """T-pose positions in the world, metres."""
    bone_from_mesh: Float[Tensor, "bones 3 4"]
    vertices: Float[Tensor, "vertices 3"]
    """The mesh in its own rest pose, metres, in the world's axes."""
    weights: Float[Tensor, "vertices bones"]


def rig_of(body: Body) -> Rig:
    """The bones and weights of a body.

    Bones alone cannot carry the pose-dependent corrections of SMPL-X: its rig is the body without
    them. Raises ValueError for a body that is not moved by bones, or does not know its mesh.
    """
    match body:
        case SkinnedBody():
            skin = body.detail or Skin(body.rest_joints, body.blend, body.joint_from_mesh)
            return _rig_of_skin(skin, body.name)
        case SmplxBody():
            return _rig(
                body.skeleton + body.offset,
                joint_from_mesh(body.joints.double(), body.t_pose.double()),
                body.template.T,
                body.weights.T,
            )
        case _:
            raise ValueError(
                f"`body` must be moved by bones and weights, got {type(body).__name__}; choose "
                "Anny or SMPL-X."
            )


def _rig_of_skin(skin: Skin, name: str) -> Rig:
    """The mesh from `w_vj [u_vj; 1]`: by every joint, `u_vj` is the same vertex."""
    if skin.joint_from_mesh is None:
        raise ValueError(
            f"`body` must know the mesh that was skinned, {name!r} does not; make it by "
            "`skinned_body`."
        )
    of_mesh = skin.joint_from_mesh.double()
    blend = skin.blend.double().reshape(len(of_mesh), 4, -1)
    weights = blend[:, 3]
    seen = blend[:, :3] - of_mesh[..., 3:] * weights[:, None]
    vertices = torch.einsum("jab,jav->vb", of_mesh[..., :3], seen)
    return _rig(skin.rest_joints, of_mesh, vertices, weights.T)


def _rig(
    rest_joints: Float[Tensor, "bones 3"],
    bone_from_mesh: Float[Tensor, "bones 3 4"],
    vertices: Float[Tensor, "vertices 3"],
    weights: Float[Tensor, "vertices bones"],
) -> Rig:
    rest_joints, bone_from_mesh, vertices, weights = (
        tensor.detach().cpu().double()
        for tensor in (rest_joints, bone_from_mesh, vertices, weights)
    )
    turn, shift = bone_from_mesh[..., :3], bone_from_mesh[..., 3:]
    # The mesh's pelvis goes where it rests, so that the mesh stands on the floor when seen alone.
    lift = rest_joints[:1].T + turn[0].T @ shift[0]
    count = len(rest_joints)
    return Rig(
        DETAILED_NAMES[:count],
        DETAILED_PARENTS[:count],
        rest_joints,
        torch.cat([turn, shift - turn @ lift], -1),
        vertices + lift[:, 0],
        weights,
    )
