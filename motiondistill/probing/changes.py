"""What is done to a motion so that it is no longer what the words say, or no longer natural."""

import dataclasses
import math
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill import rotations
from motiondistill.cameras import heading
from motiondistill.metrics.physical import foot_sliding, soles_of_mesh
from motiondistill.structures import Mesh, Motion

SWAY: Final = 0.2
"""How far a sliding body goes to either side, metres: it stays in the picture."""
_MOSTLY: Final = 0.5
# Of a motion that looks alike backwards: the share of its variance by which frames on either side
# of a turning point differ. Squats and jumping jacks come to 0.03 and less, walks to 0.12 and more.
_ALIKE: Final = 0.1
# Root mean square of how far joints go from their mean place, metres: less is standing still.
_STILL: Final = 0.01


def reversed_in_time(motion: Motion) -> Motion:
    """The last frame first."""
    return motion.frames(torch.arange(motion.num_frames - 1, -1, -1))


def shuffled(motion: Motion, generator: torch.Generator) -> Motion:
    """The same frames in random order."""
    return motion.frames(torch.randperm(motion.num_frames, generator=generator))


def stopped(motion: Motion) -> Motion:
    """The middle frame all the time: a pose that somebody really took."""
    return motion.frames(torch.full((motion.num_frames,), motion.num_frames // 2))


def slid(motion: Motion, speed: float) -> Motion:
    """The motion on a body that glides sideways, so that feet on the floor slide.

    It sways by `SWAY` to the left and the right as a sine whose mean speed is `speed`, m/s:
    sideways, because a drift along the heading might be the very walk that was held in place.
    """
    frequency = speed / (4 * SWAY)  # within a period the way is four times the amplitude
    time = torch.arange(motion.num_frames) / motion.fps
    turn = heading(motion)
    left = torch.stack([turn.cos(), torch.zeros_like(turn), -turn.sin()])
    way = SWAY * (math.tau * frequency * time).sin()
    return dataclasses.replace(motion, translation=motion.translation + way[:, None] * left)


def fastest_slide(fps: float) -> float:
    """The mean speed, m/s, that `slid` must stay below: there each frame has half a period.

    The sampling theorem's bound. Faster, frames show a slower sway, and at it none at all.
    """
    return 4 * SWAY * fps / 2


def jittered(motion: Motion, size: float, generator: torch.Generator) -> Motion:
    """Every joint but the pelvis turned anew in every frame, by `size` radians root mean square."""
    noise = torch.randn((motion.num_frames, *motion.rotations.shape[1:2], 3), generator=generator)
    noise[:, 0] = 0
    return turned_by(motion, size / math.sqrt(3) * noise)


def pose_noise(
    frames: int, joints: int, *, size: float, waves: int, generator: torch.Generator
) -> Float[Tensor, "frames joints 3"]:
    """Smooth noise in the tangent space of all joints, `size` radians root mean square.

    Normal weights of the first `waves` cosines over time (the constant is one), each with the same
    expected power: what a pose is off by, rather than what trembles.
    """
    count = min(waves, frames)
    order = torch.arange(count)[:, None]
    cosines = (math.pi / frames * order * (torch.arange(frames) + 0.5)).cos()
    cosines = cosines / cosines.square().mean(1, keepdim=True).sqrt()
    weights = torch.randn((joints, 3, count), generator=generator)
    return (size / math.sqrt(3 * count)) * (weights @ cosines).permute(2, 0, 1)


def turned_by(motion: Motion, vectors: Float[Tensor, "frames joints 3"]) -> Motion:
    """Every joint's rotation times the one of this axis-angle vector: `R exp(v)`."""
    turns = motion.rotations @ rotations.from_axis_angle(vectors)
    return dataclasses.replace(motion, rotations=turns)


def towards(motion: Motion, reference: Motion) -> Float[Tensor, "frames joints 3"]:
    """The vectors that `turned_by` needs to take the motion to the reference (the log map)."""
    return rotations.to_axis_angle(motion.rotations.transpose(-1, -2) @ reference.rotations)


def stands_on_feet(mesh: Mesh, fps: float) -> bool:
    """Whether a foot touches the floor at most of the time, so that it can slide."""
    return float(foot_sliding(soles_of_mesh(mesh), fps).contact) >= _MOSTLY


def looks_alike_backwards(joints: Float[Tensor, "frames joints 3"]) -> bool:
    """Whether nobody could tell if the motion runs backwards, or whether there is any.

    It has a turning point, in its middle half, on both sides of which frames are alike; with fewer
    than half of all movement round it, it does not count. Places are relative to the pelvis.
    """
    places = (joints - joints[:, :1]).flatten(1).double()
    frames, movement = len(places), _variance(places)
    if movement < joints.shape[1] * _STILL**2:
        return True
    for doubled in range(frames - 1 - frames // 2, frames + frames // 2):  # the point, twice
        first = max(0, doubled - frames + 1)
        near = places[first : doubled - first + 1]
        spread = _variance(near)
        apart = float((near - near.flip(0)).square().sum(1).mean())
        if spread >= _MOSTLY * movement and apart < 2 * _ALIKE * spread:
            return True
    return False


def _variance(places: Float[Tensor, "frames size"]) -> float:
    return float((places - places.mean(0)).square().sum(1).mean())
