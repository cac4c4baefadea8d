"""Clips that are the same recording, found by how they move and not by their names.

Sources share recordings, converted to other skeletons, cut elsewhere, renamed. A split that puts
one copy on each side tests what was learned by heart.
"""

from collections.abc import Iterator, Sequence
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill.structures import JOINT_INDEX as J

# Joints that every source has and whose way round the hips tells one take from another.
_JOINTS: Final = [
    J[f"{side}_{name}"]
    for side in ("left", "right")
    for name in ("knee", "ankle", "elbow", "wrist")
]
# First at every third frame, then, where they may be alike, at every frame as well: converted
# copies are cut a frame earlier or later.
_COARSE: Final = 3
# The share of the shorter clip, in its middle, that must be found in the other.
_CORE: Final = 0.8
# Of the CMU recordings, copies on other skeletons correlate 0.943 and more, and takes of other
# subjects, even in step, hardly ever.
_CORRELATION: Final = 0.942
_CANDIDATE: Final = 0.7
# Sums of squared changes below this are rounding: nobody moves.
_STILL: Final = 1e-6
# What is shorter, in coarse samples, is alike by chance.
_MIN_SAMPLES: Final = 8


def movement(joints: Float[Tensor, "frames joints 3"]) -> Float[Tensor, "changes 24"]:
    """How knees, ankles, elbows and wrists move, whatever skeleton, place and heading.

    Changes within three frames of their places seen from the middle of the hips, turned so that the
    hips face ahead, in lengths of the leg. Postures differ between skeletons, and their fine
    changes between takes.
    """
    hips = joints[:, [J["left_hip"], J["right_hip"]]]
    left = hips[:, 0] - hips[:, 1]
    angle = torch.atan2(left[:, 2], left[:, 0])
    cosine, sine = angle.cos()[:, None], angle.sin()[:, None]
    x, y, z = (joints[:, _JOINTS] - hips.mean(1, keepdim=True)).unbind(-1)
    turned = torch.stack([cosine * x + sine * z, y, cosine * z - sine * x], -1)
    chain = joints[:, [J["left_hip"], J["left_knee"], J["left_ankle"]]]
    leg = chain.diff(dim=1).norm(dim=-1).sum(-1).median()
    placed: Tensor = turned.flatten(1) / leg
    return placed[_COARSE:] - placed[:-_COARSE]


def duplicates(movements: Sequence[Float[Tensor, "_ channels"]]) -> Iterator[list[int]]:
    """For each clip in turn, the longer or equally long clips that hold it.

    All have the same frame rate, about 30 Hz. A copy is found wherever it begins in the other clip.
    What is too short to tell, a second or so, is no copy.
    """
    coarse = [clip[::_COARSE] for clip in movements]
    lengths = torch.tensor([len(clip) for clip in coarse])
    every = torch.cat(coarse)
    owner = torch.arange(len(lengths)).repeat_interleave(lengths)
    for index, clip in enumerate(movements):
        margin = round(len(clip) * (1 - _CORE) / 2)
        core = clip[margin : len(clip) - margin : _COARSE]
        if len(core) < _MIN_SAMPLES:
            yield []
            continue
        alike = _likeness(core, every) > _CANDIDATE
        # A window that runs from one clip into the next shows neither.
        inside = owner[: len(alike)] == owner[len(core) - 1 :]
        found = []
        for other in sorted(set(owner[: len(alike)][alike & inside].tolist())):
            longer = (len(movements[other]), other) > (len(clip), index)
            if longer and _holds(movements[other], core):
                found.append(other)
        yield found


def _holds(clip: Float[Tensor, "frames channels"], core: Float[Tensor, "samples channels"]) -> bool:
    """Whether the clip moves like the core from some frame on."""
    shifted = [clip[shift::_COARSE] for shift in range(_COARSE)]
    return any(
        bool((_likeness(core, every) > _CORRELATION).any())
        for every in shifted
        if len(every) >= len(core)
    )


def _likeness(
    core: Float[Tensor, "samples channels"], every: Float[Tensor, "total channels"]
) -> Float[Tensor, " windows"]:
    """Correlation of the core with each window of `every` of its length."""
    count = len(core)
    moved = core - core.mean(0)
    table = every @ moved.T
    # Sums along the diagonals: sample t of the core meets sample s + t.
    windows = len(every) - count + 1
    products = table.as_strided((windows, count), (count, count + 1)).sum(1)
    means = _window_sums(every, count) / count
    squares = _window_sums(every.square().sum(-1, keepdim=True), count)[:, 0]
    spread = (squares - count * means.square().sum(-1)).clamp(min=_STILL)
    own = moved.square().sum().clamp(min=_STILL)
    return products / (spread * own).sqrt()


def _window_sums(
    values: Float[Tensor, "total channels"], count: int
) -> Float[Tensor, "windows channels"]:
    # Sums of float32 over hours of samples would drown a window's.
    sums = torch.nn.functional.pad(values.double().cumsum(0), (0, 0, 1, 0))
    return (sums[count:] - sums[:-count]).to(values)
