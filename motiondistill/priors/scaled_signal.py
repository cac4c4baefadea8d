"""VideoCrafter2's noising (Chen et al. 2024): a diffusion whose signal is shrunk besides.

`scaled = sqrt(abar) c x0 + sqrt(1 - abar) noise`, where `c` falls from 1 to `end` over the first
timesteps. So `sigma = sqrt((1 - abar) / abar) / c`, and signal and noise share no unit of variance.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, final

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill.priors.base import Schedule, per_sample
from motiondistill.priors.schedule import x0_from_eps
from motiondistill.priors.vp_schedule import (
    VPSchedule,
    nearest_level,
    sigmas_at,
    vp_schedule,
)

END_KEY: Final = "md_scale_b"
"""Where a converted folder's scheduler configuration keeps the last factor; no other one has it."""

STEPS_KEY: Final = "md_mid_step"
"""Where it keeps the number of timesteps over which the factor falls."""


def signal_factors(num_train: int, end: float, steps: int) -> Float[Tensor, " steps"]:
    """The factor of each timestep: evenly from 1 to `end` in `steps`, then `end`."""
    falling = torch.linspace(1, end, steps, dtype=torch.float64)
    return torch.cat([falling, torch.full((num_train,), end, dtype=torch.float64)])[:num_train]


@final
@dataclass(frozen=True)
class ScaledSignalSchedule(Schedule):
    """The levels of `diffusion` with shrunk signal; the network predicts the noise."""

    diffusion: VPSchedule
    factors: Float[Tensor, " steps"]
    """What the signal is multiplied by at each timestep."""

    @property
    def sigmas(self) -> Float[Tensor, " steps"]:
        """The noise level at each timestep, rising."""
        return self.diffusion.sigmas / self.factors

    @property
    def sigma_max(self) -> float:
        return self.sigmas[-1].item()

    def snap(self, sigma: Float[Tensor, " B"]) -> Float[Tensor, " B"]:
        return self.sigmas.to(sigma)[nearest_level(self.sigmas, sigma)]

    def scale(self, sigma: Float[Tensor, " B"]) -> Float[Tensor, " B"]:
        factor = self.factors.to(sigma)[nearest_level(self.sigmas, sigma)]
        return factor * self.diffusion.scale(sigma * factor)

    def time(self, sigma: Float[Tensor, " B"]) -> Float[Tensor, " B"]:
        return nearest_level(self.sigmas, sigma).to(sigma)

    def clean(
        self,
        scaled: Float[Tensor, "B C f h w"],
        output: Float[Tensor, "B C f h w"],
        sigma: Float[Tensor, " B"],
    ) -> Float[Tensor, "B C f h w"]:
        a = per_sample(self.scale(sigma), scaled)
        return x0_from_eps(scaled, output, a, per_sample(sigma, scaled) * a)

    def sampling_sigmas(self, num_steps: int, num_tokens: int) -> Float[Tensor, " steps_and_one"]:
        return sigmas_at(self.sigmas, self.diffusion.timesteps, num_steps)


def scaled_signal_schedule(config: Mapping[str, Any]) -> ScaledSignalSchedule:
    """The schedule that a converted folder's scheduler configuration describes.

    Raises ValueError for another prediction than that of noise, and as `vp_schedule` does.
    """
    kind = config.get("prediction_type", "epsilon")
    if kind != "epsilon":
        raise ValueError(
            f"The scheduler's `prediction_type` must be 'epsilon' beside `{END_KEY}`, "
            f"got {kind!r}; convert the checkpoint anew."
        )
    diffusion = vp_schedule(config)
    num_train = len(diffusion.alphas_cumprod)
    return ScaledSignalSchedule(
        diffusion, signal_factors(num_train, float(config[END_KEY]), int(config[STEPS_KEY]))
    )
