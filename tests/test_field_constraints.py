"""How far fields may turn the joints: ranges, slopes, and starts that are found again."""

import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from motiondistill import rotations
from motiondistill.motion.constraints import (
    Constraint,
    HardRange,
    SoftRange,
    Unbounded,
    soft_clamp,
    soft_unclamp,
)
from motiondistill.motion.limits import anatomical_limits, hand_limits, jaw_limits
from motiondistill.structures import HAND_NAMES, NUM_JOINTS

EXACT = 1e-9  # float64
BELOW = NUM_JOINTS - 1
STD = 0.2
K = 3.0


def mean() -> Tensor:
    """Rotations well away from the identity."""
    vectors = torch.randn(BELOW, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    return rotations.from_axis_angle(0.5 * vectors)


def bound() -> Tensor:
    scale = torch.rand(BELOW, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    return K * STD * (0.5 + scale)


def offsets(constraint: Constraint, raw: Tensor) -> Tensor:
    return rotations.to_axis_angle(constraint(raw) @ mean().transpose(-1, -2))


def numbers() -> st.SearchStrategy[Tensor]:
    values = st.floats(-3, 3) | st.floats(-1e6, 1e6)
    return arrays.arrays(np.float64, (BELOW, 3), elements=values, fill=values).map(torch.from_numpy)


@pytest.mark.parametrize("kind", [SoftRange, HardRange])
@given(raw=numbers(), axis=st.integers(0, 2))
def test_no_numbers_leave_the_range(
    kind: type[SoftRange | HardRange], raw: Tensor, axis: int
) -> None:
    alone = torch.zeros_like(raw)
    alone[:, axis] = raw[:, axis]
    turned = offsets(kind(mean(), bound()), alone)
    assert bool((turned.abs() <= bound() + EXACT).all())


@given(raw=numbers())
def test_the_hard_range_is_the_soft_ones_and_both_are_reached(raw: Tensor) -> None:
    soft, hard = SoftRange(mean(), bound()), HardRange(mean(), bound())
    far = raw.sign() * 1e3
    assert torch.allclose(soft(far), hard(far), atol=EXACT)
    inside = raw.clamp(-1, 1) * bound() / 2
    assert torch.allclose(offsets(hard, inside), inside, atol=EXACT)


@pytest.mark.parametrize("share", [-6.0, -2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0, 6.0])
def test_slopes_are_as_told(share: float) -> None:
    raw = (share * bound()).requires_grad_()
    (slope,) = torch.autograd.grad(soft_clamp(raw, -bound(), bound()).sum(), raw)
    assert torch.allclose(slope, 1 - torch.tanh(raw.detach() / bound()).square(), atol=EXACT)
    assert float(slope.min()) > 0  # at no number does a joint lose its gradient
    probe = raw.detach().requires_grad_()
    hard = HardRange(mean(), bound())
    weights = torch.randn(BELOW, 3, 3, dtype=torch.float64)
    (through,) = torch.autograd.grad((hard(probe) * weights).sum(), probe)
    # Within the range and on its edge all passes, outside nothing.
    assert bool((through != 0).all()) if abs(share) <= 1 else bool((through == 0).all())


def test_the_told_figures_of_the_soft_clamp() -> None:
    raw = torch.tensor([1.0, 4.0, 10.0], requires_grad=True)
    clamped = soft_clamp(raw, torch.tensor(-1.0), torch.tensor(1.0))
    (slope,) = torch.autograd.grad(clamped.sum(), raw)
    assert slope.tolist() == pytest.approx([0.42, 1.3e-3, 0.0], abs=5e-3, rel=5e-2)
    assert slope[2] == 0  # in float32


def test_unbounded_numbers_are_the_offsets() -> None:
    free = Unbounded(mean())
    raw = torch.randn(4, BELOW, 3, dtype=torch.float64).clamp(-1.5, 1.5)
    assert torch.allclose(offsets(free, raw), raw, atol=EXACT)
    assert torch.autograd.gradcheck(free, raw[0].requires_grad_())


@pytest.mark.parametrize(
    "constraint", [anatomical_limits(), SoftRange(mean(), bound()), HardRange(mean(), bound())]
)
def test_a_start_inside_is_found_again_and_one_outside_comes_near_the_edge(
    constraint: Constraint,
) -> None:
    generator = torch.Generator().manual_seed(0)
    scale = 0.4 * torch.rand(BELOW, 1, dtype=torch.float64, generator=generator)
    centre = constraint(torch.zeros(BELOW, 3, dtype=torch.float64))
    limit = constraint.upper.double() if hasattr(constraint, "upper") else bound()
    pose = rotations.from_axis_angle(scale * limit) @ centre
    again = constraint(constraint.inverse(pose))
    assert float(rotations.geodesic(again, pose).max()) < 1e-6  # the limits are float32
    outside = rotations.from_axis_angle(torch.eye(3, dtype=torch.float64)[0] * 3.1) @ centre
    raw = constraint.inverse(outside)
    assert bool(raw.isfinite().all())
    reached = rotations.to_axis_angle(constraint(raw) @ centre.transpose(-1, -2))[:, 0]
    # Not the edge itself: there a hard clamp has no slope outwards, and a soft one none at all.
    assert torch.allclose(reached, (0.95 * limit[:, 0]).clamp(max=3.1), atol=1e-5)


@given(values=numbers())
def test_unclamping_undoes_the_soft_clamp(values: Tensor) -> None:
    raw = values.clamp(-1, 1) * bound()
    lower = -2 * bound()
    again = soft_unclamp(soft_clamp(raw, lower, bound()), lower, bound())
    assert torch.allclose(again, raw, atol=EXACT)


def test_without_a_constraint_any_rotation_is_a_start() -> None:
    pose = mean().flip(0)
    free = Unbounded(mean())
    assert float(rotations.geodesic(free(free.inverse(pose)), pose).max()) < EXACT


def test_hands_are_mirror_images_and_the_jaw_opens() -> None:
    lower, upper = hand_limits()
    assert bool((lower < 0).all()) and bool((upper > 0).all())
    half = len(HAND_NAMES) // 2
    flip = torch.tensor([1.0, -1.0, -1.0])
    left, right = torch.stack([lower[:half], upper[:half]]), torch.stack([lower, upper])[:, half:]
    assert torch.equal((left * flip).sort(0).values, right)
    curl = lower[:half, 2]
    fingers = ["thumb" not in name for name in HAND_NAMES[:half]]
    assert bool((curl[fingers] < -1.3).all())
    low, high = jaw_limits()
    assert high[0] > 0.3 and low[0] > -0.05
