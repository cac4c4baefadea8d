"""What a folder of recordings gives to those who cut windows from it."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from captures import about, rotation_vector
from jaxtyping import Float
from torch import Tensor

from motiondistill import rotations
from motiondistill.body.skinning import SkinnedBody
from motiondistill.data.importers import CapturedClip
from motiondistill.data.joints import read_joint_clips
from motiondistill.data.recordings import _names, motion_of, neutral_poses, read_recordings
from motiondistill.structures import JOINT_INDEX as J
from motiondistill.structures import Motion

FRAMES = 24
# Rotations are stored as vectors and read in single precision, radians.
TOLERANCE = 1e-5
LOOK = torch.linspace(0.0, 0.8, FRAMES)


def amass_file(folder: Path, broken: int | None = None) -> None:
    """A subject who looks to the left, and is a metre further from one frame on."""
    poses = np.zeros((FRAMES, 156))
    poses[:, :3] = rotation_vector(about(0, np.pi / 2))  # +Z up, as in AMASS
    poses[:, 3 * J["head"] + 1] = LOOK.numpy()
    trans = np.tile([0.0, 0.0, 0.9], (FRAMES, 1))
    if broken is not None:
        trans[broken:, 0] += 1.0
    np.savez(folder / "walk_poses.npz", poses=poses, trans=trans, mocap_framerate=30.0)


def turn_of_head(motion: Motion) -> Float[Tensor, " frames"]:
    """About the vertical, relative to the neck, radians."""
    return rotations.to_axis_angle(motion.rotations[:, J["head"]])[:, 1]


def test_exact_rotations_keep_twists_that_positions_do_not_show(
    tmp_path: Path, low_body: SkinnedBody
) -> None:
    amass_file(tmp_path)
    clips = read_recordings(tmp_path)
    (clip,) = clips
    neutral = neutral_poses(clips)
    motion = motion_of(clip, neutral, low_body.rest_joints)
    assert clip.motion is not None and torch.equal(motion.rotations, clip.motion.rotations)
    assert (motion.fps, motion.num_frames) == (30.0, FRAMES)
    assert torch.allclose(turn_of_head(motion), LOOK, atol=TOLERANCE)
    by_positions = motion_of(dataclasses.replace(clip, motion=None), neutral, low_body.rest_joints)
    seen = turn_of_head(by_positions)
    assert torch.allclose(seen, seen[:1].expand_as(seen), atol=TOLERANCE)


def test_rotations_are_cut_with_the_joints(tmp_path: Path) -> None:
    """A jump of a metre takes three frames on both sides of it out."""
    amass_file(tmp_path, broken=6)
    (clip,) = read_recordings(tmp_path)  # the first piece is too short to show anything
    assert clip.motion is not None and clip.motion.num_frames == len(clip.joints) < FRAMES - 6
    first = FRAMES - len(clip.joints)
    assert torch.allclose(turn_of_head(clip.motion), LOOK[first:], atol=TOLERANCE)


def test_files_of_one_name_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    for folder in ("anna/walk", "anna/run", "bob/walk"):
        (tmp_path / folder).mkdir(parents=True)
        amass_file(tmp_path / folder)
    clips = read_recordings(tmp_path)
    assert sorted(clip.name for clip in clips) == [
        "anna/run/walk_poses",
        "anna/walk/walk_poses",
        "bob/walk/walk_poses",
    ]
    # What is done is not who does it: Anna stays on one side.
    assert sorted(clip.subject for clip in clips) == ["anna", "anna", "bob"]


def test_a_folder_of_an_action_names_nobody(tmp_path: Path) -> None:
    (tmp_path / "walk").mkdir()
    amass_file(tmp_path / "walk")
    (clip,) = read_recordings(tmp_path)
    assert (clip.name, clip.subject) == ("walk_poses", "")


def test_names_are_numbered_where_folders_do_not_tell_them_apart() -> None:
    joints = torch.zeros(2, 22, 3)
    clips = [CapturedClip("walk", "gltf-x", "", "walk", joints, 30.0) for _ in range(2)]
    assert _names(clips) == ["walk", "walk (2)"]


def test_a_manifest_that_does_not_fit_its_arrays_is_told(tmp_path: Path) -> None:
    head, row = "clip,npz,cls,floor_y\n", "a,x_j22.npz,walk,0\n"
    (tmp_path / "joints22").mkdir()
    manifest, archive = tmp_path / "manifest.csv", tmp_path / "joints22" / "x_j22.npz"
    manifest.write_text(head + row)
    with pytest.raises(FileNotFoundError, match=r"must name files of joints22/, got x_j22\.npz"):
        read_joint_clips(tmp_path)
    joints = np.zeros((30, 22, 3), np.float32)
    for text, arrays, words in (
        ("clip,npz\n", {"a": joints}, "must have the columns .* cls, floor_y; add"),
        (head + "a,x_j22.npz,walk,low\n", {"a": joints}, "`floor_y` .* got 'low' for a"),
        (head + "a,x_j22.npz,walk,\n", {"a": joints}, "`floor_y` .* got '' for a"),
        (head + row, {"b": joints}, "must hold an array for each clip .* none for a"),
        (head + row, {"a": joints[:, :20]}, r"`a` .* shape \(frames, 22, 3\)"),
    ):
        manifest.write_text(text)
        np.savez(archive, **arrays)
        with pytest.raises(ValueError, match=words):
            read_joint_clips(tmp_path)
    manifest.write_text(head + row)
    np.savez(archive, a=joints)
    (clip,) = read_joint_clips(tmp_path)
    assert (clip.name, len(clip.joints)) == ("a", 30)
