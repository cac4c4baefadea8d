"""Between rest poses and between bodies: what a motion becomes where others count from elsewhere.

Our rotations count from the T-pose, those of a file from its own rest pose. With `T_j` the world
rotation of joint j from that rest pose to our T-pose, what is `R_j` relative to the parent for us
is `T_parent^T R_j T_j` there. Nothing is approximated, and nothing is lost.
"""

import dataclasses
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill.data.directions import leg_length, middle
from motiondistill.motion.resampling import smoothly_resampled
from motiondistill.structures import Motion


def from_rest_pose(
    turns: Float[Tensor, "frames joints 3 3"],
    t_pose: Float[Tensor, "joints 3 3"],
    parents: Sequence[int],
) -> Float[Tensor, "frames joints 3 3"]:
    """Rotations relative to the parents against the rest pose; `turns` are against our T-pose."""
    return _parents_of(t_pose, parents).transpose(-1, -2) @ turns @ t_pose


def from_t_pose(
    turns: Float[Tensor, "frames joints 3 3"],
    t_pose: Float[Tensor, "joints 3 3"],
    parents: Sequence[int],
) -> Float[Tensor, "frames joints 3 3"]:
    """Rotations relative to the parents against our T-pose: undoes `from_rest_pose`."""
    return _parents_of(t_pose, parents) @ turns @ t_pose.transpose(-1, -2)


def on_skeleton(
    motion: Motion, own: Float[Tensor, "joints 3"], other: Float[Tensor, "joints 3"]
) -> Motion:
    """The motion on another skeleton; exchanging the skeletons undoes it.

    Rotations against the T-pose are alike on all bodies, so they stay. The middle of the hips goes
    its way from its rest, scaled by the length of the legs. It is not the pelvis, because bodies
    have their pelvis at different heights above the hips: a bow would move the feet. Who stands on
    the floor y = 0 stands on it after, too, as far as thigh and shin are in proportion.

    Args:
        motion: One motion without a batch.
        own: Joints of its skeleton in the T-pose on the floor, metres.
        other: Likewise of the other.
    """
    root = motion.rotations[:, 0]
    scale = leg_length(other[None]) / leg_length(own[None])
    swings = []
    for rest in (own, other):
        arm = (middle(rest[None], "hip")[0] - rest[0]).to(root)
        swings.append((root @ arm[:, None])[..., 0] - arm)
    translation = scale * (motion.translation + swings[0]) - swings[1]
    return dataclasses.replace(motion, translation=translation)


def at_rate(motion: Motion, fps: float) -> Motion:
    """The motion at another frame rate, smooth, from its first frame on and no longer than it."""
    if fps == motion.fps:
        return motion
    # A little more, lest the last frame is lost to rounding.
    frames = int((motion.num_frames - 1) / motion.fps * fps + 1e-6) + 1
    return smoothly_resampled(motion, fps, frames)


def _parents_of(
    t_pose: Float[Tensor, "joints 3 3"], parents: Sequence[int]
) -> Float[Tensor, "joints 3 3"]:
    """`T_parent`; what has no parent hangs in the world, which both rest poses share."""
    eye = torch.eye(3).to(t_pose)
    return torch.stack([eye if parent < 0 else t_pose[parent] for parent in parents])
