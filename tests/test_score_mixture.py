"""What objectives seek where the prior has two modes: expected residuals by quadrature.

Two modes at +-m along one axis, with variance v each; noise is integrated along that axis by
Gauss-Hermite nodes, which go through the objective as its noise, so nothing is left to chance.
"""

import itertools
import math

import numpy as np
import pytest
import torch
from queries import query
from torch import Tensor

from motiondistill.priors.base import VideoFormat
from motiondistill.priors.gaussian import Gaussian, GaussianPrior
from motiondistill.score.objectives import MultiStep, NoiseFree, csd, sds
from motiondistill.score.query import Objective

NODES, WEIGHTS = (torch.from_numpy(part) for part in np.polynomial.hermite_e.hermegauss(80))
SHARES = WEIGHTS / WEIGHTS.sum()
MODE, VARIANCE = 1.0, 0.05
QUADRATURE = 1e-6  # 80 nodes on functions that bend within a standard deviation of noise


def prior(
    mode: float = MODE, variances: tuple[float, float] = (VARIANCE, VARIANCE)
) -> GaussianPrior:
    """Right at +mode and left at -mode on the first of three latents; even mixture for nothing."""
    axis = torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64)
    eye = torch.eye(3, dtype=torch.float64)
    modes = {"right": (mode, variances[0]), "left": (-mode, variances[1])}
    return GaussianPrior(
        {name: Gaussian.from_covariance(a * axis, v * eye) for name, (a, v) in modes.items()},
        VideoFormat(8.0, 1, 1, 1),
    )


def expected(
    objective: Objective,
    places: list[float],
    sigma: float,
    *,
    scale: float = 1.0,
    prompt: str = "",
    negative: str = "",
    on: GaussianPrior | None = None,
) -> Tensor:
    """The mean residual over all noise for clips at these places of the axis."""
    clips = torch.zeros(len(places), len(NODES), 3, 1, 1, 1, dtype=torch.float64)
    clips[:, :, 0, 0, 0, 0] = torch.tensor(places, dtype=torch.float64)[:, None]
    noise = torch.zeros_like(clips)
    noise[:, :, 0, 0, 0, 0] = NODES
    flat = clips.flatten(0, 1)
    level = torch.full((len(flat),), sigma, dtype=torch.float64)
    asked = query(
        on or prior(),
        flat,
        level,
        prompt=prompt,
        negative=negative,
        scale=scale,
        noise=noise.flatten(0, 1),
    )
    residual = objective(asked).view_as(clips)
    assert residual[:, :, 1:].abs().max() < 1e-12  # there is nothing across the axis
    return (residual[:, :, 0, 0, 0, 0] * SHARES).sum(1)


@pytest.mark.parametrize("sigma", [0.4, 1.0, 3.0])
def test_sds_is_the_gradient_of_the_blurred_log_density(sigma: float) -> None:
    """`E r = -sigma^2 d/dx E log p_sigma(x + sigma n)` (Tweedie), by central differences."""
    toy, step = prior(), 1e-5
    words = toy.embed([""] * len(NODES))

    def blurred(place: float) -> float:
        noisy = torch.zeros(len(NODES), 3, 1, 1, 1, dtype=torch.float64)
        noisy[:, 0, 0, 0, 0] = place + sigma * NODES
        level = torch.full((len(NODES),), sigma, dtype=torch.float64)
        return float((toy.log_density(noisy, level, words) * SHARES).sum())

    places = [-1.3, -0.2, 0.5, 2.0]
    slopes = [(blurred(x + step) - blurred(x - step)) / (2 * step) for x in places]
    found = expected(sds, places, sigma)
    assert (found + sigma**2 * torch.tensor(slopes)).abs().max() < QUADRATURE


def stiffness(sigma: float) -> float:
    """How strongly SDS holds the midpoint: `1 - E D'`, by a fine sum over the noise.

    `D' = v / (v + s^2) + s^2 m^2 / (v + s^2)^2 sech^2(m x / (v + s^2))`.
    """
    total = VARIANCE + sigma**2
    x = sigma * torch.linspace(-9, 9, 20001, dtype=torch.float64)
    bell = torch.exp(-((x / sigma) ** 2) / 2)
    slope = VARIANCE / total + (sigma * MODE / total) ** 2 / torch.cosh(MODE * x / total) ** 2
    return float(1 - (slope * bell).sum() / bell.sum())


def test_sds_seeks_the_mean_at_high_noise_and_a_mode_at_low() -> None:
    """By symmetry the midpoint asks for nothing; whether it holds depends on the noise alone."""
    step = 1e-4
    for sigma, holds in ((3.0, True), (1.5, True), (0.5, False), (0.3, False)):
        below, middle, above = expected(sds, [-step, 0.0, step], sigma).tolist()
        assert abs(middle) < 1e-12
        slope = (above - below) / (2 * step)
        assert slope == pytest.approx(stiffness(sigma), abs=1e-3)  # 80 nodes are few at 0.3
        assert (slope > 0) == holds


def test_with_its_prompt_sds_ends_at_the_mode() -> None:
    for sigma in (0.3, 1.0, 4.0):
        found = expected(sds, [MODE - 0.5, MODE, MODE + 0.5], sigma, prompt="right")
        pull = sigma**2 / (VARIANCE + sigma**2)
        assert (
            found - pull * torch.tensor([-0.5, 0.0, 0.5], dtype=torch.float64)
        ).abs().max() < 1e-10


@pytest.mark.parametrize("sigma", [0.4, 1.0, 3.0])
def test_csd_goes_to_its_mode_from_everywhere_and_less_the_surer_it_is(sigma: float) -> None:
    """`E r = s sigma^2 / (v + sigma^2) m (E tanh(m (x + sigma n) / (v + sigma^2)) - 1)`."""
    places, scale = [-2.0, -0.5, 0.0, 0.5, 1.0, 2.0, 6.0], 2.5
    found = expected(csd, places, sigma, scale=scale, prompt="right")
    total = VARIANCE + sigma**2
    noise = sigma * torch.linspace(-9, 9, 20001, dtype=torch.float64)
    bell = torch.exp(-((noise / sigma) ** 2) / 2)
    x = torch.tensor(places, dtype=torch.float64)[:, None] + noise
    sure = (torch.tanh(MODE * x / total) * bell).sum(1) / bell.sum()
    wanted = scale * sigma**2 / total * MODE * (sure - 1)
    assert (found - wanted).abs().max() < 1e-4
    assert (found <= 0).all()  # always to the right
    assert (found.diff() >= 0).all()
    # Nothing pulls back to the mean: beyond the mode SDS turns round and CSD does not.
    assert expected(sds, [2.0], sigma, prompt="right").item() > 0


def test_csd_sharpens_where_the_prompt_is_narrower_than_the_base() -> None:
    """Of two Gaussians with one mean it leads to that mean by the difference of their gains."""
    narrow, wide, sigma, scale = 0.1, 2.0, 0.8, 3.0
    toy = prior(mode=0.0, variances=(narrow, wide))
    places = [-1.0, 0.0, 0.75]
    found = expected(csd, places, sigma, scale=scale, prompt="right", negative="left", on=toy)
    gain = wide / (wide + sigma**2) - narrow / (narrow + sigma**2)
    assert (found - scale * gain * torch.tensor(places).double()).abs().max() < 1e-10
    assert gain > 0


def test_nfsd_does_not_pull_to_the_mean_at_high_noise() -> None:
    """Far to the right every estimate is sure: SDS without a prompt pulls back, NFSD does not."""
    sigma, far = 0.8, 8.0
    unguided = expected(sds, [far], sigma, prompt="")
    assert unguided.item() > 1.0
    found = expected(NoiseFree(0.0), [far], sigma, prompt="right", negative="")
    assert abs(found.item()) < 1e-6
    low = expected(NoiseFree(1.0), [far], sigma, prompt="right")
    assert low.item() == pytest.approx(unguided.item(), abs=1e-6)


def test_more_steps_decide_for_a_mode() -> None:
    """Among the noises of one clip, the targets leave the middle for the modes."""
    sigma = 2.0
    clip = torch.zeros(len(NODES), 3, 1, 1, 1, dtype=torch.float64)
    noise = clip.clone()
    noise[:, 0, 0, 0, 0] = NODES
    asked = query(prior(), clip, torch.full((len(NODES),), sigma).double(), prompt="", noise=noise)
    spread = []
    for steps in (1, 3, 10, 30):
        target = (asked.latents - MultiStep(steps)(asked))[:, 0, 0, 0, 0]
        spread.append(math.sqrt(float((target.square() * SHARES).sum())))
    assert all(fewer < more for fewer, more in itertools.pairwise(spread))
    assert spread[0] < 0.6 * MODE
    assert spread[-1] > 0.9 * MODE
