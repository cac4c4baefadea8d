import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from standin_skeleton import rest_joints
from torch import Tensor

from motiondistill import rotations
from motiondistill.data.duplicates import duplicates, movement
from motiondistill.kinematics import forward_kinematics


def clip(seed: int, seconds: float = 4.0) -> Tensor:
    """Joints of somebody who moves at random, twice a second or slower, at 30 fps."""
    generator = torch.Generator().manual_seed(seed)
    times = torch.arange(int(30 * seconds)) / 30.0
    speed = 12 * torch.rand(22, 3, 4, generator=generator)
    phase = 6 * torch.rand(22, 3, 4, generator=generator)
    turns = 0.2 * (speed * times[:, None, None, None] + phase).sin().sum(-1)
    return forward_kinematics(rotations.from_axis_angle(turns), rest_joints())[1]


def copies(*clips: Tensor) -> list[list[int]]:
    return list(duplicates([movement(joints) for joints in clips]))


@settings(max_examples=10, deadline=None)
@given(
    heading=st.floats(-3, 3),
    scale=st.floats(0.01, 3),
    cut=st.integers(0, 20),
    seed=st.integers(0, 9),
)
def test_a_copy_is_found_wherever_it_stands_and_begins(
    heading: float, scale: float, cut: int, seed: int
) -> None:
    whole = clip(seed)
    turn = rotations.about_y(torch.tensor(heading))
    copy = scale * (whole[cut : cut + 90] @ turn.T) + torch.tensor([3.0, -0.5, 2.0])
    assert copies(whole, clip(seed + 100), copy) == [[], [], [0]]


def test_noise_and_missing_joints_do_not_hide_a_copy() -> None:
    whole = clip(2)
    noise = torch.randn(whole.shape, generator=torch.Generator().manual_seed(0))
    copy = whole + 0.003 * noise
    copy[:, [3, 10, 11, 12, 13, 14, 15]] = torch.nan
    assert copies(copy, whole) == [[1], []]


def test_other_movements_are_no_copies() -> None:
    assert copies(*(clip(seed) for seed in range(8))) == [[]] * 8


def test_a_clip_that_runs_over_the_border_of_two_others_is_no_copy_of_theirs() -> None:
    whole = clip(1, seconds=6.0)
    first, second = whole[:88], whole[88:]
    across = whole[58:118]
    assert copies(first, second, across)[2] == []
    assert copies(whole, across)[1] == [0]


def test_short_and_still_clips_are_no_copies() -> None:
    whole = clip(2)
    assert copies(whole, whole[40:60]) == [[], []]
    still = whole[:1].repeat(90, 1, 1)
    assert copies(still, still.clone(), whole) == [[], [], []]
