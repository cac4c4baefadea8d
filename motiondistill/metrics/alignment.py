"""How near a motion comes to a reference: poses by Procrustes, their order by a warp in time."""

from dataclasses import dataclass
from typing import Final

import torch
from jaxtyping import Float, Int
from torch import Tensor

from motiondistill.metrics.recogniser_features import resampled

RATE: Final = 8.0
"""Frames a second at which motions are compared."""
# Frames that are compared with all of a reference's at once.
_ROWS: Final = 64
# Squares of metres below which a pose has no size.
_TINY: Final = 1e-12


@dataclass(frozen=True)
class Warp:
    """The best way to find a motion within a reference."""

    cost: Float[Tensor, ""]
    """Mean over the motion's frames."""
    frames: Int[Tensor, " frames"]
    """For each frame of the motion, the reference's frame that it meets; never falls."""


@dataclass(frozen=True)
class Nearest:
    """The reference that a motion is nearest to."""

    index: int
    distance: float
    """Mean PA-MPJPE along the warp, metres."""
    frames: Int[Tensor, " frames"]
    """See `Warp`; at `RATE`."""


def at_rate(
    joints: Float[Tensor, "frames joints 3"], fps: float, rate: float = RATE
) -> Float[Tensor, "_ joints 3"]:
    """The motion at another frame rate, from its first frame to its last, between them by lines."""
    count = int((len(joints) - 1) / fps * rate + 1e-6) + 1
    return resampled(joints, fps, torch.zeros(1), rate, count)[0]


def procrustes(
    poses: Float[Tensor, "*#batch points 3"], targets: Float[Tensor, "*#batch points 3"]
) -> Float[Tensor, "*batch points 3"]:
    """The poses turned, moved and scaled to the least squared distance from the targets.

    Umeyama (1991); no reflections. Leading dimensions broadcast.
    """
    middle = targets.mean(-2, keepdim=True)
    centred, wanted = poses - poses.mean(-2, keepdim=True), targets - middle
    u, spread, v = torch.linalg.svd(centred.transpose(-1, -2) @ wanted)
    signs = torch.ones_like(spread)
    signs[..., 2] = torch.linalg.det(u @ v).sign()
    turn = (u * signs[..., None, :]) @ v
    size = centred.square().sum((-1, -2)).clamp(min=_TINY)
    scale = (spread * signs).sum(-1) / size
    return torch.as_tensor(scale[..., None, None] * (centred @ turn) + middle)


def pa_mpjpe(
    poses: Float[Tensor, "*#batch points 3"], targets: Float[Tensor, "*#batch points 3"]
) -> Float[Tensor, "*batch"]:
    """Mean distance of the points after `procrustes`, in the unit of the targets."""
    return torch.as_tensor((procrustes(poses, targets) - targets).norm(dim=-1).mean(-1))


def warp(costs: Float[Tensor, "frames others"]) -> Warp:
    """The least mean cost of a path that gives each frame one of the other frames, in order.

    Dynamic time warping (Sakoe & Chiba 1978) with open ends: from one frame to the next the other
    motion goes on by none, one or two frames, and it may begin and end anywhere. As each frame
    counts once, the mean needs no weights.
    """
    total = costs[0]
    steps = []
    for row in costs[1:]:
        least, lag = torch.stack([_later(total, lag) for lag in (0, 1, 2)]).min(0)
        steps.append(lag)
        total = row + least
    place = int(total.argmin())
    path = [place]
    for lag in reversed(steps):
        path.append(path[-1] - int(lag[path[-1]]))
    return Warp(total[place] / len(costs), torch.tensor(path[::-1]))


def nearest_reference(
    motion: Float[Tensor, "frames joints 3"],
    references: list[Float[Tensor, "_ joints 3"]],
) -> Nearest:
    """The reference, all at `RATE`, with the least mean PA-MPJPE along its best warp.

    A reference shorter than half of the motion holds its last pose. Raises ValueError without any.
    """
    if not references:
        raise ValueError("`references` must hold a motion, got none; name a folder with some.")
    best: Nearest | None = None
    for index, reference in enumerate(references):
        costs = [pa_mpjpe(part[:, None], reference[None]) for part in torch.split(motion, _ROWS)]
        found = warp(torch.cat(costs))
        if best is None or float(found.cost) < best.distance:
            best = Nearest(index, float(found.cost), found.frames)
    assert best is not None
    return best


def _later(values: Float[Tensor, " others"], lag: int) -> Float[Tensor, " others"]:
    """The values moved on by so many places, out of reach before."""
    return torch.cat([values.new_full((lag,), torch.inf), values])[: len(values)]
