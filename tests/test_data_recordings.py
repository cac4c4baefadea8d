"""What a folder of recordings gives to those who cut windows from it."""

import dataclasses
from pathlib import Path

import numpy as np
import torch
from captures import about, rotation_vector
from jaxtyping import Float
from torch import Tensor

from motiondistill import rotations
from motiondistill.body.skinning import SkinnedBody
from motiondistill.data.recordings import motion_of, neutral_poses, read_recordings
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
