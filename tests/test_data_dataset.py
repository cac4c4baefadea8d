import dataclasses
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from mocap_folder import clip_joints, write_folder
from standin_skeleton import rest_joints

from motiondistill import rotations
from motiondistill.cameras import facing_forward
from motiondistill.data.cuts import Window
from motiondistill.data.dataset import ActionDataset, action_dataset, mocap_windows
from motiondistill.data.events import event_cuts
from motiondistill.data.frequencies import FULL_SET, RARE_CLIPS, training_plan
from motiondistill.data.joints import read_joint_clips, sound_frames
from motiondistill.data.parametric import parametric_motion
from motiondistill.data.signs import side_shown, stays_on_floor
from motiondistill.data.windows import headings, hold_in_place, mirrored
from motiondistill.kinematics import forward_kinematics
from motiondistill.randomness import seeded
from motiondistill.structures import JOINT_INDEX as J
from motiondistill.structures import Motion

FPS, FRAMES = 8.0, 17
# A window is centred to float32 rounding of sums over its frames.
CENTRED = 1e-4


def test_clips_are_cut_round_jumps(tmp_path: Path) -> None:
    joints = clip_joints("stand", 4.0)
    joints[60, J["left_wrist"]] += 2.0
    sound = sound_frames(torch.from_numpy(joints))
    # The wrist jumps into frame 60 and out of it; three frames more go on each side.
    assert (~sound).nonzero().flatten().tolist() == list(range(56, 65))
    joints[:, J["neck"]] = np.nan
    clips = read_joint_clips(write_folder(tmp_path / "a", {"x": ("idle", joints)}))
    assert [len(clip.joints) for clip in clips] == [56, 120 - 65]
    assert clips[0].source == "cmu"


def test_clips_without_a_floor_are_left_out(tmp_path: Path) -> None:
    joints = clip_joints("stand", 3.0)
    folder = write_folder(
        tmp_path / "a", {"good": ("idle", joints), "sunk": ("idle", joints)}, {"sunk": -0.75}
    )
    assert [clip.name for clip in read_joint_clips(folder)] == ["good"]


def test_a_folder_without_a_manifest_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"`folder` must hold manifest.csv"):
        read_joint_clips(tmp_path)


def test_windows_of_motion_capture_are_found_turned_and_held(tmp_path: Path) -> None:
    folder = write_folder(
        tmp_path / "mocap",
        {
            "walk": ("walk", clip_joints("walk", 4.0, speed=1.2, heading=2.0)),
            "crawls": ("walk", clip_joints("walk", 4.0, speed=0.4)),
            "stands": ("walk", clip_joints("stand", 4.0)),
            "run": ("run", clip_joints("run", 1.3, speed=3.2)),
            "kick": ("kick", clip_joints("kick", 2.2, side="left")),
            "exercise": ("mixed:exercise", clip_joints("squat", 4.0)),
            "sits": ("sit", clip_joints("stand", 4.0)),
            "laughs": ("laugh", clip_joints("squat", 4.0)),
        },
    )
    windows = mocap_windows(folder, rest_joints(), FPS, FRAMES)
    found = {(window.clip, window.action, window.side) for window in windows}
    # What moves too slowly, does not do what its label says or has no action of ours is not there.
    assert found == {
        ("cmu/walk", "walk", "right"),
        ("cmu/run", "run", "right"),
        ("cmu/kick", "kick", "left"),
        ("cmu/exercise", "squat", "right"),
    }
    for window in windows:
        motion = window.motion
        assert motion.rotations.shape == (FRAMES, 22, 3, 3)
        assert motion.fps == FPS
        assert motion.translation[:, [0, 2]].mean(0).abs().max() < CENTRED
        assert headings(motion).abs().mean() < 0.3
        assert stays_on_floor(motion, rest_joints())


@pytest.mark.parametrize("action", ["walk", "run"])
def test_gaits_start_with_the_left_foot_ahead(action: str, tmp_path: Path) -> None:
    speed = {"walk": 1.2, "run": 3.2}[action]
    clip = clip_joints(action, 6.0, speed=speed)[11:]  # from anywhere in the stride
    windows = mocap_windows(
        write_folder(tmp_path / "a", {"gait": (action, clip)}), rest_joints(), FPS, FRAMES
    )
    dataset = action_dataset(windows, rest_joints(), FPS, FRAMES)
    generator, captured = seeded(0), 0
    for _ in range(20):
        sample = dataset.sample_clip(action, generator)
        _, joints = forward_kinematics(sample.motion.rotations, rest_joints())
        lead = joints[:, J["left_ankle"], 2] - joints[:, J["right_ankle"], 2]
        assert lead[0] > 0.6 * lead.max()
        captured += sample.clip == "cmu/gait"
    assert captured


def left_strides(walk: Motion) -> list[float]:
    return [cut.start for cut in event_cuts("walk", walk, 0.0, rest_joints())]


def test_strides_are_found_where_they_peak_wherever_a_clip_begins_and_ends() -> None:
    walk = parametric_motion("walk", "right", seeded(0), rest_joints(), 60.0, 240)
    strides = left_strides(walk)
    assert len(strides) >= 2
    period = strides[1] - strides[0]
    for cut in (0.1, 0.3, 0.5, 0.7, 0.9):
        start = round((strides[0] + cut * period) * 60)
        late = dataclasses.replace(
            walk, rotations=walk.rotations[start:], translation=walk.translation[start:]
        )
        expected = [stride - start / 60 for stride in strides[1:]]
        assert left_strides(late) == pytest.approx(expected)


def test_signs_tell_actions_apart() -> None:
    names = ("walk", "jumping jacks", "squat", "wave", "punch", "bow", "stand", "jump")
    shown = {}
    for performed in names:
        motion = parametric_motion(
            performed, "left", seeded(2, 0, performed), rest_joints(), FPS, FRAMES
        )
        window = hold_in_place(facing_forward(motion))
        shown[performed] = {
            name for name in names if side_shown(name, window, 0.0, rest_joints()) is not None
        }
    for performed in names:
        assert performed in shown[performed]
    assert shown["stand"] == {"stand"}
    assert shown["wave"] == {"wave"}
    assert shown["walk"] == {"walk"}
    assert "wave" not in shown["jumping jacks"] | shown["punch"]


@pytest.mark.parametrize("side", ["left", "right"])
def test_the_side_is_seen(side: str) -> None:
    for action in ("wave", "punch", "kick"):
        motion = parametric_motion(action, side, seeded(4, 0, action), rest_joints(), FPS, FRAMES)
        window = hold_in_place(facing_forward(motion))
        assert side_shown(action, window, 0.0, rest_joints()) == side


def test_a_turning_walk_is_not_a_walk() -> None:
    motion = parametric_motion("walk", "right", seeded(0), rest_joints(), FPS, FRAMES)
    turn = rotations.about_y(torch.linspace(0, 1.5, FRAMES))
    turned = torch.cat([(turn @ motion.rotations[:, 0])[:, None], motion.rotations[:, 1:]], 1)
    assert side_shown("walk", motion, 1.2, rest_joints()) == "right"
    assert side_shown("walk", Motion(turned, motion.translation, FPS), 1.2, rest_joints()) is None


def punch_window(side: str, clip: str) -> Window:
    motion = parametric_motion("punch", side, seeded(1, 0, clip), rest_joints(), FPS, FRAMES)
    return Window(motion, "punch", side, clip)


def test_samples_show_the_side_they_name() -> None:
    dataset = action_dataset([punch_window("left", "a")], rest_joints(), FPS, FRAMES)
    generator = seeded(0)
    samples = [dataset.sample_clip("punch", generator) for _ in range(60)]
    assert {(sample.side, sample.clip) for sample in samples} == {
        (side, clip) for side in ("left", "right") for clip in ("a", "parametric")
    }
    for sample in samples:
        _, joints = forward_kinematics(sample.motion.rotations, rest_joints())
        reach = {
            side: (joints[:, J[f"{side}_wrist"]] - joints[:, J[f"{side}_shoulder"]])[:, 2].max()
            for side in ("left", "right")
        }
        assert max(reach, key=lambda side: reach[side]) == sample.side
    expected = mirrored(punch_window("left", "a").motion).rotations
    captured = [s.motion.rotations for s in samples if s.clip == "a" and s.side == "right"]
    assert captured
    assert all(torch.equal(rotations, expected) for rotations in captured)


def test_clips_count_alike_however_many_windows_they_have() -> None:
    rolling = [
        dataclasses.replace(punch_window("left", clip), action="roll") for clip in "aaaaaaaaab"
    ]
    dataset = action_dataset(rolling, rest_joints(), FPS, FRAMES)
    generator = seeded(0)
    count = Counter(dataset.sample_clip("roll", generator).clip for _ in range(200))
    # A fair coin thrown 200 times: 100 +- 4 standard deviations.
    assert abs(count["a"] - 100) < 29
    assert set(count) == {"a", "b"}


def small_set(clips: str = "abc") -> ActionDataset:
    """Punches and cartwheels that are really punches, from a few clips each."""
    windows = [punch_window("left", clip) for clip in clips]
    windows += [dataclasses.replace(window, action="cartwheel") for window in windows]
    return action_dataset(windows, rest_joints(), FPS, FRAMES)


def test_a_training_set_is_a_list() -> None:
    """Each clip depends on its index and the seed alone, in whatever order they are made."""
    count, places = 300, (0, 7, 123, 124, 299)
    plan = training_plan(small_set().actions, count, 4)
    forward = {place: small_set().training_clip(place, count, 4) for place in places}
    dataset = small_set()
    for place in reversed(places):
        again, before = dataset.training_clip(place, count, 4), forward[place]
        assert (again.action, again.side) == (plan[place].action, plan[place].side)
        assert (again.action, again.clip) == (before.action, before.clip)
        assert torch.equal(again.motion.rotations, before.motion.rotations)
        assert torch.equal(again.motion.translation, before.motion.translation)
    with pytest.raises(ValueError, match="`index` must be from 0 to `count` - 1 = 299, got 300"):
        dataset.training_clip(300, count, 4)


def test_clips_of_a_rare_action_differ_as_long_as_there_are_windows() -> None:
    dataset = small_set("abcdefgh")
    count = FULL_SET * 8 // RARE_CLIPS["cartwheel"]
    plan = training_plan(dataset.actions, count, 0)
    places = [place for place, clip in enumerate(plan) if clip.action == "cartwheel"]
    names = [dataset.training_clip(place, count, 0).clip for place in places]
    assert sorted(names) == list("abcdefgh")
    other = training_plan(dataset.actions, count, 1)
    places = [place for place, clip in enumerate(other) if clip.action == "cartwheel"]
    again = [dataset.training_clip(place, count, 1).clip for place in places]
    assert sorted(again) == list("abcdefgh")


def test_actions_are_drawn_alike_and_reproducibly() -> None:
    dataset = action_dataset([], rest_joints(), FPS, FRAMES)
    assert "cartwheel" not in dataset.actions
    generator = seeded(0)
    count = Counter(dataset.sample_action(generator) for _ in range(100 * len(dataset.actions)))
    assert set(count) == set(dataset.actions)
    # Binomial with mean 100 and standard deviation below 10.
    assert all(60 < number < 140 for number in count.values())
    first, again = (dataset.sample(seeded(7)) for _ in range(2))
    assert first[1] == again[1]
    assert torch.equal(first[0].motion.rotations, again[0].motion.rotations)
    with pytest.raises(ValueError, match="got 'cartwheel'"):
        dataset.sample_clip("cartwheel", generator)
