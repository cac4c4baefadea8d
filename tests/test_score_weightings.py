"""Weightings are what they say of each prediction's residual; shaping does what it says."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from queries import query
from toy_gaussian import SHAPE, latents, toy_prior

from motiondistill.priors.base import Conditioning, Prior, per_sample
from motiondistill.priors.guidance import guide
from motiondistill.score import weightings
from motiondistill.score.levels import log_snr
from motiondistill.score.loss import (
    Shaping,
    amplified,
    clipped,
    root_mean_square,
    score_gradient,
    score_loss,
)
from motiondistill.score.objectives import csd, sds

EXACT = 1e-9  # of numbers around one, divided by what is as small as exp(-5)

_LOG_SNRS = st.floats(-10, 10)
_NUMBERS = st.floats(-3, 3)


@settings(max_examples=50)
@given(level=_LOG_SNRS, x0=_NUMBERS, noise=_NUMBERS, estimate=_NUMBERS)
def test_each_weighting_is_the_residual_of_its_prediction(
    level: float, x0: float, noise: float, estimate: float
) -> None:
    """From the definitions of noise, velocity and flow, in scaled latents."""
    sigma = torch.tensor(math.exp(-level / 2), dtype=torch.float64)
    assert float(log_snr(sigma)) == pytest.approx(level, abs=1e-9)
    residual = x0 - estimate
    a, s = float(1 / (1 + sigma**2).sqrt()), float(sigma / (1 + sigma**2).sqrt())
    noise_residual = (a * x0 + s * noise - a * estimate) / s - noise
    velocity_residual = (a * (a * x0 + s * noise - a * estimate) / s - s * estimate) - (
        a * noise - s * x0
    )
    tau = float(sigma / (1 + sigma))
    flow_residual = ((1 - tau) * x0 + tau * noise - estimate) / tau - (noise - x0)
    wanted = {
        weightings.uniform: noise_residual,
        weightings.variance: s**2 * noise_residual,
        weightings.fantasia3d: a * s**2 * noise_residual,
        weightings.clean: residual,
        weightings.velocity: velocity_residual,
        weightings.flow: flow_residual,
    }
    for weighting, value in wanted.items():
        assert float(weighting(sigma)) * residual == pytest.approx(value, rel=1e-6, abs=1e-9)


@settings(max_examples=50)
@given(level=_LOG_SNRS)
def test_residuals_convert_between_families(level: float) -> None:
    """`v_hat - v = (eps_hat - eps) / a` and `eps_hat - eps = (1 - tau) (u_hat - u)`."""
    sigma = torch.tensor(math.exp(-level / 2), dtype=torch.float64)
    a, tau = (1 + sigma**2) ** -0.5, sigma / (1 + sigma)
    noise, velocity, flow, x0 = (
        weighting(sigma)
        for weighting in (
            weightings.uniform,
            weightings.velocity,
            weightings.flow,
            weightings.clean,
        )
    )
    assert float(velocity * a / noise) == pytest.approx(1, abs=EXACT)
    assert float((1 - tau) * flow / noise) == pytest.approx(1, abs=EXACT)
    assert float(tau * flow / x0) == pytest.approx(1, abs=EXACT)
    # The same level of a flow model, divided by `n`, is variance preserving.
    n = ((1 - tau) ** 2 + tau**2).sqrt()
    assert float((1 - tau) / n / a) == pytest.approx(1, abs=EXACT)


def old_loss(  # the package's first implementation of both objectives
    prior: Prior,
    x: torch.Tensor,
    words: tuple[Conditioning, Conditioning],
    sigma: torch.Tensor,
    scale: float,
    *,
    classifier: bool,
) -> torch.Tensor:
    conditioning, unconditional = words
    sigma = prior.snap(sigma)
    noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(3)).to(x)
    level = per_sample(sigma, x)
    noisy = x.detach() + level * noise
    if classifier:
        both = prior.denoise(
            torch.cat([noisy, noisy]),
            torch.cat([sigma, sigma]),
            Conditioning.cat([unconditional, conditioning]),
        )
        without, with_prompt = both.chunk(2)
        residual = scale * (without - with_prompt)
    else:
        residual = x.detach() - guide(prior, noisy, sigma, conditioning, unconditional, scale)
    gradient = level / (1 + level.square()) * residual
    return (gradient * x).sum() / x.numel()


@pytest.mark.parametrize("classifier", [True, False])
@pytest.mark.parametrize("scale", [1.0, 4.0])
def test_the_default_is_the_first_implementation_bit_for_bit(
    classifier: bool, scale: float
) -> None:
    prior, x = toy_prior(), latents(3).requires_grad_()
    sigma = torch.tensor([0.2, 1.0, 4.0], dtype=torch.float64)
    asked = query(prior, x.detach(), sigma, negative="jump", scale=scale, noise=3)
    residual = (csd if classifier else sds)(asked)
    loss = score_loss(x, score_gradient(residual, asked.sigma, shaping=Shaping()))
    words = asked.prompts.positive, asked.prompts.negative
    old = old_loss(prior, x, words, sigma, scale, classifier=classifier)
    assert torch.equal(loss, old)
    assert torch.equal(*(torch.autograd.grad(each, x)[0] for each in (loss, old)))


def clips(frames: int = 5) -> torch.Tensor:
    return torch.randn(2, 3, frames, 2, 2, generator=torch.Generator().manual_seed(1)).double()


@pytest.mark.parametrize("factor", [0.0, 0.5, 3.0])
def test_amplification_keeps_the_mean_over_time_and_scales_the_rest(factor: float) -> None:
    before, after = clips(), amplified(clips(), factor)
    still = before.mean(2, keepdim=True)
    assert (after.mean(2, keepdim=True) - still).abs().max() < 1e-12
    assert (after - still - factor * (before - still)).abs().max() < 1e-12
    assert (amplified(clips(), 1.0) - before).abs().max() < 1e-12


def test_what_stands_still_is_not_amplified() -> None:
    same = clips()[:, :, :1].expand(2, 3, 5, 2, 2)
    assert (amplified(same, 30.0) - same).abs().max() < 1e-12


def test_clipping_shortens_each_clip_by_itself_and_turns_none() -> None:
    gradient = clips() * torch.tensor([1.0, 100.0]).view(2, 1, 1, 1, 1)
    gradient[0] *= 0.5 / root_mean_square(gradient[:1])
    after = clipped(gradient, 2.0)
    assert torch.equal(after[0], gradient[0])
    assert float(root_mean_square(after[1:])) == pytest.approx(2.0)
    cosine = torch.nn.functional.cosine_similarity(after[1].flatten(), gradient[1].flatten(), 0)
    assert float(cosine) == pytest.approx(1.0)
    assert torch.equal(clipped(torch.zeros(1, *SHAPE), 2.0), torch.zeros(1, *SHAPE))


def test_shaping_amplifies_and_then_clips() -> None:
    shaped = Shaping(amplification=4.0, max_rms=0.5)(clips())
    assert torch.equal(shaped, clipped(amplified(clips(), 4.0), 0.5))
    assert torch.equal(Shaping()(clips()), clips())


@pytest.mark.parametrize("shape", [(1, 3, 2, 2, 2), (4, 3, 2, 2, 2), (1, 3, 8, 4, 4)])
def test_what_all_latents_share_does_not_depend_on_their_number(shape: tuple[int, ...]) -> None:
    x = torch.zeros(shape, dtype=torch.float64, requires_grad=True)
    sigma = torch.full(shape[:1], 2.0, dtype=torch.float64)
    residual = torch.full(shape, 0.7, dtype=torch.float64)
    loss = score_loss(x, score_gradient(residual, sigma, weightings.flow))
    (gradient,) = torch.autograd.grad(loss, x)
    assert float(gradient.sum()) == pytest.approx(0.7 * 1.5)
