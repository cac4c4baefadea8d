"""The action recogniser: what it must not see, what it must recognise."""

import math
from pathlib import Path

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings
from recogniser_motions import assert_alike, performed, reflected
from safetensors.torch import load_file, save_file
from standin_skeleton import rest_joints

from motiondistill import rotations
from motiondistill.data.choreography import SIDES
from motiondistill.data.parametric import PARAMETRIC_ACTIONS
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
    mirrored,
    pose_features,
    resampled,
)
from motiondistill.metrics.recogniser_sides import SIDED_ACTIONS, acting_side
from motiondistill.structures import JOINT_INDEX as J
from motiondistill.structures import NUM_JOINTS

WEIGHTS = Path(__file__).parent.parent / "motiondistill" / "metrics" / "recogniser_weights"
SEEDS = range(1000, 1006)  # the training's motions come from other seeds


@pytest.fixture(scope="module")
def recogniser() -> Recogniser:
    return load_recogniser()


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
