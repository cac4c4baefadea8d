"""Variance-preserving diffusion: the discrete noise levels of DDPM, DDIM and their relatives.

`scaled = sqrt(abar) x0 + sqrt(1 - abar) noise` at integer timesteps, so `sigma^2 = (1 - abar) /
abar`. Everything follows from the scheduler's configuration; no scheduler object is called.
"""

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, final

import torch
from jaxtyping import Float, Int
from torch import Tensor

from motiondistill.priors.base import Schedule, per_sample
from motiondistill.priors.config_values import number, refused, whole
from motiondistill.priors.schedule import x0_from_eps, x0_from_v

SCHEDULERS: Final = (
    "DDPM",
    "DDPMParallel",
    "DDIM",
    "DDIMParallel",
    "PNDM",
    "LMSDiscrete",
    "EulerDiscrete",
    "EulerAncestralDiscrete",
    "HeunDiscrete",
    "KDPM2Discrete",
    "KDPM2AncestralDiscrete",
    "DPMSolverSinglestep",
    "DPMSolverMultistep",
    "DPMSolverSDE",
    "DEISMultistep",
    "SASolver",
    "UniPCMultistep",
    "CogVideoXDDIM",
    "CogVideoXDPM",
)
"""Those that record a training with discrete levels. Others have levels or predictions of their
own, or are for models that were distilled into few steps and have no score."""

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

    Raises ValueError for other schedulers, for values that are none, and for options that would
    change the noise levels or the clean estimate in ways that are not supported here.
    """
    for name in ("clip_sample", "thresholding"):
        if config.get(name):
            raise refused(name, config[name], "false, because latents have no bounds")
    for name in REFUSED_SPACINGS:
        if config.get(name):
            raise refused(name, config[name], "false, because it hides the trained levels")
    if config.get("timestep_type", "discrete") != "discrete":
        raise refused("timestep_type", config["timestep_type"], "'discrete'")
    config = {**_defaults(config), **config}
    alphas_cumprod = torch.cumprod(1 - _betas(config), dim=0)
    num_train = len(alphas_cumprod)
    # Before the rescaling, which then moves the shifted levels.
    shift = number(config, "snr_shift_scale", 1.0, above=0.0)
    alphas_cumprod = shift_snr(alphas_cumprod, shift)
    if config.get("rescale_betas_zero_snr"):
        # The last level then is pure noise, which has no finite sigma.
        alphas_cumprod = rescale_to_zero_snr(alphas_cumprod)[:-1]
    return VPSchedule(alphas_cumprod, _prediction(config), _spacing(config, num_train))


def _defaults(config: Mapping[str, Any]) -> dict[str, Any]:
    """What files leave out: the defaults of the scheduler's class, as the library takes them.

    But for the class: without one, nothing is known of the levels either.
    """
    import diffusers

    name = config.get("_class_name")
    known = {f"{start}Scheduler" for start in SCHEDULERS}
    if name is not None and name not in known:
        raise refused("_class_name", name, f"one of {', '.join(SCHEDULERS)} (each with Scheduler)")
    kind: Any = getattr(diffusers, name or "DDPMScheduler")
    if hasattr(kind, "_backends"):
        # A class whose own library is not installed tells nothing, and these differ among classes.
        return {"beta_start": None, "beta_end": None}
    parameters = inspect.signature(kind.__init__).parameters
    # What bounds a sampler's estimates is left to those who ask for it.
    unasked = {"clip_sample", "thresholding", *([] if name else ["beta_schedule"])}
    return {
        key: parameter.default
        for key, parameter in parameters.items()
        if key not in unasked and parameter.default is not inspect.Parameter.empty
    }


def _betas(config: Mapping[str, Any]) -> Float[Tensor, " steps"]:
    if config.get("trained_betas") is not None:
        return _trained(config["trained_betas"])
    kind = config.get("beta_schedule")
    start = number(config, "beta_start", 1e-4, above=0.0, below=1.0)
    end = number(config, "beta_end", 0.02, above=0.0, below=1.0)
    steps = whole(config, "num_train_timesteps", 1000, least=2)
    match kind:
        case "linear":
            return torch.linspace(start, end, steps, dtype=torch.float64)
        case "scaled_linear":
            roots = torch.linspace(math.sqrt(start), math.sqrt(end), steps, dtype=torch.float64)
            return roots**2
        case "squaredcos_cap_v2":
            return cosine_betas(steps)
        case _:
            raise refused("beta_schedule", kind, "'linear', 'scaled_linear' or 'squaredcos_cap_v2'")


def _trained(betas: object) -> Float[Tensor, " steps"]:
    if not isinstance(betas, list | tuple) or len(betas) < 2:
        raise refused("trained_betas", betas, "null or a list of numbers")
    name = "trained_betas"
    checked = [number({name: beta}, name, 0.0, above=0.0, below=1.0) for beta in betas]
    return torch.tensor(checked, dtype=torch.float64)


def _prediction(config: Mapping[str, Any]) -> Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]:
    match config.get("prediction_type", "epsilon"):
        case "epsilon":
            return x0_from_eps
        case "v_prediction":
            return x0_from_v
        case "sample":
            return x0_from_sample
        case other:
            raise refused("prediction_type", other, "'epsilon', 'v_prediction' or 'sample'")


def _spacing(
    config: Mapping[str, Any], num_train: int
) -> Callable[[int], Int[Tensor, " num_steps"]]:
    # Those that have no such option spread their steps evenly.
    match config.get("timestep_spacing", "linspace"):
        case "leading":
            offset = whole(config, "steps_offset", 0, least=0)
            return partial(leading_timesteps, num_train=num_train, offset=offset)
        case "trailing":
            return partial(trailing_timesteps, num_train=num_train)
        case "linspace":
            return partial(linspace_timesteps, num_train=num_train)
        case other:
            raise refused("timestep_spacing", other, "'leading', 'trailing' or 'linspace'")
