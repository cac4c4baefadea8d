"""One motion is one pose, whatever the body."""

import dataclasses
import math
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor

from motiondistill import rotations
from motiondistill.body.anny import Phenotype, anny_body
from motiondistill.body.base import Body
from motiondistill.body.skinning import SkinnedBody
from motiondistill.body.smplx import SmplxBody, smplx_body
from motiondistill.kinematics import forward_kinematics
from motiondistill.motion.limits import anatomical_limits
from motiondistill.structures import JOINT_INDEX, JOINT_NAMES, NUM_JOINTS, Motion

POSES = 50
LIMBS = [
    (f"{side}_{start}", f"{side}_{end}")
    for side in ("left", "right")
    for start, end in (
        ("hip", "knee"),
        ("knee", "ankle"),
        ("shoulder", "elbow"),
        ("elbow", "wrist"),
    )
]
# The T-pose leaves legs alone that are this close to its own (radians).
ALIKE = 1e-3
# Radians: vertices that follow one joint alone do so to 1 in 1000.
RIGID = 3e-3


@pytest.fixture(scope="module")
def smplx(smplx_file: Path) -> SmplxBody:
    return smplx_body(smplx_file)


def poses_within_limits(seed: int = 0) -> Motion:
    generator = torch.Generator().manual_seed(seed)
    joints = anatomical_limits()(torch.randn(POSES, NUM_JOINTS - 1, 3, generator=generator))
    root = rotations.from_axis_angle(torch.randn(POSES, 1, 3, generator=generator))
    shift = torch.randn(POSES, 3, generator=generator)
    return Motion(torch.cat([root, joints], 1), shift, fps=8.0)


def directions(body: Body, motion: Motion) -> Tensor:
    """Where each limb points, [frames limbs 3]."""
    joints = body(motion).joints
    return torch.nn.functional.normalize(
        torch.stack(
            [joints[:, JOINT_INDEX[end]] - joints[:, JOINT_INDEX[start]] for start, end in LIMBS], 1
        ),
        dim=-1,
    )


def largest_angle(first: Tensor, second: Tensor) -> float:
    return float(2 * torch.asin((first - second).norm(dim=-1) / 2).max())


def test_the_bodies_are_built_unlike(low_body: SkinnedBody, smplx: SmplxBody) -> None:
    for name in ("hip", "collar", "head"):
        first, second = (
            torch.nn.functional.normalize(rest[joint] - rest[parent], dim=0)
            for rest in (low_body.rest_joints, smplx.rest_joints)
            for joint, parent in [(JOINT_INDEX.get(f"left_{name}", JOINT_INDEX["head"]), 0)]
        )
        assert largest_angle(first, second) > math.radians(3)
    # And before it is brought to the T-pose, its arms and legs are nowhere near that.
    for start, end in LIMBS:
        rest, template = (
            joints[JOINT_INDEX[end]] - joints[JOINT_INDEX[start]]
            for joints in (smplx.rest_joints, smplx.joints)
        )
        unit = torch.nn.functional.normalize
        assert largest_angle(unit(rest, dim=0), unit(template, dim=0)) > math.radians(3)


@pytest.mark.parametrize("phenotype", [None, Phenotype(age=0.0), Phenotype(gender=1.0, weight=0.9)])
def test_limbs_point_alike(
    low_body: SkinnedBody, smplx: SmplxBody, phenotype: Phenotype | None
) -> None:
    motion = poses_within_limits()
    anny = low_body if phenotype is None else anny_body("low", phenotype)
    assert largest_angle(directions(anny, motion), directions(smplx, motion)) < 2 * ALIKE


def fitted_rotations(body: Body, motion: Motion, joint: int) -> Tensor:
    """The rotation from the T-pose of what moves with the joint alone, from its vertices."""
    still = Motion(rotations.identity(1, NUM_JOINTS), torch.zeros(1, 3), fps=8.0)
    rest = body(still).vertices[0]
    weights = body.coarse_weights if isinstance(body, SmplxBody) else body.blend[3::4]
    rigid = weights[joint] > 0.999
    assert int(rigid.sum()) > 5
    before = rest[rigid] - rest[rigid].mean(0)
    posed = body(motion).vertices[:, rigid]
    after = posed - posed.mean(1, keepdim=True)
    u, _, v = torch.linalg.svd(after.transpose(-1, -2) @ before)
    return u @ v


@pytest.mark.parametrize("name", ["left_hip", "right_knee", "left_elbow", "head", "left_ankle"])
def test_what_joints_carry_turns_alike(low_body: SkinnedBody, smplx: SmplxBody, name: str) -> None:
    motion = poses_within_limits(seed=1)
    joint = JOINT_INDEX[name]
    # Pose corrections bend what is rigid otherwise.
    corrections = torch.zeros_like(smplx.corrections)
    uncorrected = dataclasses.replace(smplx, corrections=corrections)
    world, _ = forward_kinematics(motion.rotations, low_body.rest_joints)
    for body in (low_body, uncorrected):
        found = fitted_rotations(body, motion, joint)
        assert float(rotations.geodesic(found, world[:, joint]).max()) < RIGID, body.name


def test_global_rotations_against_the_t_pose_are_equal(
    low_body: SkinnedBody, smplx: SmplxBody
) -> None:
    """As the package would compute them from what it is handed."""
    motion = poses_within_limits(seed=2)
    handed, _ = smplx.to_smplx(motion)
    rest, _ = smplx.to_smplx(Motion(rotations.identity(1, NUM_JOINTS), torch.zeros(1, 3), fps=8.0))
    turned, t_pose = (
        forward_kinematics(local[:, :NUM_JOINTS], smplx.joints[:NUM_JOINTS])[0]
        for local in (handed, rest)
    )
    expected, _ = forward_kinematics(motion.rotations, low_body.rest_joints)
    found = turned @ t_pose.transpose(-1, -2)
    for index, name in enumerate(JOINT_NAMES):
        assert torch.allclose(found[:, index], expected[:, index], atol=1e-5), name


COMPILED = """
import torch
from motiondistill import rotations
from motiondistill.body.anny import anny_body
from motiondistill.structures import Motion

generator = torch.Generator().manual_seed(0)
start = [0.5 * torch.randn(3, 22, 3, generator=generator), torch.randn(3, 3, generator=generator)]
body = anny_body("low")
def posed(vectors, shift):
    return body(Motion(rotations.from_axis_angle(vectors), shift, 8.0)).vertices
results = []
for function in (posed, torch.compile(posed, backend="aot_eager", fullgraph=True)):
    inputs = [tensor.clone().requires_grad_() for tensor in start]
    vertices = function(*inputs)
    slopes = torch.autograd.grad(vertices.square().mean(), inputs)
    results.append([vertices.detach(), *slopes])
for eager, traced in zip(*results, strict=True):
    assert torch.allclose(eager, traced, atol=1e-5)
"""


@pytest.mark.slow
def test_torch_compile_takes_a_body_whole() -> None:
    """Forward and backward without a graph break; apart, as shape checks cannot be traced."""
    command = [sys.executable, "-c", COMPILED]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
