import math

import pytest
import torch
from standin_skeleton import rest_joints

from motiondistill import rotations
from motiondistill.kinematics import forward_kinematics, to_parent_relative
from motiondistill.structures import JOINT_INDEX as J
from motiondistill.structures import NUM_JOINTS

# Chains of six float32 rotations of a one metre body.
TOLERANCE = 1e-5


def random_rotations(*batch: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return rotations.from_axis_angle(torch.randn(*batch, NUM_JOINTS, 3, generator=generator))


@pytest.mark.parametrize("batch", [(), (1,), (2, 3)])
def test_identity_is_the_t_pose(batch: tuple[int, ...]) -> None:
    world, positions = forward_kinematics(rotations.identity(*batch, NUM_JOINTS), rest_joints())
    assert torch.allclose(positions, rest_joints().expand(*batch, -1, -1), atol=TOLERANCE)
    assert torch.allclose(world, torch.eye(3).expand_as(world))


def test_a_bent_elbow_moves_the_wrist_alone_and_forwards() -> None:
    local = rotations.identity(NUM_JOINTS).clone()
    # About -Y the left forearm, along +X, turns to +Z: forwards.
    local[J["left_elbow"]] = rotations.about_y(torch.tensor(-math.pi / 2))
    _, positions = forward_kinematics(local, rest_joints())
    expected = rest_joints()
    length = expected[J["left_wrist"], 0] - expected[J["left_elbow"], 0]
    expected[J["left_wrist"]] = expected[J["left_elbow"]] + length * torch.tensor([0.0, 0.0, 1.0])
    assert torch.allclose(positions, expected, atol=TOLERANCE)


def test_the_pelvis_turns_the_whole_body_about_itself() -> None:
    local, turn = random_rotations(), rotations.about_y(torch.tensor(0.7))
    turned = torch.cat([(turn @ local[0])[None], local[1:]])
    rest = rest_joints()
    world, positions = forward_kinematics(local, rest)
    world_turned, positions_turned = forward_kinematics(turned, rest)
    expected = rest[0] + (positions - rest[0]) @ turn.T
    assert torch.allclose(positions_turned, expected, atol=TOLERANCE)
    assert torch.allclose(world_turned, turn @ world, atol=TOLERANCE)


def test_bones_keep_their_lengths_and_batches_their_order() -> None:
    local = random_rotations(2, 3)
    _, positions = forward_kinematics(local, rest_joints())
    _, single = forward_kinematics(local[1, 2], rest_joints())
    assert torch.allclose(positions[1, 2], single, atol=TOLERANCE)
    bones = [J["left_knee"], J["left_ankle"]]
    length = (rest_joints()[bones[0]] - rest_joints()[bones[1]]).norm()
    lengths = (positions[..., bones[0], :] - positions[..., bones[1], :]).norm(dim=-1)
    assert torch.allclose(lengths, length.expand_as(lengths), atol=TOLERANCE)


def test_parent_relative_rotations_undo_the_chain() -> None:
    local = random_rotations(4)
    world, _ = forward_kinematics(local, rest_joints())
    assert torch.allclose(to_parent_relative(world), local, atol=TOLERANCE)


def test_gradients_are_those_of_finite_differences() -> None:
    vectors = 0.3 * torch.randn(
        NUM_JOINTS, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1)
    )

    def wrists(axis_angle: torch.Tensor) -> torch.Tensor:
        _, positions = forward_kinematics(
            rotations.from_axis_angle(axis_angle), rest_joints().double()
        )
        return positions[[J["left_wrist"], J["right_ankle"]]]

    assert torch.autograd.gradcheck(wrists, vectors.requires_grad_())
