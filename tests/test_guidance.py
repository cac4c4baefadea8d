"""Guidance: scales, spaces, rescaling, and Perp-Neg with views."""

import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from queries import clean, mixed, prompts
from toy_gaussian import SHAPE, latents, toy_prior

from motiondistill.priors.base import Conditioning, per_sample
from motiondistill.priors.gaussian import GaussianPrior
from motiondistill.priors.guidance import (
    Base,
    Guidance,
    Prompts,
    contrast,
    guide,
    guided,
    perpendicular,
    rescaled,
)
from motiondistill.score.view_negatives import negative_prompts, view_negatives

EXACT = 1e-11  # float64 on 24 dimensions
SIGMAS = torch.tensor([0.3, 1.0, 4.0], dtype=torch.float64)


@pytest.fixture
def prior() -> GaussianPrior:
    return toy_prior()


@pytest.mark.parametrize("base", ["negative", "empty"])
@pytest.mark.parametrize("scale", [0.0, 1.0, 7.5])
def test_both_bases_are_known_by_name(prior: GaussianPrior, base: Base, scale: float) -> None:
    x = latents(3)
    found = guided(prior, x, SIGMAS, prompts(prior, 3, "walk", "jump"), Guidance(scale, base))
    away = clean(1, x, SIGMAS) if base == "negative" else mixed(x, SIGMAS)
    assert (found - (away + scale * (clean(0, x, SIGMAS) - away))).abs().max() < 1e-10


@pytest.mark.parametrize("extra", [0.0, 2.0, 99.0])
def test_a_scale_counts_from_the_base_and_so_is_one_more_than_from_the_prompt(
    prior: GaussianPrior, extra: float
) -> None:
    x, words = latents(3), prompts(prior, 3, "walk", "jump")
    found = contrast(prior, x, SIGMAS, words, "negative")
    from_prompt = found.positive + extra * (found.positive - found.base)
    ours = guided(prior, x, SIGMAS, words, Guidance(extra + 1))
    assert (ours - from_prompt).abs().max() < 1e-9


def test_guiding_noise_velocity_or_flow_is_guiding_clean_estimates(prior: GaussianPrior) -> None:
    """And rescaling, which matches spreads, is not."""
    x, words, scale = latents(3), prompts(prior, 3, "walk", "jump"), 5.0
    found = contrast(prior, x, SIGMAS, words, "negative")
    level = per_sample(SIGMAS, x)
    a, s, tau = (1 + level**2).rsqrt(), level * (1 + level**2).rsqrt(), level / (1 + level)
    spaces = {  # of a clean estimate, and back
        "noise": (lambda d: (x - d) / level, lambda e: x - level * e),
        "velocity": (lambda d: a * (x - d) / level - s * d, lambda v: a * (a * x) - s * v),
        "flow": (lambda d: ((1 - tau) * x - d) / tau, lambda u: (1 - tau) * x - tau * u),
    }
    ours = guided(prior, x, SIGMAS, words, Guidance(scale))
    ours_rescaled = guided(prior, x, SIGMAS, words, Guidance(scale, rescale=0.7))
    for forward, back in spaces.values():
        base, positive = forward(found.base), forward(found.positive)
        there = base + scale * (positive - base)
        assert (back(there) - ours).abs().max() < 1e-9
        assert (back(rescaled(there, positive, 0.7)) - ours_rescaled).abs().max() > 1e-2


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_rescaling_puts_the_spread_back_by_its_share(prior: GaussianPrior, share: float) -> None:
    x, words = latents(3), prompts(prior, 3, "walk", "jump")
    found = contrast(prior, x, SIGMAS, words, "negative")
    plain = guided(prior, x, SIGMAS, words, Guidance(6.0))
    after = guided(prior, x, SIGMAS, words, Guidance(6.0, rescale=share))
    spreads = [clip.flatten(1).std(1) for clip in (plain, found.positive, after)]
    expected = (1 - share) * spreads[0] + share * spreads[1]
    assert (spreads[2] - expected).abs().max() < EXACT
    assert (spreads[0] - spreads[1]).abs().min() > 0.01
    # Each clip by one factor: nothing else changes.
    ratio = after / plain
    assert (ratio - ratio.mean((1, 2, 3, 4), keepdim=True)).abs().max() < 1e-9


def test_perpendicular_is_what_the_axis_does_not_see() -> None:
    vector, axis = latents(3), latents(3, seed=2)
    across = perpendicular(vector, axis)
    assert (across * axis).sum((1, 2, 3, 4)).abs().max() < EXACT
    along = vector - across
    assert (perpendicular(along, axis)).abs().max() < EXACT
    assert torch.equal(perpendicular(vector, torch.zeros(3, *SHAPE).double()), vector)


def test_perp_neg_pushes_away_only_across_the_prompts_direction(prior: GaussianPrior) -> None:
    x = latents(3)
    rows = [prior.embed([text] * 3) for text in ("walk", "jump", "")]
    weights = torch.tensor([[-0.5, -1.0, -2.0]], dtype=torch.float64)
    words = Prompts(rows[0], rows[2], rows[2], (rows[1],), weights)
    found = contrast(prior, x, SIGMAS, words, "negative")
    main = clean(0, x, SIGMAS) - mixed(x, SIGMAS)
    other = clean(1, x, SIGMAS) - mixed(x, SIGMAS)
    size = main.square().sum((1, 2, 3, 4), keepdim=True)
    along = (other * main).sum((1, 2, 3, 4), keepdim=True)
    across = other - torch.where(size == 0, 0.0, along / size) * main
    expected = main + weights.view(3, 1, 1, 1, 1) * across
    assert (found.direction - expected).abs().max() < 1e-10
    out = guided(prior, x, SIGMAS, words, Guidance(4.0))
    assert (out - (mixed(x, SIGMAS) + 4 * expected)).abs().max() < 1e-9


def test_perp_neg_against_the_prompt_itself_changes_nothing(prior: GaussianPrior) -> None:
    x, walk, jump = latents(3), prior.embed(["walk"] * 3), prior.embed(["jump"] * 3)
    words = Prompts(walk, jump, jump, (walk,), torch.full((1, 3), -3.0, dtype=torch.float64))
    plain = guide(prior, x, SIGMAS, walk, jump, 4.0)
    assert (guided(prior, x, SIGMAS, words, Guidance(4.0)) - plain).abs().max() < EXACT


def test_every_perpendicular_negative_needs_weights(prior: GaussianPrior) -> None:
    row: Conditioning = prior.embed(["walk"])
    with pytest.raises(ValueError, match=r"`weights` must have a row for each .* got 0 for 1"):
        Prompts(row, row, row, (row,))


def test_all_estimates_come_from_one_call(
    prior: GaussianPrior, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = []
    denoise = GaussianPrior.denoise

    def counted(self: GaussianPrior, x: torch.Tensor, *rest: object) -> torch.Tensor:
        sizes.append(len(x))
        return denoise(self, x, *rest)

    monkeypatch.setattr(GaussianPrior, "denoise", counted)
    words = prompts(prior, 3, "walk")
    guided(prior, latents(3), SIGMAS, words, Guidance(4.0))
    guided(prior, latents(3), SIGMAS, words, Guidance(1.0))
    others = (words.empty, words.negative)
    more = Prompts(words.positive, words.negative, words.empty, others, torch.zeros(2, 3).double())
    guided(prior, latents(3), SIGMAS, more, Guidance(1.0))
    assert sizes == [6, 3, 12]


# The published weights: `a exp(-b r) + c`, r = 1 in the middle of the front, side or back.
def published(a: float, c: float, r: float) -> float:
    return -(a * math.exp(-0.5 * r) + c)


@given(degrees=st.floats(-179.9, 179.9))
def test_views_are_weighted_as_published(degrees: float) -> None:
    (first, one), (second, two) = view_negatives(math.radians(degrees))
    side = "left side view" if math.radians(degrees) >= 0 else "right side view"
    if abs(degrees) < 90:
        r = 1 - abs(degrees) / 90
        assert (first, second) == ("front view", side)
        assert one == pytest.approx(published(4, -2.426, r), abs=1e-3)
        assert two == pytest.approx(published(4, -2.426, 1 - r), abs=1e-3)
    else:
        r = 2 - abs(degrees) / 90
        assert (first, second) == (side, "front view")
        assert one == pytest.approx(published(1, -0.606, r), abs=1e-3)
        assert two == pytest.approx(published(1, 0.967, r), abs=1e-3)
    assert one <= 1e-12 and two <= 1e-12


@given(azimuth=st.floats(-7, 7))
def test_views_repeat_after_a_full_turn(azimuth: float) -> None:
    for turned in (azimuth + 2 * math.pi, azimuth - 2 * math.pi):
        for (here, weight), (there, other) in zip(
            view_negatives(azimuth), view_negatives(turned), strict=True
        ):
            assert weight == pytest.approx(other, abs=1e-6)
            assert here == there or math.isclose(math.sin(azimuth), 0, abs_tol=1e-9)


def test_the_front_weighs_more_the_further_away_it_is() -> None:
    def front(degrees: float) -> float:
        return dict(view_negatives(math.radians(degrees)))["front view"]

    weights = [front(degrees) for degrees in range(0, 181, 5)]
    assert weights[0] == 0
    assert all(later < earlier for earlier, later in itertools.pairwise(weights))
    assert abs(front(89.999) - front(90.001)) < 1e-3  # no jump at the side


def test_negative_prompts_are_the_prompt_in_other_views() -> None:
    words, weights = negative_prompts("a person bows", [0.0, math.pi])
    assert words == [
        ["a person bows, front view", "a person bows, left side view"],
        ["a person bows, left side view", "a person bows, front view"],
    ]
    assert torch.tensor(weights).shape == (2, 2)
