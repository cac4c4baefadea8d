"""The SMPL-X adapter against the `smplx` package itself, on a stand-in for the licensed file."""

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from motiondistill import rotations
from motiondistill.body.smplx import SmplxBody, shaped, smplx_body
from motiondistill.body.smplx_file import read_model
from motiondistill.structures import FACE_PART, JOINT_INDEX, NUM_JOINTS, PARENTS, Motion

# Metres in float64: sums over 55 joints and 486 pose features.
TOLERANCE = 1e-9
BETAS = (1.5, -0.7, 0.3)
EXPRESSION = (0.0, 2.0)
FRAMES = 3


@pytest.fixture(scope="module")
def body(smplx_file: Path) -> SmplxBody:
    return smplx_body(smplx_file, betas=BETAS, expression=EXPRESSION, dtype=torch.float64)


def random_pose(*batch: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Axis-angle of all joints with the eyes at rest, and `transl`, as the package takes them."""
    generator = torch.Generator().manual_seed(seed)
    pose = 0.5 * torch.randn(*batch, 55, 3, generator=generator, dtype=torch.float64)
    pose[..., 23:25, :] = 0
    return pose, torch.randn(*batch, 3, generator=generator, dtype=torch.float64)


def by_the_package(file: Path, pose: Tensor, transl: Tensor, **shape: Tensor) -> Any:
    """`smplx.SMPLX` called directly: vertices and joints."""
    import smplx

    count = len(pose)
    model = smplx.SMPLX(
        str(file),
        batch_size=count,
        use_pca=False,
        flat_hand_mean=True,
        dtype=torch.float64,
    )
    with torch.no_grad():
        return model(
            **{name: value.expand(count, -1) for name, value in shape.items()},
            global_orient=pose[:, 0],
            body_pose=pose[:, 1:22].flatten(1),
            jaw_pose=pose[:, 22],
            leye_pose=pose[:, 23],
            reye_pose=pose[:, 24],
            left_hand_pose=pose[:, 25:40].flatten(1),
            right_hand_pose=pose[:, 40:].flatten(1),
            transl=transl,
        )


def matrices(pose: Tensor) -> Tensor:
    """The package's own, which are a rounding of 1e-8 away from exact rotations."""
    from smplx.lbs import batch_rodrigues

    found: Tensor = batch_rodrigues(pose.reshape(-1, 3))
    return found.reshape(*pose.shape, 3)


def padded(values: tuple[float, ...]) -> Tensor:
    return torch.tensor([*values, *[0.0] * (10 - len(values))], dtype=torch.float64)


@pytest.mark.parametrize("batch", [(), (2, 2)], ids=["a clip", "clips"])
def test_agrees_with_the_package(smplx_file: Path, body: SmplxBody, batch: tuple[int, ...]) -> None:
    pose, transl = random_pose(*batch, FRAMES)
    expected = by_the_package(
        smplx_file,
        pose.reshape(-1, 55, 3),
        transl.reshape(-1, 3),
        betas=padded(BETAS),
        expression=padded(EXPRESSION),
    )
    mesh = body(body.from_smplx(matrices(pose), transl, fps=8.0))
    assert mesh.vertices.shape == (*batch, FRAMES, 10475, 3)
    vertices, joints = mesh.vertices.reshape(-1, 10475, 3), mesh.joints.reshape(-1, NUM_JOINTS, 3)
    assert float((vertices - expected.vertices).abs().max()) < TOLERANCE
    assert float((joints - expected.joints[:, :NUM_JOINTS]).abs().max()) < TOLERANCE


def test_plain_motions_are_those_with_hands_and_jaw_at_rest(
    smplx_file: Path, body: SmplxBody
) -> None:
    pose, transl = random_pose(FRAMES, seed=1)
    full = body.from_smplx(matrices(pose), transl, fps=8.0)
    plain = Motion(full.rotations, full.translation, full.fps)
    eye = torch.eye(3, dtype=torch.float64)
    still = Motion(
        full.rotations,
        full.translation,
        full.fps,
        hands=eye.expand(FRAMES, 30, 3, 3),
        jaw=eye.expand(FRAMES, 3, 3),
    )
    assert float((body(plain).vertices - body(still).vertices).abs().max()) < TOLERANCE
    pose[:, 22:] = 0
    expected = by_the_package(
        smplx_file, pose, transl, betas=padded(BETAS), expression=padded(EXPRESSION)
    )
    # Exact identities here, identities to 1e-8 there.
    assert float((body(plain).vertices - expected.vertices).abs().max()) < 1e-7


def test_to_smplx_undoes_from_smplx(body: SmplxBody) -> None:
    pose, transl = random_pose(2, FRAMES, seed=2)
    back, shift = body.to_smplx(body.from_smplx(rotations.from_axis_angle(pose), transl, fps=8.0))
    assert torch.allclose(back, rotations.from_axis_angle(pose), atol=1e-12)
    assert torch.allclose(shift, transl, atol=1e-12)


def test_the_body_turns_about_its_pelvis_and_moves_with_it(body: SmplxBody) -> None:
    pose, transl = random_pose(1, seed=3)
    motion = body.from_smplx(matrices(pose), transl, fps=8.0)
    turn = rotations.from_axis_angle(torch.tensor([0.4, -2.0, 1.0], dtype=torch.float64))
    shift = torch.tensor([0.3, -1.0, 2.0], dtype=torch.float64)
    moved = Motion(
        torch.cat([turn @ motion.rotations[:, :1], motion.rotations[:, 1:]], 1),
        motion.translation + shift,
        motion.fps,
        motion.hands,
        motion.jaw,
    )
    before, after = body(motion), body(moved)
    pivot = body.rest_joints[0] + motion.translation
    assert torch.allclose(before.joints[:, 0], pivot, atol=TOLERANCE)
    expected = (before.vertices - pivot) @ turn.T + pivot + shift
    # The package rounds weights to single precision, so a vertex' do not quite sum to 1.
    assert torch.allclose(after.vertices, expected, atol=1e-6)
    assert torch.allclose(after.joints, (before.joints - pivot) @ turn.T + pivot + shift)


def test_rest_is_the_t_pose_on_the_floor(body: SmplxBody) -> None:
    still = Motion(
        torch.eye(3, dtype=torch.float64).expand(1, NUM_JOINTS, 3, 3),
        torch.zeros(1, 3, dtype=torch.float64),
        fps=8.0,
    )
    mesh = body(still)
    assert torch.allclose(mesh.joints[0], body.rest_joints, atol=TOLERANCE)
    assert abs(float(mesh.vertices[..., 1].min())) < TOLERANCE
    assert torch.allclose(body.rest_joints[0, [0, 2]], torch.zeros(2).double(), atol=TOLERANCE)
    for side, sign in (("left", 1.0), ("right", -1.0)):
        for start, end in (("shoulder", "elbow"), ("elbow", "wrist")):
            bone = mesh.joints[0, JOINT_INDEX[f"{side}_{end}"]]
            bone = bone - mesh.joints[0, JOINT_INDEX[f"{side}_{start}"]]
            assert torch.allclose(bone / bone.norm(), torch.tensor([sign, 0, 0]).double())


def test_shape_and_expression_change_the_body_where_they_should(smplx_file: Path) -> None:
    model = read_model(smplx_file)
    average, _ = shaped(model, (), ())
    assert torch.equal(average, torch.from_numpy(model["v_template"]).double())
    for betas, expression, column in (((0.0, 2.0), (), 1), ((), (2.0,), 300)):
        changed, joints = shaped(model, betas, expression)
        direction = torch.from_numpy(model["shapedirs"][..., column]).double()
        assert torch.allclose(changed - average, 2 * direction, atol=1e-12)
        assert torch.allclose(joints, torch.from_numpy(model["J_regressor"]).double() @ changed)
    with pytest.raises(ValueError, match=r"`betas` must hold at most 300 .* got 301"):
        shaped(model, [0.0] * 301, ())
    with pytest.raises(ValueError, match=r"`expression` must hold at most 100 .* got 101"):
        shaped(model, (), [0.0] * 101)
    # Older files hold 10 of each.
    old = model | {"shapedirs": model["shapedirs"][..., [*range(10), *range(300, 310)]]}
    for betas, expression in (((1.0,), ()), ((), (1.0,))):
        assert torch.equal(shaped(old, betas, expression)[0], shaped(model, betas, expression)[0])


def test_without_the_package_the_error_says_how_to_install_it(
    smplx_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "smplx.lbs", None)
    with pytest.raises(ImportError, match="run `pip install 'smplx>="):
        smplx_body(smplx_file)


def test_name_shape_parts_and_texture(body: SmplxBody) -> None:
    assert body.name == "smplx-neutral"
    assert tuple(body.shape.tolist()) == BETAS
    assert tuple(body.expression.tolist()) == EXPRESSION
    assert set(body.parts.tolist()) == set(range(FACE_PART + 1))
    assert body.uv is not None and body.uv_faces is not None
    assert body.uv.shape == (11313, 2) and body.uv_faces.shape == body.faces.shape
    assert len(PARENTS) == len(body.rest_joints)


def test_gradients_are_those_of_finite_differences(body: SmplxBody) -> None:
    pose, transl = random_pose(1, seed=4)
    generator = torch.Generator().manual_seed(5)
    probe = torch.randn(1, 10475, 3, dtype=torch.float64, generator=generator)

    def energy(pose: Tensor, transl: Tensor) -> Tensor:
        motion = body.from_smplx(rotations.from_axis_angle(pose), transl, fps=8.0)
        return (body(motion).vertices * probe).sum()

    inputs = (pose.requires_grad_(), transl.requires_grad_())
    gradients = torch.autograd.grad(energy(*inputs), inputs)
    step = 1e-6
    for direction in range(3):
        ways = [torch.randn(x.shape, dtype=x.dtype, generator=generator) for x in inputs]
        ways[0][..., 23:25, :] = 0
        ahead, behind = (
            energy(*(x.detach() + sign * step * way for x, way in zip(inputs, ways, strict=True)))
            for sign in (1, -1)
        )
        slope = sum((gradient * way).sum() for gradient, way in zip(gradients, ways, strict=True))
        assert float((ahead - behind) / (2 * step)) == pytest.approx(float(slope), rel=1e-6), (
            direction
        )


def test_single_precision_is_enough(body: SmplxBody) -> None:
    pose, transl = random_pose(FRAMES, seed=6)
    motion = body.from_smplx(matrices(pose), transl, fps=8.0)
    single = body.to(dtype=torch.float32)(motion.map(torch.Tensor.float))
    assert single.vertices.dtype == torch.float32
    # Metres: float32 has 1e-7 of two metres, summed over 55 joints and 486 features.
    assert float((single.vertices - body(motion).vertices).abs().max()) < 2e-5
