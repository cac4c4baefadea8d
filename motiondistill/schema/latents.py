"""What `latents` asks of priors by default, and what it refuses to be told."""

from typing import Any, Final

from motiondistill.engine.settings import DistillSettings
from motiondistill.schema.knobs import knobs, show

# Of the distillation of a motion: clips are seen from fixed sides, and stand for themselves.
_NOT_OF_CLIPS: Final = (
    *("score.azimuth_jitter", "score.max_norm", "score.weight"),
    *("camera.distance_jitter", "camera.elevation_jitter", "camera.fov_jitter"),
)
# Of a probe, which asks about motions.
_OF_A_PROBE: Final = ("score.levels", "score.probe")


def of_clips() -> DistillSettings:
    """The defaults of the score.

    All numbers of a clip are free: the pull to what the prior holds possible, which `csd` leaves
    out, is what keeps them within.
    """
    return DistillSettings(
        objective="sds",
        num_steps=300,
        azimuth_jitter=0.0,
        learning_rate=2.5e-2,
        max_norm=None,
    )


def check_latents(config: Any) -> None:
    """Refuses what only a motion can be asked, starts without a motion, and priors named twice."""
    known = knobs(type(config))
    for key in _NOT_OF_CLIPS:
        group, name = key.split(".")
        value = getattr(getattr(config, group), name)
        if value != known[key][1]:
            raise ValueError(
                f"`{key}` must be left out of `latents`, whose clips are seen from fixed sides and "
                f"stand for themselves, got {show(value)}; leave it out."
            )
    for key in _OF_A_PROBE:
        value = getattr(config.score, key.removeprefix("score."))
        if value != known[key][1]:
            raise ValueError(
                f"`{key}` must be left out of `latents`, as a probe suggests noise levels for the "
                f"motion of a body, got {show(value)}; give score.first_level and score.last_level."
            )
    if config.score.objective == "vsd":
        raise ValueError(
            "`score.objective` must not be vsd in `latents`, which adapts no copy of the prior to "
            "its clips, got 'vsd'; take another, such as sds or multi_step."
        )
    if config.score.views % config.score.accumulate:
        raise ValueError(
            f"`score.accumulate` must divide score.views={config.score.views}, got "
            f"{config.score.accumulate}; change one of them."
        )
    given = config.latents
    if given.start != "neutral" and given.motion is None:
        raise ValueError(
            f"`latents.motion` must name a motion file or a run's folder for latents.start="
            f"{given.start}, got null; add latents.motion=PATH."
        )
    if given.start == "neutral" and given.motion is not None:
        raise ValueError(
            "`latents.motion` must be left out with latents.start=neutral, got "
            f"{show(given.motion)}; add latents.start=reference or first_frame."
        )
    if len({*given.models}) < len(given.models):
        raise ValueError(
            f"`latents.models` must name each prior once, got {show(given.models)}; leave out the "
            "others."
        )
    if len(given.models) > 1 and config.prior.revision is not None:
        raise ValueError(
            "`prior.revision` must be left out with several priors, which have no common one, got "
            f"{config.prior.revision!r}; leave it out."
        )
