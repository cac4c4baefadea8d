"""The prior from its configuration: every choice by name is resolved here, by one `match` each."""

import dataclasses
import logging
from pathlib import Path
from typing import assert_never

import torch

from motiondistill.priors.base import Codec, DiffusersPrior
from motiondistill.priors.decoder_gradient import through_decoder
from motiondistill.priors.embedding_cache import cache_folder
from motiondistill.priors.encode_modes import checkpointed, two_pass
from motiondistill.priors.gaussian_videos import gaussian_videos
from motiondistill.priors.hub import GAUSSIAN, SHIPPED, locate
from motiondistill.priors.loading import load_prior, placed, randomized
from motiondistill.priors.placement import Placement
from motiondistill.priors.tiny_codec import load_tiny_codec
from motiondistill.randomness import seeded
from motiondistill.schema.prior import PriorConfig

logger = logging.getLogger(__name__)

_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def make_prior(config: PriorConfig, seed: int) -> DiffusersPrior:
    """The frozen prior, downloaded if it must be; `seed` matters only for random weights.

    Raises FileNotFoundError and ValueError for models that are not there, damaged or unsupported,
    and for devices that this machine lacks.
    """
    prior = _closed_form(config) if config.model == GAUSSIAN else _loaded(config)
    prior = with_encoding(config, with_tiny_codec(config, prior))
    return _with_weights(config, prior, seed)


def _closed_form(config: PriorConfig) -> DiffusersPrior:
    _check_no_revision(config)
    default = PriorConfig()
    for name in ("dtype", "vae_dtype", "compile", "allow_pickle", "tiny_autoencoder"):
        if getattr(config, name) != getattr(default, name):
            raise ValueError(
                f"`prior.{name}` must be left out for prior.model={GAUSSIAN}, which has no "
                f"networks, got {getattr(config, name)!r}; leave it out."
            )
    return placed(gaussian_videos(), make_placement(config))


def _loaded(config: PriorConfig) -> DiffusersPrior:
    placement = make_placement(config)
    location = locate(config.model, config.revision)
    logger.info("loading the prior from %s", location.folder)
    return load_prior(
        location.folder,
        placement,
        checkpoint=location.checkpoint,
        revision=location.revision,
        # A shipped prior embeds a prompt faster than a disk finds it.
        embeddings=None if config.model in SHIPPED else cache_folder() / "embeddings",
        allow_pickle=config.allow_pickle,
        compile_denoiser=config.compile,
    )


def pinned(config: PriorConfig) -> PriorConfig:
    """The same prior by the commit of its files, so that a stored configuration means them alone.

    Raises as `make_prior` does, and may download.
    """
    if config.model == GAUSSIAN:
        _check_no_revision(config)
        return config
    return dataclasses.replace(config, revision=locate(config.model, config.revision).revision)


def _check_no_revision(config: PriorConfig) -> None:
    if config.revision is not None:
        raise ValueError(
            f"`prior.revision` must be left out for prior.model={config.model}, which has no "
            f"files, got {config.revision!r}; leave it out."
        )


def make_placement(config: PriorConfig) -> Placement:
    """Devices and precisions; raises ValueError for devices that this machine lacks."""
    text_dtype = config.text_dtype
    if text_dtype == "auto":
        text_dtype = "float32" if config.dtype == "float32" else "bfloat16"
    return Placement(
        device=_device("prior.device", config.device),
        text_device=_device("prior.text_device", config.text_device),
        dtype=_DTYPES[config.dtype],
        vae_dtype=_DTYPES[config.vae_dtype],
        text_dtype=_DTYPES[text_dtype],
        batch_size=config.batch_size,
    )


def _device(key: str, name: str) -> torch.device:
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        # The library says it at length; a build without CUDA even by an assertion.
        count = torch.cuda.device_count()
        here = ", ".join(["cpu", *(f"cuda:{index}" for index in range(count))])
        raise ValueError(
            f"`{key}` must be a device of this machine ({here}), got {name!r}; choose one of these."
        ) from error
    return device


def with_encoding(config: PriorConfig, prior: DiffusersPrior) -> DiffusersPrior:
    """The prior that keeps of an encoding what the configuration says."""

    def with_codec(codec: Codec) -> DiffusersPrior:
        return dataclasses.replace(prior, codec=codec)

    match config.encode:
        case "graph":
            return prior
        case "checkpointed":
            return with_codec(checkpointed(prior.codec))
        case "two_pass":
            return with_codec(two_pass(prior.codec))
        case "latent":
            return with_codec(through_decoder(prior.codec))
        case _:
            assert_never(config.encode)


def with_tiny_codec(config: PriorConfig, prior: DiffusersPrior) -> DiffusersPrior:
    """The prior with the tiny autoencoder that the configuration names, if it names one.

    Raises FileNotFoundError and ValueError as `load_tiny_codec` does.
    """
    if config.tiny_autoencoder is None:
        return prior
    path = Path(config.tiny_autoencoder)
    tiny = load_tiny_codec(path, prior.codec, make_placement(config).vae_dtype)
    return dataclasses.replace(prior, codec=tiny)


def _with_weights(config: PriorConfig, prior: DiffusersPrior, seed: int) -> DiffusersPrior:
    match config.weights:
        case "pretrained":
            return prior
        case "random":
            return randomized(prior, seeded(seed, 0, "random weights"))
        case _:
            assert_never(config.weights)
