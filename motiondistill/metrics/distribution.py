"""Distances of sets of motions in a feature space: the formulas, whatever network gives features.

The formulas are those of HumanML3D's evaluation (Guo et al., CVPR 2022); a value means something
only within one network's features.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import torch
from jaxtyping import Float, Int
from torch import Tensor

POOL: Final = 32
"""Motions among which a text's own is sought."""
TOP: Final = 3
REPEATS: Final = 20
"""Draws of pools and pairs, as in the protocol."""
_BOOTSTRAPS: Final = 50
_FEWEST_MOTIONS: Final = 10
_MOST_PAIRS: Final = 300
_NORMAL_95: Final = 1.96

Features = Float[Tensor, "motions features"]
Windows = Float[Tensor, "_ features"]
"""Features of all windows of one motion."""


class TooFewError(ValueError):
    """A set is too small for the figure."""


@dataclass(frozen=True)
class Estimate:
    """A value and its interval of 95 %."""

    value: float
    interval: tuple[float, float]


def frechet_distance(
    mean: Float[Tensor, " features"],
    covariance: Float[Tensor, "features features"],
    other_mean: Float[Tensor, " features"],
    other_covariance: Float[Tensor, "features features"],
) -> Float[Tensor, ""]:
    """`|m1 - m2|^2 + Tr(C1 + C2 - 2 (C1 C2)^(1/2))` of two Gaussians (Dowson & Landau 1982).

    The trace of the root is that of `(C1^(1/2) C2 C1^(1/2))^(1/2)`, which is symmetric: its
    eigenvalues are real, and those that rounding makes negative are zero.
    """
    values, vectors = torch.linalg.eigh(covariance)
    root = (vectors * values.clamp(min=0).sqrt()) @ vectors.T
    shared = torch.linalg.eigvalsh(root @ other_covariance @ root).clamp(min=0).sqrt().sum()
    trace = covariance.trace() + other_covariance.trace() - 2 * shared
    return torch.as_tensor((mean - other_mean).square().sum() + trace)


def fid(features: Features, others: Float[Tensor, "others features"]) -> Float[Tensor, ""]:
    """The Frechet distance of the Gaussians fitted to two sets, in double precision.

    Raises TooFewError unless either set has at least twice as many rows as features.
    """
    dimensions, fewest = features.shape[1], min(len(features), len(others))
    if fewest < 2 * dimensions:
        raise TooFewError(
            f"FID needs at least {2 * dimensions} samples a set, twice the {dimensions} features, "
            f"got {fewest}; give more motions."
        )
    return frechet_distance(*_gaussian(features), *_gaussian(others))


def fid_estimate(
    sets: Sequence[Windows], others: Sequence[Windows], generator: torch.Generator
) -> Estimate:
    """`fid` of the windows of two sets of motions, each given by its windows' features.

    The interval is normal, with the spread of 50 bootstraps that draw whole motions with
    replacement: windows of one motion are alike, and no new evidence.

    Raises TooFewError for what `fid` refuses, and for fewer than 10 motions a set.
    """
    value = float(fid(torch.cat(list(sets)), torch.cat(list(others))))
    fewest = min(len(sets), len(others))
    if fewest < _FEWEST_MOTIONS:
        raise TooFewError(
            f"FID needs at least {_FEWEST_MOTIONS} motions a set, got {fewest}, however long; "
            "give more motions."
        )
    found = []
    for _ in range(_BOOTSTRAPS):
        drawn = [torch.cat([each[i] for i in _draw(each, generator)]) for each in (sets, others)]
        found.append(frechet_distance(*_gaussian(drawn[0]), *_gaussian(drawn[1])))
    half = _NORMAL_95 * float(torch.stack(found).std())
    return Estimate(value, (max(value - half, 0.0), value + half))


def r_precision(
    texts: Features, motions: Features, labels: Int[Tensor, " motions"], generator: torch.Generator
) -> Float[Tensor, "3"]:
    """Share of texts with a motion of their label among the 1, 2 and 3 nearest in pools of 32.

    The pools are drawn without replacement; the last incomplete one is dropped. With all labels
    different this is HumanML3D's R-precision, where texts that coincide count against each other.

    Raises TooFewError for fewer than 32 motions.
    """
    if len(motions) < POOL:
        raise TooFewError(
            f"R-precision needs at least {POOL} motions with prompts of known actions, a pool, got "
            f"{len(motions)}; give more."
        )
    order = torch.randperm(len(motions), generator=generator)
    hits = []
    for pool in order[: len(order) // POOL * POOL].reshape(-1, POOL):
        near = torch.cdist(texts[pool], motions[pool]).argsort(stable=True)[:, :TOP]
        hits.append((labels[pool][near] == labels[pool][:, None]).cumsum(-1) > 0)
    return torch.as_tensor(torch.cat(hits).double().mean(0))


def chance_precision(labels: Int[Tensor, " motions"]) -> Float[Tensor, "3"]:
    """What `r_precision` would be on average if motions were ranked by chance.

    Of k motions of a pool, k / 32 times one is the text's own; else all are drawn from the others,
    and miss its label by the hypergeometric law.
    """
    n, counts = len(labels), (labels[:, None] == labels).sum(1).tolist()
    shares = []
    for k in range(1, TOP + 1):
        misses = [math.comb(n - count, k) / math.comb(n - 1, k) for count in counts]
        shares.append(1 - (1 - k / POOL) * sum(misses) / n)
    return torch.tensor(shares, dtype=torch.float64)


def mm_dist(texts: Features, motions: Features) -> Float[Tensor, ""]:
    """Mean distance of each motion from its text."""
    return torch.as_tensor((texts - motions).norm(dim=-1).mean())


def diversity(features: Features, generator: torch.Generator) -> Float[Tensor, ""]:
    """Mean distance of random pairs: two draws of 300 rows, or half of them if there are fewer.

    No row is in both draws, so that none meets itself. Raises TooFewError for fewer than 32 rows.
    """
    if len(features) < POOL:
        raise TooFewError(
            f"diversity needs at least {POOL} motions, got {len(features)}; give more."
        )
    order = torch.randperm(len(features), generator=generator)
    half = min(_MOST_PAIRS, len(features) // 2)
    apart = features[order[:half]] - features[order[half : 2 * half]]
    return torch.as_tensor(apart.norm(dim=-1).mean())


def repeated(
    statistic: Callable[[torch.Generator], Float[Tensor, "*values"]], generator: torch.Generator
) -> list[Estimate]:
    """Mean and `1.96 sigma / sqrt(20)` of 20 draws, for each value: what another draw would give.

    It tells nothing of what other motions would give.
    """
    draws = torch.stack([statistic(generator) for _ in range(REPEATS)]).reshape(REPEATS, -1)
    half = _NORMAL_95 * draws.std(0) / math.sqrt(REPEATS)
    return [
        Estimate(value, (value - part, value + part))
        for value, part in zip(draws.mean(0).tolist(), half.tolist(), strict=True)
    ]


def _gaussian(
    features: Windows,
) -> tuple[Float[Tensor, " features"], Float[Tensor, "features features"]]:
    double = features.double()
    return double.mean(0), double.T.cov().reshape(features.shape[1], features.shape[1])


def _draw(items: Sequence[Windows], generator: torch.Generator) -> list[int]:
    drawn: list[int] = torch.randint(len(items), (len(items),), generator=generator).tolist()
    return drawn
