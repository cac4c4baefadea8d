"""Stances to start from: how they stand, and that their limbs can bend."""

import pytest
import torch
from small_problem import body
from torch import Tensor

from motiondistill.motion.pose_space import PoseSpace
from motiondistill.motion.stances import READY, UPRIGHT, Stance
from motiondistill.structures import JOINT_INDEX

SPACE = PoseSpace()


def joints(numbers: Tensor) -> Tensor:
    """World joints of one frame, metres."""
    return body()(SPACE(numbers[None], 8.0)).joints[0]


def slope(stance: Stance, joint: str, axis: int, ends: tuple[str, str]) -> float:
    """How the distance of two joints changes with a turn of the joint between, metres a radian."""
    numbers = SPACE.first(stance).requires_grad_()
    places = joints(numbers)
    apart = (places[JOINT_INDEX[ends[0]]] - places[JOINT_INDEX[ends[1]]]).norm()
    (gradient,) = torch.autograd.grad(apart, numbers)
    return float(gradient[3 * (JOINT_INDEX[joint] - 1) + axis])


def test_upright_is_the_start_itself() -> None:
    assert torch.equal(SPACE.first(), SPACE.first(UPRIGHT))
    assert not SPACE.first(UPRIGHT)[:63].any()


@pytest.mark.parametrize("side", ["left", "right"])
def test_only_bent_limbs_feel_that_bending_shortens_them(side: str) -> None:
    knee = f"{side}_knee", 0, (f"{side}_hip", f"{side}_ankle")
    assert abs(slope(UPRIGHT, *knee)) < 0.03
    assert all(slope(stance, *knee) < -0.1 for stance in READY)
    elbow = f"{side}_elbow", 1, (f"{side}_shoulder", f"{side}_wrist")
    outward = -1 if side == "left" else 1
    assert all(outward * slope(stance, *elbow) < -0.05 for stance in READY)


def test_they_stand_on_the_ground_with_the_knees_in_front() -> None:
    for stance in READY:
        with torch.no_grad():
            numbers = SPACE.first(stance)
            places = joints(numbers)
            lowest = body()(SPACE(numbers[None], 8.0)).vertices[0, :, 1].min()
        assert abs(float(lowest)) < 0.05
        for side in ("left", "right"):
            knee, hip = places[JOINT_INDEX[f"{side}_knee"]], places[JOINT_INDEX[f"{side}_hip"]]
            assert knee[2] > hip[2] + 0.15


def test_arms_go_up_from_one_to_the_next() -> None:
    with torch.no_grad():
        heights = [joints(SPACE.first(stance))[JOINT_INDEX["left_wrist"], 1] for stance in READY]
    assert heights[0] < heights[1] - 0.2 < heights[2] - 0.4


def test_both_sides_are_alike() -> None:
    with torch.no_grad():
        for stance in READY:
            places = joints(SPACE.first(stance))
            for name in ("wrist", "knee", "ankle"):
                left, right = (places[JOINT_INDEX[f"{side}_{name}"]] for side in ("left", "right"))
                assert torch.allclose(left * torch.tensor([-1.0, 1, 1]), right, atol=1e-3)


def test_parts_that_do_not_move_stay() -> None:
    """Without translation the pelvis stays where it is; without the body, so does the pose."""
    for groups, size in ((("body",), 63), (("orientation", "translation"), 9)):
        space = PoseSpace(groups=groups)
        numbers = space.first(READY[0])
        assert numbers.shape == (size,)
        motion = space(numbers[None], 8.0)
        if "translation" not in groups:
            assert not motion.translation.any()
        else:
            assert float(motion.translation[0, 1]) == pytest.approx(-0.1, abs=1e-6)
            assert torch.equal(motion.rotations, space(space.first()[None], 8.0).rotations)
