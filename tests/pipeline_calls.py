"""What the pipeline of a video transformer makes of given noise, in our layout."""

from typing import Any

from jaxtyping import Float
from torch import Tensor


def capped_flow(scheduler: Any, time: float) -> Any:
    """The same scheduler, started no nearer to pure noise than flow `time`, in first-order steps.

    Its own start is flow time 1, where sigma is infinite; ours is one training step below.
    """
    kind = type(scheduler)

    class Capped(kind):  # type: ignore[misc, valid-type]
        def set_timesteps(
            self, num_inference_steps: Any = None, device: Any = None, sigmas: Any = None
        ) -> None:
            super().set_timesteps(num_inference_steps, device=device, sigmas=sigmas)
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
