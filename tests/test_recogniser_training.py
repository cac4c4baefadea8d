"""How the action recogniser is trained and measured."""

import sys
from pathlib import Path

import pytest
import torch
from recogniser_motions import performed

from motiondistill import rotations
from motiondistill.metrics.recogniser import ACTIONS, ActionNetwork
from motiondistill.metrics.recogniser_descriptors import describe
from motiondistill.metrics.recogniser_features import PoseFeatures, pose_features
from motiondistill.structures import JOINT_INDEX as J

EXPERIMENTS = Path(__file__).parent.parent / "experiments"
sys.path.insert(0, str(EXPERIMENTS))
from recogniser import folds, groups  # noqa: E402 (after the path is set)
from recogniser.clips import Recording  # noqa: E402
from recogniser.mixing import CLASSES, mixed  # noqa: E402
from recogniser.training import (  # noqa: E402
    Bank,
    augmented,
    bank_of,
    draw_batch,
    sum_of_losses,
    train,
)


def guess(action: str, clip: str, answer: str) -> folds.Prediction:
    others = tuple(name for name in ACTIONS if name != answer)
    return folds.Prediction(action, clip, f"group {clip}", (answer, *others))


def test_balanced_accuracy_weighs_actions_and_not_windows() -> None:
    found = [guess("walk", "a", "walk")] * 90 + [guess("run", "b", "walk")] * 10
    assert folds.balanced_accuracy(found, ["walk", "run"]) == 0.5
    assert folds.recall(found, "run", top=3) == 1.0  # run comes second


def test_the_interval_draws_clips() -> None:
    """Four clips, half of them always wrong: the share of right draws is binomial(4, 1/2) / 4."""
    found = [
        guess("walk", str(clip), "walk" if clip % 2 else "run") for clip in range(4) for _ in "123"
    ]
    generator = torch.Generator().manual_seed(0)
    assert folds.interval(found, ["walk"], generator) == (0.0, 1.0)  # each 1/16
    sure = [guess("walk", "a", "walk")] * 5
    assert folds.interval(sure, ["walk"], generator) == (1.0, 1.0)


def recorded(action: str, group: str, frames: int = 90) -> Recording:
    side = "left"
    joints = performed(action, side, len(group), fps=30.0, frames=frames)
    return Recording(f"{group}/{action}", group, action, joints, (0.0, 0.25), True)


def test_every_group_is_tested_once_and_teaches_not_itself() -> None:
    plan = {"a": ("walk", "run"), "b": ("walk",), "c": ("run", "kick"), "c8": ("walk",)}
    plan |= {"d": ("kick",), "e": ("squat",)}
    real = [recorded(action, group) for group, shown in plan.items() for action in shown]
    chosen = folds.folds_of(real)
    assert sorted(name for fold in chosen for name in fold) == ["a", "b", "c", "d", "e"]
    for fold in chosen:
        shown = [action for name in fold for action in plan[name]]
        assert len(shown) == len(set(shown)), "a class loses two groups at once"


def test_the_same_performance_is_found_on_another_skeleton() -> None:
    joints = performed("dance", "left", 0, fps=30.0, frames=90)
    other = performed("jumping jacks", "left", 1, fps=30.0, frames=90)
    about = rotations.from_axis_angle(torch.tensor([0.0, 1.0, 0.0]))
    longer = joints.clone()
    longer[:, J["left_elbow"]] += 0.05  # a skeleton with other arms
    paths = [groups.limb_paths(one) for one in (joints, (longer @ about.T)[10:70], other)]
    assert groups.likeness(paths[0], paths[1]) > 0.95
    assert groups.likeness(paths[0], paths[2]) < 0.8


def test_augmentation_keeps_unit_directions_and_mixing_keeps_what_acts() -> None:
    joints = torch.stack([performed("punch", "left", 0), performed("walk", "left", 0)])
    features = pose_features(joints)
    generator = torch.Generator().manual_seed(0)
    labels = torch.tensor([ACTIONS.index("punch"), ACTIONS.index("walk")])
    for _ in range(8):
        both: PoseFeatures = mixed(features, labels, generator)
        arms, legs = [2, 3, 6, 7], [0, 1, 4, 5]
        torch.testing.assert_close(both.directions[0][:, arms], features.directions[0][:, arms])
        torch.testing.assert_close(both.directions[1][:, legs], features.directions[1][:, legs])
        noisy = augmented(both, generator).directions.norm(dim=-1)
        torch.testing.assert_close(noisy, torch.ones_like(noisy))


def three_actions() -> Bank:
    return bank_of([recorded(action, "a") for action in ("squat", "jumping jacks", "bow")])


def test_training_repeats_itself() -> None:
    one, two = (train(three_actions(), 0, 3) for _ in range(2))
    for a, b in zip(one.parameters(), two.parameters(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.slow
def test_training_learns() -> None:
    network = train(three_actions(), 0, 150)
    inputs, labels = draw_batch(three_actions(), torch.Generator().manual_seed(9))
    assert float((network(inputs).argmax(-1) == labels).float().mean()) > 0.8


def test_dancers_take_either_half_and_keep_the_other() -> None:
    """Arms or legs of another motion, never both: else nothing of the dance is left."""
    dance, jump = performed("dance", "left", 0), performed("jump", "left", 0)
    features = pose_features(torch.stack([dance, jump]))
    labels = torch.tensor([ACTIONS.index("dance"), ACTIONS.index("jump")])
    generator = torch.Generator().manual_seed(0)
    seen = set()
    for _ in range(60):
        both = mixed(features, labels, generator)
        kept = tuple(
            torch.equal(both.directions[0][:, bones], features.directions[0][:, bones])
            for bones in ([2, 3, 6, 7], [0, 1, 4, 5])
        )
        assert any(kept)
        legs_kept = kept[1]
        root = features.root[0] if legs_kept else features.root[1]
        torch.testing.assert_close(both.root[0], root)
        seen.add(kept)
    assert seen == {(True, True), (True, False), (False, True)}


def test_arms_that_are_held_do_not_move() -> None:
    joints = torch.stack([performed("squat", "left", seed) for seed in range(40)])
    features = pose_features(joints)
    labels = torch.full((40,), ACTIONS.index("squat"))
    both = mixed(features, labels, torch.Generator().manual_seed(0))
    changed = (both.directions != features.directions).flatten(1).any(1)
    assert 1 <= int(changed.sum()) <= 16
    arms = both.directions[changed][:, :, [2, 3, 6, 7]]
    torch.testing.assert_close(arms, arms[:, :1].expand_as(arms))
    torch.testing.assert_close(arms.norm(dim=-1), torch.ones(arms.shape[:-1]))


def test_members_learn_from_their_own_answers_only() -> None:
    """A member's weights get the gradient of its own loss, whatever the others say."""
    inputs = describe(pose_features(performed("kick", "left", 0)[None]))
    labels = torch.tensor([CLASSES.index("kick")])
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = ActionNetwork()
    sum_of_losses(network.members(inputs), labels).backward()
    joint = network.linear.bias.grad
    assert joint is not None
    alone = (network.linear(inputs).softmax(-1)[0] - 0.1 / len(CLASSES)).detach()
    alone[labels] -= 0.9  # label smoothing of 0.1
    torch.testing.assert_close(joint, alone)
