"""A saved motion at another frame rate, as smooth as its frames suggest.

Straight lines between poses change direction at every frame of the motion: at 30 frames a second, a
motion of 8 would jerk eight times a second. Here positions and rotations go through the same frames
on curves whose velocities are continuous (cubic Hermite curves with the velocities of Catmull and
Rom 1974).
"""

import dataclasses

import torch
from jaxtyping import Float, Int
from torch import Tensor

from motiondistill import rotations
from motiondistill.structures import Motion


def smoothly_resampled(motion: Motion, fps: float, frames: int) -> Motion:
    """`frames` frames at `fps` of one motion without a batch, from its first frame on.

    Frames of the motion that fall on a new one are kept; what turns or moves evenly goes on to do
    so between them. Frames after the motion's end repeat its last one.
    """
    last = motion.num_frames - 1
    times = (torch.arange(frames, dtype=torch.float64) / fps * motion.fps).clamp(0, last)
    first = times.floor().long().clamp(max=max(last - 1, 0))
    part = (times - first).to(motion.rotations)
    if last == 0:
        return dataclasses.replace(motion.frames(first), fps=fps)

    def turned(turns: Float[Tensor, "frames joints 3 3"] | None) -> Tensor | None:
        return None if turns is None else _turns(turns, first, part)

    jaw = turned(None if motion.jaw is None else motion.jaw[:, None])
    steps = motion.translation.diff(dim=0)
    start, speeds = motion.translation[first], _speeds(steps)
    moved = _hermite(part[:, None], speeds[first], steps[first], speeds[first + 1])
    return Motion(
        _turns(motion.rotations, first, part),
        start + moved,
        fps,
        turned(motion.hands),
        None if jaw is None else jaw[:, 0],
    )


def _turns(
    turns: Float[Tensor, "frames joints 3 3"],
    first: Int[Tensor, " new"],
    part: Float[Tensor, " new"],
) -> Float[Tensor, "new joints 3 3"]:
    """Rotations at `part` of the way from the frames `first` to those after them.

    `R(s) = R_i exp(p(s))` with a cubic p in the tangent space at `R_i`. The velocity of R is
    `J_r(p) p'`, J_r the right Jacobian of the exponential map: at the end, p' is `J_r(p)^-1` of the
    velocity that the next curve begins with.
    """
    steps = rotations.to_axis_angle(turns[:-1].transpose(-1, -2) @ turns[1:])
    speeds = _speeds(steps)
    end = _inverse_jacobian(steps, speeds[1:])
    vectors = _hermite(part[:, None, None], speeds[first], steps[first], end[first])
    return turns[first] @ rotations.from_axis_angle(vectors)


def _speeds(steps: Float[Tensor, "steps ..."]) -> Float[Tensor, "_ ..."]:
    """Velocities a frame at all frames: the mean of the steps to and from them."""
    padded = torch.cat([steps[:1], steps, steps[-1:]])
    return (padded[:-1] + padded[1:]) / 2


def _hermite(
    part: Float[Tensor, "new ..."],
    begin: Float[Tensor, "new ..."],
    step: Float[Tensor, "new ..."],
    end: Float[Tensor, "new ..."],
) -> Float[Tensor, "new ..."]:
    """The cubic from 0 to `step` with these velocities at its ends, at `part` from 0 to 1."""
    square, cube = part.square(), part.pow(3)
    way = (cube - 2 * square + part) * begin + (3 * square - 2 * cube) * step
    return way + (cube - square) * end


def _inverse_jacobian(
    vector: Float[Tensor, "*batch 3"], speed: Float[Tensor, "*batch 3"]
) -> Float[Tensor, "*batch 3"]:
    """`J_r(v)^-1 w = w + v x w / 2 + (1 - a/2 cot(a/2)) / a^2 v x (v x w)`, a the length of v."""
    angle = vector.norm(dim=-1, keepdim=True)
    small = angle < 1e-2  # where the difference loses its digits
    safe = torch.where(small, torch.ones_like(angle), angle)
    factor = (1 - safe / 2 / (safe / 2).tan()) / safe.square()
    factor = torch.where(small, 1 / 12 + angle.square() / 720, factor)
    across = rotations.skew(vector)
    once = (across @ speed[..., None])[..., 0]
    return speed + once / 2 + factor * (across @ once[..., None])[..., 0]
