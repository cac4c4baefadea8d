"""The Anny body, against Anny's own forward pass and the skeleton's kinematics."""

import math
import subprocess
import sys
from typing import Any

import pytest
import torch
from torch import Tensor

from motiondistill import rotations
from motiondistill.body.anny import anny_body
from motiondistill.body.anny_bones import BONE_OF_JOINT, driving_joints
from motiondistill.body.skinning import SkinnedBody
from motiondistill.body.t_pose import t_pose_rotations
from motiondistill.kinematics import forward_kinematics
from motiondistill.structures import (
    FACE_PART,
    JOINT_INDEX,
    JOINT_NAMES,
    NUM_JOINTS,
    PARENTS,
    PART_NAMES,
    Motion,
)

# Metres: float32 sums of up to nine influences on a body of two metres.
TOLERANCE = 1e-5
# Anny's identity pose is itself skinned from another rest pose, where its forward pass starts; we
# start from the identity pose. Skinning twice differs where joints blend, by millimetres at most.
SKINNED_TWICE = 5e-3
ONE_DEGREE = math.radians(1)
# SMPL's (x, y, z) is Anny's (x, -z, y).
ANNY_FROM_WORLD = torch.tensor([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]], dtype=torch.float64)
TOPOLOGIES = {"low": "notoes_collapse10pc", "full": "anny"}


@pytest.fixture(scope="module", params=["low", pytest.param("full", marks=pytest.mark.slow)])
def resolution(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def body(resolution: str, low_body: SkinnedBody) -> SkinnedBody:
    return low_body if resolution == "low" else anny_body("full")


def random_motion(*batch: int, frames: int = 3, seed: int = 0) -> Motion:
    """Poses as wild as joints are free to take; feet, which Anny has only toes for, stay."""
    generator = torch.Generator().manual_seed(seed)
    vectors = 0.8 * torch.randn(*batch, frames, NUM_JOINTS, 3, generator=generator)
    vectors[..., [JOINT_INDEX["left_foot"], JOINT_INDEX["right_foot"]], :] = 0
    translation = torch.randn(*batch, frames, 3, generator=generator)
    return Motion(rotations.from_axis_angle(vectors), translation, fps=8.0)


def resting(*batch: int) -> Motion:
    return Motion(rotations.identity(*batch, 1, NUM_JOINTS), torch.zeros(*batch, 1, 3), fps=8.0)


def anny_model(resolution: str) -> tuple[Any, dict[str, Tensor]]:
    """Anny itself and its average phenotype."""
    import anny

    model: Any = anny.Anny(topology=TOPOLOGIES[resolution])
    return model, {
        name: torch.full((1,), 0.5, dtype=model.dtype) for name in model.phenotype_labels
    }


def pose_in_its_frame(model: Any, heads: Tensor, motion: Motion) -> Tensor:
    """The motion as Anny takes it: one 4x4 matrix a bone, its rotation against the parent's."""
    local = motion.rotations.double()
    # Against Anny's own rest pose, whose arms hang, and then each against its parent.
    world = forward_kinematics(local, heads)[0] @ t_pose_rotations(heads)
    parents = torch.cat([torch.eye(3).expand_as(world[:, :1]), world[:, list(PARENTS[1:])]], 1)
    relative = parents.transpose(-1, -2) @ world
    bones = [model.bone_labels.index(BONE_OF_JOINT[name]) for name in JOINT_NAMES]
    pose = torch.eye(4, dtype=torch.float64).repeat(len(local), len(model.bone_labels), 1, 1)
    pose[:, bones, :3, :3] = ANNY_FROM_WORLD @ relative @ ANNY_FROM_WORLD.T
    return pose


def test_agrees_with_annys_own_forward_pass(resolution: str, body: SkinnedBody) -> None:
    model, average = anny_model(resolution)
    bones = [model.bone_labels.index(BONE_OF_JOINT[name]) for name in JOINT_NAMES]
    rest = model(phenotype_kwargs=average)
    motion = random_motion()
    pose = pose_in_its_frame(model, rest["bone_poses"][0, bones, :3, 3] @ ANNY_FROM_WORLD, motion)
    posed = model(pose_parameters=pose, phenotype_kwargs=average, pose_parameterization="local-ref")
    vertices = model.get_skinned_vertices(
        rest["vertices"].expand(motion.num_frames, -1, -1),
        posed["bone_poses"] @ rest["bone_poses"].inverse(),
    )
    heads = posed["bone_poses"][:, bones, :3, 3] @ ANNY_FROM_WORLD
    mesh = body(motion)
    pelvis = (body.rest_joints[0] + motion.translation)[:, None]

    def distance(ours: Tensor, annys: Tensor) -> float:
        return float(((ours - pelvis) - (annys - heads[:, :1])).norm(dim=-1).max())

    assert distance(mesh.joints, heads) < TOLERANCE
    assert distance(mesh.vertices, vertices @ ANNY_FROM_WORLD) < TOLERANCE
    assert distance(mesh.vertices, posed["vertices"] @ ANNY_FROM_WORLD) < SKINNED_TWICE


def test_the_blend_weights_sum_to_one(body: SkinnedBody) -> None:
    weights = body.blend.reshape(NUM_JOINTS, 4, -1)[:, 3]
    assert torch.allclose(weights.sum(0), torch.ones(weights.shape[1]), atol=TOLERANCE)
    assert float(weights.min()) > -TOLERANCE


def test_every_part_is_used_and_lies_on_its_side(resolution: str, body: SkinnedBody) -> None:
    assert len(body.parts) == {"low": 1229, "full": 13718}[resolution]
    assert set(body.parts.tolist()) == set(range(len(PART_NAMES)))
    vertices = body(resting()).vertices[0]
    for part, name in enumerate(PART_NAMES):
        side = {"left": 1.0, "right": -1.0}.get(name.split("_")[0], 0.0)
        centre = vertices[body.parts == part].mean(0)
        assert centre[0] * side > 0.03 if side else abs(centre[0]) < 0.02, name
    face, skull = (body.parts == part for part in (FACE_PART, JOINT_INDEX["head"]))
    assert vertices[face, 2].mean() > vertices[skull, 2].mean() + 0.03


def angle(vector: Tensor, direction: tuple[float, float, float]) -> float:
    towards = torch.tensor(direction)
    return math.atan2(float(torch.linalg.cross(vector, towards).norm()), float(vector @ towards))


def test_rest_is_a_t_pose_on_the_floor(body: SkinnedBody) -> None:
    mesh = body(resting())
    joints = {name: mesh.joints[0, index] for name, index in JOINT_INDEX.items()}
    for side, sign in (("left", 1.0), ("right", -1.0)):
        for start, end in (("shoulder", "elbow"), ("elbow", "wrist")):
            bone = joints[f"{side}_{end}"] - joints[f"{side}_{start}"]
            assert angle(bone, (sign, 0.0, 0.0)) < ONE_DEGREE
        for start, end in (("hip", "knee"), ("knee", "ankle")):
            bone = joints[f"{side}_{end}"] - joints[f"{side}_{start}"]
            assert angle(bone, (0.0, -1.0, 0.0)) < 8 * ONE_DEGREE  # legs stand a little apart
        assert joints[f"{side}_foot"][2] > joints[f"{side}_ankle"][2] + 0.05  # toes point forwards
    heights = mesh.vertices[0, :, 1]
    assert float(heights.min()) == pytest.approx(0, abs=TOLERANCE)
    assert 1.5 < float(heights.max()) < 1.9
    for side in ("left", "right"):
        foot = (body.parts == JOINT_INDEX[f"{side}_ankle"]) | (
            body.parts == JOINT_INDEX[f"{side}_foot"]
        )
        assert float(heights[foot].min()) == pytest.approx(0, abs=0.01)


def test_the_hands_follow_the_arms(body: SkinnedBody) -> None:
    vertices = body(resting()).vertices[0]
    for side, sign in (("left", 1.0), ("right", -1.0)):
        wrist = JOINT_INDEX[f"{side}_wrist"]
        hand = vertices[body.parts == wrist].mean(0) - body.rest_joints[wrist]
        # Anny's fingers are a little bent, and its thumb points forwards.
        assert angle(hand, (sign, 0.0, 0.0)) < 20 * ONE_DEGREE


def test_bones_have_human_lengths(body: SkinnedBody) -> None:
    height = float(body(resting()).vertices[0, :, 1].max())
    # Shares of the stature (Drillis and Contini, 1966); bodies differ by a tenth or two.
    shares = {"hip knee": 0.245, "knee ankle": 0.246, "shoulder elbow": 0.186, "elbow wrist": 0.146}
    for side in ("left", "right"):
        for bone, share in shares.items():
            start, end = (body.rest_joints[JOINT_INDEX[f"{side}_{name}"]] for name in bone.split())
            assert float((end - start).norm()) == pytest.approx(share * height, rel=0.2), bone


def test_faces_point_outwards_and_name_vertices(body: SkinnedBody) -> None:
    vertices = body(resting()).vertices[0]
    assert int(body.faces.min()) == 0 and int(body.faces.max()) == len(vertices) - 1
    a, b, c = vertices[body.faces].unbind(1)
    volume = (a * torch.linalg.cross(b, c)).sum() / 6
    assert 0.04 < float(volume) < 0.1  # cubic metres: positive, and that of a person


def test_translation_and_root_orientation_move_the_body_rigidly(low_body: SkinnedBody) -> None:
    motion = random_motion()
    turn = rotations.from_axis_angle(torch.tensor([0.4, -2.0, 1.0]))
    root = turn @ motion.rotations[:, :1]
    shift = torch.tensor([0.3, -1.0, 2.0])
    moved = Motion(
        torch.cat([root, motion.rotations[:, 1:]], 1), motion.translation + shift, motion.fps
    )
    before, after = low_body(motion), low_body(moved)
    pivot = (low_body.rest_joints[0] + motion.translation)[:, None]
    for a, b in ((before.vertices, after.vertices), (before.joints, after.joints)):
        assert torch.allclose(b, (a - pivot) @ turn.T + pivot + shift, atol=TOLERANCE)


def test_joints_are_those_of_the_kinematics(low_body: SkinnedBody) -> None:
    motion = random_motion(2)
    _, expected = forward_kinematics(motion.rotations, low_body.rest_joints)
    expected = expected + motion.translation[..., None, :]
    assert torch.equal(low_body(motion).joints, expected)


@pytest.mark.parametrize("batch", [(), (1,), (2, 3)])
def test_batches_are_single_clips(low_body: SkinnedBody, batch: tuple[int, ...]) -> None:
    motion = random_motion(*batch)
    mesh = low_body(motion)
    assert mesh.vertices.shape == (*batch, 3, 1229, 3)
    last = tuple(size - 1 for size in batch)
    single = low_body(Motion(motion.rotations[last], motion.translation[last], motion.fps))
    assert torch.allclose(mesh.vertices[last], single.vertices, atol=TOLERANCE)
    assert torch.allclose(mesh.joints[last], single.joints, atol=TOLERANCE)


def test_gradients_are_those_of_finite_differences(low_body: SkinnedBody) -> None:
    body = low_body.to(dtype=torch.float64)
    generator = torch.Generator().manual_seed(0)
    vectors = torch.randn(1, NUM_JOINTS, 3, dtype=torch.float64, generator=generator)
    probe = torch.randn(1, 1229, 3, dtype=torch.float64, generator=generator)

    def energy(axis_angle: Tensor, translation: Tensor) -> Tensor:
        motion = Motion(rotations.from_axis_angle(axis_angle), translation, fps=8.0)
        return (body(motion).vertices * probe).sum()

    still = torch.zeros(1, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(energy, (vectors.requires_grad_(), still))


def test_a_bone_without_a_driven_ancestor_is_refused() -> None:
    assert driving_joints(["root", "tail"], [-1, 0]) == [0, 0]
    with pytest.raises(ValueError, match="'tail' has no ancestor"):
        driving_joints(["tail", "root"], [-1, 0])


def test_its_import_leaves_the_standard_output_as_it_was() -> None:
    """A notebook, or a program that catches what is printed, would hear nothing any more."""
    script = """
import contextlib, io
from motiondistill.body import anny
caught = io.StringIO()
with contextlib.redirect_stdout(caught):
    anny._imported()
    from anny.utils import warp_mesh_utils
    print("still here")
assert caught.getvalue() == "still here\\n", caught.getvalue()
"""
    subprocess.run([sys.executable, "-c", script], check=True)
