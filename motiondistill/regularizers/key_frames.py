"""Poses and places of joints that the user wants at some times."""

from collections.abc import Sequence
from dataclasses import dataclass

from jaxtyping import Float, Int
from torch import Tensor

from motiondistill import rotations
from motiondistill.structures import JOINT_INDEX, JOINT_NAMES, Mesh, Motion


@dataclass(frozen=True)
class MotionKey:
    """What is wanted at one time: a joint at a place, or a pose."""

    # Seconds from the first frame; between two frames the motion is interpolated.
    time: float
    # Name of the joint, and its place in the world, metres: +X is the subject's left at the start,
    # +Y up from the floor, +Z to its front.
    joint: str | None = None
    position: tuple[float, float, float] | None = None
    # Motion file or run folder, and the frame of it whose pose is taken: all joints' rotations and
    # where the pelvis faces, but not where it is.
    pose: str | None = None
    frame: int = 0
    # Of the squared distance, m^2, or the joints' mean squared angle, rad^2.
    weight: float = 10.0


@dataclass(frozen=True)
class KeyFrames:
    """Targets at times: places of joints, and poses. Either may be none."""

    place_times: Float[Tensor, " places"]
    """Seconds from the first frame."""
    place_joints: Int[Tensor, " places"]
    places: Float[Tensor, "places 3"]
    """In the world, metres."""
    place_weights: Float[Tensor, " places"]
    pose_times: Float[Tensor, " poses"]
    poses: Float[Tensor, "poses joints 3 3"]
    """As in `Motion.rotations`."""
    pose_weights: Float[Tensor, " poses"]


def key_frame_error(motion: Motion, mesh: Mesh, key_frames: KeyFrames) -> Float[Tensor, ""]:
    """Weighted sum over key frames of what a clip misses them by, averaged over clips.

    Places are missed by squared metres, poses by the mean over the joints of the squared angle,
    rad^2. A sum, so that a key frame pulls alike however many there are.
    """
    keys, fps = key_frames, motion.fps
    joints = _between_frames(mesh.joints, keys.place_times * fps)
    chosen = keys.place_joints.to(joints.device)
    index = chosen[:, None, None].expand(*joints.shape[:-2], 1, 3)
    missed = joints.gather(-2, index)[..., 0, :] - keys.places.to(joints)
    places = (keys.place_weights.to(joints) * missed.square().sum(-1)).sum(-1)
    turned = _turned_between_frames(motion.rotations, keys.pose_times * fps)
    gaps = rotations.squared_angle(keys.poses.to(turned), turned).mean(-1)
    poses = (keys.pose_weights.to(turned) * gaps).sum(-1)
    return (places + poses).mean()


def check_keys(keys: Sequence[MotionKey]) -> None:
    """Raises ValueError that names the first key frame that does not say one thing."""
    for index, key in enumerate(keys):
        name = f"regularize.key_frames[{index}]"
        if (key.joint is None) == (key.pose is None):
            given = "neither" if key.pose is None else "both"
            raise ValueError(
                f"`{name}` must have either a joint and its position or a pose, got {given}; "
                "make two key frames of the same time for both."
            )
        if (key.joint is None) != (key.position is None):
            got = "a position" if key.joint is None else f"joint {key.joint}"
            raise ValueError(
                f"`{name}` must have joint and position together, got {got} alone; give both, or "
                "a pose without them."
            )
        if key.joint is not None and key.joint not in JOINT_INDEX:
            raise ValueError(
                f"`{name}.joint` must be a joint's name, got {key.joint!r}; take one of "
                f"{', '.join(JOINT_NAMES)}."
            )
        if key.pose is None and key.frame:
            raise ValueError(
                f"`{name}.frame` must be left out without a pose, got {key.frame}; give the pose's "
                "file."
            )


def _between_frames(
    values: Float[Tensor, "*batch frames joints 3"], places: Float[Tensor, " times"]
) -> Float[Tensor, "*batch times joints 3"]:
    """Values at places counted in frames, linear from frame to frame."""
    first, share = _split(places, values.shape[-3])
    share = share.to(values)[:, None, None]
    return (1 - share) * values[..., first, :, :] + share * values[..., first + 1, :, :]


def _turned_between_frames(
    values: Float[Tensor, "*batch frames joints 3 3"], places: Float[Tensor, " times"]
) -> Float[Tensor, "*batch times joints 3 3"]:
    """Rotations at places counted in frames, along the arc from frame to frame."""
    first, share = _split(places, values.shape[-4])
    before, after = values[..., first, :, :, :], values[..., first + 1, :, :, :]
    arc = rotations.to_axis_angle(before.transpose(-1, -2) @ after)
    return before @ rotations.from_axis_angle(share.to(values)[:, None, None] * arc)


def _split(
    places: Float[Tensor, " times"], num_frames: int
) -> tuple[Int[Tensor, " times"], Float[Tensor, " times"]]:
    """The frame before each place, and the share of the way from it to the next."""
    first = places.floor().clamp(0, num_frames - 2)
    return first.long(), places - first
