"""HumanML3D: joints as they are, and features."""

from pathlib import Path

import captures
import numpy as np
import pytest
from foreign_captures import FRAMES, TOLERANCE, walking

from motiondistill.data.importers.clip import tell_rate
from motiondistill.data.importers.humanml import read_humanml


def features_of(joints: np.ndarray, headings: np.ndarray) -> np.ndarray:
    """HumanML3D's features as its processing makes them: everything turned to face +Z."""
    features = np.zeros((len(joints) - 1, 263), np.float32)
    for frame, row in enumerate(features):
        to_front = captures.about(1, -headings[frame])
        # Velocities are turned by the heading of the frame that they lead to.
        to_next = captures.about(1, -headings[frame + 1])
        velocity = to_next @ (joints[frame + 1, 0] - joints[frame, 0])
        # Half the angle by which the world turns against the subject.
        row[0] = -(headings[frame + 1] - headings[frame]) / 2
        row[1:4] = velocity[0], velocity[2], joints[frame, 0, 1]
        level = joints[frame, 1:] - joints[frame, 0] * [1, 0, 1]
        row[4:67] = (level @ to_front.T).flatten()
    return features


def test_humanml_joints_are_taken_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "new_joints").mkdir()
    (tmp_path / "texts").mkdir()
    path = tmp_path / "new_joints" / "000021.npy"
    np.save(path, walking().astype(np.float32))
    assert read_humanml(path)[0].label == "new joints"
    (tmp_path / "texts" / "000021.txt").write_text(
        "a man walks.#a/DET man/NOUN#0.0#0.0\nhe goes.#\n"
    )
    (clip,) = read_humanml(path)
    assert (clip.label, clip.source, clip.fps) == ("a man walks.", "humanml3d", 20.0)
    assert np.abs(clip.joints.numpy() - walking()).max() < TOLERANCE


def test_humanml_features_give_the_joints_back(tmp_path: Path) -> None:
    headings = 0.3 * np.arange(FRAMES)
    # The recovered clip starts at the origin, facing +Z: where HumanML3D puts every clip.
    joints = walking() - walking()[0, 0] * [1, 0, 1]
    path = tmp_path / "clip.npy"
    np.save(path, features_of(joints, headings))
    (clip,) = read_humanml(path)
    assert clip.joints.shape == (FRAMES - 1, 22, 3)
    assert np.abs(clip.joints.numpy() - joints[:-1]).max() < TOLERANCE


def test_the_rate_that_is_assumed_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tell_rate.cache_clear()
    for name in ("walk_1", "walk_2"):
        np.save(tmp_path / f"{name}.npy", walking())
        read_humanml(tmp_path / f"{name}.npy")
    (told,) = caplog.messages
    assert "no frame rate: 20 frames a second are assumed, those of HumanML3D" in told
    assert "BVH, glTF" in told


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((5, 200), np.float32), r"\(5, 200\)"),
        (np.where(np.arange(5)[:, None, None] == 3, np.nan, np.ones((5, 22, 3))), "frame 3"),
        (np.zeros((5, 22, 3), np.int64), "int64"),
        (np.zeros((0, 263)), r"one frame or more, got \(0, 263\)"),
        (np.zeros((5, 22, 3)), "legs of no length"),
        (np.zeros((5, 263)), "not normalised"),
        (np.array([{}]), "damaged"),
    ],
)
def test_other_arrays_are_no_humanml(array: np.ndarray, message: str, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", array)
    with pytest.raises(ValueError, match=message):
        read_humanml(tmp_path / "x.npy")


def test_joints_of_any_unit_are_taken_but_features_only_as_they_were_made(tmp_path: Path) -> None:
    path = tmp_path / "clip.npy"
    np.save(path, 1000 * walking())
    assert read_humanml(path)[0].joints.shape == (FRAMES, 22, 3)
    joints = walking() - walking()[0, 0] * [1, 0, 1]
    features = features_of(joints, 0.3 * np.arange(FRAMES))
    np.save(path, (features - features.mean(0)) / (features.std(0) + 1e-3))
    with pytest.raises(ValueError, match=r"clip\.npy must hold features that are not normalised"):
        read_humanml(path)
