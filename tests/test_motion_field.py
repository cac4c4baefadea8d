"""The field that is optimised: its encoding of time, its anatomical limits, and itself."""

import math

import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from standin_skeleton import rest_joints
from torch import Tensor

from motiondistill import rotations
from motiondistill.kinematics import forward_kinematics
from motiondistill.motion.encodings import fourier
from motiondistill.motion.limits import anatomical_limits
from motiondistill.motion.pose_field import PoseField
from motiondistill.motion.stances import Stance
from motiondistill.randomness import seeded
from motiondistill.structures import JOINT_INDEX, JOINT_NAMES, MIRROR, NUM_JOINTS

# Float32 networks and rotations.
TOLERANCE = 1e-5
# The limits are float32, what they bound is float64.
LIMIT_TOLERANCE = 1e-6
BELOW = NUM_JOINTS - 1
SHOULDERS = [JOINT_INDEX[f"{side}_shoulder"] - 1 for side in ("left", "right")]
REFLECTION = torch.diag(torch.tensor([-1.0, 1.0, 1.0], dtype=torch.float64))


def raw_numbers(shape: tuple[int, ...] = ()) -> st.SearchStrategy[Tensor]:
    """Whatever a network may put out: tiny, ordinary and absurd numbers."""
    numbers = st.floats(-4, 4) | st.floats(-1e6, 1e6)
    full = (*shape, BELOW, 3)
    return arrays.arrays(np.float64, full, elements=numbers, fill=numbers).map(torch.from_numpy)


def offsets(rotation: Tensor) -> Tensor:
    """Axis-angle offsets from the neutral stance."""
    neutral = anatomical_limits().neutral.double()
    return rotations.to_axis_angle(rotation @ neutral.transpose(-1, -2))


@pytest.mark.parametrize("shape", [(), (1,), (2, 3)])
@given(data=st.data())
def test_no_numbers_leave_the_limits(shape: tuple[int, ...], data: st.DataObject) -> None:
    limits = anatomical_limits()
    raw = data.draw(raw_numbers(shape))
    rotation = limits(raw)
    assert rotation.shape == (*shape, BELOW, 3, 3) and bool(rotation.isfinite().all())
    # Offsets longer than a half turn, which only shoulders reach, have a shorter twin.
    others = [joint for joint in range(BELOW) if joint not in SHOULDERS]
    offset = offsets(rotation)[..., others, :]
    assert bool((offset >= limits.lower[others] - LIMIT_TOLERANCE).all())
    assert bool((offset <= limits.upper[others] + LIMIT_TOLERANCE).all())


@pytest.mark.parametrize("axis", range(3))
@given(raw=raw_numbers())
def test_no_numbers_leave_the_limits_of_one_axis(axis: int, raw: Tensor) -> None:
    limits = anatomical_limits()
    alone = torch.zeros_like(raw)
    alone[..., axis] = raw[..., axis]
    offset = offsets(limits(alone))[..., axis]
    assert bool((offset >= limits.lower[:, axis] - LIMIT_TOLERANCE).all())
    assert bool((offset <= limits.upper[:, axis] + LIMIT_TOLERANCE).all())


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_limits_can_be_reached(sign: float) -> None:
    limits = anatomical_limits()
    for axis in range(3):
        raw = torch.zeros(BELOW, 3, dtype=torch.float64)
        raw[:, axis] = sign * 1e3
        bound = (limits.upper if sign > 0 else limits.lower)[:, axis].double()
        reached = offsets(limits(raw))[:, axis]
        assert torch.allclose(reached, bound, atol=LIMIT_TOLERANCE)


def test_near_the_neutral_stance_raw_numbers_are_radians() -> None:
    limits = anatomical_limits()
    zero = torch.zeros(BELOW, 3, dtype=torch.float64)
    assert torch.allclose(limits(zero), limits.neutral.double(), atol=1e-12)
    step = 1e-6
    for axis in range(3):
        for sign in (-step, step):
            raw = zero.clone()
            raw[:, axis] = sign
            # The third-order term of tanh at the tightest limit, a hundredth of a radian.
            assert torch.allclose(offsets(limits(raw)), raw, atol=step**3 / 0.01**2 + 1e-12)


@given(raw=raw_numbers())
def test_left_and_right_are_mirror_images(raw: Tensor) -> None:
    twins = torch.tensor(MIRROR[1:]) - 1
    mirrored = raw[twins] * torch.tensor([1.0, -1.0, -1.0])
    limits = anatomical_limits()
    expected = REFLECTION @ limits(raw)[twins] @ REFLECTION
    assert torch.allclose(limits(mirrored), expected, atol=LIMIT_TOLERANCE)


def test_in_the_neutral_stance_the_arms_hang() -> None:
    local = torch.cat([rotations.identity(1), anatomical_limits().neutral])
    _, joints = forward_kinematics(local, rest_joints())
    for side, sign in (("left", 1), ("right", -1)):
        shoulder, elbow, wrist = (
            joints[JOINT_INDEX[f"{side}_{name}"]] for name in ("shoulder", "elbow", "wrist")
        )
        assert shoulder[1] > elbow[1] + 0.2 > wrist[1] + 0.4
        assert 0.1 < sign * wrist[0] < 0.5  # beside the hips, not within them
        assert wrist[2] > elbow[2]  # slightly bent, forwards


def test_fourier_features_are_octaves() -> None:
    time = torch.linspace(0, 1, 7, dtype=torch.float64)
    features = fourier(time, 3)
    assert features.shape == (7, 7) and torch.equal(features[:, 0], time)
    for k in range(3):
        phase = 2**k * math.pi * time
        assert torch.allclose(features[:, 1 + k], phase.sin(), atol=1e-12)
        assert torch.allclose(features[:, 4 + k], phase.cos(), atol=1e-12)


def field(seed: int = 0, arm_lift: float = 0.0) -> PoseField:
    return PoseField(width=32, stance=Stance(arm_lift=arm_lift), generator=seeded(seed))


def moved(seed: int = 0, scale: float = 1.0) -> PoseField:
    """A field whose last layer is drawn, so that it moves."""
    result = field(seed)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        weight = result.layers.get_parameter("4.weight")
        weight.copy_(scale * torch.randn(weight.shape, generator=generator))
    return result


def test_a_new_field_is_the_neutral_stance_without_motion() -> None:
    motion = field()(5, 8.0)
    assert motion.fps == 8.0 and motion.num_frames == 5
    assert torch.equal(motion.translation, torch.zeros(5, 3))
    assert torch.equal(motion.rotations[:, 0], rotations.identity(5))
    neutral = anatomical_limits().neutral.expand(5, -1, -1, -1)
    assert torch.allclose(motion.rotations[:, 1:], neutral, atol=TOLERANCE)


@pytest.mark.parametrize("lift", [0.3, 1.1])
def test_arms_start_lifted_sideways(lift: float) -> None:
    def upper_arm(arm_lift: float, side: str) -> Tensor:
        local = field(arm_lift=arm_lift)(2, 8.0).rotations[0]
        _, joints = forward_kinematics(local, rest_joints())
        return joints[JOINT_INDEX[f"{side}_elbow"]] - joints[JOINT_INDEX[f"{side}_shoulder"]]

    for side, sign in (("left", 1), ("right", -1)):
        before, after = upper_arm(0.0, side), upper_arm(lift, side)
        raised = torch.atan2(after[1], sign * after[0]) - torch.atan2(before[1], sign * before[0])
        assert raised.item() == pytest.approx(lift, abs=TOLERANCE)


def test_the_same_generator_gives_the_same_bits() -> None:
    first, same, other = (list(field(seed).parameters()) for seed in (3, 3, 4))
    assert all(torch.equal(a, b) for a, b in zip(first, same, strict=True))
    assert not torch.equal(first[0], other[0])
    a, b = moved(5)(9, 8.0), moved(5)(9, 8.0)
    assert torch.equal(a.rotations, b.rotations) and torch.equal(a.translation, b.translation)


def test_after_one_step_gradients_reach_every_layer() -> None:
    network = field()
    optimizer = torch.optim.SGD(network.parameters(), lr=1.0)
    target = torch.randn(6, NUM_JOINTS, 3, 3, generator=torch.Generator().manual_seed(0))
    for _ in range(2):
        optimizer.zero_grad()
        motion = network(6, 8.0)
        loss = (motion.rotations - target).square().mean() + (motion.translation - 1).square().sum()
        loss.backward()
        optimizer.step()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None and bool(parameter.grad.isfinite().all()), name
        assert float(parameter.grad.abs().max()) > 0, name


def test_other_frame_rates_agree_at_shared_times() -> None:
    network = moved()
    coarse, fine = network(5, 8.0), network(17, 32.0)
    assert fine.num_frames == 17 and fine.fps == 32.0
    assert torch.allclose(fine.rotations[::4], coarse.rotations, atol=TOLERANCE)
    assert torch.allclose(fine.translation[::4], coarse.translation, atol=TOLERANCE)
    still = torch.allclose(coarse.rotations[0], coarse.rotations[-1], atol=0.1)
    assert not still


def test_the_root_stays_within_reach_and_is_a_rotation() -> None:
    motion = moved(scale=100.0)(50, 8.0)
    reach = torch.tensor([0.3, 0.6, 0.3])
    furthest = motion.translation.abs().amax(0)
    assert bool((furthest <= reach).all()) and bool((furthest > 0.9 * reach).all())
    square = motion.rotations @ motion.rotations.transpose(-1, -2)
    assert torch.allclose(square, torch.eye(3).expand_as(square), atol=TOLERANCE)


def test_every_joint_has_its_own_limits() -> None:
    limits = anatomical_limits()
    assert limits.lower.shape == limits.upper.shape == (len(JOINT_NAMES) - 1, 3)
    assert bool((limits.lower < 0).all()) and bool((limits.upper > 0).all())
