"""Windows of a motion: resampled in time, held in place, mirrored, looped."""

import dataclasses
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill import rotations
from motiondistill.cameras import facing_forward
from motiondistill.structures import MIRROR, NUM_HAND_JOINTS, Motion

_MIN_PERIOD_SECONDS = 0.5
# Two frames look alike when their joints differ by less than this on average, radians.
_MAX_SEAM = 0.16
# And a loop must move: the mean distance of its frames from the first.
_MIN_MOVEMENT = 0.02


def resample(motion: Motion, start: float, fps: float, frames: int) -> Motion:
    """`frames` frames at `fps` from `start` seconds on.

    Rotations follow geodesics, the translation straight lines. Frames after the motion's end repeat
    its last one.
    """
    positions = (start + torch.arange(frames) / fps) * motion.fps
    positions = positions.clamp(0, motion.num_frames - 1)
    first = positions.floor().long().clamp(max=max(motion.num_frames - 2, 0))
    second = (first + 1).clamp(max=motion.num_frames - 1)
    part = (positions - first)[:, None]

    def between(turns: Float[Tensor, "frames joints 3 3"]) -> Float[Tensor, "_ joints 3 3"]:
        a, b = turns[first], turns[second]
        step = rotations.to_axis_angle(a.transpose(-1, -2) @ b)
        return a @ rotations.from_axis_angle(part[..., None] * step)

    x, y = motion.translation[first], motion.translation[second]
    return _changed(motion, between, x + part * (y - x), fps)


def headings(motion: Motion) -> Float[Tensor, "*batch frames"]:
    """Where the pelvis faces: the angle about +Y from +Z towards +X."""
    forward = motion.rotations[..., 0, :, 2]
    return torch.atan2(forward[..., 0], forward[..., 2])


def turned(motion: Motion, angle: Float[Tensor, "*batch"]) -> Motion:
    """The motion turned about the vertical through the origin by `angle` radians."""
    turn = rotations.about_y(angle)[..., None, :, :]
    root = turn @ motion.rotations[..., 0, :, :]
    return dataclasses.replace(
        motion,
        rotations=torch.cat([root[..., None, :, :], motion.rotations[..., 1:, :, :]], -3),
        translation=(turn @ motion.translation[..., None]).squeeze(-1),
    )


def hold_in_place(motion: Motion) -> Motion:
    """The motion as seen by a camera that travels along at the mean velocity.

    The horizontal drift and offset go. Drift is the least-squares line through the horizontal
    positions; sway round it and the height stay.
    """
    time = torch.linspace(-1, 1, motion.num_frames)
    level = motion.translation * torch.tensor([1.0, 0.0, 1.0])
    slope = (time[:, None] * level).sum(0) / time.square().sum().clamp(min=1e-9)
    held = motion.translation - level.mean(0) - time[:, None] * slope
    return dataclasses.replace(motion, translation=held)


def mirrored(motion: Motion) -> Motion:
    """The motion in a mirror: left and right exchanged, reflected at the plane x = 0."""
    flip = torch.tensor([-1.0, 1.0, 1.0])
    changed = _changed(
        motion, lambda turns: flip[:, None] * turns * flip, motion.translation * flip, motion.fps
    )
    hands = changed.hands
    if hands is not None:
        hands = hands.roll(NUM_HAND_JOINTS // 2, -3)  # left and right follow one another
    return dataclasses.replace(
        changed, rotations=changed.rotations[..., list(MIRROR), :, :], hands=hands
    )


def looped(motion: Motion, seconds: float) -> Motion | None:
    """At least `seconds` of a cyclic motion by repeating its best loop; None if it has no loop.

    The loop is the pair of most similar frames at least half a second apart; what differs between
    them is taken out evenly along the loop, so that the seam does not jump. Travel goes on from
    loop to loop.
    """
    seam = _best_loop(motion)
    if seam is None:
        return None
    start, end = seam
    length = end - start
    part = torch.arange(length) / length
    travel = motion.translation[end] - motion.translation[start]
    rise = travel * torch.tensor([0.0, 1.0, 0.0])
    path = motion.translation[start:end] - part[:, None] * rise
    count = int(seconds * motion.fps) // length + 2

    def repeated(turns: Float[Tensor, "frames joints 3 3"]) -> Float[Tensor, "_ joints 3 3"]:
        gap = rotations.to_axis_angle(turns[end].transpose(-1, -2) @ turns[start])
        closed = turns[start:end] @ rotations.from_axis_angle(part[:, None, None] * gap)
        return closed.repeat(count, 1, 1, 1)

    repeats = torch.arange(count).repeat_interleave(length)[:, None]
    translation = path.repeat(count, 1) + repeats * (travel - rise)
    return _changed(motion, repeated, translation, motion.fps)


def _changed(
    motion: Motion,
    change: Callable[[Tensor], Tensor],
    translation: Float[Tensor, "*batch frames 3"],
    fps: float,
) -> Motion:
    """The motion with the function's value of its rotations [*B F J 3 3], hands and jaw alike."""
    hands, jaw = motion.hands, motion.jaw
    return Motion(
        change(motion.rotations),
        translation,
        fps,
        None if hands is None else change(hands),
        None if jaw is None else change(jaw[..., None, :, :])[..., 0, :, :],
    )


def _best_loop(motion: Motion) -> tuple[int, int] | None:
    """First and last frame of the longest of the nearly best loops."""
    shortest = int(_MIN_PERIOD_SECONDS * motion.fps)
    pose = facing_forward(motion).rotations.flatten(1)
    # The chordal distance is sqrt(2) times the angle for small angles.
    distances = torch.cdist(pose, pose) / (2 * motion.rotations.shape[1]) ** 0.5
    frames = torch.arange(motion.num_frames)
    apart = frames[None, :] - frames[:, None]
    seams = distances.masked_fill(apart < shortest, torch.inf)
    if not len(seams) or seams.min() > _MAX_SEAM or distances[0].mean() < _MIN_MOVEMENT:
        return None
    best = int(seams.argmin())
    return best // motion.num_frames, best % motion.num_frames
