"""Noise levels for score distillation, as fractions `tau = sigma / (1 + sigma)` in (0, 1).

In this measure, the flow time of rectified-flow models, 0.5 is as much noise as signal for every
family.
"""

import torch
from jaxtyping import Float
from torch import Tensor


def annealed(
    progress: float,
    count: int,
    *,
    first: float,
    last: float,
    jitter: float,
    generator: torch.Generator,
) -> Float[Tensor, " count"]:
    """Sigmas for `count` views, around a centre that falls linearly from `first` to `last`.

    It falls while `progress` goes from 0 to 1: high noise decides what moves and low noise how it
    looks, so a run goes from high to low. Around the centre the draws are uniform within `jitter`,
    stratified over the views.
    """
    centre = first + (last - first) * progress
    # In random order: views come sorted by azimuth, and the first would always get the least noise.
    stratum = torch.randperm(count, generator=generator)
    offset = (stratum + torch.rand(count, generator=generator)) / count * 2 - 1
    tau = (centre + jitter * offset).clamp(0.02, 0.98)
    return tau / (1 - tau)
