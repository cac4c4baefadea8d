"""All regularisers together: which count, what they do to slopes, turns, shifts and batches."""

import dataclasses
from typing import Any

import pytest
import torch
from regularizer_cases import (
    NEW,
    OLD,
    SIZE,
    all_on,
    awkward,
    motion_of,
    references,
    skeleton_mesh,
    slope_gap,
    turned,
)

from motiondistill import regularizers
from motiondistill.body.skinning import SkinnedBody
from motiondistill.regularizers.key_frames import MotionKey
from motiondistill.regularizers.weights import References, RegularizerWeights, penalties
from motiondistill.structures import Motion

KEYED = dataclasses.replace(all_on(), key_frames=[MotionKey(0.0, pose="x.npz")])
# Central differences of 1e-6 on float64.
DIFFERENCE = 1e-5
ROUNDING = 1e-9


@pytest.fixture(scope="module")
def body(low_body: Any) -> SkinnedBody:
    precise: SkinnedBody = low_body.to(dtype=torch.float64)
    return precise


@pytest.fixture(scope="module")
def compared(body: SkinnedBody) -> References:
    return references(body)


def terms(
    body: SkinnedBody, compared: References, motion: Motion, weights: RegularizerWeights = KEYED
) -> dict[str, torch.Tensor]:
    return penalties(motion, body(motion), weights, compared)


def test_by_default_there_are_the_four_terms_and_no_more(body: SkinnedBody) -> None:
    motion = motion_of(awkward())
    mesh, weights = body(motion), RegularizerWeights()
    found = penalties(motion, mesh, weights, References())
    assert tuple(found) == OLD
    expected = (
        1e-4 * regularizers.angular_speed(motion),
        1e-5 * regularizers.joint_acceleration(mesh, motion.fps),
        10.0 * regularizers.ground_penetration(mesh),
        0.05 * regularizers.tilt(motion),
    )
    assert all(torch.equal(a, b) for a, b in zip(found.values(), expected, strict=True))


@pytest.mark.parametrize("name", NEW)
def test_a_term_counts_by_its_weight(name: str, body: SkinnedBody, compared: References) -> None:
    motion = motion_of(awkward())
    once, thrice = (
        terms(body, compared, motion, RegularizerWeights(**{name: weight})) for weight in (1.0, 3.0)
    )
    assert tuple(once) == (*OLD, name)
    assert once[name] > 0
    torch.testing.assert_close(thrice[name], 3 * once[name])


@pytest.mark.parametrize("name", [*OLD, *NEW, "key_frames"])
def test_slopes_are_those_of_finite_differences(
    name: str, body: SkinnedBody, compared: References
) -> None:
    def cost(numbers: torch.Tensor) -> torch.Tensor:
        return terms(body, compared, motion_of(numbers))[name]

    assert slope_gap(cost, awkward()) < DIFFERENCE


@pytest.mark.parametrize("name", [*OLD, *NEW, "key_frames"])
def test_the_motionless_neutral_stance_has_a_finite_gradient(
    name: str, body: SkinnedBody, compared: References
) -> None:
    numbers = torch.zeros(SIZE, dtype=torch.float64, requires_grad=True)
    terms(body, compared, motion_of(numbers))[name].backward()
    assert numbers.grad is not None
    assert numbers.grad.isfinite().all()


@pytest.mark.parametrize("name", NEW)
def test_the_motionless_neutral_stance_is_free(
    name: str, body: SkinnedBody, compared: References
) -> None:
    still = motion_of(torch.zeros(SIZE, dtype=torch.float64))
    lowest = body(still).vertices[..., 1].min()
    standing = dataclasses.replace(
        still, translation=still.translation - torch.tensor([0.0, 1.0, 0.0]) * lowest
    )
    assert terms(body, compared, standing)[name] < ROUNDING


@pytest.mark.parametrize(
    ("angle", "shift"), [(0.0, (2.0, -3.0)), (2.4, (0.0, 0.0)), (-1.1, (5, 1))]
)
def test_turns_about_the_vertical_and_shifts_along_the_floor_change_nothing(
    angle: float, shift: tuple[float, float], body: SkinnedBody, compared: References
) -> None:
    motion = motion_of(awkward())
    before = terms(body, compared, motion, all_on())
    after = terms(body, compared, turned(motion, angle, shift), all_on())
    for name in before:
        torch.testing.assert_close(after[name], before[name], rtol=ROUNDING, atol=ROUNDING)


def test_batches_cost_the_mean_of_their_clips(body: SkinnedBody, compared: References) -> None:
    clips = [motion_of(scale * awkward()) for scale in (1.0, 0.7, 0.2)]
    single = [terms(body, compared, clip) for clip in clips]
    batch = terms(body, compared, Motion.stack(clips))
    nested = terms(body, compared, Motion.stack([Motion.stack(clips)]))
    assert set(batch) == {*OLD, *NEW, "key_frames"}
    for name, cost in batch.items():
        mean = torch.stack([each[name] for each in single]).mean()
        torch.testing.assert_close(cost, mean, rtol=ROUNDING, atol=0)
        torch.testing.assert_close(nested[name], mean, rtol=ROUNDING, atol=0)


@pytest.mark.parametrize(
    ("weights", "missing"),
    [
        (RegularizerWeights(self_penetration=1.0), "capsules"),
        (RegularizerWeights(pose_deviation=1.0), "statistics"),
        (KEYED, "capsules"),
        (RegularizerWeights(key_frames=[MotionKey(0.0, pose="x.npz")]), "key_frames"),
    ],
)
def test_a_term_that_misses_its_reference_says_so(
    weights: RegularizerWeights, missing: str
) -> None:
    motion = motion_of(awkward())
    with pytest.raises(ValueError, match=rf"`references\.{missing}` must be given for a weight"):
        penalties(motion, skeleton_mesh(motion.translation), weights, References())
