"""What can be said of a probe; the values are the defaults."""

from dataclasses import dataclass
from typing import Literal

from motiondistill.film.shots import view_azimuth


@dataclass(frozen=True)
class ProbeSettings:
    """Knobs of what is asked of a prior without any optimisation."""

    # Noise levels, in `level_measure`; the prior takes those of its own that are nearest.
    levels: tuple[float, ...] = (0.3, 0.5, 0.7, 0.85)
    # `flow_time` is tau = sigma / (1 + sigma); `log_snr` is 2 log((1 - tau) / tau).
    level_measure: Literal["flow_time", "log_snr"] = "flow_time"
    # Sides that clips are seen from: names such as `front`, or radians against the heading.
    views: tuple[str, ...] = ("front", "left", "back", "right")
    # Motions of each prompt. Their recordings are what intervals count, and one alone has none.
    motions: int = 2
    # Draws of noise for each motion, level and view; all members of a pair get the same.
    draws: int = 2
    # Copies of the network with random weights: what they prefer is known without knowledge. One
    # alone tells nothing of others.
    null_copies: int = 5
    # What a frozen clip shows: the middle frame, or the mean pose, which nobody may have taken.
    frozen: Literal["middle", "mean"] = "middle"
    # Of jittered clips: root mean square of every joint's angle, radians.
    jitter: float = 0.15
    # Of slid clips: mean speed, m/s.
    slide_speed: float = 0.8

    def __post_init__(self) -> None:
        for view in self.views:
            _check_view(view)
        for name in ("levels", "views"):
            given = getattr(self, name)
            if not given or len({*given}) < len(given):
                raise ValueError(
                    f"`probe.{name}` must hold each value once, and one at least, got "
                    f"{list(given)}; list others."
                )
        low, high = (0.02, 0.98) if self.level_measure == "flow_time" else (-8.0, 8.0)
        if not all(low <= level <= high for level in self.levels):
            raise ValueError(
                f"`probe.levels` must be between {low:g} and {high:g} with probe.level_measure="
                f"{self.level_measure}, got {list(self.levels)}; list others."
            )


@dataclass(frozen=True)
class GradientSettings:
    """Knobs of the comparison of the score's gradient with the way to the real motion."""

    # Draws of noise for each motion, view, level and scale; 0 leaves all of this out.
    draws: int = 4
    # How far poses are off: root mean square of every joint's angle, radians.
    noise: float = 0.2
    # Cosines over time that this is made of, the constant one among them.
    waves: int = 4
    # In place of `score.guidance_scale`. For `csd` it changes only the gradient's length.
    guidance_scales: tuple[float, ...] = (1.0, 4.0, 16.0)

    def __post_init__(self) -> None:
        if self.draws == 1:
            raise ValueError(
                "`gradient.draws` must be 0 or at least 2, which have a variance, got 1; take 4."
            )
        given = self.guidance_scales
        if not given or len({*given}) < len(given):
            raise ValueError(
                "`gradient.guidance_scales` must hold each scale once, and one at least, got "
                f"{list(given)}; list others."
            )


def _check_view(view: str) -> None:
    try:
        view_azimuth(view)
    except ValueError as error:
        raise ValueError(str(error).replace("`camera.views`", "`probe.views`")) from error
