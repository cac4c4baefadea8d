"""What can be said of a run of `probe`, and what it refuses to be told."""

from dataclasses import dataclass
from typing import Any, Final

from motiondistill.schema.knobs import knobs, show

# What of the score says in which direction a gradient goes; the rest is of how it is followed.
_OF_GRADIENTS: Final = (
    *("objective", "guidance_base", "guidance_rescale", "avoid_other_views", "weighting"),
    *("motion_amplification", "max_gradient", "reference_prompt", "domain_level", "target_steps"),
    *("inversion_guidance_scale", "inversion_noise"),
)
_REFUSED: Final = {
    "dds": "compares with the motion that a run began with",
    "vsd": "compares with a copy of the prior that learns along a run",
}


@dataclass(frozen=True)
class ProbeRunConfig:
    """What belongs to a run of `probe` and not to the questions."""

    # Of noise, of parametric motions and of the copies' weights.
    seed: int = 0
    # Length of the clips; null takes the prior's own, and for priors that know images alone 16.
    frames: int | None = None
    # CPU threads; null takes every core.
    threads: int | None = None


def check_probe(config: Any) -> None:
    """Refuses keys of the score that nothing here follows, and cameras that would differ."""
    for key, (_, default) in knobs(type(config)).items():
        group, name = key.split(".")
        value = getattr(getattr(config, group), name)
        if group == "score" and name not in _OF_GRADIENTS and value != default:
            instead = {
                "guidance_scale": "set gradient.guidance_scales",
                "views": "set probe.views",
                "first_level": "set probe.levels",
                "last_level": "set probe.levels",
            }.get(name, "leave it out")
            raise ValueError(
                f"`{key}` must be left out of `probe`, which follows no gradient, got "
                f"{show(value)}; {instead}."
            )
        if group == "camera" and name.endswith("_jitter") and value:
            raise ValueError(
                f"`{key}` must be 0 in `probe`, whose pairs are seen by the same cameras, got "
                f"{show(value)}; leave it out."
            )
    if config.render.randomize != "nothing":
        raise ValueError(
            "`render.randomize` must be nothing in `probe`, whose pairs are seen in one scene, got "
            f"{config.render.randomize!r}; leave it out."
        )
    if config.score.objective in _REFUSED:
        raise ValueError(
            f"`score.objective` must not be {config.score.objective} in `probe`: it "
            f"{_REFUSED[config.score.objective]}; take another, such as csd or sds."
        )
