"""A body that is skinned by the 22-joint skeleton: the one interface that all bodies share."""

import dataclasses
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from motiondistill.kinematics import forward_kinematics
from motiondistill.structures import PARENTS, Mesh, Motion


@dataclass(frozen=True)
class SkinnedBody:
    """A body of fixed shape, ready to be posed. Standing at rest, its soles touch the floor y = 0.

    Linear blend skinning moves vertex v to `sum_j w_vj (G_j u_vj + p_j)`, where `G_j, p_j` are the
    joint's world rotation and position and `u_vj` the vertex seen from joint j in the T-pose. That
    is linear in the 3x4 matrices `[G_j | p_j]`, so the whole clip is one matrix product with
    `blend`, which stacks `w_vj [u_vj; 1]` over the joints.
    """

    name: str
    rest_joints: Float[Tensor, "joints 3"]
    """T-pose joint positions in the world, metres."""
    blend: Float[Tensor, "joints*4 vertices"]
    faces: Int[Tensor, "triangles 3"]
    parts: Int[Tensor, " vertices"]

    def to(
        self, *, dtype: torch.dtype | None = None, device: torch.device | None = None
    ) -> "SkinnedBody":
        """The same body in another precision or on another device."""
        return dataclasses.replace(
            self,
            rest_joints=self.rest_joints.to(device=device, dtype=dtype),
            blend=self.blend.to(device=device, dtype=dtype),
            faces=self.faces.to(device=device),
            parts=self.parts.to(device=device),
        )

    def __call__(self, motion: Motion) -> Mesh:
        """The posed body in the world, batched over all leading dimensions of the motion."""
        rotations, joints = forward_kinematics(motion.rotations, self.rest_joints)
        joints = joints + motion.translation[..., None, :]
        frames = torch.cat([rotations, joints[..., None]], -1)
        flat = frames.transpose(-3, -2).flatten(-2)
        return Mesh((flat @ self.blend).transpose(-1, -2), joints, self.faces, self.parts)


def skinned_body(
    name: str,
    vertices: Float[Tensor, "vertices 3"],
    weights: Float[Tensor, "vertices joints"],
    joints: Float[Tensor, "joints 3"],
    t_pose: Float[Tensor, "joints 3 3"],
    faces: Int[Tensor, "triangles 3"],
    parts: Int[Tensor, " vertices"],
) -> SkinnedBody:
    """A body from a mesh in any rest pose.

    `vertices` and `joints` are in that rest pose; `t_pose` holds the world rotation of each joint
    that takes the rest pose to the T-pose. The floor is put under the lowest vertex of the T-pose.
    """
    rest = [joints[0]]
    for joint, parent in enumerate(PARENTS[1:], start=1):
        rest.append(rest[parent] + t_pose[parent] @ (joints[joint] - joints[parent]))
    rest_joints = torch.stack(rest)
    seen = torch.einsum("jab,vjb->vja", t_pose, vertices[:, None] - joints)
    blend = weights[..., None] * torch.cat([seen, torch.ones_like(seen[..., :1])], -1)
    posed = (blend[..., :3] + weights[..., None] * rest_joints).sum(1)
    rest_joints = (
        rest_joints - torch.tensor([0.0, 1.0, 0.0], dtype=joints.dtype) * posed[:, 1].min()
    )
    return SkinnedBody(name, rest_joints, blend.flatten(1).T.contiguous(), faces, parts)
