"""Bodies that linear blend skinning moves, and nothing else."""

import dataclasses
from dataclasses import dataclass, field
from typing import final

import torch
from jaxtyping import Float, Int
from torch import Tensor

from motiondistill.body.base import Body
from motiondistill.body.skeleton import detailed_rotations, is_detailed, skeleton_kinematics
from motiondistill.body.t_pose import rest_positions
from motiondistill.structures import FACE_PART, JOINT_INDEX, PARENTS, Mesh, Motion


@final
@dataclass(frozen=True)
class Skin:
    """The 22 joints, or all, in the T-pose, and how they move the vertices.

    Linear blend skinning moves vertex v to `sum_j w_vj (G_j u_vj + p_j)`, where `G_j, p_j` are the
    joint's world rotation and position and `u_vj` the vertex seen from joint j in the T-pose. That
    is linear in the 3x4 matrices `[G_j | p_j]`, so the whole clip is one matrix product with
    `blend`, which stacks `w_vj [u_vj; 1]` over the joints.

    `torch.compile` takes bodies whole, but nothing here asks for it: it halves the time of the low
    Anny, a tenth of a render's, hardly changes larger bodies, and takes longer to compile than the
    steps of a run save.
    """

    rest_joints: Float[Tensor, "joints 3"]
    blend: Float[Tensor, "joints*4 vertices"]
    joint_from_mesh: Float[Tensor, "joints 3 4"] | None = None
    """Gives `u_vj` of a vertex of the mesh that was skinned; None where that mesh is not known."""

    def __call__(
        self,
        rotations: Float[Tensor, "*batch joints 3 3"],
        translation: Float[Tensor, "*batch 3"],
    ) -> tuple[Float[Tensor, "*batch vertices 3"], Float[Tensor, "*batch joints 3"]]:
        """Vertices and joints in the world."""
        world, joints = skeleton_kinematics(rotations, self.rest_joints)
        joints = joints + translation[..., None, :]
        frames = torch.cat([world, joints[..., None]], -1)
        flat = frames.transpose(-3, -2).flatten(-2)
        return (flat @ self.blend).transpose(-1, -2), joints

    def to(self, *, dtype: torch.dtype | None, device: torch.device | None) -> "Skin":
        """The same skin in another precision or on another device."""
        of_mesh = self.joint_from_mesh
        return Skin(
            self.rest_joints.to(device=device, dtype=dtype),
            self.blend.to(device=device, dtype=dtype),
            None if of_mesh is None else of_mesh.to(device=device, dtype=dtype),
        )


@final
@dataclass(frozen=True)
class SkinnedBody(Body):
    """A body whose vertices only follow its joints."""

    name: str
    rest_joints: Float[Tensor, "joints 3"]
    blend: Float[Tensor, "joints*4 vertices"]
    """See `Skin`: that of the 22 joints, which carry hands and jaw along."""
    faces: Int[Tensor, "triangles 3"]
    parts: Int[Tensor, " vertices"]
    detail: Skin | None = None
    """The same with the jaw and the fingers as joints of their own, if the body has them."""
    shape: Float[Tensor, " shape"] = field(default_factory=lambda: torch.zeros(0))
    uv: Float[Tensor, "texcoords 2"] | None = None
    uv_faces: Int[Tensor, "triangles 3"] | None = None
    expression: Float[Tensor, " expression"] = field(default_factory=lambda: torch.zeros(0))
    joint_from_mesh: Float[Tensor, "joints 3 4"] | None = None
    """See `Skin`."""

    def to(
        self, *, dtype: torch.dtype | None = None, device: torch.device | None = None
    ) -> "SkinnedBody":
        """The same body in another precision or on another device."""
        of_mesh = self.joint_from_mesh
        return dataclasses.replace(
            self,
            rest_joints=self.rest_joints.to(device=device, dtype=dtype),
            blend=self.blend.to(device=device, dtype=dtype),
            faces=self.faces.to(device=device),
            parts=self.parts.to(device=device),
            detail=None if self.detail is None else self.detail.to(dtype=dtype, device=device),
            shape=self.shape.to(device=device, dtype=dtype),
            uv=None if self.uv is None else self.uv.to(device=device, dtype=dtype),
            uv_faces=None if self.uv_faces is None else self.uv_faces.to(device=device),
            expression=self.expression.to(device=device, dtype=dtype),
            joint_from_mesh=None if of_mesh is None else of_mesh.to(device=device, dtype=dtype),
        )

    def __call__(self, motion: Motion) -> Mesh:
        """The posed body in the world; raises ValueError for hands or a jaw that it lacks."""
        if not is_detailed(motion):
            skin = Skin(self.rest_joints, self.blend)
            vertices, joints = skin(motion.rotations, motion.translation)
        elif self.detail is not None:
            vertices, joints = self.detail(detailed_rotations(motion), motion.translation)
        else:
            raise ValueError(
                f"`motion` must have neither hands nor a jaw on the body {self.name!r}, got them; "
                "set both to None."
            )
        joints = joints[..., : len(self.rest_joints), :]
        return Mesh(vertices, joints, self.faces, self.parts, self.uv, self.uv_faces)


def joint_from_mesh(
    joints: Float[Tensor, "joints 3"], t_pose: Float[Tensor, "joints 3 3"]
) -> Float[Tensor, "joints 3 4"]:
    """`[T_j | -T_j J_j]`: what a vertex of a mesh in any rest pose is, seen from each joint."""
    return torch.cat([t_pose, -t_pose @ joints[..., None]], -1)


def blend_matrix(
    vertices: Float[Tensor, "vertices 3"],
    weights: Float[Tensor, "vertices joints"],
    joints: Float[Tensor, "joints 3"],
    t_pose: Float[Tensor, "joints 3 3"],
) -> Float[Tensor, "vertices joints 4"]:
    """`w_vj [u_vj; 1]` of `Skin`, from a mesh in any rest pose."""
    seen = torch.einsum("jab,vjb->vja", t_pose, vertices[:, None] - joints)
    return weights[..., None] * torch.cat([seen, torch.ones_like(seen[..., :1])], -1)


def flat(blend: Float[Tensor, "vertices joints 4"]) -> Float[Tensor, "joints*4 vertices"]:
    """The matrix as `Skin` takes it."""
    return blend.flatten(1).T.contiguous()


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
    rest_joints = rest_positions(joints, t_pose, PARENTS)
    blend = blend_matrix(vertices, weights, joints, t_pose)
    posed = (blend[..., :3] + weights[..., None] * rest_joints).sum(1)
    rest_joints = (
        rest_joints - torch.tensor([0.0, 1.0, 0.0], dtype=joints.dtype) * posed[:, 1].min()
    )
    return SkinnedBody(
        name,
        rest_joints,
        flat(blend),
        faces,
        parts,
        joint_from_mesh=joint_from_mesh(joints, t_pose),
    )


def part_labels(
    vertices: Float[Tensor, "vertices 3"],
    weights: Float[Tensor, "vertices joints"],
    joints: Float[Tensor, "joints 3"],
) -> Int[Tensor, " vertices"]:
    """The joint with the largest weight; the front of the head is its own part, the face."""
    parts = weights.argmax(1)
    head = JOINT_INDEX["head"]
    # The head joint lies at the skull's base, below its middle; the face begins a little before it.
    face = (parts == head) & (vertices[:, 2] > joints[head, 2] + 0.03)
    return torch.where(face, FACE_PART, parts)
