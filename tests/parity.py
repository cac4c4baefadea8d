"""Sampling by our own loop, and by a pipeline's, from the same noise."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from motiondistill.priors.base import Prior
from motiondistill.priors.guidance import guide
from motiondistill.priors.sampling import euler_steps


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def load_pipeline(folder: Path, **parts: Any) -> Any:
    """The library's pipeline in a folder, with other `parts` than the folder's where given."""
    from diffusers import DiffusionPipeline

    pipeline = DiffusionPipeline.from_pretrained(folder, local_files_only=True, **parts)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def our_latents(
    prior: Prior, noise: Tensor, prompts: Sequence[str], *, steps: int, scale: float
) -> Tensor:
    """Clean latents from `noise` at the family's first level, guided away from the empty prompt."""
    conditioning, unconditional = prior.embed(prompts), prior.embed([""] * len(prompts))

    @torch.no_grad()
    def denoise(x_sigma: Tensor, sigma: Tensor) -> Tensor:
        return guide(prior, x_sigma, sigma, conditioning, unconditional, scale)

    *_, last = euler_steps(denoise, noise, prior.sampling_sigmas(steps, tuple(noise.shape[1:])))
    return last.x_sigma


def first_sigma(prior: Prior, noise: Tensor, steps: int) -> Tensor:
    return prior.sampling_sigmas(steps, tuple(noise.shape[1:]))[0]


def ddim(config: Any, **options: Any) -> Any:
    """A scheduler of the same levels that steps from one to the next without fresh noise."""
    from diffusers import DDIMScheduler

    # Most folders stop at the first level instead of at no noise.
    return DDIMScheduler.from_config({**config, "set_alpha_to_one": True, **options})


def capped(config: Any) -> Any:
    """A flow scheduler that starts one training step below pure noise, which has no sigma."""
    from diffusers import FlowMatchEulerDiscreteScheduler

    class Capped(FlowMatchEulerDiscreteScheduler):
        def set_timesteps(self, *args: Any, **options: Any) -> None:
            super().set_timesteps(*args, **options)
            self.sigmas = self.sigmas.clamp(max=0.999)
            self.timesteps = self.timesteps.clamp(max=999)

    return Capped.from_config(config)


def agree(ours: Tensor, expected: Tensor, tolerance: float) -> bool:
    """Whether nothing differs by more, relative to the largest value where that is above one.

    Random networks that predict noise end far from unit size. Zeros agree with nothing.
    """
    assert expected.std() > 0.1
    difference = (ours - expected).abs().max()
    return bool(difference < tolerance * max(1.0, expected.abs().max().item()))
