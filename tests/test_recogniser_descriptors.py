"""Descriptors of the action recogniser: closed forms and symmetries."""

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings
from recogniser_motions import performed, reflected
from standin_skeleton import rest_joints

from motiondistill.data.parametric import PARAMETRIC_ACTIONS
from motiondistill.metrics import recogniser_descriptors as descriptors
from motiondistill.metrics.recogniser import FRAMES
from motiondistill.metrics.recogniser_descriptors import NUM_DESCRIPTORS, describe
from motiondistill.metrics.recogniser_features import mirrored, pose_features
from motiondistill.structures import NUM_JOINTS

CURVES = 2 * (10 + 9) + 17
MEAN, SPREAD, LOW, HIGH, SPEED, SLOW, MIDDLE, FAST = range(8)


def statistics(values: torch.Tensor) -> torch.Tensor:
    """The statistics [8, curves] of all curves of one motion."""
    return values[: CURVES * 8].reshape(8, CURVES)


@given(st.sampled_from(PARAMETRIC_ACTIONS), st.integers(0, 50))
@settings(max_examples=20)
def test_a_mirror_image_has_the_same_descriptors(action: str, seed: int) -> None:
    joints = performed(action, "left", seed)
    ours, images = pose_features(joints), pose_features(reflected(joints))
    torch.testing.assert_close(describe(ours), describe(mirrored(ours)), atol=1e-4, rtol=0)
    torch.testing.assert_close(describe(ours), describe(images), atol=1e-3, rtol=0)


def test_a_statue_in_t_pose() -> None:
    features = pose_features(rest_joints().expand(FRAMES, NUM_JOINTS, 3))
    values = describe(features)
    assert values.shape == (NUM_DESCRIPTORS,)
    found = statistics(values)
    torch.testing.assert_close(found[LOW], found[HIGH])
    torch.testing.assert_close(found[LOW], found[MEAN], atol=1e-6, rtol=0)
    assert float(found[[SPREAD, SPEED]].abs().max()) < 1e-6
    # Level arms point outwards: no height over the shoulder, the whole length aside, straight.
    for arm in (found[MEAN, :10], found[MEAN, 10:20]):
        reach = torch.tensor([0.0, 0.0, 0.65, 0.65])
        torch.testing.assert_close(arm[:4], reach, atol=2e-3, rtol=0)
        assert float(arm[7]) == pytest.approx(1, abs=1e-4)
    assert float(values[CURVES * 8 :].abs().max()) < 1e-4  # nothing moves together


def test_half_waves_are_orthonormal_and_hold_no_mean() -> None:
    waves = descriptors._half_waves(FRAMES)
    torch.testing.assert_close(waves @ waves.T, torch.eye(12), atol=1e-6, rtol=0)
    torch.testing.assert_close(waves.sum(1), torch.zeros(12), atol=1e-5, rtol=0)


@pytest.mark.parametrize(("halves", "band"), [(1, SLOW), (4, MIDDLE), (9, FAST)])
def test_a_cosine_lies_in_its_band(halves: int, band: int) -> None:
    curve = 0.3 * descriptors._half_waves(FRAMES)[halves - 1]
    found = descriptors._statistics((2.0 + curve)[None])[:, 0]
    strengths = dict.fromkeys((SLOW, MIDDLE, FAST), 1e-3) | {band: 0.3}  # 1e-3 is the least
    for place, strength in strengths.items():
        assert float(found[place]) == pytest.approx(strength, abs=1e-4)
    assert float(found[MEAN]) == pytest.approx(2.0, abs=1e-5)


def test_curves_that_move_alike_correlate() -> None:
    time = torch.linspace(0, 6, FRAMES)
    one, still = torch.stack([time.sin()]), torch.zeros(1, FRAMES)
    assert float(descriptors._together(one, 2 * one, 0, 0)) == pytest.approx(1, abs=0.1)
    assert float(descriptors._together(one, -one, 0, 0)) == pytest.approx(-1, abs=0.1)
    assert float(descriptors._together(one, still, 0, 0)) == 0


def test_the_raised_arm_comes_first() -> None:
    for side in ("left", "right"):
        arm_heights = statistics(describe(pose_features(performed("wave", side, 3))))[MEAN, [0, 10]]
        assert float(arm_heights[0]) > float(arm_heights[1]) + 0.3


@pytest.mark.parametrize("shape", [(1,), (2, 3)])
def test_batches(shape: tuple[int, ...]) -> None:
    joints = performed("kick", "left", 4)
    found = describe(pose_features(joints.expand(*shape, *joints.shape)))
    alone = describe(pose_features(joints))
    torch.testing.assert_close(found, alone.expand(*shape, NUM_DESCRIPTORS), atol=1e-5, rtol=0)
