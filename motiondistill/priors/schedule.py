"""The algebra of noise: a family's scale, time and prediction for `x_sigma = x0 + sigma * noise`.

A family noises as `scaled = a * x0 + s * noise`; then `sigma = s / a` and `x_sigma = scaled / a`.
Nothing here calls a scheduler object: several of them give wrong values before, or even after,
their timesteps are set.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeAlias, final

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill.priors.base import Schedule, per_sample
from motiondistill.priors.config_values import number, refused, whole

Times: TypeAlias = Callable[[int], Float[Tensor, " num_steps"]]
"""Falling flow times of so many steps from 1, before any shift; they stop short of 0."""

ROUNDING: Final = 1e-3
"""More than what float32 leaves uncertain of a time of a thousand steps."""

PLAIN_OPTIONS: Final[Mapping[str, Any]] = {
    "use_karras_sigmas": False,
    "use_exponential_sigmas": False,
    "use_beta_sigmas": False,
    "thresholding": False,
    "time_shift_type": "exponential",
}
"""Options of schedulers for flow that would change levels or estimates in other ways than ours."""

UNIPC_DEFAULTS: Final[Mapping[str, Any]] = {
    "use_flow_sigmas": False,
    "prediction_type": "epsilon",
}
UNIPC_FLOW: Final[Mapping[str, Any]] = {
    "use_flow_sigmas": True,
    "prediction_type": "flow_prediction",
}


def x0_from_eps(
    scaled: Float[Tensor, "*any"],
    eps: Float[Tensor, "*any"],
    a: Float[Tensor, "..."],
    s: Float[Tensor, "..."],
) -> Float[Tensor, "*any"]:
    """The clean sample of a model that predicts the noise (Ho et al. 2020, Eq. 15)."""
    return (scaled - s * eps) / a


def x0_from_v(
    scaled: Float[Tensor, "*any"],
    v: Float[Tensor, "*any"],
    a: Float[Tensor, "..."],
    s: Float[Tensor, "..."],
) -> Float[Tensor, "*any"]:
    """The clean sample of a model that predicts `v = a * noise - s * x0` (Salimans and Ho 2022).

    Right only where `a^2 + s^2 = 1`.
    """
    return a * scaled - s * v


def x0_from_flow(
    scaled: Float[Tensor, "*any"], flow: Float[Tensor, "*any"], time: Float[Tensor, "..."]
) -> Float[Tensor, "*any"]:
    """The clean sample of a model that predicts `noise - x0` (Lipman et al. 2023).

    Here `scaled = (1 - time) * x0 + time * noise`.
    """
    return scaled - time * flow


def sigma_from_flow_time(time: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
    """The noise level at a flow time in [0, 1); infinite at 1."""
    return time / (1 - time)


def flow_time_from_sigma(sigma: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
    """The flow time in [0, 1) at a noise level."""
    return sigma / (1 + sigma)


def shift_time(time: Float[Tensor, "*any"], shift: float) -> Float[Tensor, "*any"]:
    """Flow times moved towards noise by a factor `shift` on sigma (Esser et al. 2024, Eq. 23)."""
    return shift * time / (1 + (shift - 1) * time)


def stretch_to_terminal(time: Float[Tensor, " steps"], terminal: float) -> Float[Tensor, " steps"]:
    """Falling flow times rescaled about 1 so that the last one is `terminal`."""
    return 1 - (1 - time) * (1 - terminal) / (1 - time[-1])


def even_times(num_steps: int) -> Float[Tensor, " num_steps"]:
    """Flow times that fall evenly, by the same amount also from the last one to 0."""
    return torch.linspace(1, 1 / num_steps, num_steps, dtype=torch.float64)


def times_down_to(num_steps: int, last: float) -> Float[Tensor, " num_steps"]:
    """Flow times that fall evenly to `last`."""
    return torch.linspace(1, last, num_steps, dtype=torch.float64)


def times_above(num_steps: int, bound: float) -> Float[Tensor, " num_steps"]:
    """Flow times that fall evenly and would reach `bound` one step later."""
    return torch.linspace(1, bound, num_steps + 1, dtype=torch.float64)[:-1]


def linear_quadratic_times(num_steps: int, signal: float = 0.025) -> Float[Tensor, " num_steps"]:
    """Flow times whose first half falls evenly to `1 - signal` and whose second half speeds up.

    The second half is the parabola that goes on with the same slope and ends at 0 (Genmo 2024,
    Mochi's sampler; the pipelines of Movie Gen and Mochi share it).
    """
    if num_steps == 1:
        return torch.ones(1, dtype=torch.float64)
    linear = num_steps // 2
    rest = num_steps - linear
    slow = torch.arange(linear, dtype=torch.float64) * (signal / linear)
    steps = torch.arange(rest, dtype=torch.float64)
    slope = signal / linear
    fast = signal + slope * steps + (1 - signal - slope * rest) * (steps / rest) ** 2
    return 1 - torch.cat([slow, fast])


@final
@dataclass(frozen=True)
class DynamicShift:
    """A shift that grows with the number of latent tokens; its logarithm is linear in it."""

    base_log_shift: float
    max_log_shift: float
    base_tokens: int
    max_tokens: int

    def shift(self, num_tokens: int) -> float:
        """The factor on sigma; extrapolated beyond the two token counts, as in the pipelines."""
        slope = (self.max_log_shift - self.base_log_shift) / (self.max_tokens - self.base_tokens)
        return math.exp(self.base_log_shift + slope * (num_tokens - self.base_tokens))


@final
@dataclass(frozen=True)
class FlowSchedule(Schedule):
    """Rectified flow: `scaled = (1 - tau) x0 + tau noise`; the network returns `noise - x0`.

    At `tau = 1` sigma is infinite, so `tau` stays one training step away from both ends of [0, 1]:
    with 1000 steps `sigma_max` is 999. In between every level is allowed, as in training.
    """

    num_train_timesteps: int = 1000
    shift: float | DynamicShift = 1.0
    terminal: float | None = None
    """Flow time of the sampler's last network call; None leaves it where the shift puts it."""
    times: Times = even_times
    """Where the sampler goes, before the shift."""
    whole_times: bool = False
    """Whether the network is given its time without decimals, as UniPC gives it."""
    towards_data: bool = False
    """Whether time runs from noise to data and the network returns `x0 - noise`, as Mochi's."""

    @property
    def min_time(self) -> float:
        """The smallest flow time the network is asked about."""
        return 1 / self.num_train_timesteps

    @property
    def max_time(self) -> float:
        """The largest flow time the network is asked about."""
        return 1 - 1 / self.num_train_timesteps

    @property
    def sigma_max(self) -> float:
        return self.max_time / (1 - self.max_time)

    def snap(self, sigma: Float[Tensor, " B"]) -> Float[Tensor, " B"]:
        """The level itself, or the nearest of a whole time; away from both ends."""
        sigma = sigma.clamp(self.min_time / (1 - self.min_time), self.sigma_max)
        if not self.whole_times:
            return sigma
        # Noise of another level than the network is told would be a bias of the score.
        time = (flow_time_from_sigma(sigma) * self.num_train_timesteps).round()
        return (time / (self.num_train_timesteps - time)).clamp(max=self.sigma_max)

    def scale(self, sigma: Float[Tensor, " B"]) -> Float[Tensor, " B"]:
        return 1 / (1 + sigma)

    def time(self, sigma: Float[Tensor, " B"]) -> Float[Tensor, " B"]:
        time = flow_time_from_sigma(sigma) * self.num_train_timesteps
        if self.towards_data:
            time = self.num_train_timesteps - time
        return (time + ROUNDING).floor() if self.whole_times else time

    def clean(
        self,
        scaled: Float[Tensor, "B C f h w"],
        output: Float[Tensor, "B C f h w"],
        sigma: Float[Tensor, " B"],
    ) -> Float[Tensor, "B C f h w"]:
        flow = -output if self.towards_data else output
        return x0_from_flow(scaled, flow, per_sample(flow_time_from_sigma(sigma), scaled))

    def sampling_sigmas(self, num_steps: int, num_tokens: int) -> Float[Tensor, " steps_and_one"]:
        if num_steps < 1:
            raise ValueError(
                f"`num_steps` must be at least 1, got {num_steps}; 20 is a good start."
            )
        shift = self.shift if isinstance(self.shift, float) else self.shift.shift(num_tokens)
        times = shift_time(self.times(num_steps), shift)
        # With a single step the last time is 1 itself and cannot be moved.
        if self.terminal is not None and num_steps > 1:
            times = stretch_to_terminal(times, self.terminal)
        sigmas = sigma_from_flow_time(times.clamp(max=self.max_time))
        return torch.cat([sigmas, sigmas.new_zeros(1)]).float()


def flow_schedule(config: Mapping[str, Any], times: Times = even_times) -> FlowSchedule:
    """The schedule of a `FlowMatchEulerDiscreteScheduler`, or a `UniPCMultistepScheduler` for flow.

    `times` is the spacing that the family's pipeline hands to its scheduler; `scheduler_times` is
    for pipelines that hand over none. Raises ValueError for options that would change the levels in
    ways that are not supported here, and for other schedulers.
    """
    solver = _is_solver(config)
    if solver:
        _require({**UNIPC_DEFAULTS, **config}, UNIPC_FLOW)
    _require(config, PLAIN_OPTIONS)
    shift: float | DynamicShift
    shift = number(config, "flow_shift" if solver else "shift", 1.0, above=0.0)
    if config.get("use_dynamic_shifting"):
        base = whole(config, "base_image_seq_len", 256, least=1)
        shift = DynamicShift(
            base_log_shift=number(config, "base_shift", 0.5),
            max_log_shift=number(config, "max_shift", 1.15),
            base_tokens=base,
            max_tokens=whole(config, "max_image_seq_len", 4096, least=base + 1),
        )
    terminal = config.get("shift_terminal") or None  # zero, in some files, is none as well
    if terminal is not None:
        terminal = number(config, "shift_terminal", 0.0, above=0.0, below=1.0)
    return FlowSchedule(
        num_train_timesteps=_train_steps(config),
        shift=shift,
        terminal=terminal,
        times=times,
        whole_times=solver,
        towards_data=bool(config.get("invert_sigmas")),
    )


def scheduler_times(config: Mapping[str, Any]) -> Times:
    """The spacing of a scheduler that is told the number of steps and nothing else."""
    smallest = 1 / _train_steps(config)
    if _is_solver(config):
        return partial(times_above, bound=smallest)
    if not config.get("use_dynamic_shifting"):
        # It shifts its smallest time when it is made, and all times again when it is used.
        smallest = shift_time(torch.tensor(smallest).double(), config.get("shift", 1.0)).item()
    return partial(times_down_to, last=smallest)


def _train_steps(config: Mapping[str, Any]) -> int:
    return whole(config, "num_train_timesteps", 1000, least=2)


def _is_solver(config: Mapping[str, Any]) -> bool:
    """Whether it is UniPC, and not Euler; a ValueError for all others."""
    match config.get("_class_name"):
        case "UniPCMultistepScheduler":
            return True
        case "FlowMatchEulerDiscreteScheduler":
            return False
        case name:
            raise ValueError(
                "The scheduler's `_class_name` must be FlowMatchEulerDiscreteScheduler or "
                f"UniPCMultistepScheduler for a model of rectified flow, got {name!r}; "
                "use the scheduler_config.json that the model was released with."
            )


def _require(config: Mapping[str, Any], options: Mapping[str, Any]) -> None:
    for name, value in options.items():
        if config.get(name, value) not in (value, None):
            raise refused(name, config[name], repr(value))
