"""Our own recogniser as an evaluator: its features, its windows, and the hash of its weights."""

import hashlib
from pathlib import Path

import pytest
import torch
from recogniser_motions import performed, reflected
from safetensors.torch import load_file, save_file

from motiondistill.metrics.catalogue import CATALOGUE
from motiondistill.metrics.distribution import fid_estimate
from motiondistill.metrics.evaluator_own import OwnEvaluator, as_text, load_own_evaluator
from motiondistill.metrics.recogniser import ACTIONS, RATE, SHIPPED
from motiondistill.randomness import seeded

ROUNDING = 1e-3  # of float32 features; hidden units are of the order of 1


@pytest.fixture(scope="module")
def evaluator() -> OwnEvaluator:
    return load_own_evaluator()


@pytest.mark.parametrize(("frames", "windows"), [(8, 1), (16, 1), (31, 1), (32, 2), (80, 5)])
def test_every_two_seconds_are_a_window(evaluator: OwnEvaluator, frames: int, windows: int) -> None:
    joints = performed("walk", "left", 1, RATE, frames)
    assert evaluator.features(joints, RATE).shape == (windows, 96)


def test_the_second_window_is_that_of_the_second_two_seconds(evaluator: OwnEvaluator) -> None:
    joints = performed("kick", "left", 1, RATE, 32)
    both = evaluator.features(joints, RATE)
    torch.testing.assert_close(both[1:], evaluator.features(joints[16:], RATE))
    assert float((both[0] - both[1]).norm()) > 0.1


def test_features_are_what_the_networks_last_layers_read(evaluator: OwnEvaluator) -> None:
    network, recogniser = evaluator.recogniser.network, evaluator.recogniser
    windows = recogniser.windows(performed("jump", "left", 1), RATE, torch.zeros(1))
    hidden = network.hidden(windows)
    width = hidden.shape[1] // len(network.last)
    members = network.members(windows)[1:]  # the first one is linear
    for last, member, units in zip(network.last, members, hidden.split(width, 1), strict=True):
        torch.testing.assert_close(last(units), member)


def test_mirror_images_have_the_same_features(evaluator: OwnEvaluator) -> None:
    joints = performed("wave", "left", 3)
    mirrored = evaluator.features(reflected(joints), RATE)
    torch.testing.assert_close(mirrored, evaluator.features(joints, RATE), atol=ROUNDING, rtol=0)


def test_a_set_is_nearer_to_its_own_kind(evaluator: OwnEvaluator) -> None:
    def features(actions: tuple[str, ...], first: int) -> list[torch.Tensor]:
        """Those of 192 windows, 12 of each motion."""
        return [
            evaluator.features(performed(action, "left", first + seed, RATE, 12 * 16), RATE)
            for action in actions
            for seed in range(8)
        ]

    gaits = features(("walk", "run"), 0)
    alike = fid_estimate(gaits, features(("walk", "run"), 500), seeded(0))
    unlike = fid_estimate(gaits, features(("wave", "squat"), 500), seeded(0))
    assert alike.interval[1] < unlike.interval[0]


def test_the_hash_is_that_of_the_file(evaluator: OwnEvaluator, tmp_path: Path) -> None:
    digest = hashlib.sha256(SHIPPED.read_bytes()).hexdigest()
    assert digest.startswith(evaluator.sha256) and len(evaluator.sha256) == 12
    assert evaluator.name == f"own recogniser, sha256 {evaluator.sha256}"
    weights = load_file(SHIPPED)
    weights["mean"] = weights["mean"] + 0.1
    save_file(weights, tmp_path / "other.safetensors")
    assert load_own_evaluator(tmp_path / "other.safetensors").sha256 != evaluator.sha256


def test_texts_are_actions(evaluator: OwnEvaluator) -> None:
    shown = evaluator.probabilities(performed("squat", "left", 1001), RATE)
    distances = torch.stack([(shown - as_text(action)).norm() for action in ACTIONS])
    assert ACTIONS[int(distances.argmin())] == "squat"
    with pytest.raises(ValueError, match=r"`action` must be one of walk, .*; got 'swim'"):
        as_text("swim")


def test_nobody_takes_its_figures_for_those_of_another_evaluator() -> None:
    for metric in CATALOGUE.values():
        assert metric.id.endswith("_own") == (metric.kind == "own")
        if metric.kind == "own":
            assert "never compare it with figures of HumanML3D" in metric.definition


def test_every_metric_is_defined() -> None:
    for id, metric in CATALOGUE.items():
        assert metric.id == id and metric.version >= 1
        assert metric.unit in {"1", "m", "m/s", "m/s^2", "m/s^3", "rad"}
        assert metric.definition.endswith(".") and " n: " in f" {metric.definition}"
