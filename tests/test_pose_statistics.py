"""Pose statistics against Monte Carlo, the shipped file against its card, and the script."""

import math
from pathlib import Path

import numpy as np
import pose_statistics as script
import pytest
import torch
from mocap_folder import clip_joints, write_folder
from torch import Tensor

from motiondistill import rotations
from motiondistill.data.captions import ACTIONS
from motiondistill.motion.statistics import (
    FILE,
    GENERIC,
    PoseStatistics,
    karcher_mean,
    known_actions,
    load_statistics,
    pose_statistics,
    save_statistics,
    told_of,
)
from motiondistill.structures import MIRROR, NUM_JOINTS

BELOW = NUM_JOINTS - 1
DRAWS = 20_000
REFLECTION = torch.diag(torch.tensor([-1.0, 1.0, 1.0]))


def spread() -> tuple[Tensor, Tensor]:
    """A mean rotation and a covariance of two joints' tangent vectors, up to 0.4 radians."""
    generator = torch.Generator().manual_seed(0)
    mean = rotations.from_axis_angle(torch.randn(2, 3, dtype=torch.float64, generator=generator))
    root = 0.15 * torch.randn(6, 6, dtype=torch.float64, generator=generator)
    return mean, root @ root.T


def drawn(mean: Tensor, covariance: Tensor, seed: int = 1) -> Tensor:
    """Poses `exp(v) mean`, v normal; antithetic, so that their mean is the mean."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(DRAWS, 6, dtype=torch.float64, generator=generator)
    vectors = (noise @ torch.linalg.cholesky(covariance).T).reshape(DRAWS, 2, 3)
    return rotations.from_axis_angle(torch.cat([vectors, -vectors])) @ mean


def test_mean_and_covariance_are_those_of_the_draws() -> None:
    mean, covariance = spread()
    found = pose_statistics(drawn(mean, covariance), torch.ones(2 * DRAWS))
    assert float(rotations.geodesic(found.mean, mean).max()) < 1e-8
    scale = float(covariance.diagonal().max())
    error = 4 * math.sqrt(2 / DRAWS) * scale  # four standard errors of a variance
    assert float((found.covariance - covariance).abs().max()) < error
    assert torch.allclose(found.std.flatten(), covariance.diagonal().sqrt(), rtol=0.05)


def test_the_karcher_mean_has_the_smallest_squared_angles() -> None:
    """It differs from the chordal mean for skewed spreads, and no rotation nearby does better."""
    generator = torch.Generator().manual_seed(3)
    vectors = torch.randn(60, 2, 3, dtype=torch.float64, generator=generator).square()
    poses = rotations.from_axis_angle(vectors)
    weights = torch.rand(60, dtype=torch.float64, generator=generator)
    weights /= weights.sum()
    mean = karcher_mean(poses, weights)

    def cost(candidate: Tensor) -> Tensor:
        angles = rotations.to_axis_angle(poses @ candidate.transpose(-1, -2))
        return (weights[:, None] * angles.square().sum(-1)).sum(0)

    best = cost(mean)
    for step in torch.eye(3, dtype=torch.float64):
        for size in (-1e-3, 1e-3):
            assert bool((cost(rotations.from_axis_angle(size * step) @ mean) > best).all())
    left, _, right = torch.linalg.svd((weights[:, None, None, None] * poses).sum(0))
    assert float(rotations.geodesic(mean, left @ right).max()) > 1e-2


def test_weights_count_as_repetitions() -> None:
    mean, covariance = spread()
    poses = drawn(mean, covariance)[:50]
    weights = torch.randint(1, 4, (50,), generator=torch.Generator().manual_seed(0))
    weighted = pose_statistics(poses, weights.double())
    repeated = pose_statistics(poses.repeat_interleave(weights, 0), torch.ones(int(weights.sum())))
    assert torch.allclose(weighted.mean, repeated.mean, atol=1e-8)
    assert torch.allclose(weighted.covariance, repeated.covariance, atol=1e-8)


def test_rotations_all_around_have_no_mean_to_be_found() -> None:
    turns = torch.tensor([0.0, 2 * math.pi / 3, -2 * math.pi / 3], dtype=torch.float64)
    axis = torch.tensor([0.0, 1.0, 0.0], dtype=torch.float64)
    around = rotations.from_axis_angle(turns[:, None, None] * axis)
    try:
        mean = karcher_mean(around, torch.full((3,), 1 / 3, dtype=torch.float64))
    except ValueError as error:
        assert "spread too far" in str(error)
    else:  # a stationary point by symmetry
        vectors = rotations.to_axis_angle(around @ mean.transpose(-1, -2))
        assert float(vectors.mean(0).norm()) < 1e-8


def test_offsets_are_tangent_vectors_and_the_least_spread_is_kept() -> None:
    covariance = torch.diag(torch.tensor([0.0, 0.04, 1e-6, 0.25, 0.09, 0.01]))
    statistics = PoseStatistics(spread()[0].float(), covariance)
    assert statistics.std.flatten().tolist() == pytest.approx([0.05, 0.2, 0.05, 0.5, 0.3, 0.1])
    vectors = 0.5 * torch.randn(7, 2, 3, generator=torch.Generator().manual_seed(0))
    poses = rotations.from_axis_angle(vectors) @ statistics.mean
    assert torch.allclose(statistics.offsets(poses), vectors, atol=1e-5)


def test_the_file_gives_back_what_was_saved(tmp_path: Path) -> None:
    mean, covariance = spread()
    kept = PoseStatistics(mean.float(), covariance.float())
    save_statistics(tmp_path / "x.safetensors", {GENERIC: kept, "hop": kept}, {"clips": 3})
    generic = load_statistics(file=tmp_path / "x.safetensors")
    hop = load_statistics("hop", tmp_path / "x.safetensors")
    assert torch.equal(generic.mean, kept.mean) and torch.equal(hop.mean, kept.mean)
    assert torch.equal(generic.covariance, kept.covariance)
    assert torch.equal(hop.covariance, torch.diag(kept.covariance.diagonal()))
    assert torch.equal(hop.std, kept.std)
    assert known_actions(tmp_path / "x.safetensors") == ("hop",)
    assert told_of(tmp_path / "x.safetensors") == {"clips": 3}
    with pytest.raises(ValueError, match=r"`name` must be one of hop, generic, got 'skip'"):
        load_statistics("skip", tmp_path / "x.safetensors")
    (tmp_path / "x.safetensors").write_bytes(b"damaged")
    with pytest.raises(ValueError, match="must be a complete safetensors file"):
        load_statistics(file=tmp_path / "x.safetensors")


@pytest.mark.parametrize("name", [GENERIC, *known_actions()])
def test_shipped_statistics_are_those_of_people(name: str) -> None:
    statistics = load_statistics(name)
    assert statistics.mean.shape == (BELOW, 3, 3)
    assert statistics.covariance.shape == (3 * BELOW, 3 * BELOW)
    square = statistics.mean @ statistics.mean.transpose(-1, -2)
    assert torch.allclose(square, torch.eye(3).expand_as(square), atol=1e-5)
    assert torch.allclose(statistics.covariance, statistics.covariance.T, atol=1e-7)
    assert float(torch.linalg.eigvalsh(statistics.covariance.double()).min()) > -1e-6
    # They count every window and its mirror image, so left and right are alike.
    twins = torch.tensor(MIRROR[1:]) - 1
    mirrored = REFLECTION @ statistics.mean[twins] @ REFLECTION
    assert torch.allclose(mirrored, statistics.mean, atol=1e-4)
    assert torch.allclose(statistics.std[twins], statistics.std, atol=1e-4)
    assert bool((statistics.std < 2.0).all())


def test_the_shipped_card_is_the_shipped_files() -> None:
    about, text = told_of(), (FILE.parent / "README.md").read_text()
    assert set(about["actions"]) == set(known_actions()) < set(ACTIONS)
    assert f"{FILE.stat().st_size:,} bytes" in text
    assert about["commit"] in text and about["command"] in text
    assert "The data used in this project was obtained from mocap.cs.cmu.edu" in " ".join(
        text.split()
    )
    for action, counts in about["actions"].items():
        assert f"| {action} | {counts['clips']} | {counts['windows']} | " in text
    assert f"{sum(count['windows'] for count in about['actions'].values()):,} windows" in text


def test_actions_know_more_than_all_together() -> None:
    """In tangents at their means, an action is narrower than all; and walking legs swing."""
    generic = load_statistics()
    narrower = [
        action
        for action in known_actions()
        if load_statistics(action).covariance.trace() < generic.covariance.trace()
    ]
    assert len(narrower) >= 0.9 * len(known_actions())


def test_the_script_makes_file_and_card_from_a_folder(tmp_path: Path) -> None:
    folder = write_folder(
        tmp_path / "mocap",
        {
            "01_01": ("walk", clip_joints("walk", 4.0, speed=1.1, seed=1)),
            "02_01": ("walk", clip_joints("walk", 3.0, speed=1.2, seed=2)),
            "03_01": ("bow", clip_joints("bow", 4.0)),
        },
    )
    script.main(["--mocap", str(folder), "--out", str(tmp_path / "out")])
    file = tmp_path / "out" / "model.safetensors"
    about = told_of(file)["actions"]
    assert "walk" in known_actions(file)
    assert about["walk"]["clips"] == 2 and about["walk"]["sources"] == ["cmu"]
    assert about["walk"]["seconds"] == pytest.approx(7.0, abs=0.1)
    walk, generic = load_statistics("walk", file), load_statistics(file=file)
    assert float(walk.std[0, 0]) > 0.1  # hips swing
    assert np.isfinite(generic.covariance.numpy()).all()
    text = (tmp_path / "out" / "README.md").read_text()
    assert "| walk | 2 | " in text and '"wave"' in text and str(tmp_path) not in text
