"""Classifier-free guidance in terms of clean estimates.

Guiding x0 equals guiding noise, velocity or flow, because x0 is affine in each of them with the
same coefficients for all passes (Ho and Salimans 2022, Eq. 6). So does Perp-Neg, which only scales
and projects differences of estimates. Rescaling does not: it matches spreads, which depend on the
space. Estimates, and so guidance, are in single precision whatever the network's own is.

The scale s multiplies the way from the base to the prompt, so 1 is the prompt alone. Others write
the same as `D(prompt) + w (D(prompt) - D(base))` with w = s - 1.
"""

from dataclasses import dataclass
from typing import Literal, final

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill.priors.base import Conditioning, Prior, per_sample

Base = Literal["negative", "empty"]


@final
@dataclass(frozen=True)
class Prompts:
    """What is asked for, and what guidance may push away from; a row of each for every clip."""

    positive: Conditioning
    negative: Conditioning
    empty: Conditioning
    """Of no text at all."""
    perpendicular: tuple[Conditioning, ...] = ()
    """Negatives of which only what is perpendicular to the prompt counts (Perp-Neg)."""
    weights: Float[Tensor, "negatives B"] | None = None
    """Theirs; below zero pushes away."""

    def __post_init__(self) -> None:
        given = 0 if self.weights is None else len(self.weights)
        if given != len(self.perpendicular):
            raise ValueError(
                "`weights` must have a row for each of the perpendicular negatives, got "
                f"{given} for {len(self.perpendicular)}; give one each."
            )


@final
@dataclass(frozen=True)
class Guidance:
    """How far estimates are pushed, and from what."""

    scale: float
    base: Base = "negative"
    rescale: float = 0.0
    """Share of the estimate whose spread is put back to that of the prompt's; see `rescaled`."""


@final
@dataclass(frozen=True)
class Contrast:
    """Clean estimates without and with the prompt, and the way that guidance goes."""

    base: Float[Tensor, "B C f h w"]
    positive: Float[Tensor, "B C f h w"]
    direction: Float[Tensor, "B C f h w"]
    """`positive - base`, with what Perp-Neg adds to it."""


def guide(
    prior: Prior,
    x_sigma: Float[Tensor, "B C f h w"],
    sigma: Float[Tensor, " B"],
    conditioning: Conditioning,
    unconditional: Conditioning,
    guidance_scale: float,
) -> Float[Tensor, "B C f h w"]:
    """The guided clean estimate `D(empty) + scale * (D(prompt) - D(empty))`."""
    prompts = Prompts(conditioning, unconditional, unconditional)
    return guided(prior, x_sigma, sigma, prompts, Guidance(guidance_scale))


def guided(
    prior: Prior,
    x_sigma: Float[Tensor, "B C f h w"],
    sigma: Float[Tensor, " B"],
    prompts: Prompts,
    guidance: Guidance,
) -> Float[Tensor, "B C f h w"]:
    """The clean estimate `D(base) + scale * direction`, rescaled; see `contrast`."""
    if guidance.scale == 1 and not prompts.perpendicular:
        return prior.denoise(x_sigma, sigma, prompts.positive)
    found = contrast(prior, x_sigma, sigma, prompts, guidance.base)
    clean = found.base + guidance.scale * found.direction
    return rescaled(clean, found.positive, guidance.rescale) if guidance.rescale else clean


def contrast(
    prior: Prior,
    x_sigma: Float[Tensor, "B C f h w"],
    sigma: Float[Tensor, " B"],
    prompts: Prompts,
    base: Base,
) -> Contrast:
    """The estimates that guidance is made of, all from one call of the denoiser.

    A `PlacedDenoiser` makes it several. The direction is that of Perp-Neg (Armandpour et al. 2023):
    `d + sum_i w_i perp(d_i, d)` with `d = D(prompt) - D(base)`, `d_i` the same of the i-th
    negative, and `perp` the part perpendicular to d.
    """
    away = prompts.negative if base == "negative" else prompts.empty
    parts = [away, prompts.positive, *prompts.perpendicular]
    estimates = prior.denoise(
        torch.cat([x_sigma] * len(parts)),
        torch.cat([sigma] * len(parts)),
        Conditioning.cat(parts),
    )
    without, with_prompt, *negatives = estimates.chunk(len(parts))
    direction = with_prompt - without
    if prompts.weights is not None:
        main = direction
        for weight, negative in zip(prompts.weights, negatives, strict=True):
            aside = perpendicular(negative - without, main)
            direction = direction + per_sample(weight, aside) * aside
    return Contrast(without, with_prompt, direction)


def perpendicular(
    vector: Float[Tensor, "B C f h w"], axis: Float[Tensor, "B C f h w"]
) -> Float[Tensor, "B C f h w"]:
    """What each sample's vector has across its axis, `v - (v . a / |a|^2) a`; v for no axis."""
    dims = tuple(range(1, vector.ndim))
    length = axis.square().sum(dims, keepdim=True)
    along = (vector * axis).sum(dims, keepdim=True)
    return vector - along / torch.where(length == 0, torch.ones_like(length), length) * axis


def rescaled(
    clean: Float[Tensor, "B C f h w"], positive: Float[Tensor, "B C f h w"], share: float
) -> Float[Tensor, "B C f h w"]:
    """`share` of the estimate brought to the spread of the prompt's own, the rest as it is.

    Lin et al. 2023, Section 3.4, on the clean estimate as in MVDream; the spread is the standard
    deviation over all of a clip's latents. It takes back the contrast that guidance adds.
    """
    dims = tuple(range(1, clean.ndim))
    ratio = positive.std(dims, keepdim=True) / clean.std(dims, keepdim=True)
    return share * (clean * ratio) + (1 - share) * clean
