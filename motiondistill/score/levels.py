"""Noise levels for score distillation, as fractions `tau = sigma / (1 + sigma)` in (0, 1).

In this measure, the flow time of rectified-flow models, 0.5 is as much noise as signal for every
family, however it scales the two. Its logarithmic form is `log_snr = -2 log sigma = 2 log((1 - tau)
/ tau)`: 0 at 0.5, 4.4 at 0.1 and -4.4 at 0.9.
"""

import functools
import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

Path = Callable[[float, float, float], float]
"""Progress in [0, 1], the first and the last level: the level around which to draw."""
Draw = Callable[[int, torch.Generator], Tensor]
"""As many numbers from [-1, 1] as there are views."""


def annealed(
    progress: float,
    count: int,
    *,
    first: float,
    last: float,
    jitter: float,
    generator: torch.Generator,
    path: Path | None = None,
    draw: Draw | None = None,
) -> Float[Tensor, " count"]:
    """Sigmas for `count` views, around a centre that goes from `first` to `last`.

    It goes so while `progress` goes from 0 to 1, by default on a line: high noise decides what
    moves and low noise how it looks, so a run goes from high to low. Around the centre the draws
    are within `jitter`, by default stratified over the views.
    """
    centre = (path or linear)(progress, first, last)
    offset = (draw or stratified)(count, generator)
    return sigma_of((centre + jitter * offset).clamp(0.02, 0.98))


def windowed(
    progress: float,
    count: int,
    *,
    first: float,
    last: float,
    generator: torch.Generator,
    draw: Draw | None = None,
) -> Float[Tensor, " count"]:
    """Sigmas for `count` views, uniform in flow time between the levels at any progress."""
    centre, reach = (first + last) / 2, abs(first - last) / 2
    return annealed(
        progress, count, first=centre, last=centre, jitter=reach, generator=generator, draw=draw
    )


def in_timesteps(
    progress: float,
    count: int,
    *,
    first: float,
    last: float,
    generator: torch.Generator,
    draw: Draw | None = None,
) -> Float[Tensor, " count"]:
    """Sigmas of steps of Stable Diffusion's schedule, uniformly drawn between two shares of it.

    At any progress, as DreamFusion draws. ModelScope, ZeroScope and VideoCrafter2 have the same
    schedule; for others these are their own levels nearest to it.
    """
    centre, reach = (first + last) / 2, abs(first - last) / 2
    share = centre + reach * (draw or stratified)(count, generator)
    steps = (share * len(stable_diffusion_sigmas())).round().long()
    return stable_diffusion_sigmas()[steps.clamp(max=len(stable_diffusion_sigmas()) - 1)]


@functools.cache
def stable_diffusion_sigmas() -> Float[Tensor, "1000"]:
    """Noise over signal at each step: `sigma^2 = (1 - abar) / abar`, betas even in their root."""
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64).square()
    alphas_cumprod = (1 - betas).cumprod(0)
    return ((1 - alphas_cumprod) / alphas_cumprod).sqrt().float()


def sigma_of(tau: Float[Tensor, " *shape"]) -> Float[Tensor, " *shape"]:
    """Noise over signal at a flow time."""
    return tau / (1 - tau)


def tau_of(sigma: Float[Tensor, " *shape"]) -> Float[Tensor, " *shape"]:
    """The flow time of a noise level."""
    return sigma / (1 + sigma)


def log_snr(sigma: Float[Tensor, " *shape"]) -> Float[Tensor, " *shape"]:
    """Natural logarithm of the signal's power over the noise's."""
    return -2 * sigma.log()


def linear(progress: float, first: float, last: float) -> float:
    """A line."""
    return first + (last - first) * progress


def square_root(progress: float, first: float, last: float) -> float:
    """Fast at first, then slower (HiFA, Zhu et al. 2024)."""
    return first + (last - first) * math.sqrt(progress)


def inverse_cdf(progress: float, first: float, last: float) -> float:
    """The level below which the share `1 - progress` of a density lies that grows as tau.

    The density is on the window between the two levels: a run spends its updates as training would,
    sorted from high to low (CHORD's annealing, with the density `w ~ tau`). In closed form `tau^2`
    falls on a line.
    """
    return math.sqrt(first**2 + (last**2 - first**2) * progress)


def stratified(count: int, generator: torch.Generator) -> Float[Tensor, " count"]:
    """One number from each of `count` equal parts of [-1, 1), in random order."""
    # In random order: views come sorted by azimuth, and the first would always get the least noise.
    stratum = torch.randperm(count, generator=generator)
    return (stratum + torch.rand(count, generator=generator)) / count * 2 - 1


def antithetic(count: int, generator: torch.Generator) -> Float[Tensor, " count"]:
    """Pairs of opposite numbers from [-1, 1], in random order; one has no partner if odd."""
    order = torch.randperm(count, generator=generator)
    half = torch.rand((count + 1) // 2, generator=generator) * 2 - 1
    return torch.cat([half, -half])[:count][order]


def independent(count: int, generator: torch.Generator) -> Float[Tensor, " count"]:
    """Numbers from [-1, 1) that know nothing of each other."""
    return torch.rand(count, generator=generator) * 2 - 1
