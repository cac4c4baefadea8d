import json
from pathlib import Path

import captures
import numpy as np
import pytest
import torch
from foreign_captures import deepmimic, expmap, poselib, walking
from test_import_amass import arrays
from test_import_gltf import TIMES, content, known, rotations_of

from motiondistill.data.importers import read_folder, read_motion_capture
from motiondistill.data.importers.clip import label_hint, subject_hint
from motiondistill.data.importers.folder import recognise


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A file of every format, and files that are none."""
    turns, roots = known()
    orders = [(0, 1, 2)] * len(captures.SKELETON)
    for name in ("bvh/walk", "amass/BML/s3", "humanml/new_joints", "other"):
        (tmp_path / name).mkdir(parents=True)
    text = captures.bvh(captures.random_angles(60), np.tile([0, 0.9, 0], (60, 1)), orders)
    (tmp_path / "bvh" / "walk" / "07_01.bvh").write_text(text)
    (tmp_path / "all.glb").write_bytes(
        captures.glb(content(), [TIMES, roots, *rotations_of(turns)])
    )
    np.savez(tmp_path / "amass" / "BML" / "s3" / "jump_poses.npz", **arrays())
    np.savez(tmp_path / "amass" / "BML" / "s3" / "shape.npz", betas=np.zeros(16))
    np.save(tmp_path / "humanml" / "new_joints" / "000001.npy", walking())
    np.save(tmp_path / "humanml" / "Mean.npy", np.zeros(263))
    np.save(tmp_path / "amp.npy", np.array(poselib(), dtype=object), allow_pickle=True)
    np.save(tmp_path / "words.npy", np.array(["a", {}], dtype=object), allow_pickle=True)
    (tmp_path / "kick.txt").write_text(json.dumps(deepmimic()))
    np.savetxt(tmp_path / "running_2.csv", expmap(np.eye(3), 0), delimiter=",")
    (tmp_path / "README.txt").write_text("walk, run, jump")
    (tmp_path / "settings.json").write_text("{}")
    (tmp_path / "film.mp4").write_bytes(b"")
    return tmp_path


def test_a_folder_gives_every_motion_and_nothing_else(folder: Path) -> None:
    clips = {clip.name: clip for clip in read_folder(folder)}
    assert set(clips) == {
        "07_01",
        "Jump_Around",
        "jump_poses",
        "000001",
        "amp",
        "kick",
        "running_2",
    }
    for clip in clips.values():
        assert clip.fps == 30.0
        assert clip.joints.shape[1:] == (22, 3)
        assert clip.joints.dtype == torch.float32
    assert clips["07_01"].label == "walk"
    assert clips["jump_poses"].label == "jump"
    assert clips["jump_poses"].subject == "amass/BML/s3"
    assert clips["jump_poses"].motion is not None
    assert clips["kick"].subject == ""


def test_a_file_alone_gives_the_same(folder: Path) -> None:
    together = {clip.name: clip for clip in read_folder(folder)}
    for path in folder.rglob("*"):
        if path.is_file() and recognise(path):
            for clip in read_motion_capture(path):
                other = together[clip.name].joints
                assert torch.allclose(clip.joints, other, equal_nan=True)


def test_what_is_damaged_is_not_passed_over(folder: Path) -> None:
    path = folder / "amass" / "BML" / "s3" / "jump_poses.npz"
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(ValueError, match="jump_poses"):
        read_folder(folder)


def test_what_is_no_motion_is_told(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"README\.txt.*BVH"):
        read_motion_capture(folder / "README.txt")
    with pytest.raises(FileNotFoundError, match="no motion capture at"):
        read_motion_capture(folder / "nothing.bvh")
    with pytest.raises(FileNotFoundError, match="`folder`"):
        read_folder(folder / "nothing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"`--motions` .* found no file in"):
        read_folder(tmp_path / "empty", key="--motions")


@pytest.mark.parametrize(
    ("path", "label"),
    [
        ("a/walk1_subject5.bvh", "walk"),
        ("dance/07_01.bvh", "dance"),
        ("x/SideStep_02_poses.npz", "side step"),
        ("x/kicking-high.npy", "kicking high"),
        ("12/34.bvh", "34"),
    ],
)
def test_labels_are_words(path: str, label: str) -> None:
    assert label_hint(Path(path)) == label


@pytest.mark.parametrize(
    ("path", "said", "label"),
    [
        ("walk/clip1.npy", "", "walk"),
        ("walk/day 2/07_01.npy", "", "walk"),
        ("walk/slow wave/clip.npy", "", "slow wave"),
        ("walk/wave_1.npy", "", "wave"),
        ("clip.npy", "", "kicks"),
        ("walk/take.glb", "Scene", "walk"),
        ("walk/take.glb", "Bow_01", "bow"),
        # Of several actions, a further name would be a guess.
        ("walk/wave and bow.npy", "", "wave and bow"),
        ("walk and bow/clip.npy", "", "walk and bow"),
    ],
)
def test_actions_come_from_the_nearest_name_that_has_one(path: str, said: str, label: str) -> None:
    assert label_hint(Path("jump/kicks") / path, Path("jump/kicks"), said) == label


def test_folders_that_name_no_action_leave_the_words_of_the_file() -> None:
    assert label_hint(Path("a/b/swim_1.npy"), Path("a")) == "swim"
    # What is above the folder that was imported says nothing.
    assert label_hint(Path("walk/a/b/swim_1.npy"), Path("walk/a")) == "swim"


def test_the_folder_that_is_here_has_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "waving").mkdir()
    monkeypatch.chdir(tmp_path / "waving")
    assert label_hint(Path("clip.npy"), Path()) == "waving"


def test_subjects_come_from_names_or_folders() -> None:
    assert subject_hint(Path("lafan/walk1_subject5.bvh")) == "subject5"
    assert subject_hint(Path("cmu/07/07_01.bvh"), Path("cmu")) == "07"
    assert subject_hint(Path("cmu/07_01.bvh"), Path("cmu")) == ""
    assert subject_hint(Path("cmu/07/07_01.bvh")) == ""
