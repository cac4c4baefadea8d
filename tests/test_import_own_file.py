"""Our own motion files in a folder, beside all that runs leave."""

import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from small_problem import body
from walk_file import save, walk

from motiondistill.data.importers import CapturedClip, read_folder
from motiondistill.data.importers.folder import recognise
from motiondistill.data.recordings import read_recordings


def put(path: Path, prompt: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    save(path, walk(body()), body(), prompt=prompt)
    return path


def only(folder: Path) -> CapturedClip:
    (clip,) = read_folder(folder)
    return clip


def test_the_motion_comes_with_its_rotations_and_joints(tmp_path: Path) -> None:
    path = put(tmp_path / "any" / "walk_1.npz")
    clip, wanted = only(tmp_path), walk(body())
    assert recognise(path) == "own"
    assert (clip.name, clip.source, clip.subject) == ("walk_1", "motiondistill-anny-low", "any")
    assert clip.fps == 30.0 and clip.motion is not None
    # Five frames at 8 a second are half a second; the first is there before and after.
    assert clip.motion.num_frames == 16
    assert torch.allclose(clip.motion.rotations[0], wanted.rotations[0], atol=1e-6)
    assert torch.allclose(clip.joints[0], body()(wanted).joints[0], atol=1e-6)


@pytest.mark.parametrize(
    ("file", "prompt", "label"),
    [
        ("walk_1.npz", "a person waves", "walk"),
        ("walk/1.npz", "a person waves", "walk"),
        ("someone-walks_seed0/motion.npz", "a person waves", "someone walks seed"),
        ("s0/motion.npz", "a person waves", "a person waves"),
        # Runs of any motion are called so.
        ("runs/s0/motion.npz", "a person waves", "a person waves"),
        ("wave-run/motion.npz", "a person waves", "a person waves"),
        ("runs/s0/motion.npz", "a person juggles", "a person juggles"),
        ("runs/run_1.npz", "a person waves", "run"),
        ("my_runs-2/motion.npz", "a person juggles", "a person juggles"),
        ("run3/motion.npz", "a person juggles", "a person juggles"),
        ("3run/motion.npz", "a person juggles", "a person juggles"),
        ("testRun/motion.npz", "a person waves", "a person waves"),
        ("run-final/motion.npz", "a person waves", "a person waves"),
        # Who runs is in such folders.
        ("run/motion.npz", "a person sprints", "run"),
        ("Run/s0/motion.npz", "a person waves", "run"),
        ("run/runner.npz", "a person sprints", "run"),
        ("run-fast/motion.npz", "a person sprints", "run fast"),
        ("running/motion.npz", "a person waves", "running"),
        ("someone-runs_seed0/motion.npz", "someone runs", "someone runs"),
        ("runs/s0/motion.npz", "", "runs"),
        ("s0/motion.npz", "", "motion"),
    ],
)
def test_names_tell_the_action_before_the_prompt(
    file: str, prompt: str, label: str, tmp_path: Path
) -> None:
    put(tmp_path / "in" / file, prompt)
    assert only(tmp_path / "in").label == label


def test_a_run_is_called_after_its_folder_which_is_no_subject(tmp_path: Path) -> None:
    for folder in ("ann/a", "ann/b"):
        put(tmp_path / folder / "motion.npz", "a walk")
    clips = read_recordings(tmp_path)
    assert [(clip.name, clip.subject) for clip in clips] == [("a", "ann"), ("b", "ann")]
    (alone,) = read_recordings(tmp_path / "ann" / "b")
    assert (alone.name, alone.subject, alone.label) == ("b", "", "a walk")


def test_what_else_runs_leave_is_counted_in_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("a", "b"):
        put(tmp_path / name / "motion.npz", "a walk")
        for other in ("video.mp4", "last.safetensors", "strip.png", "log.txt"):
            (tmp_path / name / other).write_bytes(b"")
        np.savez(tmp_path / name / "tracks.npz", points=np.zeros(3))
    np.save(tmp_path / "poses.npy", np.zeros((2, 24, 3)))
    with caplog.at_level(logging.INFO):
        assert len(read_folder(tmp_path)) == 2
    (told,) = caplog.messages
    for ending in (".mp4", ".safetensors", ".png", ".txt", ".npz"):
        assert f"2 {ending}" in told
    assert "1 .npy; such as " in told
    assert "poses.npy, an array of shape (2, 24, 3)" in told


def test_what_is_damaged_is_told_with_its_file(tmp_path: Path) -> None:
    path = put(tmp_path / "walk_1.npz")
    with np.load(path) as file:
        arrays = dict(file)
    arrays["translation"][1, 0] = np.nan
    np.savez(path, **arrays)
    with pytest.raises(ValueError, match=r"walk_1\.npz must hold finite positions .* frame 1;"):
        read_folder(tmp_path)
    del arrays["shape"]
    np.savez(path, **arrays)
    with pytest.raises(ValueError, match=r"walk_1\.npz must hold shape"):
        read_folder(tmp_path)
