"""The action recogniser: what it must not see, what it must recognise, how it is measured."""

import math
import sys
from functools import cache
from pathlib import Path

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings
from safetensors.torch import load_file, save_file
from standin_skeleton import rest_joints

from motiondistill import rotations
from motiondistill.data.choreography import SIDES
from motiondistill.data.parametric import PARAMETRIC_ACTIONS, parametric_motion
from motiondistill.kinematics import forward_kinematics
from motiondistill.metrics.recogniser import (
    ACTIONS,
    FRAMES,
    RATE,
    ActionNetwork,
    Recogniser,
    load_recogniser,
)
from motiondistill.metrics.recogniser_features import (
    TRACKED,
    PoseFeatures,
    mirrored,
    pose_features,
    resampled,
)
from motiondistill.metrics.recogniser_sides import SIDED_ACTIONS, acting_side
from motiondistill.structures import JOINT_INDEX as J
from motiondistill.structures import MIRROR, NUM_JOINTS

EXPERIMENTS = Path(__file__).parent.parent / "experiments"
sys.path.insert(0, str(EXPERIMENTS))
from recogniser import folds, groups  # noqa: E402 (after the path is set)
from recogniser.clips import Recording  # noqa: E402
from recogniser.training import (  # noqa: E402
    Bank,
    augmented,
    bank_of,
    draw_batch,
    mixed,
    train,
)

WEIGHTS = Path(__file__).parent.parent / "motiondistill" / "metrics" / "recogniser_weights"
# Of float32 features through five layers; probabilities.
ROUNDING = 2e-4
SEEDS = range(1000, 1006)  # the training's motions come from other seeds


@pytest.fixture(scope="module")
def recogniser() -> Recogniser:
    return load_recogniser()


@cache
def performed(
    action: str, side: str, seed: int, fps: float = RATE, frames: int = FRAMES
) -> torch.Tensor:
    """Joints of a parametric motion on a skeleton that was not trained on."""
    generator = torch.Generator().manual_seed(seed)
    motion = parametric_motion(action, side, generator, rest_joints(), fps, frames)
    _, joints = forward_kinematics(motion.rotations, rest_joints())
    return joints + motion.translation[:, None]


def reflected(joints: torch.Tensor) -> torch.Tensor:
    return joints[..., list(MIRROR), :] * torch.tensor([-1.0, 1.0, 1.0])


def assert_alike(a: torch.Tensor, b: torch.Tensor) -> None:
    torch.testing.assert_close(a, b, atol=ROUNDING, rtol=0)


@given(
    turn=st.floats(-math.pi, math.pi),
    place=st.tuples(*[st.floats(-2, 2)] * 3),
    velocity=st.tuples(st.floats(-3, 3), st.floats(-3, 3)),
    size=st.floats(0.5, 2),
    seed=st.integers(0, 9),
)
@settings(max_examples=20)
def test_place_heading_drift_and_size_change_nothing(
    recogniser: Recogniser,
    turn: float,
    place: tuple[float, float, float],
    velocity: tuple[float, float],
    size: float,
    seed: int,
) -> None:
    joints = performed(PARAMETRIC_ACTIONS[seed % len(PARAMETRIC_ACTIONS)], "left", seed)
    about = rotations.from_axis_angle(torch.tensor([0.0, turn, 0.0]))
    drift = torch.arange(FRAMES)[:, None] / RATE * torch.tensor([velocity[0], 0.0, velocity[1]])
    moved = size * joints @ about.transpose(-1, -2) + torch.tensor(place) + drift[:, None]
    assert_alike(recogniser(joints, RATE), recogniser(moved, RATE))


@pytest.mark.parametrize("action", ["kick", "walk", "dance"])
def test_a_mirror_image_is_the_same_action(recogniser: Recogniser, action: str) -> None:
    joints = performed(action, "left", 5)
    assert_alike(recogniser(joints, RATE), recogniser(reflected(joints), RATE))


def test_mirrored_features_are_those_of_the_mirror_image() -> None:
    joints = performed("throw", "left", 3)
    ours, theirs = mirrored(pose_features(joints)), pose_features(reflected(joints))
    torch.testing.assert_close(ours.directions, theirs.directions)
    torch.testing.assert_close(ours.root, theirs.root)


def test_features_of_a_statue_in_t_pose() -> None:
    features = pose_features(rest_joints().expand(3, NUM_JOINTS, 3))
    names = {"left forearm": (3, (1, 0, 0)), "right forearm": (7, (-1, 0, 0))}
    names |= {"hips": (8, (1, 0, 0)), "shoulders": (9, (1, 0, 0))}
    for place, expected in names.values():
        torch.testing.assert_close(features.directions[0, place], torch.tensor(expected).float())
    rest = rest_joints()
    leg = (rest[J["left_hip"]] - rest[J["left_knee"]]).norm()
    leg += (rest[J["left_knee"]] - rest[J["left_ankle"]]).norm()
    height = (rest[0, 1] - rest[J["left_ankle"], 1]) / leg
    torch.testing.assert_close(features.root[1], torch.tensor([0.0, float(height), 0.0]))


def test_only_the_joints_of_fifteen_joint_sources_are_read(recogniser: Recogniser) -> None:
    joints = performed("squat", "left", 0)
    lacking = joints.clone()
    lacking[:, [index for name, index in J.items() if name not in TRACKED]] = torch.nan
    assert len(TRACKED) == 14  # of the 15, the waist's joint tells nothing
    torch.testing.assert_close(recogniser(joints, RATE), recogniser(lacking, RATE))


def test_frame_rates_that_share_frames_agree(recogniser: Recogniser) -> None:
    fine = performed("run", "left", 1, fps=3 * RATE, frames=3 * (FRAMES - 1) + 1)
    assert_alike(recogniser(fine, 3 * RATE), recogniser(fine[::3], RATE))


def test_resampling_a_straight_line_is_exact() -> None:
    line = torch.arange(31.0)[:, None, None].expand(31, 22, 3) / 30
    windows = resampled(line, 30.0, torch.tensor([0.0, 0.123, 10.0]), 8.0, 4)
    times = torch.tensor([0.0, 0.123, 10.0])[:, None] + torch.arange(4) / 8
    torch.testing.assert_close(windows[..., 0, 0], times.clamp(max=1.0), atol=1e-5, rtol=0)


def test_long_motions_are_the_mean_over_windows(recogniser: Recogniser) -> None:
    joints = performed("jump", "left", 2, frames=FRAMES + 8)  # a second longer
    ends = torch.stack([joints[:FRAMES], joints[8:]])
    assert_alike(recogniser(joints, RATE), recogniser(ends, RATE).mean(0))


def test_short_motions_hold_their_last_pose(recogniser: Recogniser) -> None:
    joints = performed("punch", "left", 2)[:9]
    held = torch.cat([joints, joints[-1:].expand(FRAMES - 9, -1, -1)])
    assert_alike(recogniser(joints, RATE), recogniser(held, RATE))


@pytest.mark.parametrize("shape", [(), (1,), (2, 3)])
def test_batches(recogniser: Recogniser, shape: tuple[int, ...]) -> None:
    joints = performed("wave", "left", 4)
    found = recogniser(joints.expand(*shape, *joints.shape), RATE)
    assert found.shape == (*shape, len(ACTIONS))
    assert_alike(found, recogniser(joints, RATE).expand_as(found))
    torch.testing.assert_close(found.sum(-1), torch.ones(shape))


@pytest.mark.parametrize("noise", [0.0, 0.015])
def test_new_parametric_motions_are_recognised(recogniser: Recogniser, noise: float) -> None:
    """Learned, not measured by: this guards the shipped file. Noise in metres is a bad fit's."""
    generator = torch.Generator().manual_seed(0)
    hits = {}
    for action in PARAMETRIC_ACTIONS:
        joints = torch.stack([performed(action, SIDES[seed % 2], seed) for seed in SEEDS])
        joints = joints + noise * torch.randn(joints.shape, generator=generator)
        answers = recogniser(joints, RATE).argmax(-1)
        hits[action] = int((answers == ACTIONS.index(action)).sum())
    total = len(PARAMETRIC_ACTIONS) * len(SEEDS)
    assert sum(hits.values()) >= 0.9 * total, hits
    assert min(hits.values()) >= len(SEEDS) // 2, hits


def test_random_weights_recognise_nothing() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        blind = Recogniser(ActionNetwork())
    hits = [
        blind.recognise(performed(action, "left", 1000), RATE).action == action
        for action in PARAMETRIC_ACTIONS
    ]
    assert sum(hits) <= 0.25 * len(hits)


@pytest.mark.parametrize("action", [name for name in SIDED_ACTIONS if name in PARAMETRIC_ACTIONS])
@pytest.mark.parametrize("side", ["left", "right"])
def test_the_acting_side_is_told(action: str, side: str) -> None:
    for seed in SEEDS:
        joints = performed(action, side, seed)
        assert acting_side(action, joints, RATE) == side
        assert acting_side(action, reflected(joints), RATE) != side


def test_recognition_ranks_all_actions(recogniser: Recogniser) -> None:
    found = recogniser.recognise(performed("kick", "right", 1001), RATE)
    values = list(found.probabilities.values())
    assert (found.action, found.side) == ("kick", "right")
    assert values == sorted(values, reverse=True) and sum(values) == pytest.approx(1, abs=1e-5)
    assert found.among(3)[0] == "kick" and len(found.among(3)) == 3
    assert set(found.probabilities) == set(ACTIONS)
    assert recogniser.recognise(performed("walk", "right", 1001), RATE).side is None


def test_the_shipped_file_is_small_and_has_a_card() -> None:
    file = WEIGHTS / "model.safetensors"
    assert file.stat().st_size < 1_000_000
    assert sum(tensor.numel() for tensor in load_file(file).values()) < 300_000
    text = " ".join((WEIGHTS / "README.md").read_text().split())
    assert "The data used in this project was obtained from mocap.cs.cmu.edu." in text
    assert "NSF EIA-0196217" in text


def test_mistakes_are_told(recogniser: Recogniser, tmp_path: Path) -> None:
    joints = performed("walk", "left", 0).clone()
    with pytest.raises(ValueError, match="`fps` must be positive"):
        recogniser(joints, 0.0)
    with pytest.raises(ValueError, match="`fps` must be positive, got nan"):
        recogniser(joints, math.nan)
    with pytest.raises(ValueError, match=r"`joints` must have shape .* got \(16, 20, 3\)"):
        recogniser(joints[:, :20], RATE)
    with pytest.raises(ValueError, match="at least 2 frames"):
        recogniser(joints[:1], RATE)
    joints[3, J["left_wrist"]] = torch.nan
    with pytest.raises(ValueError, match="left_wrist"):
        recogniser(joints, RATE)
    with pytest.raises(ValueError, match="`action` must be one of wave"):
        acting_side("walk", joints, RATE)
    save_file({"first.weight": torch.zeros(1)}, tmp_path / "model.safetensors")
    with pytest.raises(ValueError, match="must hold the weights of an ActionNetwork"):
        load_recogniser(tmp_path / "model.safetensors")
    (tmp_path / "model.safetensors").write_bytes(b"cut off")
    with pytest.raises(ValueError, match="complete safetensors file"):
        load_recogniser(tmp_path / "model.safetensors")


# --- how it is trained and measured


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
