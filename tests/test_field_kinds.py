"""What sets the kinds of fields apart: groups that move, the paper's encoding, free numbers."""

import itertools
import math

import pytest
import torch

from motiondistill import rotations
from motiondistill.motion.encodings import LEGACY_FREQUENCIES, legacy
from motiondistill.motion.free_field import FreeField
from motiondistill.motion.legacy_field import LegacyField
from motiondistill.motion.limits import anatomical_limits
from motiondistill.motion.pose_field import PoseField
from motiondistill.motion.pose_space import DEFAULT_GROUPS, Group, PoseSpace
from motiondistill.motion.stances import Stance
from motiondistill.randomness import seeded
from motiondistill.structures import JOINT_INDEX, NUM_JOINTS, Motion

ROUNDING = 1e-5  # float32
EVERY: tuple[Group, ...] = ("body", "orientation", "translation", "hands", "jaw")
SUBSETS = [set_ for size in (1, 2, 5) for set_ in itertools.combinations(EVERY, size)]


def shaken(field: torch.nn.Module, seed: int = 0) -> torch.nn.Module:
    with torch.no_grad():
        for index, parameter in enumerate(field.parameters()):
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=seeded(seed, index)))
    return field


def parts(motion: Motion) -> dict[str, torch.Tensor | None]:
    return {
        "body": motion.rotations[:, 1:],
        "orientation": motion.rotations[:, 0],
        "translation": motion.translation,
        "hands": motion.hands,
        "jaw": motion.jaw,
    }


@pytest.mark.parametrize("groups", SUBSETS)
def test_only_the_groups_asked_for_move(groups: tuple[Group, ...]) -> None:
    start = torch.zeros(NUM_JOINTS - 1, 3)
    start[3, 0] = 0.7
    space = PoseSpace(start=start, groups=groups)
    before = parts(PoseField(space=space, generator=seeded(0))(4, 8.0))
    after = parts(shaken(PoseField(space=space, generator=seeded(0)))(4, 8.0))
    for group in EVERY:
        a, b = before[group], after[group]
        if group in groups:
            assert a is not None and b is not None
            assert not torch.allclose(a, b, atol=0.01)
        elif group in ("hands", "jaw"):
            assert a is None and b is None
        else:
            assert a is not None and b is not None and torch.equal(a, b)
    stance = before["body"]
    assert stance is not None
    assert torch.allclose(stance[0], anatomical_limits()(start), atol=ROUNDING)


def test_the_order_of_the_groups_means_nothing() -> None:
    numbers = torch.randn(3, PoseSpace().size, generator=seeded(0))
    a, b = PoseSpace()(numbers, 8.0), PoseSpace(groups=DEFAULT_GROUPS[::-1])(numbers, 8.0)
    assert torch.equal(a.rotations, b.rotations) and torch.equal(a.translation, b.translation)


def test_only_numbers_that_move_something_are_there() -> None:
    sizes = {group: PoseSpace(groups=(group,)).size for group in EVERY}
    assert sizes == {"body": 63, "orientation": 6, "translation": 3, "hands": 90, "jaw": 3}
    # Two of the six numbers of the orientation are lengths, which mean nothing.
    for space in (
        PoseSpace(groups=("body", "translation", "hands", "jaw")),
        PoseSpace(groups=("jaw",)),
    ):
        numbers = torch.zeros(2, space.size, requires_grad=True)
        motion = space(numbers, 8.0)
        total = sum(
            (part * torch.randn(part.shape, generator=seeded(1))).sum()
            for part in parts(motion).values()
            if part is not None and part.requires_grad
        )
        (gradient,) = torch.autograd.grad(total, numbers)
        assert bool((gradient != 0).all())


def test_hands_and_jaw_are_rotations_within_their_limits() -> None:
    space = PoseSpace(groups=EVERY)
    motion = space(1e4 * torch.randn(9, space.size, generator=seeded(0)), 8.0)
    assert motion.hands is not None and motion.jaw is not None
    assert motion.hands.shape == (9, 30, 3, 3) and motion.jaw.shape == (9, 3, 3)
    assert float(rotations.to_axis_angle(motion.jaw).norm(dim=-1).max()) < 0.5


def test_arms_that_do_not_move_are_not_lifted() -> None:
    still = PoseSpace(groups=("orientation",))
    lift = Stance(arm_lift=1.1)
    assert torch.equal(still.first(lift), torch.zeros(6))
    lifted = PoseSpace().first(lift).abs() > ROUNDING
    assert lifted.nonzero().flatten().tolist() == [
        3 * (JOINT_INDEX[f"{side}_shoulder"] - 1) + 2 for side in ("left", "right")
    ]


def test_the_papers_frequencies_alias_as_told() -> None:
    assert pytest.approx([1, 3.1748, 10.0794, 32], abs=1e-4) == list(LEGACY_FREQUENCIES)
    codes = legacy(torch.arange(10.0))
    assert codes.shape == (10, 8)

    def alike(apart: int) -> float:
        similar = torch.cosine_similarity(codes[:-apart], codes[apart:])
        assert float(similar.max() - similar.min()) < 1e-4  # it depends on the distance alone
        return float(similar[0])

    assert alike(1) == pytest.approx(-0.10, abs=5e-3)
    assert alike(2) == pytest.approx(0.31, abs=5e-3)
    second = codes[:, [1, 5]]  # of 3.17, nearly pi
    assert float(torch.cosine_similarity(second[:-1], second[1:]).max()) < -0.999


def test_the_legacy_field_is_the_papers_network() -> None:
    field = LegacyField(8, generator=seeded(0))
    kinds = [type(layer).__name__ for layer in field.layers]
    assert kinds == ["Linear", "ReLU", "Linear", "LayerNorm", "ReLU", "Linear"]
    assert [layer.out_features for layer in field.layers if hasattr(layer, "out_features")] == [
        32,
        32,
        PoseSpace().size,
    ]
    assert [layer.in_features for layer in field.layers if hasattr(layer, "in_features")] == [
        8,
        32,
        32,
    ]
    for index, fan_in in ((0, 8), (2, 32)):  # as torch draws them
        for parameter in field.layers[index].parameters():
            bound = math.sqrt(1 / fan_in)
            assert 0.8 * bound < float(parameter.detach().abs().max()) <= bound
    motion = field(8, 8.0)
    neutral = PoseField(generator=seeded(0))(8, 8.0)
    assert torch.allclose(motion.rotations, neutral.rotations, atol=ROUNDING)


def test_the_legacy_field_reads_whole_frame_numbers() -> None:
    field = shaken(LegacyField(30, generator=seeded(0)))
    numbers = field.space(field.layers(legacy(torch.arange(30.0))), 8.0)
    assert torch.equal(numbers.rotations, field(30, 8.0).rotations)


def test_neighbouring_frames_of_the_legacy_field_differ_where_the_default_is_smooth() -> None:
    def roughness(field: torch.nn.Module) -> float:
        with torch.no_grad():
            weight = [*field.parameters()][-2]  # of the last layer, which starts at zero
            weight.copy_(0.1 * torch.randn(weight.shape, generator=seeded(0)))
        turn = field(64, 8.0).rotations.detach()
        return float(turn.diff(dim=0).square().mean() / (turn - turn.mean(0)).square().mean())

    rough = roughness(LegacyField(64, generator=seeded(0)))
    smooth = roughness(PoseField(generator=seeded(0)))
    # White noise has two.
    assert rough > 1.0 > 4 * smooth


def test_free_numbers_are_one_row_a_frame() -> None:
    field = FreeField(6)
    rows = torch.randn(6, field.space.size, generator=seeded(0))
    with torch.no_grad():
        field.numbers.copy_(rows)
    assert torch.allclose(field(6, 8.0).rotations, field.space(rows, 8.0).rotations, atol=1e-4)
    (gradient,) = torch.autograd.grad(field(6, 8.0).translation[2].sum(), field.numbers)
    touched = gradient.abs().amax(1)
    assert touched[2] > 0.1
    assert float(touched[[0, 1, 3, 4, 5]].max()) < 1e-5  # times are rounded


@pytest.mark.parametrize("loop", [False, True])
def test_between_frames_free_numbers_are_interpolated(loop: bool) -> None:
    field = shaken(FreeField(5, loop=loop))
    rows = field.numbers.detach()
    steps = 5 if loop else 4
    for frame, part in itertools.product(range(steps), (0.0, 0.3, 0.8)):
        after = rows[(frame + 1) % 5]
        expected = field.space((rows[frame] + part * (after - rows[frame]))[None], 8.0)
        found = field.at(torch.tensor([(frame + part) / steps]), 8.0)
        assert torch.allclose(found.rotations, expected.rotations, atol=ROUNDING)
        assert torch.allclose(found.translation, expected.translation, atol=ROUNDING)
