"""Discrete diffusion levels against the scheduler that defines them, and against closed forms."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from motiondistill.priors.sampling import euler_steps
from motiondistill.priors.vp_schedule import rescale_to_zero_snr, vp_schedule

EXACT = 1e-9  # float64; levels of sigma up to 157 cost two digits
SINGLE = 1e-5  # float32 against the float32 arithmetic of a scheduler
PRODUCT = 1e-4  # relative: a scheduler's float32 product of a thousand factors
KINDS = ["epsilon", "v_prediction", "sample"]
VARIANTS = [
    {},
    {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012},
    {"trained_betas": [0.1, 0.2, 0.3, 0.4]},
    {"num_train_timesteps": 250, "beta_end": 0.08},
    {"beta_schedule": "squaredcos_cap_v2"},
]
COGVIDEOX = {
    "prediction_type": "v_prediction",
    "rescale_betas_zero_snr": True,
    "timestep_spacing": "trailing",
    "clip_sample": False,
}
SPACINGS = [
    {"timestep_spacing": "leading"},
    {"timestep_spacing": "leading", "steps_offset": 1},
    {"timestep_spacing": "trailing"},
    {"timestep_spacing": "linspace"},
]


def ddim(**options):
    from diffusers import DDIMScheduler

    return DDIMScheduler(clip_sample=False, **options)


def clean_and_noise(seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(2, 2, 3, 1, 2, 2, generator=generator, dtype=torch.float64)


def column(values):
    return values.view(-1, 1, 1, 1, 1)


@pytest.mark.parametrize("options", VARIANTS)
def test_levels_are_the_schedulers_before_and_after_its_timesteps_are_set(options):
    scheduler = ddim(**options)
    schedule = vp_schedule(scheduler.config)
    for _ in range(2):
        products = scheduler.alphas_cumprod.double()
        assert torch.allclose(schedule.alphas_cumprod, products, rtol=PRODUCT, atol=0)
        scheduler.set_timesteps(3)
    assert (schedule.sigmas[1:] > schedule.sigmas[:-1]).all()
    assert schedule.sigma_max == schedule.sigmas[-1]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("timestep", [0, 1, 250, 700, 999])
def test_clean_estimate_is_the_schedulers(kind, timestep):
    scheduler = ddim(prediction_type=kind)
    schedule = vp_schedule(scheduler.config)
    scaled, output = clean_and_noise().float()
    sigma = schedule.sigmas[[timestep] * 2].float()
    assert schedule.time(sigma).tolist() == [timestep] * 2
    ours = schedule.clean(scaled, output, sigma)
    for _ in range(2):
        scheduler.set_timesteps(10)
        expected = scheduler.step(output, timestep, scaled).pred_original_sample
        # A prediction of noise is divided by the little signal that is left.
        assert (ours - expected).abs().max() < SINGLE * max(1, expected.abs().max())


@pytest.mark.parametrize("kind", KINDS)
@given(st.integers(0, 999))
def test_a_perfect_network_gives_back_the_clean_sample(kind, timestep):
    schedule = vp_schedule({"beta_schedule": "linear", "prediction_type": kind})
    clean, noise = clean_and_noise()
    sigma = schedule.sigmas[[timestep] * 2]
    a = column(schedule.alphas_cumprod[[timestep] * 2]).sqrt()
    s = (1 - a**2).sqrt()
    scaled = column(schedule.scale(sigma)) * (clean + column(sigma) * noise)
    assert (scaled - (a * clean + s * noise)).abs().max() < EXACT
    output = {"epsilon": noise, "v_prediction": a * noise - s * clean, "sample": clean}[kind]
    assert (schedule.clean(scaled, output, sigma) - clean).abs().max() < EXACT


@given(st.floats(1e-6, 1e6))
def test_levels_snap_to_the_nearest_in_log_sigma(level):
    schedule = vp_schedule({"beta_schedule": "linear"})
    sigma = torch.tensor([level], dtype=torch.float64)
    snapped = schedule.snap(sigma)
    distances = (schedule.sigmas.log() - math.log(level)).abs()
    assert (snapped.log() - sigma.log()).abs() <= distances.min() + EXACT
    assert snapped in schedule.sigmas
    assert torch.equal(schedule.snap(snapped), snapped)
    assert torch.equal(schedule.time(snapped), schedule.time(sigma))


def test_every_level_is_told_apart_in_single_precision():
    schedule = vp_schedule({"beta_schedule": "linear"})
    sigmas = schedule.sigmas.float()
    assert torch.equal(schedule.time(sigmas), torch.arange(1000.0))
    assert torch.equal(schedule.snap(sigmas), sigmas)
    ends = schedule.snap(torch.tensor([0.0, math.inf]))
    assert torch.equal(ends, sigmas[[0, -1]])


@pytest.mark.parametrize("options", SPACINGS)
@pytest.mark.parametrize("steps", [2, 5, 7, 20, 30, 50, 1000])
def test_sampling_visits_the_schedulers_timesteps(options, steps):
    scheduler = ddim(**options)
    schedule = vp_schedule(scheduler.config)
    scheduler.set_timesteps(steps)
    sigmas = schedule.sampling_sigmas(steps, 256)
    assert sigmas[-1] == 0
    # With an offset the scheduler's own first step of a thousand lies beyond its levels.
    expected = scheduler.timesteps.clamp(max=999)
    assert torch.equal(schedule.time(sigmas[:-1]).long(), expected)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("options", SPACINGS[:3])
def test_euler_steps_are_ddim_steps(kind, options):
    scheduler = ddim(prediction_type=kind, **options)
    schedule = vp_schedule(scheduler.config)
    noise = clean_and_noise()[1]

    def network(scaled, timestep):
        return (0.3 + timestep / 2000) * scaled + 0.1

    scheduler.set_timesteps(5)
    sigmas = schedule.sampling_sigmas(5, 256)
    expected = column(schedule.scale(sigmas[:1])) * sigmas[0] * noise
    for timestep in scheduler.timesteps:
        output = network(expected, timestep)
        expected = scheduler.step(output, timestep, expected).prev_sample

    def denoise(x_sigma, sigma):
        scaled = column(schedule.scale(sigma)) * x_sigma
        return schedule.clean(scaled, network(scaled, column(schedule.time(sigma))), sigma)

    *_, last = euler_steps(denoise, noise, sigmas)
    assert (last.x_sigma - expected).abs().max() < PRODUCT * expected.abs().max()


def test_pure_noise_has_no_level():
    scheduler = ddim(rescale_betas_zero_snr=True, timestep_spacing="trailing")
    assert scheduler.alphas_cumprod[-1] == 0
    schedule = vp_schedule(scheduler.config)
    products = scheduler.alphas_cumprod[:-1].double()
    assert (schedule.alphas_cumprod - products).abs().max() < SINGLE
    assert schedule.alphas_cumprod[0] == pytest.approx(1 - 1e-4)
    assert 157 < schedule.sigma_max < math.inf
    sigmas = schedule.sampling_sigmas(4, 256)
    assert schedule.time(sigmas[:-1]).tolist() == [998, 749, 499, 249]
    assert rescale_to_zero_snr(schedule.alphas_cumprod)[-1] == 0


@pytest.mark.parametrize("shift", [1.0, 3.0])
def test_shifted_levels_are_cogvideox_s(shift):
    """Both of its versions; the last level is pure noise and has no sigma."""
    from diffusers import CogVideoXDDIMScheduler

    scheduler = CogVideoXDDIMScheduler(**COGVIDEOX, snr_shift_scale=shift)
    schedule = vp_schedule(scheduler.config)
    assert scheduler.alphas_cumprod[-1] == 0
    for _ in range(2):
        products = scheduler.alphas_cumprod[:-1].double()
        assert torch.allclose(schedule.alphas_cumprod, products, rtol=PRODUCT, atol=0)
        scheduler.set_timesteps(7)
    assert (schedule.sigmas[1:] > schedule.sigmas[:-1]).all()
    visited = schedule.time(schedule.sampling_sigmas(7, 256)[:-1]).tolist()
    assert visited == [998, *scheduler.timesteps[1:].tolist()]
    scaled, output = clean_and_noise().float()
    for timestep in (3, 571, 998):
        expected = scheduler.step(output, timestep, scaled).pred_original_sample
        ours = schedule.clean(scaled, output, schedule.sigmas[[timestep] * 2].float())
        assert (ours - expected).abs().max() < SINGLE * max(1, expected.abs().max())


def test_a_shift_divides_the_ratio_of_signal_to_noise():
    levels = vp_schedule({"beta_schedule": "linear"}).alphas_cumprod
    shifted = vp_schedule({"beta_schedule": "linear", "snr_shift_scale": 3.0}).alphas_cumprod
    ratio = levels / (1 - levels)
    assert (shifted / (1 - shifted) * 3 / ratio - 1).abs().max() < EXACT


def test_cosine_levels_fall_like_a_squared_cosine():
    """Nichol and Dhariwal 2021, Eq. 17, up to the bound on a step's noise at the very end."""
    levels = vp_schedule({"beta_schedule": "squaredcos_cap_v2"}).alphas_cumprod
    times = (torch.arange(1001, dtype=torch.float64) / 1000 + 0.008) / 1.008
    expected = (times * math.pi / 2).cos() ** 2
    assert (levels[:-1] - expected[1:-1] / expected[0]).abs().max() < EXACT
    assert levels[-1] == pytest.approx(levels[-2].item() * 1e-3)


@pytest.mark.parametrize("options", SPACINGS)
@pytest.mark.parametrize("name", ["PNDMScheduler", "EulerDiscreteScheduler", "DDPMScheduler"])
def test_other_schedulers_of_the_same_training_are_the_same(name, options):
    import diffusers

    config = {"beta_schedule": "scaled_linear", "clip_sample": False, "skip_prk_steps": True}
    scheduler = getattr(diffusers, name).from_config({**config, **options})
    schedule = vp_schedule(scheduler.config)
    products = scheduler.alphas_cumprod.double()
    assert torch.allclose(schedule.alphas_cumprod, products, rtol=PRODUCT, atol=0)
    # Numbers of steps that divide 999: Euler also visits times between two levels.
    scheduler.set_timesteps(4)
    visited = schedule.time(schedule.sampling_sigmas(4, 256)[:-1])
    expected = sorted(set(scheduler.timesteps.tolist()), reverse=True)  # PNDM repeats one
    assert visited.tolist() == expected
    if name != "PNDMScheduler":  # which tells no clean estimate
        scaled, output = clean_and_noise().float()
        sigma = schedule.sampling_sigmas(4, 256)[1]
        sample = scaled * (1 + sigma**2).sqrt() if name.startswith("Euler") else scaled
        if name.startswith("Euler"):
            scheduler.scale_model_input(sample, scheduler.timesteps[1])
        expected = scheduler.step(output, scheduler.timesteps[1], sample).pred_original_sample
        ours = schedule.clean(scaled, output, sigma.expand(2))
        assert (ours - expected).abs().max() < SINGLE * max(1, expected.abs().max())


def test_default_levels_reach_from_a_hundredth_to_the_known_maximum():
    """The linear schedule of Ho et al. 2020: abar_T = 4.0358e-5."""
    schedule = vp_schedule({"beta_schedule": "linear"})
    assert schedule.sigmas[0].item() == pytest.approx(0.01, rel=1e-4)
    assert schedule.alphas_cumprod[-1].item() == pytest.approx(4.0358e-5, rel=1e-4)


@pytest.mark.parametrize("steps", [0, 1001])
def test_impossible_numbers_of_steps_are_refused(steps):
    schedule = vp_schedule({"beta_schedule": "linear"})
    assert len(schedule.sampling_sigmas(1, 256)) == 2
    with pytest.raises(ValueError, match=rf"`num_steps` must be from 1 to 1000, got {steps}"):
        schedule.sampling_sigmas(steps, 256)
