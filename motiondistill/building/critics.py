"""The further critics of a motion, from a configuration."""

import dataclasses

from motiondistill.building.method import make_method
from motiondistill.building.prior import make_prior, pinned
from motiondistill.engine.critics import Critic
from motiondistill.schema.jobs import OptimizeConfig
from motiondistill.schema.prior import PriorConfig

IMAGES = "image_score"


def make_critics(config: OptimizeConfig, frames: int, size: tuple[int, int]) -> tuple[Critic, ...]:
    """All that judge beside the video prior, for clips of so many frames of this size.

    Raises ValueError for priors that take no single frames of this size and for more frames than
    the clip has, and as `make_prior` does, naming the key.
    """
    chosen = image_prior(config)
    if chosen is None:
        return ()
    given = config.image_prior
    if given.frames > frames:
        raise ValueError(
            f"`image_prior.frames` must be at most the {frames} frames of a clip, got "
            f"{given.frames}; lower it."
        )
    try:
        prior = make_prior(chosen, config.run.seed)
        prior.format.check(1, *size)
    except (FileNotFoundError, ValueError) as error:
        raise ValueError(f"of `image_prior.model` {given.model}: {error}") from error
    knobs = dataclasses.replace(
        config.score,
        guidance_scale=given.guidance_scale,
        weighting=given.weighting or config.score.weighting,
        last_guidance_scale=None,
        first_level=given.first_level,
        last_level=given.last_level,
    )
    return (
        Critic(
            IMAGES,
            prior,
            knobs,
            make_method(knobs),
            given.negative_prompt,
            given.prompt,
            given.weight,
            given.frames,
            config.words,
        ),
    )


def image_prior(config: OptimizeConfig) -> PriorConfig | None:
    """The prior of images in the terms of the other; None without one that counts."""
    given = config.image_prior
    if given.model is None or not given.weight:
        return None
    return dataclasses.replace(
        config.prior,
        model=given.model,
        revision=given.revision,
        negative_prompt=given.negative_prompt,
        device=given.device or config.prior.device,
        dtype=given.dtype or config.prior.dtype,
        # Of the other model alone: its autoencoder's twin, and trust in its makers.
        tiny_autoencoder=None,
        allow_pickle=False,
    )


def pinned_priors(config: OptimizeConfig) -> OptimizeConfig:
    """The same configuration with every prior by the commit of its files; see `pinned`."""
    chosen, image = image_prior(config), config.image_prior
    if chosen is not None:
        image = dataclasses.replace(image, revision=pinned(chosen).revision)
    return dataclasses.replace(config, prior=pinned(config.prior), image_prior=image)
