"""Which way a clip faces, and turning it to the front."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from standin_skeleton import rest_joints
from torch import Tensor

from motiondistill import rotations
from motiondistill.cameras import (
    facing_forward,
    heading,
)
from motiondistill.kinematics import forward_kinematics
from motiondistill.structures import JOINT_INDEX, NUM_JOINTS, Motion

SHAPES = [(), (1,), (2, 3)]
# Float32, distances of some metres.
TOLERANCE = 1e-5


def motion(*batch: int, frames: int = 4, seed: int = 0) -> Motion:
    generator = torch.Generator().manual_seed(seed)
    vectors = 0.3 * torch.randn(*batch, frames, NUM_JOINTS, 3, generator=generator)
    translation = torch.randn(*batch, frames, 3, generator=generator)
    return Motion(rotations.from_axis_angle(vectors), translation, fps=8.0)


def turned(clip: Motion, angle: Tensor) -> Motion:
    """The clip turned about the vertical through the origin."""
    turn = rotations.about_y(angle)[..., None, :, :]
    root = turn @ clip.rotations[..., 0, :, :]
    joints = torch.cat([root[..., None, :, :], clip.rotations[..., 1:, :, :]], -3)
    return Motion(joints, (turn @ clip.translation[..., None])[..., 0], clip.fps)


@pytest.mark.parametrize("shape", SHAPES)
def test_heading_turns_with_the_subject_and_faces_its_camera(shape: tuple[int, ...]) -> None:
    clip = motion(*shape)
    angle = torch.linspace(-0.9, 0.9, max(1, math.prod(shape))).reshape(shape)
    difference = heading(turned(clip, angle)) - heading(clip)
    assert torch.allclose(difference, angle, atol=TOLERANCE)
    still = Motion(rotations.identity(*shape, 2, NUM_JOINTS), torch.zeros(*shape, 2, 3), 8.0)
    assert torch.allclose(heading(turned(still, angle)), angle, atol=TOLERANCE)


def test_heading_is_the_mean_of_the_frames_and_carries_no_gradient() -> None:
    angles = torch.tensor([-0.5, 0.7], requires_grad=True)
    root = rotations.about_y(angles)[:, None]
    clip = Motion(
        torch.cat([root, rotations.identity(2, NUM_JOINTS - 1)], 1), torch.zeros(2, 3), 8.0
    )
    assert heading(clip).item() == pytest.approx(0.1, abs=TOLERANCE)
    assert not heading(clip).requires_grad


@pytest.mark.parametrize("shape", SHAPES)
def test_facing_forward_turns_the_whole_clip_rigidly(shape: tuple[int, ...]) -> None:
    clip = turned(motion(*shape), torch.full(shape, 2.0))
    forward = facing_forward(clip)
    assert torch.allclose(heading(forward), torch.zeros(shape), atol=TOLERANCE)
    assert torch.equal(forward.rotations[..., 1:, :, :], clip.rotations[..., 1:, :, :])
    turn = rotations.about_y(-heading(clip))[..., None, None, :, :]
    rest = rest_joints()

    def joints(of: Motion) -> Tensor:
        """Relative to where the pelvis rests, about which a clip turns."""
        positions = forward_kinematics(of.rotations, rest)[1] + of.translation[..., None, :]
        return positions - rest[JOINT_INDEX["pelvis"]]

    expected = (turn @ joints(clip)[..., None]).squeeze(-1)
    assert torch.allclose(joints(forward), expected, atol=TOLERANCE)
    again = facing_forward(forward)
    assert torch.allclose(again.rotations, forward.rotations, atol=TOLERANCE)


@given(angle=st.floats(-math.pi, math.pi))
def test_facing_forward_undoes_any_heading(angle: float) -> None:
    clip = motion()
    forward, expected = facing_forward(turned(clip, torch.tensor(angle))), facing_forward(clip)
    assert torch.allclose(forward.rotations, expected.rotations, atol=10 * TOLERANCE)
    assert torch.allclose(forward.translation, expected.translation, atol=10 * TOLERANCE)
