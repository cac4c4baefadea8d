"""What a folder's motions are left out for, and how that is told."""

from pathlib import Path

import numpy as np
import pytest
from mocap_folder import clip_joints, write_folder
from standin_skeleton import rest_joints

from motiondistill.data.collection import (
    Cutting,
    Recordings,
    WindowSettings,
    all_dropped,
    read_collection,
    recorded_entries,
)
from motiondistill.data.collection_card import card
from motiondistill.data.dropped import Dropped, in_words
from motiondistill.data.importers import CapturedClip
from motiondistill.data.joints import JOINTS_FPS, JointClip
from motiondistill.data.parametric import parametric_motion
from motiondistill.data.splits import Split, SplitSettings
from motiondistill.kinematics import forward_kinematics
from motiondistill.randomness import seeded

SETTINGS = WindowSettings(mirror=False, parametric=0)


def put(path: Path, joints: np.ndarray) -> None:
    """Joints at 30 frames a second, as a file that is taken to have 20."""
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, joints[(np.arange(len(joints) * 2 // 3) * 1.5).astype(int)])


def cut(recordings: Recordings) -> list[Cutting]:
    sides: list[Split] = ["test"] * len(recordings.known)
    return list(recorded_entries(recordings, sides, rest_joints(), SETTINGS))


def test_folders_name_actions_and_every_motion_without_a_window_has_its_reason(
    tmp_path: Path,
) -> None:
    walk = clip_joints("walk", 4.0, speed=1.2)
    put(tmp_path / "walk" / "clip1.npy", walk)
    put(tmp_path / "wave" / "clip2.npy", clip_joints("wave", 4.0))
    put(tmp_path / "walk" / "blink.npy", walk[:9])
    broken = walk.copy()
    broken[::6] += 1.0
    put(tmp_path / "walk" / "broken.npy", broken)
    put(tmp_path / "walk" / "still.npy", clip_joints("stand", 4.0))
    put(tmp_path / "squat" / "half.npy", clip_joints("squat", 4.0)[:14])
    put(tmp_path / "jump_1.npy", clip_joints("stand", 4.0))
    put(tmp_path / "swim.npy", walk)
    put(tmp_path / "walk" / "jump and kick.npy", walk)
    recordings = read_collection(tmp_path)
    cuttings = cut(recordings)
    shown = {(e.window.clip, e.window.action) for each in cuttings for e in each.entries}
    assert shown == {("humanml3d/clip1", "walk"), ("humanml3d/clip2", "wave")}
    dropped = all_dropped(recordings, cuttings)
    assert {each.clip.partition("/")[2]: (each.action, each.why) for each in dropped} == {
        "blink": ("walk", "shorter than 0.4 s"),
        "broken": ("walk", "jumps of more than 0.5 m between its frames"),
        "half": ("squat", "shorter than a window of 1.88 s, and no loop"),
        "jump and kick": ("", "names no action of ours, or several"),
        "jump_1": ("jump", "no jump that a window of 1.88 s fits round"),
        "still": ("walk", "no walk that a window of 1.88 s fits round"),
        "swim": ("", "names no action of ours, or several"),
    }


def test_a_motion_of_a_windows_very_length_gives_one() -> None:
    """As runs leave it: sixteen frames at eight a second, of which thirty a second lose a part."""
    motion = parametric_motion("squat", "right", seeded(3), rest_joints(), 8.0, 16)
    _, joints = forward_kinematics(motion.rotations, rest_joints())
    joints = joints + motion.translation[:, None]
    taken = CapturedClip("a", "own", "", "squat", joints, motion.fps, motion).at(JOINTS_FPS)
    for lost, count in ((0, 1), (1, 0)):
        clip = JointClip("a", "own", "squat", taken.joints, motion=taken.motion)
        clip = clip.frames(slice(len(taken.joints) - lost))
        (found,) = cut(Recordings((clip,), (clip,), (), ""))
        assert (len(found.entries), len(found.dropped)) == (count, 1 - count)


def test_a_clip_counts_as_left_out_only_if_no_piece_of_it_is_used(tmp_path: Path) -> None:
    walk = clip_joints("walk", 8.0, speed=1.2)
    walk[130:] += 2.0  # two pieces, of which the second is too short
    put(tmp_path / "walk.npy", walk[:150])
    recordings = read_collection(tmp_path)
    assert len(recordings.known) == 2
    cuttings = cut(recordings)
    assert [bool(each.entries) for each in cuttings] == [True, False]
    assert all_dropped(recordings, cuttings) == []


def left_out(folder: Path) -> str:
    """That part of the folder's card, of a set without windows."""
    recordings = read_collection(folder)
    text = card(recordings, [], all_dropped(recordings, []), [], SETTINGS, SplitSettings())
    return text.partition("## Left out\n\n")[2]


def test_the_card_tells_what_a_manifest_leaves_out(tmp_path: Path) -> None:
    walk = clip_joints("walk", 1.0)
    broken = walk.copy()
    broken[14:] += 1.0  # two pieces
    clips = {
        "01_01": ("walk", walk),
        "01_02": ("walk", walk),
        "01_03": ("swim", walk),
        "01_04": ("swim", walk[:5]),
        "01_05": ("juggle", broken),
        "03_01": ("walk", walk[:5]),
    }
    folder = write_folder(tmp_path / "in", clips, floor={"01_02": 1.0, "01_03": -1.0})
    no_floor = "no floor within 0.3 m of zero"
    told = {each.clip: (each.action, each.why) for each in read_collection(folder).dropped}
    assert told["cmu/01_02"] == ("walk", no_floor) and told["cmu/01_03"] == ("", no_floor)
    assert left_out(folder).splitlines()[::2] == [
        "Clips that name none of the actions, or several: swim (1), juggle (1).",
        "Clips that would teach a class something wrong: cmu/03_01.",
        f"Clips in which no window shows their action: cmu/01_02, cmu/01_03: {no_floor}.",
        "Files that are no motions of a known format: none.",
    ]


def test_the_card_tells_which_files_were_passed_over(tmp_path: Path) -> None:
    put(tmp_path / "walk_1.npy", clip_joints("walk", 1.0))
    for name in ("a.mp4", "b.mp4", "log.txt"):
        (tmp_path / name).write_bytes(b"")
    assert "of a known format: 2 .mp4, 1 .txt.\n" in left_out(tmp_path)


@pytest.mark.parametrize(
    ("label", "told"),
    [
        ("walk", r"that can be used, got .* 01_01 \(no floor within 0\.3 m of zero\); add others"),
        ("swim", r"that name one of our actions, got .* with swim; name the files"),
        (None, r"that name one of our actions, got .* with no clip at all; name the files"),
    ],
)
def test_a_manifest_that_leaves_no_clip_is_told(
    label: str | None, told: str, tmp_path: Path
) -> None:
    clips = {} if label is None else {"01_01": (label, clip_joints("walk", 1.0))}
    folder = write_folder(tmp_path / "in", clips, floor={"01_01": 1.0})
    with pytest.raises(ValueError, match=told):
        read_collection(folder)


def test_reasons_are_told_with_a_few_names() -> None:
    dropped = [Dropped(f"cmu/walk_{place}", "walk", "too short") for place in (1, 1, 2, 3, 4, 5)]
    dropped.insert(1, Dropped("cmu/a/b", "run", "no loop"))
    told = "walk_1, walk_2, walk_3 and 2 more (too short); a/b (no loop)"
    assert in_words(dropped) == told


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("walk.npy", r"`FOLDER` must hold motions that can be used, got .* walk \(shorter than"),
        ("swim.npy", r"`FOLDER` must hold motions that name one of our actions, got .* with swim;"),
    ],
)
def test_folders_of_which_nothing_is_left_are_told(name: str, told: str, tmp_path: Path) -> None:
    put(tmp_path / "in" / name, clip_joints("walk", 0.3))
    with pytest.raises(ValueError, match=told):
        read_collection(tmp_path / "in")
