"""Priors like ModelScope's and VideoCrafter2's against their pipeline, on tiny random models."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from parity import agree, ddim, draw, first_sigma, load_pipeline, our_latents
from tiny_text import CAPTIONS
from tiny_unet3d import NATIVE, save_tiny

from motiondistill.priors.loading import load_prior
from motiondistill.priors.scaled_signal import scaled_signal_schedule, signal_factors
from motiondistill.priors.vp_schedule import vp_schedule

SINGLE = 1e-4  # float32 through a random network, a few steps with guidance 4
EXACT = 1e-9  # float64; levels of sigma up to 21 cost a digit
STEPS, SCALE = 5, 4.0
PROMPTS = [CAPTIONS[0], CAPTIONS[1]]
SIZE = (NATIVE.frames, NATIVE.height, NATIVE.width)
SCALED = {"md_scale_b": 0.7, "md_mid_step": 400}
CONFIG = {
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "steps_offset": 1,
}


@pytest.fixture(scope="module", params=["epsilon", "v_prediction"])
def any_folder(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("priors") / request.param
    return save_tiny(folder, prediction_type=request.param)


@pytest.fixture(scope="module")
def scaled_folder(tmp_path_factory):
    from diffusers import DDIMScheduler

    folder = save_tiny(tmp_path_factory.mktemp("priors") / "scaled")
    scheduler = DDIMScheduler.from_pretrained(folder / "scheduler")
    scheduler.register_to_config(**SCALED)
    scheduler.save_pretrained(folder / "scheduler")
    return folder


def pipeline_latents(pipeline, latents):
    return pipeline(
        PROMPTS,
        negative_prompt=["", ""],
        num_frames=NATIVE.frames,
        height=NATIVE.height,
        width=NATIVE.width,
        num_inference_steps=STEPS,
        guidance_scale=SCALE,
        latents=latents,
        output_type="latent",
    ).frames


def scaled_signal_ddim(config):
    """DDIM as VideoCrafter2's authors run it: the signal is shrunk at both ends of a step."""
    from diffusers import DDIMScheduler
    from diffusers.schedulers.scheduling_ddim import DDIMSchedulerOutput

    class Scaled(DDIMScheduler):
        def step(self, output, timestep, sample, **options):
            factors = torch.cat([torch.linspace(1, 0.7, 400), torch.full((600,), 0.7)])
            before = timestep - 1000 // STEPS
            level = self.alphas_cumprod[timestep]
            clean = (sample - (1 - level).sqrt() * output) / level.sqrt() / factors[timestep]
            if before < 0:
                return DDIMSchedulerOutput(clean)
            level = self.alphas_cumprod[before]
            signal = level.sqrt() * factors[before] * clean
            return DDIMSchedulerOutput(signal + (1 - level).sqrt() * output)

    return Scaled.from_config(config)


def test_sampling_is_the_pipelines_own(any_folder):
    prior, pipeline = load_prior(any_folder), load_pipeline(any_folder)
    pipeline.scheduler = ddim(pipeline.scheduler.config)
    noise = draw(2, *prior.latent_shape(*SIZE))
    sigma = first_sigma(prior, noise, STEPS)
    expected = pipeline_latents(pipeline, noise * sigma * (1 + sigma**2).rsqrt())
    ours = our_latents(prior, noise, PROMPTS, steps=STEPS, scale=SCALE)
    assert agree(ours, expected, SINGLE)


@pytest.mark.slow
def test_sampling_with_shrunk_signal_is_its_authors(scaled_folder):
    prior, pipeline = load_prior(scaled_folder), load_pipeline(scaled_folder)
    pipeline.scheduler = scaled_signal_ddim(pipeline.scheduler.config)
    noise = draw(2, *prior.latent_shape(*SIZE))
    first = noise * (1 - pipeline.scheduler.alphas_cumprod[801]).sqrt()
    expected = pipeline_latents(pipeline, first)
    ours = our_latents(prior, noise, PROMPTS, steps=STEPS, scale=SCALE)
    assert agree(ours, expected, SINGLE)
    pipeline.scheduler = ddim(pipeline.scheduler.config)
    assert not agree(ours, pipeline_latents(pipeline, first), 100 * SINGLE)


def test_any_number_of_frames_is_legal(any_folder):
    prior = load_prior(any_folder)
    assert prior.format.frames == NATIVE.frames
    for frames in (1, 2, 7):
        shape = prior.latent_shape(frames, 32, 40)
        assert shape == (4, frames, 8, 10)
        with torch.no_grad():
            clean = prior.denoise(draw(1, *shape), torch.ones(1), prior.embed(PROMPTS[:1]))
        assert clean.shape == (1, *shape)


def column(values):
    return values.view(-1, 1, 1, 1, 1)


@given(st.integers(0, 999))
def test_shrunk_signal_is_recovered_from_the_true_noise(timestep):
    """At every level: a, s and sigma as VideoCrafter2 trains, and the clean sample from them."""
    schedule = scaled_signal_schedule(CONFIG | SCALED)
    clean, noise = draw(2, 2, 4, 1, 2, 2).double()
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    level = torch.cumprod(1 - betas, 0)[timestep]
    factor = 1 - 0.3 * min(timestep / 399, 1)
    a, s = level.sqrt() * factor, (1 - level).sqrt()
    sigma = schedule.sigmas[[timestep] * 2]
    assert abs(sigma[0] - s / a) < EXACT
    assert schedule.time(sigma).tolist() == [timestep] * 2
    scaled = column(schedule.scale(sigma)) * (clean + column(sigma) * noise)
    assert (scaled - (a * clean + s * noise)).abs().max() < EXACT
    assert (schedule.clean(scaled, noise, sigma) - clean).abs().max() < EXACT


def test_shrunk_signal_makes_every_level_noisier():
    schedule, plain = scaled_signal_schedule(CONFIG | SCALED), vp_schedule(CONFIG)
    assert (schedule.sigmas[1:] > schedule.sigmas[:-1]).all()
    assert schedule.sigma_max == pytest.approx(plain.sigma_max / 0.7)
    assert schedule.sigmas[0] == plain.sigmas[0]
    assert signal_factors(6, 0.5, 3).tolist() == [1, 0.75, 0.5, 0.5, 0.5, 0.5]
    levels = torch.tensor([1e-3, 0.5, 3.0, 1e3])
    snapped = schedule.snap(levels)
    assert torch.equal(schedule.snap(snapped), snapped)
    assert torch.equal(schedule.time(snapped), schedule.time(levels))


def test_shrunk_signal_with_velocities_is_refused():
    with pytest.raises(ValueError, match="must be 'epsilon' beside `md_scale_b`, got 'v_pred"):
        scaled_signal_schedule(CONFIG | SCALED | {"prediction_type": "v_prediction"})
