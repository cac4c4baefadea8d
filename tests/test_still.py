"""A motion frozen to its mean pose."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from motiondistill import rotations
from motiondistill.motion.still import frozen
from motiondistill.structures import NUM_HAND_JOINTS, NUM_JOINTS, Motion

ROUNDING = 1e-5  # float32 singular vectors


def turns(*shape: int, seed: int = 0, size: float = 0.7) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return rotations.from_axis_angle(size * torch.randn(*shape, 3, generator=generator))


def moving(*batch: int, frames: int = 6) -> Motion:
    shift = torch.randn(*batch, frames, 3, generator=torch.Generator().manual_seed(4))
    return Motion(
        turns(*batch, frames, NUM_JOINTS),
        shift,
        8.0,
        turns(*batch, frames, NUM_HAND_JOINTS, seed=1),
        turns(*batch, frames, seed=2),
    )


@given(seed=st.integers(0, 1000), angle=st.floats(0, 1.5))
def test_the_mean_of_two_opposite_turns_is_what_they_turn_from(seed: int, angle: float) -> None:
    centre = turns(seed=seed, size=2.0)
    axis = torch.nn.functional.normalize(
        torch.randn(3, generator=torch.Generator().manual_seed(seed + 1)), dim=0
    )
    pair = torch.stack([centre @ rotations.from_axis_angle(s * angle * axis) for s in (1, -1)])
    assert (rotations.nearest(pair.mean(0)) - centre).abs().max() < ROUNDING


@given(seed=st.integers(0, 1000))
def test_the_mean_is_the_rotation_of_least_squared_distance(seed: int) -> None:
    """No small turn away from it comes closer, not even with widely spread rotations."""
    many = turns(7, seed=seed, size=3.0).double()
    mean = rotations.nearest(many.mean(0))
    assert (mean @ mean.mT - torch.eye(3)).abs().max() < ROUNDING
    assert torch.linalg.det(mean) > 0.99
    least = (many - mean).square().sum()
    for turn in turns(20, seed=seed + 1, size=0.3).double():
        assert (many - mean @ turn).square().sum() >= least - 1e-9


def test_every_frame_is_the_mean_pose_at_the_mean_place() -> None:
    motion = moving()
    still = frozen(motion)
    assert (still.num_frames, still.fps) == (motion.num_frames, motion.fps)
    assert (still.translation - motion.translation.mean(0)).abs().max() < ROUNDING
    assert still.hands is not None and still.jaw is not None
    assert motion.hands is not None and motion.jaw is not None
    for held, moved in (
        (still.rotations, motion.rotations),
        (still.hands, motion.hands),
        (still.jaw, motion.jaw),
    ):
        assert held.shape == moved.shape
        assert torch.equal(held, held[:1].expand_as(held))
        assert (held[0] - rotations.nearest(moved.mean(0))).abs().max() < ROUNDING


def test_clips_of_a_batch_are_frozen_each_by_itself() -> None:
    batch = moving(3)
    still = frozen(batch)
    for index in range(3):
        alone = frozen(batch.map(lambda tensor, k=index: tensor[k]))
        assert (still.rotations[index] - alone.rotations).abs().max() < ROUNDING
        assert (still.translation[index] - alone.translation).abs().max() < ROUNDING


def test_a_frozen_motion_stays_as_it_is() -> None:
    once = frozen(moving())
    again = frozen(once)
    assert (again.rotations - once.rotations).abs().max() < ROUNDING
    assert (again.translation - once.translation).abs().max() < ROUNDING


def test_motions_without_hands_stay_without_and_nothing_has_a_gradient() -> None:
    turned = turns(4, NUM_JOINTS).requires_grad_()
    still = frozen(Motion(turned, torch.zeros(4, 3), 8.0))
    assert (still.hands, still.jaw) == (None, None)
    assert not still.rotations.requires_grad
