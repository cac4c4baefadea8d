"""What an objective is asked: clips, their prompts, and one draw of noise."""

from dataclasses import dataclass
from typing import Protocol, final, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill.priors.base import Prior, per_sample
from motiondistill.priors.guidance import Guidance, Prompts


@final
@dataclass(frozen=True)
class Reference:
    """Clips that others are compared with, and what is said of them."""

    latents: Float[Tensor, "B C f h w"]
    prompts: Prompts


@final
@dataclass(frozen=True)
class Query:
    """All that an objective may look at, for one prior and one draw of noise."""

    prior: Prior
    latents: Float[Tensor, "B C f h w"]
    """The clips that are optimised; their gradient history is not used."""
    prompts: Prompts
    sigma: Float[Tensor, " B"]
    """Levels that the prior knows: what `Prior.snap` gives."""
    noise: Float[Tensor, "B C f h w"]
    """Standard normal."""
    guidance: Guidance
    reference: Reference | None = None
    """For objectives that compare."""
    adapted: Prior | None = None
    """The prior adapted to the clips, for `vsd`."""

    def noisy(self, latents: Float[Tensor, "B C f h w"]) -> Float[Tensor, "B C f h w"]:
        """These clips under this query's noise, `x0 + sigma n`."""
        return latents + per_sample(self.sigma, latents) * self.noise


@runtime_checkable  # for the type checks of the tests
class Objective(Protocol):
    """What a prior asks of clips, as a residual."""

    def __call__(self, query: Query) -> Float[Tensor, "B C f h w"]:
        """`latents - target` in the units of clean latents, without gradient history.

        The target is where the objective wants the clips: for plain score distillation the clean
        estimate `D`. Divided by sigma it is the difference of predicted and drawn noise.
        """
        ...


def draw_noise(
    latents: Float[Tensor, "B C f h w"], generator: torch.Generator
) -> Float[Tensor, "B C f h w"]:
    """Standard normal noise like the latents.

    Drawn on the CPU, so that a run on another device sees the same noise.
    """
    return torch.randn(latents.shape, generator=generator).to(latents)
