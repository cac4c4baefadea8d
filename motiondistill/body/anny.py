"""The default body: Anny (Apache-2.0 code, CC0 assets) driven by the 22-joint skeleton.

Anny's frame is z-up and faces -y: SMPL's (x, y, z) is Anny's (x, -z, y). Its rest pose is an A-pose
with bent elbows, so the arms need offsets to the T-pose. Bones that no joint drives move rigidly
with their nearest driven ancestor, so their skinning weights are added to that joint's, which is
exact for linear blend skinning.
"""

import contextlib
import logging
import os
from collections.abc import Iterator, Sequence
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from motiondistill import rotations
from motiondistill.body.skinning import SkinnedBody, skinned_body
from motiondistill.structures import FACE_PART, JOINT_INDEX, JOINT_NAMES, NUM_JOINTS

_CENTRAL_BONES = {
    "pelvis": "root",
    "spine1": "spine05",
    "spine2": "spine03",
    "spine3": "spine02",
    "neck": "neck01",
    "head": "head",
}
_SIDE_BONES = {
    "hip": "upperleg01",
    "knee": "lowerleg01",
    "ankle": "foot",
    "foot": "toe2-1",
    "collar": "clavicle",
    "shoulder": "upperarm01",
    "elbow": "lowerarm01",
    "wrist": "wrist",
}
BONE_OF_JOINT = _CENTRAL_BONES | {
    f"{side}_{joint}": f"{bone}.{side[0].upper()}"
    for side in ("left", "right")
    for joint, bone in _SIDE_BONES.items()
}
# All five toes follow the foot joint, which Anny has no single bone for.
_TOES = tuple(f"toe{toe}-1" for toe in range(1, 6))
_TOPOLOGIES = {"low": "notoes_collapse10pc", "full": "anny"}


def anny_body(resolution: Literal["low", "full"] = "low") -> SkinnedBody:
    """Anny with its average phenotype: 1,229 vertices (`low`) or 13,718 (`full`), float32.

    The first call on a machine computes Anny's blend shapes (about a minute) and caches them.
    """
    import warp

    warp.config.log_level = logging.WARNING
    with _without_stderr():  # there warp's C code complains where it finds no GPU driver
        warp.init()  # type: ignore[no-untyped-call]
    import anny  # starts warp as well, but not again

    logging.getLogger(__name__).info(
        "building the Anny body (%s); the first time on a machine this takes about a minute",
        resolution,
    )
    model = anny.Anny(topology=_TOPOLOGIES[resolution])
    middle = {label: torch.full((1,), 0.5, dtype=model.dtype) for label in model.phenotype_labels}
    with torch.no_grad():
        rest = model(phenotype_kwargs=middle)
    vertices = _to_world(rest["vertices"][0])
    heads = _to_world(rest["bone_poses"][0, :, :3, 3])
    bones = list(model.bone_labels)
    joints = heads[[bones.index(BONE_OF_JOINT[name]) for name in JOINT_NAMES]]
    weights = torch.zeros(len(vertices), len(bones), dtype=vertices.dtype)
    weights.scatter_add_(1, model.vertex_bone_indices.long(), model.vertex_bone_weights)
    collapse = torch.nn.functional.one_hot(
        torch.tensor(driving_joints(bones, list(model.bone_parents))), NUM_JOINTS
    )
    weights = weights @ collapse.to(weights.dtype)
    body = skinned_body(
        f"anny-{resolution}",
        vertices,
        weights,
        joints,
        t_pose_rotations(joints),
        model.get_triangular_faces().long(),
        _parts(vertices, weights, joints),
    )
    return body.to(dtype=torch.float32)


def driving_joints(bones: Sequence[str], parents: Sequence[int]) -> list[int]:
    """For every bone, the joint that moves it: its own, or that of its nearest driven ancestor."""
    own = {bone: JOINT_INDEX[joint] for joint, bone in BONE_OF_JOINT.items()}
    for side in ("left", "right"):
        own |= {f"{toe}.{side[0].upper()}": JOINT_INDEX[f"{side}_foot"] for toe in _TOES}
    joints: list[int] = []
    for bone in range(len(bones)):
        ancestor = bone
        while bones[ancestor] not in own:
            ancestor = int(parents[ancestor])
            if ancestor < 0:
                raise ValueError(
                    f"Anny's bone {bones[bone]!r} has no ancestor among the 22 joints."
                )
        joints.append(own[bones[ancestor]])
    return joints


def t_pose_rotations(joints: Float[Tensor, "joints 3"]) -> Float[Tensor, "joints 3 3"]:
    """World rotations that take Anny's A-pose to the T-pose.

    Arms straight along +-X, all else as it is.
    """
    result = torch.eye(3, dtype=joints.dtype).repeat(NUM_JOINTS, 1, 1)
    for side, sign in (("left", 1.0), ("right", -1.0)):
        shoulder, elbow, wrist = (
            JOINT_INDEX[f"{side}_{name}"] for name in ("shoulder", "elbow", "wrist")
        )
        outward = torch.tensor([sign, 0.0, 0.0], dtype=joints.dtype)
        raised = rotations.between(joints[elbow] - joints[shoulder], outward)
        straightened = rotations.between(raised @ (joints[wrist] - joints[elbow]), outward)
        result[shoulder] = raised
        result[elbow] = result[wrist] = straightened @ raised
    return result


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


def _parts(
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
