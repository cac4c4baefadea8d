"""Motions as a whole: what is done to one tensor is done to all."""

import dataclasses

import pytest
import torch

from motiondistill import rotations
from motiondistill.structures import JOINT_GROUPS, JOINT_NAMES, NUM_JOINTS, Motion


def motion(seed: int, hands: bool = True) -> Motion:
    generator = torch.Generator().manual_seed(seed)

    def turns(*shape: int) -> torch.Tensor:
        return rotations.from_axis_angle(torch.randn(*shape, 3, generator=generator))

    shift = torch.randn(4, 3, generator=generator)
    whole = Motion(turns(4, NUM_JOINTS), shift, 8.0, turns(4, 30), turns(4))
    return whole if hands else dataclasses.replace(whole, hands=None, jaw=None)


def test_the_groups_hold_every_joint_once() -> None:
    sizes = {name: len(joints) for name, joints in JOINT_GROUPS.items()}
    assert sizes == {"root": 1, "body": 21, "hands": 30, "jaw": 1}
    every = [joint for joints in JOINT_GROUPS.values() for joint in joints]
    assert len(set(every)) == 53 and set(JOINT_NAMES) <= set(every)


@pytest.mark.parametrize("hands", [True, False])
def test_a_stack_holds_its_motions(hands: bool) -> None:
    motions = [motion(seed, hands) for seed in range(3)]
    stack = Motion.stack(motions)
    assert stack.rotations.shape == (3, 4, NUM_JOINTS, 3, 3)
    for index, expected in enumerate(motions):
        found = stack.map(lambda tensor, index=index: tensor[index])
        for name in ("rotations", "translation", "hands", "jaw"):
            one, other = getattr(found, name), getattr(expected, name)
            assert torch.equal(one, other) if other is not None else one is None


def test_motions_with_and_without_hands_do_not_stack() -> None:
    with pytest.raises(ValueError, match=r"all have hands and a jaw or all lack them, got 1 of 2"):
        Motion.stack([motion(0), motion(1, hands=False)])


def test_detaching_leaves_no_gradient_anywhere() -> None:
    free = motion(0).map(lambda tensor: tensor.clone().requires_grad_())
    for tensor in dataclasses.asdict(free.detach()).values():
        assert not isinstance(tensor, torch.Tensor) or not tensor.requires_grad
    assert free.hands is not None and free.hands.requires_grad
