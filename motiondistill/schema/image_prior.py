"""What can be said of a second prior, which judges single images; the values are the defaults."""

import dataclasses
from dataclasses import dataclass
from typing import Any

from motiondistill.engine.settings import WeightingName
from motiondistill.schema.knobs import show
from motiondistill.schema.prior import Precision


@dataclass(frozen=True)
class ImagePriorConfig:
    """A prior that judges frames by themselves, beside the one of videos.

    What is not said here is as for the first one: `prior.*` how its weights are loaded, placed and
    run (so `prior.weights=random` makes both random), and `score.*` what it is asked.
    """

    # As `prior.model`, a model that takes single frames; null asks none.
    model: str | None = None
    # Branch, tag or commit of a model from the hub, as `prior.revision`.
    revision: str | None = None
    # What it is told of the motion; null takes the prompt itself.
    prompt: str | None = None
    # What guidance pushes away from, seen from the same side; empty is no text at all.
    negative_prompt: str = "a person"
    # Of its score in the loss; that of the video prior is `score.weight`. 0 asks it not, either.
    weight: float = 1.0
    # Frames of each view that it sees, drawn anew for every target.
    frames: int = 2
    # As `score.guidance_scale`.
    guidance_scale: float = 4.0
    # As `score.weighting`, which null takes.
    weighting: WeightingName | None = None
    # Noise levels, as `score.first_level` and `score.last_level`.
    first_level: float = 0.9
    last_level: float = 0.6
    # Of the denoiser and the autoencoder; null takes `prior.device`.
    device: str | None = None
    # Of the denoiser's weights; null takes `prior.dtype`.
    dtype: Precision | None = None


def check_critics(config: Any) -> None:
    """Refuses keys of an image prior that is not there, a score of nothing, and uneven parts."""
    given = config.image_prior
    if given.model is None:
        for knob in dataclasses.fields(given):
            value = getattr(given, knob.name)
            if value != knob.default:
                raise ValueError(
                    f"`image_prior.{knob.name}` must be left out without image_prior.model, got "
                    f"{show(value)}; add image_prior.model=NAME."
                )
    if not config.score.weight and (given.model is None or not given.weight):
        raise ValueError(
            "`score.weight` must be above 0 without an image prior that counts, got "
            f"{config.score.weight:g}; raise it, or add image_prior.model=NAME."
        )
    if config.score.views % config.score.accumulate:
        raise ValueError(
            f"`score.accumulate` must divide score.views={config.score.views}, got "
            f"{config.score.accumulate}; change one of them."
        )
