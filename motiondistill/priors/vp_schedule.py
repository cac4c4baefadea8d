"""Variance-preserving diffusion: the discrete noise levels of DDPM, DDIM and their relatives.

`scaled = sqrt(abar) x0 + sqrt(1 - abar) noise` at integer timesteps, so `sigma^2 = (1 - abar) /
abar`. Everything follows from the scheduler's configuration; no scheduler object is called.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, final

import torch
from jaxtyping import Float, Int
from torch import Tensor

from motiondistill.priors.base import Schedule, per_sample
from motiondistill.priors.schedule import x0_from_eps, x0_from_v

LINSPACE_CLASSES: Final = ("Euler", "DPMSolver", "UniPC", "Heun", "LMS", "KDPM2")
"""Schedulers whose default spacing is "linspace", by the start of their names."""

REFUSED_SPACINGS: Final = (
    "use_karras_sigmas",
    "use_exponential_sigmas",
    "use_beta_sigmas",
    "use_lu_lambdas",
    "use_flow_sigmas",
)


def x0_from_sample(
    scaled: Float[Tensor, "*any"],
    sample: Float[Tensor, "*any"],
    a: Float[Tensor, "..."],
    s: Float[Tensor, "..."],
) -> Float[Tensor, "*any"]:
    """The clean sample of a model that predicts it: the output itself."""
    return sample


def rescale_to_zero_snr(alphas_cumprod: Float[Tensor, " steps"]) -> Float[Tensor, " steps"]:
    """Levels whose last one is pure noise and whose first stays (Lin et al. 2024, Alg. 1)."""
    roots = alphas_cumprod.sqrt()
    return ((roots - roots[-1]) * (roots[0] / (roots[0] - roots[-1]))) ** 2


def shift_snr(alphas_cumprod: Float[Tensor, " steps"], shift: float) -> Float[Tensor, " steps"]:
    """Levels whose signal-to-noise ratio is divided by `shift` (Yang et al. 2024, Sec. 3.1)."""
    return alphas_cumprod / (shift + (1 - shift) * alphas_cumprod)


def cosine_betas(num_train: int, max_beta: float = 0.999) -> Float[Tensor, " steps"]:
    """Variances of steps whose levels fall like a squared cosine.

    Nichol and Dhariwal 2021, Eq. 17. No step is noisier than `max_beta`, so that a trace of signal
    is left at the end.
    """
    angles = (torch.arange(num_train + 1, dtype=torch.float64) / num_train + 0.008) / 1.008
    levels = (angles * math.pi / 2).cos() ** 2
    return (1 - levels[1:] / levels[:-1]).clamp(max=max_beta)


def leading_timesteps(num_steps: int, num_train: int, offset: int) -> Int[Tensor, " num_steps"]:
    """Falling timesteps: multiples of a whole stride, plus `offset` (Lin et al. 2024, Tab. 2)."""
    return torch.arange(num_steps).flip(0) * (num_train // num_steps) + offset


def trailing_timesteps(num_steps: int, num_train: int) -> Int[Tensor, " num_steps"]:
    """Falling timesteps that start at the very last one (Lin et al. 2024, Tab. 2)."""
    remaining = torch.arange(num_steps, 0, -1, dtype=torch.float64) / num_steps
    return (num_train * remaining).round().long() - 1


def linspace_timesteps(num_steps: int, num_train: int) -> Int[Tensor, " num_steps"]:
    """Falling timesteps spread evenly from the last to the first (Lin et al. 2024, Tab. 2)."""
    return torch.linspace(num_train - 1, 0, num_steps, dtype=torch.float64).round().long()


def nearest_level(levels: Float[Tensor, " steps"], sigma: Float[Tensor, " B"]) -> Int[Tensor, " B"]:
    """The timesteps whose noise levels (rising) are nearest in log sigma."""
    logs = levels.log().to(sigma)
    return torch.bucketize(sigma.log(), (logs[1:] + logs[:-1]) / 2)


def sigmas_at(
    levels: Float[Tensor, " steps"],
    timesteps: Callable[[int], Int[Tensor, " num_steps"]],
    num_steps: int,
) -> Float[Tensor, " steps_and_one"]:
    """The levels that a sampler visits in so many steps, and zero."""
    if not 1 <= num_steps <= len(levels):
        raise ValueError(
            f"`num_steps` must be from 1 to {len(levels)}, got {num_steps}; 20 is a good start."
        )
    # An offset, or a last level of pure noise, would lead beyond the last level.
    sigmas = levels[timesteps(num_steps).clamp(max=len(levels) - 1)]
    return torch.cat([sigmas, sigmas.new_zeros(1)]).float()


@final
@dataclass(frozen=True)
class VPSchedule(Schedule):
    """Noise levels that exist only at integer timesteps; every sigma belongs to the nearest one.

    Nearest in log sigma. The levels must have a finite sigma: none may be pure noise.
    """

    alphas_cumprod: Float[Tensor, " steps"]
    """The signal's share of the variance at each timestep, falling."""
    x0_from_output: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
    """(scaled, output, a, s) -> x0: what the network predicts."""
    timesteps: Callable[[int], Int[Tensor, " num_steps"]]
    """The falling timesteps that the family's sampler visits in so many steps."""

    @property
    def sigmas(self) -> Float[Tensor, " steps"]:
        """The noise level at each timestep, rising."""
        return ((1 - self.alphas_cumprod) / self.alphas_cumprod).sqrt()

    @property
    def sigma_max(self) -> float:
        return self.sigmas[-1].item()

    def snap(self, sigma: Float[Tensor, " B"]) -> Float[Tensor, " B"]:
        return self.sigmas.to(sigma)[nearest_level(self.sigmas, sigma)]

    def scale(self, sigma: Float[Tensor, " B"]) -> Float[Tensor, " B"]:
        return (1 + sigma**2).rsqrt()

    def time(self, sigma: Float[Tensor, " B"]) -> Float[Tensor, " B"]:
        return nearest_level(self.sigmas, sigma).to(sigma)

    def clean(
        self,
        scaled: Float[Tensor, "B C f h w"],
        output: Float[Tensor, "B C f h w"],
        sigma: Float[Tensor, " B"],
    ) -> Float[Tensor, "B C f h w"]:
        a = per_sample(self.scale(sigma), scaled)
        return self.x0_from_output(scaled, output, a, per_sample(sigma, scaled) * a)

    def sampling_sigmas(self, num_steps: int, num_tokens: int) -> Float[Tensor, " steps_and_one"]:
        """See `Prior.sampling_sigmas`.

        Euler steps between these levels are DDIM steps without fresh noise (Song, Meng and Ermon
        2021, Eq. 13). They lead from level to level also where the scheduler's own stride misses
        the next one, and to exactly zero also where it would stop at its first level.
        """
        return sigmas_at(self.sigmas, self.timesteps, num_steps)


def vp_schedule(config: Mapping[str, Any]) -> VPSchedule:
    """The schedule that the configuration of a discrete diffusion scheduler describes.

    DDPM, DDIM, PNDM, Euler, DPM-Solver and CogVideoX's record the same training; what they do
    between two levels is theirs and does not matter here.

    Raises ValueError for options that would change the noise levels or the clean estimate in ways
    that are not supported here.
    """
    for name in ("clip_sample", "thresholding"):
        if config.get(name):
            raise _refused(name, config[name], "false, because latents have no bounds")
    for name in REFUSED_SPACINGS:
        if config.get(name):
            raise _refused(name, config[name], "false, because it hides the trained levels")
    alphas_cumprod = torch.cumprod(1 - _betas(config), dim=0)
    num_train = len(alphas_cumprod)
    # Before the rescaling, which then moves the shifted levels.
    alphas_cumprod = shift_snr(alphas_cumprod, config.get("snr_shift_scale", 1.0))
    if config.get("rescale_betas_zero_snr"):
        # The last level then is pure noise, which has no finite sigma.
        alphas_cumprod = rescale_to_zero_snr(alphas_cumprod)[:-1]
    return VPSchedule(alphas_cumprod, _prediction(config), _spacing(config, num_train))


def _betas(config: Mapping[str, Any]) -> Float[Tensor, " steps"]:
    if config.get("trained_betas") is not None:
        return torch.tensor(config["trained_betas"], dtype=torch.float64)
    # A flow scheduler has no such entry, and must not pass for a diffusion with default values.
    kind = config.get("beta_schedule")
    start, end = config.get("beta_start", 1e-4), config.get("beta_end", 0.02)
    steps = config.get("num_train_timesteps", 1000)
    match kind:
        case "linear":
            return torch.linspace(start, end, steps, dtype=torch.float64)
        case "scaled_linear":
            roots = torch.linspace(math.sqrt(start), math.sqrt(end), steps, dtype=torch.float64)
            return roots**2
        case "squaredcos_cap_v2":
            return cosine_betas(steps)
        case _:
            raise _refused(
                "beta_schedule", kind, "'linear', 'scaled_linear' or 'squaredcos_cap_v2'"
            )


def _prediction(config: Mapping[str, Any]) -> Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]:
    match config.get("prediction_type", "epsilon"):
        case "epsilon":
            return x0_from_eps
        case "v_prediction":
            return x0_from_v
        case "sample":
            return x0_from_sample
        case other:
            raise _refused("prediction_type", other, "'epsilon', 'v_prediction' or 'sample'")


def _spacing(
    config: Mapping[str, Any], num_train: int
) -> Callable[[int], Int[Tensor, " num_steps"]]:
    # Old files leave out what was the default of their class.
    linspace = str(config.get("_class_name")).startswith(LINSPACE_CLASSES)
    match config.get("timestep_spacing", "linspace" if linspace else "leading"):
        case "leading":
            offset = config.get("steps_offset", 0)
            return partial(leading_timesteps, num_train=num_train, offset=offset)
        case "trailing":
            return partial(trailing_timesteps, num_train=num_train)
        case "linspace":
            return partial(linspace_timesteps, num_train=num_train)
        case other:
            raise _refused("timestep_spacing", other, "'leading', 'trailing' or 'linspace'")


def _refused(name: str, value: object, rule: str) -> ValueError:
    return ValueError(
        f"The scheduler's `{name}` must be {rule}, got {value!r}; "
        "change its scheduler_config.json or use another folder."
    )
