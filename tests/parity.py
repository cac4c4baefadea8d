"""Sampling by our own loop, and by a pipeline's, from the same noise.

Parity is shown with deterministic first-order samplers: DDIM, and Euler for flows. Where a schedule
starts in pure noise, whose sigma is infinite, the pipeline's start is capped as ours is.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
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


def capped_flow(scheduler: Any, time: float) -> Any:
    """The same scheduler, started no nearer to pure noise than flow `time`, in first-order steps.

    Its own start is flow time 1, where sigma is infinite; ours is one training step below.
    """
    kind = type(scheduler)

    class Capped(kind):  # type: ignore[misc, valid-type]
        def set_timesteps(
            self,
            num_inference_steps: Any = None,
            device: Any = None,
            sigmas: Any = None,
            **options: Any,
        ) -> None:
            # Pipelines look for `sigmas` among the names of the arguments.
            super().set_timesteps(num_inference_steps, device=device, sigmas=sigmas, **options)
            if self.config.get("invert_sigmas"):
                self.sigmas = self.sigmas.clamp(min=1 - time)
                self.timesteps = self.timesteps.clamp(min=1000 * (1 - time))
            else:
                self.sigmas = self.sigmas.clamp(max=time)
                self.timesteps = self.timesteps.clamp(max=1000 * time)

    options: dict[str, Any] = {}
    if "solver_order" in scheduler.config:
        options = {"solver_order": 1, "disable_corrector": list(range(1000))}
    return Capped.from_config(scheduler.config, **options)


def capped_zero_snr(scheduler: Any) -> Any:
    """The same scheduler, started one timestep below its last, which is pure noise."""
    kind = type(scheduler)
    last = scheduler.config.num_train_timesteps - 1

    class Capped(kind):  # type: ignore[misc, valid-type]
        def set_timesteps(self, *args: Any, **options: Any) -> None:
            super().set_timesteps(*args, **options)
            self.alphas_cumprod[last] = self.alphas_cumprod[last - 1]
            self.timesteps = self.timesteps.clamp(max=last - 1)

        def step(self, output: Any, timestep: Any, *args: Any, **options: Any) -> Any:
            # It finds the next level by counting down from the one it is at.
            at = timestep + 1 if timestep == last - 1 else timestep
            return super().step(output, at, *args, **options)

    return Capped.from_config(scheduler.config)


def pipeline_output(
    pipeline: Any,
    noise: Float[Tensor, "B C f h w"],
    *,
    prompts: list[str],
    size: tuple[int, int, int],
    steps: int,
    scale: float,
    decoded: bool = False,
) -> Tensor:
    """Latents [B C f h w], or with `decoded` the video, of the pipeline's own `__call__`."""
    frames, height, width = size
    options: dict[str, Any] = {"guidance_scale": scale, "max_sequence_length": 16}
    # CogVideoX keeps frames before channels.
    swapped = type(pipeline).__name__ == "CogVideoXPipeline"
    if type(pipeline).__name__ == "HunyuanVideoPipeline":
        options |= {"guidance_scale": 6.0, "true_cfg_scale": scale}
    result: Tensor = pipeline(
        prompt=prompts,
        negative_prompt=[""] * len(prompts),
        num_frames=frames,
        height=height,
        width=width,
        num_inference_steps=steps,
        latents=noise.transpose(1, 2) if swapped else noise,
        output_type="pt" if decoded else "latent",
        **options,
    ).frames
    return result.transpose(1, 2) if swapped and not decoded else result


def agree(ours: Tensor, expected: Tensor, tolerance: float) -> bool:
    """Whether nothing differs by more, relative to the largest value where that is above one.

    Random networks that predict noise end far from unit size. Zeros agree with nothing.
    """
    assert expected.std() > 0.1
    difference = (ours - expected).abs().max()
    return bool(difference < tolerance * max(1.0, expected.abs().max().item()))
