"""Motion files that a key names: found by path or folder, and told where they are none."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_problem import body
from walk_file import save

from motiondistill.building.motion import read_motion
from motiondistill.data.parametric import parametric_motion
from motiondistill.randomness import seeded
from motiondistill.structures import Motion


def walk() -> Motion:
    return parametric_motion("walk", "left", seeded(3), body().rest_joints, 8.0, 9)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    save(tmp_path / "motion.npz", walk(), body())
    return tmp_path / "motion.npz"


def test_it_is_read_from_its_path_or_its_folder(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(path.parent.parent))
    for name in (path, str(path), path.parent, f"~/{path.parent.name}"):
        read = read_motion("some.key", name).motion
        assert torch.equal(read.rotations, walk().rotations)
    with pytest.raises(FileNotFoundError, match=r"`some\.key` must be a motion file .* got .*x"):
        read_motion("some.key", path.parent / "x")


def _sheared(arrays: Any) -> None:
    arrays["rotations"][2, 5, 0, 1] += 0.5


def _unknown(arrays: Any) -> None:
    arrays["rotations"][2, 5, 0, 1] = np.nan


def _nowhere(arrays: Any) -> None:
    arrays["translation"][2, 0] = np.inf


def _unplaced(arrays: Any) -> None:
    arrays["joints"][2, 4, 1] = np.nan


def _mirrored(arrays: Any) -> None:
    arrays["rotations"][2, 5] *= -1


def _lost_jaw(arrays: Any) -> None:
    arrays["jaw"] = np.tile(np.eye(3, dtype=np.float32), (len(arrays["rotations"]), 1, 1))
    arrays["jaw"][2] = np.nan


@pytest.mark.parametrize("harm", [_sheared, _unknown, _nowhere, _unplaced, _mirrored, _lost_jaw])
def test_what_is_no_motion_is_told_with_its_frame(harm: Any, path: Path) -> None:
    with np.load(path) as file:
        arrays = dict(file)
    harm(arrays)
    np.savez(path, **arrays)
    with pytest.raises(ValueError, match=r"`some\.key` must be .* must hold .* others at frame 2;"):
        read_motion("some.key", path)


@pytest.mark.parametrize("fps", [0.0, np.inf, np.nan])
def test_frames_need_a_rate(fps: float, path: Path) -> None:
    with np.load(path) as file:
        arrays = dict(file)
    np.savez(path, **{**arrays, "fps": np.float64(fps)})
    with pytest.raises(ValueError, match=r"`some\.key` must be .* frames at a finite rate above 0"):
        read_motion("some.key", path)


def test_damage_is_told(path: Path) -> None:
    path.write_bytes(b"PK")
    with pytest.raises(ValueError, match=r"`some\.key` must be a motion file: .* damaged"):
        read_motion("some.key", path)


def test_an_array_of_another_shape_is_told_with_it(tmp_path: Path) -> None:
    np.save(tmp_path / "poses.npy", np.zeros((1, 22, 3, 40)))
    with pytest.raises(ValueError, match=r"poses\.npy, an array of shape \(1, 22, 3, 40\), which"):
        read_motion("some.key", tmp_path / "poses.npy")
