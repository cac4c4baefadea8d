"""What regularisers compare a motion with, from a configuration: the body, and files of poses."""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill.building.motion import read_motion
from motiondistill.motion.statistics import PoseStatistics
from motiondistill.regularizers.capsules import capsules_of
from motiondistill.regularizers.key_frames import KeyFrames, MotionKey
from motiondistill.regularizers.statistics import UsualPoses
from motiondistill.regularizers.weights import References, RegularizerWeights
from motiondistill.structures import JOINT_INDEX, NUM_JOINTS, Mesh


def make_references(
    weights: RegularizerWeights,
    rest: Mesh,
    num_frames: int,
    fps: float,
    usual: UsualPoses | None,
) -> References:
    """What the terms that count need, for clips of this length on a body whose T-pose is `rest`.

    Raises FileNotFoundError for files of poses that are missing, and ValueError for those that hold
    no such pose, for times after the clip, and for terms that need what there is none of.
    """
    keys = weights.key_frames
    return References(
        capsules=capsules_of(rest) if weights.self_penetration else None,
        statistics=usual,
        key_frames=make_key_frames(keys, num_frames, fps) if keys else None,
    )


def make_usual_poses(
    weights: Mapping[str, float], statistics: PoseStatistics | None
) -> UsualPoses | None:
    """What poses are compared with, if any of the weights, by their keys, asks for it.

    Raises ValueError for a weight that counts where there are no statistics.
    """
    for key, weight in weights.items():
        if weight and statistics is None:
            raise ValueError(
                f"`{key}` must be 0 without pose statistics, got {weight:g}; add {key}=0, or "
                "choose field.statistics=generic."
            )
    if statistics is None or not any(weights.values()):
        return None
    return UsualPoses(statistics.mean, statistics.precision)


def make_key_frames(keys: Sequence[MotionKey], num_frames: int, fps: float) -> KeyFrames:
    """The key frames with the poses that their files hold; raises as `make_references` does."""
    last = (num_frames - 1) / fps
    for index, key in enumerate(keys):
        if not key.time <= last:
            raise ValueError(
                f"`regularize.key_frames[{index}].time` must be within the clip's {last:g} s, got "
                f"{key.time:g}; take an earlier time or raise run.frames."
            )
    named = list(enumerate(keys))
    poses = [(key, _read_pose(index, key.pose, key.frame)) for index, key in named if key.pose]
    places = [key for key in keys if key.joint is not None and key.position is not None]
    return KeyFrames(
        place_times=torch.tensor([key.time for key in places]),
        place_joints=torch.tensor([JOINT_INDEX[str(key.joint)] for key in places]).long(),
        places=torch.tensor([key.position for key in places]).reshape(-1, 3),
        place_weights=torch.tensor([key.weight for key in places]),
        pose_times=torch.tensor([key.time for key, _ in poses]),
        poses=torch.stack([pose for _, pose in poses])
        if poses
        else torch.zeros(0, NUM_JOINTS, 3, 3),
        pose_weights=torch.tensor([key.weight for key, _ in poses]),
    )


def _read_pose(index: int, name: str, frame: int) -> Float[Tensor, "joints 3 3"]:
    key = f"regularize.key_frames[{index}]"
    motion = read_motion(f"{key}.pose", name).motion
    if not frame < motion.num_frames:
        raise ValueError(
            f"`{key}.frame` must be below {motion.num_frames}, the frames in {name}, got {frame}; "
            "take an earlier one."
        )
    return motion.rotations[frame]
