"""What is measured in the image: how alike two motions move there, and how a video flickers."""

from dataclasses import dataclass
from typing import Final

import torch
from jaxtyping import Bool, Float
from torch import Tensor

STILL: Final = 0.05
"""Pixels between two frames below which a point rests: no video shows less."""


@dataclass(frozen=True)
class Tracks:
    """Points that one camera follows."""

    pixels: Float[Tensor, "frames points 2"]
    visible: Bool[Tensor, "frames points"]


def motion_fidelity(source: Tracks, result: Tracks) -> Float[Tensor, ""]:
    """How well tracks of either clip are found again in the other: 1 the same, -1 the reverse.

    The mean of both directions of `mean_j max_i c_ij`, where c is the mean over time of the cosine
    of the displacements (Yatim et al., CVPR 2024). Departures: where both points rest the
    cosine is 1, and 0 where only one does; steps count in which both points are seen. Not a number
    where no two tracks are ever seen at once. Raises ValueError for clips of unequal length.
    """
    if len(source.pixels) != len(result.pixels) or len(source.pixels) < 2:
        raise ValueError(
            "`source` and `result` must have equally many frames, at least 2, got "
            f"{len(source.pixels)} and {len(result.pixels)}; resample one of them."
        )
    correlation, common = _correlations(source, result)
    correlation = torch.where(common, correlation, -torch.inf)
    best = [
        correlation.amax(axis)[common.any(axis)].mean()  # tracks never seen do not count
        for axis in (0, 1)
    ]
    return torch.stack(best).mean()


def temporal_flickering(video: Float[Tensor, "frames 3 height width"]) -> Float[Tensor, ""]:
    """1 less the mean absolute difference of neighbouring frames (Huang et al., VBench, 2024).

    Values in [0, 1]: 1 stands still. Raises ValueError for a single frame.
    """
    if len(video) < 2:
        raise ValueError(f"`video` must have at least 2 frames, got {len(video)}; give a clip.")
    return 1 - video.diff(dim=0).abs().mean()


def motion_energy(
    video: Float[Tensor, "*views frames 3 height width"],
) -> Float[Tensor, "*views steps"]:
    """Mean absolute difference of each two neighbouring frames; 0 stands still.

    Of values in [0, 1], over colours and pixels: their mean over time is what
    `temporal_flickering` lacks of 1. A single frame has none.
    """
    return video.diff(dim=-4).abs().mean((-3, -2, -1))


def _correlations(
    source: Tracks, result: Tracks
) -> tuple[Float[Tensor, "sources results"], Bool[Tensor, "sources results"]]:
    """Mean cosine of every pair of tracks, and whether they are ever seen in the same step."""
    ways, seen, moving = [], [], []
    for tracks in (source, result):
        way = tracks.pixels.diff(dim=0)
        length = way.norm(dim=-1)
        moving.append(length > STILL)
        ways.append(way / length.clamp(min=STILL)[..., None])
        seen.append(tracks.visible[1:] & tracks.visible[:-1])
    cosines = torch.einsum("fic,fjc->fij", *ways)
    first, second = moving[0][:, :, None], moving[1][:, None, :]
    cosines = torch.where(first & second, cosines, (first == second).to(cosines))
    both = (seen[0][:, :, None] & seen[1][:, None, :]).to(cosines)
    count = both.sum(0)
    return (cosines * both).sum(0) / count.clamp(min=1), count > 0
