"""The AnimateDiff prior against its own pipeline, on a tiny random model."""

import pytest
import torch
from parity import agree, draw, first_sigma, load_pipeline, our_latents
from tiny_animatediff import MAX_FRAMES, NATIVE, save_tiny
from tiny_text import CAPTIONS

from motiondistill.priors.loading import load_prior

SINGLE = 1e-4  # float32 through a random network, a few steps with guidance 4
STEPS, SCALE = 4, 4.0  # with 4 steps all of its scheduler's timesteps are whole
PROMPTS = [CAPTIONS[0], CAPTIONS[1]]
SIZE = (NATIVE.frames, NATIVE.height, NATIVE.width)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_tiny(tmp_path_factory.mktemp("priors") / "tiny")


@pytest.fixture(scope="module")
def prior(folder):
    return load_prior(folder)


def test_sampling_is_the_pipelines_own(folder, prior):
    from diffusers import EulerDiscreteScheduler

    pipeline = load_pipeline(folder)
    # DDIM steps by a fixed stride, which misses the timesteps it goes through in even spacing.
    pipeline.scheduler = EulerDiscreteScheduler.from_config(pipeline.scheduler.config)
    pipeline.scheduler.set_timesteps(STEPS)
    noise = draw(2, *prior.latent_shape(*SIZE))
    expected = pipeline(
        PROMPTS,
        negative_prompt=["", ""],
        num_frames=NATIVE.frames,
        height=NATIVE.height,
        width=NATIVE.width,
        num_inference_steps=STEPS,
        guidance_scale=SCALE,
        latents=noise * first_sigma(prior, noise, STEPS) / pipeline.scheduler.init_noise_sigma,
        output_type="latent",
    ).frames
    ours = our_latents(prior, noise, PROMPTS, steps=STEPS, scale=SCALE)
    assert agree(ours, expected, SINGLE)


def test_frames_see_each_other(prior):
    x, sigma = draw(1, *prior.latent_shape(*SIZE)), prior.snap(torch.ones(1))
    conditioning = prior.embed(PROMPTS[:1])
    other = x.clone()
    other[:, :, -1] += 1
    with torch.no_grad():
        change = prior.denoise(other, sigma, conditioning) - prior.denoise(x, sigma, conditioning)
    assert (change.abs().amax((0, 1, 3, 4)) > 1e-3).all()


def test_positions_in_time_bound_the_number_of_frames(prior):
    assert prior.latent_shape(MAX_FRAMES, 32, 32)[1] == MAX_FRAMES
    message = rf"`frames` must be at most {MAX_FRAMES} for this prior, got {MAX_FRAMES + 1}; short"
    with pytest.raises(ValueError, match=message):
        prior.encode(torch.zeros(1, MAX_FRAMES + 1, 3, 32, 32))
