"""`motiondistill dataset build`, from small folders to the set's files."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from mocap_folder import clip_joints, write_folder
from standin_skeleton import rest_joints

from motiondistill.cli import main
from motiondistill.commands import dataset
from motiondistill.data.captions import canonical_caption
from motiondistill.data.collection import WindowSettings as Windows
from motiondistill.data.collection import (
    mirror_image,
    parametric_entries,
    read_collection,
    split_clips,
)
from motiondistill.data.collection_files import read_collection_windows
from motiondistill.data.joints import JointClip
from motiondistill.data.splits import SplitSettings

FEW = ("window.parametric=2", "run.threads=1")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Kicks and walks of three subjects, one of them twice, and what no action of ours is."""
    walk = clip_joints("walk", 4.0, speed=1.2, heading=1.0)
    kick = clip_joints("kick", 3.0, side="left", seed=1)
    return write_folder(
        tmp_path_factory.mktemp("mocap") / "small",
        {
            "01_01": ("walk", walk),
            "02_01": ("kick", kick),
            # The same recording under another name, turned and cut.
            "06_01": ("kick", clip_joints("kick", 3.0, side="left", seed=1, heading=2.0)[:-7]),
            "04_01": ("kick", clip_joints("kick", 3.0, side="right", seed=7)),
            "05_01": ("swim", walk),
            "07_01": ("sit", clip_joints("stand", 3.0)),
        },
    )


@pytest.fixture(scope="module")
def built(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("sets") / "set"
    assert main(["dataset", "build", str(folder), "--out", str(out), *FEW]) == 0
    return out


def rows_of(built: Path) -> list[dict[str, str]]:
    with (built / "windows.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_set_has_a_row_for_each_motion(built: Path) -> None:
    rows, windows = rows_of(built), read_collection_windows(built)
    assert len(rows) == len(windows)
    for row, window in zip(rows, windows, strict=True):
        assert (row["action"], row["clip"]) == (window.action, window.clip)
        assert row["caption"] == canonical_caption(window.action, window.side)
        assert window.motion.rotations.shape == (16, 22, 3, 3)
        assert window.motion.fps == 8.0
        assert (row["parametric"] == "1") == (window.clip == "parametric")
    assert {row["clip"] for row in rows} == {
        "cmu/01_01",
        "cmu/02_01",
        "cmu/06_01",
        "cmu/04_01",
        "parametric",
    }
    tests = read_collection_windows(built, "test")
    assert len(tests) == sum(row["split"] == "test" for row in rows)
    captions = json.loads((built / "captions.json").read_text())
    assert "a person waves with the left hand" in captions["wave"]["left"]["trained"]
    assert list(captions["walk"]) == ["any"]


def test_copies_and_subjects_stay_on_one_side_and_parametric_motions_in_training(
    built: Path,
) -> None:
    rows = rows_of(built)
    sides = {
        clip: {row["split"] for row in rows if row["clip"] == clip}
        for clip in {row["clip"] for row in rows}
    }
    assert all(len(found) == 1 for found in sides.values())
    assert sides["cmu/02_01"] == sides["cmu/06_01"] != sides["cmu/04_01"]
    assert sides["parametric"] == {"train"}
    assert sides["cmu/01_01"] == {"train"}  # the only walk
    assert "cmu/02_01 = cmu/06_01" in (built / "README.md").read_text()


def test_every_recorded_window_comes_with_its_mirror_image(built: Path) -> None:
    rows, windows = rows_of(built), read_collection_windows(built)
    recorded = [place for place, row in enumerate(rows) if row["parametric"] == "0"]
    assert [rows[place]["mirrored"] for place in recorded[:2]] == ["0", "1"]
    assert sum(rows[place]["mirrored"] == "1" for place in recorded) * 2 == len(recorded)
    for place in recorded[::2]:
        one, other = windows[place], windows[place + 1]
        assert torch.allclose(one.motion.translation[:, 0], -other.motion.translation[:, 0])
        if one.action == "kick":
            assert {one.side, other.side} == {"left", "right"}


def test_the_mirror_twice_is_the_identity() -> None:
    for entry in parametric_entries(rest_joints(), Windows(parametric=1), seed=0):
        again = mirror_image(mirror_image(entry))
        assert (again.window.side, again.mirrored) == (entry.window.side, False)
        assert torch.equal(again.window.motion.rotations, entry.window.motion.rotations)
        assert torch.equal(again.window.motion.translation, entry.window.motion.translation)


def test_the_card_counts_what_is_there(built: Path) -> None:
    card, rows = (built / "README.md").read_text(), rows_of(built)
    assert f"{len(rows)} windows of 16 frames at 8 a second" in card
    table = [line.strip("| ").split(" | ") for line in card.splitlines() if line.startswith("| ")]
    found = {(cells[0], cells[1]): cells[2:] for cells in table if len(cells) == 8}
    del found["action", "kind"]
    counted: dict[tuple[str, str], list[int]] = {}
    for row in rows:
        kind = "parametric" if row["parametric"] == "1" else "recorded"
        count = counted.setdefault((row["action"], kind), [0, 0])
        count[row["split"] == "test"] += 1
    assert {key: [int(cells[2]), int(cells[5])] for key, cells in found.items()} == counted
    assert found["walk", "recorded"][:2] == ["4.0", "1"]
    assert found["wave", "parametric"] == ["4.0", "2", "2", "0.0", "0", "0"]
    assert "`window.parametric=2`" in card
    assert "swim (1)" in card
    assert "no window shows their action: cmu/07_01: does not look like its action." in card
    assert "Recorded, but not tested: walk." in card  # of one subject alone; kicks have three


def test_the_same_folder_and_seed_give_the_same_bytes(
    folder: Path, built: Path, tmp_path: Path
) -> None:
    assert main(["dataset", "build", str(folder), "--out", str(tmp_path / "x"), *FEW]) == 0
    for file in built.iterdir():
        assert (tmp_path / "x" / file.name).read_bytes() == file.read_bytes()


def test_files_of_humanml3d_are_sorted_by_their_texts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, action, text in (
        ("000001", "kick", "a man kicks something with his left leg.#a/DET#0.0#0.0"),
        ("000002", "walk", "a person walks and then sits#x#0.0#0.0"),
        ("M000001", "squat", "the figure squats down low"),
    ):
        joints = clip_joints(action, 3.0, side="left")[::3].repeat(2, 0)
        (tmp_path / "in" / "new_joints").mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / "texts").mkdir(exist_ok=True)
        np.save(tmp_path / "in" / "new_joints" / f"{name}.npy", joints)
        (tmp_path / "in" / "texts" / f"{name}.txt").write_text(text)
    recordings = read_collection(tmp_path / "in")
    assert {clip.name for clip in recordings.known} == {"000001", "M000001"}
    assert [each.label for each in recordings.dropped] == ["a person walks and then sits"]
    out = tmp_path / "set"
    assert main(["dataset", "build", str(tmp_path / "in"), "--out", str(out), *FEW]) == 0
    assert "a person walks and then sits (1)" in (out / "README.md").read_text()
    assert {row["source"] for row in rows_of(out)} == {"humanml3d", "parametric"}


def test_mirror_images_of_humanml3d_stand_on_the_side_of_their_originals() -> None:
    """They move otherwise, and their texts differ by the side."""
    clips = [
        JointClip(name, "humanml3d", f"kicks {place}", torch.zeros(2, 22, 3))
        for place, name in enumerate(("000001", "M000001", "000002", "M000002", "000003"))
    ]
    nothing: list[list[int]] = [[] for _ in clips]
    for seed in range(20):
        sides = split_clips(clips, nothing, SplitSettings(held_out=0.5), seed)
        assert sides[0] == sides[1] and sides[2] == sides[3]
        assert set(sides) == {"train", "test"}


def test_what_fails_while_it_is_written_leaves_nothing(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(part: Path, *_: object) -> None:
        part.mkdir()
        raise ValueError("the disk is full")

    monkeypatch.setattr(dataset, "write_collection", broken)
    assert main(["dataset", "build", str(folder), "--out", str(tmp_path / "x"), *FEW]) == 2
    assert list(tmp_path.iterdir()) == []


def test_mistakes_are_told_with_their_remedy(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    swims = write_folder(tmp_path / "swims", {"01_01": ("swim", clip_joints("walk", 3.0))})
    stands = write_folder(tmp_path / "stands", {"01_01": ("sit", clip_joints("stand", 3.0))})
    out = str(tmp_path / "out")
    for arguments, words in (
        ([str(tmp_path / "none"), "--out", out], "`FOLDER` must be a folder of motions"),
        (
            [str(tmp_path / "empty"), "--out", out],
            "`FOLDER` must hold motions of a known format, found no file",
        ),
        ([str(swims), "--out", out], "name the files or their folders after actions"),
        ([str(folder), "--out", str(folder)], "`--out` must name a new folder"),
        (
            [str(folder), "--out", str(folder / "manifest.csv" / "set")],
            "`--out` must lie in a folder",
        ),
        ([str(folder), "--out", out, "window.frame=3"], "did you mean `window.frames`?"),
        ([str(folder), "--out", out, "split.held_out=2"], "`split.held_out` must be between 0"),
        (
            [str(stands), "--out", out, "window.parametric=0"],
            "with 01_01 (does not look like its action); take fewer window.frames",
        ),
        ([str(folder)], "the following arguments are required: --out"),
    ):
        assert main(["dataset", "build", *arguments]) == 2
        assert words in capsys.readouterr().err
    assert main(["dataset"]) == 2
    with pytest.raises(FileNotFoundError, match="make one with `motiondistill dataset build`"):
        read_collection_windows(tmp_path / "empty")
