"""The default body: Anny (Apache-2.0 code, CC0 assets) driven by our skeleton.

Anny's frame is z-up and faces -y: SMPL's (x, y, z) is Anny's (x, -z, y). Its rest pose is an A-pose
with bent elbows, so the arms need offsets to the T-pose.

We skin Anny's identity pose. Anny itself starts from another rest pose, of which the identity pose
is already a skinned one; where joints blend, skinning twice differs from its own forward pass by
0.8 mm in our neutral stance and up to 4 mm in wild poses (for extreme phenotypes 10 mm). Keeping,
for every bone, the vertices that it alone would move would be exact. But it would change the body
that the shipped prior was trained on.
"""

import contextlib
import dataclasses
import logging
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, final

import torch
from jaxtyping import Float, Int
from torch import Tensor

from motiondistill.body.anny_bones import (
    BONE_OF_FINGER,
    BONE_OF_JOINT,
    OWN_DETAILED,
    OWN_JOINTS,
    driving_joints,
)
from motiondistill.body.retopology import TexturedMesh, carry_texture, carry_values
from motiondistill.body.skeleton import DETAILED_PARENTS, JAW, NUM_DETAILED, in_detail
from motiondistill.body.skinning import (
    Skin,
    SkinnedBody,
    blend_matrix,
    flat,
    joint_from_mesh,
    part_labels,
    skinned_body,
)
from motiondistill.body.t_pose import rest_positions, t_pose_rotations
from motiondistill.structures import JOINT_INDEX, NUM_JOINTS

_TOPOLOGIES: Final = {"low": "notoes_collapse10pc", "full": "anny"}
# Anny's own rig has no jaw. This one has, on the full mesh; the tongue then hangs on the jaw.
_FACE_RIG: Final = "makehuman-notongue-nobreasts"


@final
@dataclass(frozen=True)
class Phenotype:
    """What Anny's shape depends on: six numbers in [0, 1], of which 0.5 is the average."""

    gender: float = 0.5
    """0 male, 1 female."""
    age: float = 0.5
    """0 a baby, 1/3 a child, 2/3 a young adult, 1 old."""
    height: float = 0.5
    weight: float = 0.5
    muscle: float = 0.5
    proportions: float = 0.5
    """0 ideal, 1 uncommon."""

    def __post_init__(self) -> None:
        for name, value in dataclasses.asdict(self).items():
            if not 0 <= value <= 1:  # false for nan, too
                raise ValueError(f"`{name}` must be between 0 and 1, got {value}; 0.5 is average.")


@final
@dataclass(frozen=True)
class _Pose:
    """Anny's identity pose in the world's axes, by its own bones."""

    bones: list[str]
    parents: list[int]
    vertices: Float[Tensor, "vertices 3"]
    heads: Float[Tensor, "bones 3"]
    weights: Float[Tensor, "vertices bones"]

    def joints(self, bone_of: Mapping[str, str]) -> Float[Tensor, "joints 3"]:
        """The heads of these joints' bones, in their order."""
        return self.heads[[self.bones.index(bone) for bone in bone_of.values()]]

    def collapsed(self, own: Mapping[str, int], count: int) -> Float[Tensor, "vertices joints"]:
        """Weights by joint: each bone's are added to those of the joint that moves it."""
        joints = torch.tensor(driving_joints(self.bones, self.parents, own))
        matrix = torch.nn.functional.one_hot(joints, count)
        return self.weights @ matrix.to(self.weights.dtype)


@final
@dataclass(frozen=True)
class _Face:
    """What Anny's own rig or mesh lacks: the jaw, and at low resolution the texture coordinates."""

    jaw: Float[Tensor, " 3"]
    share: Float[Tensor, " vertices"]
    """By how much the jaw moves each vertex."""
    uv: Float[Tensor, "texcoords 2"]
    uv_faces: Int[Tensor, "triangles 3"]


def anny_body(
    resolution: Literal["low", "full"] = "low", phenotype: Phenotype | None = None
) -> SkinnedBody:
    """Anny with 1,229 vertices (`low`) or 13,718 (`full`), float32; average without a phenotype.

    The first call on a machine computes Anny's blend shapes (about a minute) and caches them.
    """
    anny = _imported()
    from anny.paths import get_anny_cache_path

    known = any(get_anny_cache_path().rglob("*.safetensors"))
    first = "" if known else "; the first time on a machine this takes about a minute"
    logging.getLogger(__name__).info("building the Anny body (%s)%s", resolution, first)
    phenotype = phenotype or Phenotype()
    model = anny.Anny(topology=_TOPOLOGIES[resolution])
    rest = _shaped(model, phenotype)
    pose = _identity_pose(model, rest)
    joints = pose.joints(BONE_OF_JOINT)
    weights = pose.collapsed(OWN_JOINTS, NUM_JOINTS)
    body = skinned_body(
        f"anny-{resolution}",
        pose.vertices,
        weights,
        joints,
        t_pose_rotations(joints),
        model.get_triangular_faces().long(),
        part_labels(pose.vertices, weights, joints),
    )
    face = _face(anny, model, rest, phenotype)
    shape = () if phenotype == Phenotype() else dataclasses.astuple(phenotype)
    return dataclasses.replace(
        body,
        detail=_detail(pose, face, body.rest_joints[0]),
        shape=torch.tensor(shape),
        uv=face.uv,
        uv_faces=face.uv_faces,
    ).to(dtype=torch.float32)


def _detail(pose: _Pose, face: _Face, pelvis: Float[Tensor, " 3"]) -> Skin:
    """The skin of all joints in detail, its pelvis resting where it is told."""
    body = pose.joints(BONE_OF_JOINT)
    joints = torch.cat([body, face.jaw[None], pose.joints(BONE_OF_FINGER)])
    weights = pose.collapsed(OWN_DETAILED, NUM_DETAILED)
    head = JOINT_INDEX["head"]
    share = torch.minimum(face.share, weights[:, head])
    weights[:, JAW] += share
    weights[:, head] -= share
    t_pose = in_detail(t_pose_rotations(body))
    rest_joints = rest_positions(joints, t_pose, DETAILED_PARENTS)
    return Skin(
        rest_joints + (pelvis - rest_joints[0]),
        flat(blend_matrix(pose.vertices, weights, joints, t_pose)),
        joint_from_mesh(joints, t_pose),
    )


def _face(anny: Any, model: Any, rest: Mapping[str, Tensor], phenotype: Phenotype) -> _Face:
    detailed = anny.Anny(rig=_FACE_RIG, topology=_TOPOLOGIES["full"])
    source = TexturedMesh(
        detailed.template_vertices,
        detailed.get_triangular_faces().long(),
        detailed.texture_coordinates,
        detailed.face_texture_coordinate_indices.long(),
    )
    shaped = _shaped(detailed, phenotype)
    pose = _identity_pose(detailed, shaped)
    share = pose.collapsed({"root": 0, "jaw": 1}, 2)[:, 1]
    uv, uv_faces = source.uv, source.uv_faces
    points = model.template_vertices
    if len(points) != len(source.vertices):
        share = carry_values(points, source, share, _closest)
        uv, uv_faces = carry_texture(points, model.get_triangular_faces().long(), source, _closest)
    # The jaw goes with the head from the rest pose, which both rigs share, to the identity pose.
    head = list(model.bone_labels).index("head")
    moved = rest["bone_poses"][0, head] @ rest["rest_bone_poses"][0, head].inverse()
    jaw = shaped["rest_bone_heads"][0, pose.bones.index("jaw")]
    return _Face(_to_world(moved[:3, :3] @ jaw + moved[:3, 3]), share, uv, uv_faces)


def _shaped(model: Any, phenotype: Phenotype) -> dict[str, Tensor]:
    """What Anny gives for the phenotype in its identity pose."""
    knobs = {
        name: torch.full((1,), value, dtype=model.dtype)
        for name, value in dataclasses.asdict(phenotype).items()
    }
    with torch.no_grad():
        rest: dict[str, Tensor] = model(phenotype_kwargs=knobs)
    return rest


def _identity_pose(model: Any, rest: Mapping[str, Tensor]) -> _Pose:
    vertices = _to_world(rest["vertices"][0])
    weights = torch.zeros(len(vertices), len(model.bone_labels), dtype=vertices.dtype)
    weights.scatter_add_(1, model.vertex_bone_indices.long(), model.vertex_bone_weights)
    heads = _to_world(rest["bone_poses"][0, :, :3, 3])
    return _Pose(list(model.bone_labels), list(model.bone_parents), vertices, heads, weights)


def _closest(
    points: Float[Tensor, "points 3"],
    vertices: Float[Tensor, "vertices 3"],
    faces: Int[Tensor, "triangles 3"],
) -> tuple[Int[Tensor, " points"], Float[Tensor, "points 3"]]:
    """`retopology.Closest`, by the function that Anny makes its own topologies with."""
    from anny.utils.warp_mesh_utils import point_to_mesh_distance_and_face_uvs

    _, found, uv = point_to_mesh_distance_and_face_uvs(
        points=points.float(), vertices=vertices.float(), faces=faces, max_dist=1000.0
    )
    return found.long(), torch.cat([uv, 1 - uv.sum(-1, keepdim=True)], -1)


def _imported() -> Any:
    """The library, without the banner of its dependency warp."""
    import warp

    warp.config.log_level = logging.WARNING
    with _without_stderr():  # there warp's C code complains where it finds no GPU driver
        warp.init()  # type: ignore[no-untyped-call]
    with contextlib.redirect_stdout(sys.stdout):  # put back what these imports replace
        import anny  # starts warp as well, but not again
        import anny.utils.warp_mesh_utils

    return anny


@contextlib.contextmanager
def _without_stderr() -> Iterator[None]:
    """Within its `with`, what native code writes to the process' standard error is dropped."""
    kept = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _to_world(points: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3"]:
    """Anny's (x, y, z) as SMPL's (x, z, -y)."""
    x, y, z = points.unbind(-1)
    return torch.stack([x, z, -y], -1)
