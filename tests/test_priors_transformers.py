"""Priors of video transformers against their own pipelines, on tiny models from folders.

What is special to one family is tested beside it, in `test_priors_<family>.py`.
"""

import numpy as np
import pytest
import tiny_cogvideox
import tiny_hunyuan
import tiny_mochi
import tiny_wan
import torch
from parity import (
    capped_flow,
    capped_zero_snr,
    draw,
    load_pipeline,
    our_latents,
    pipeline_output,
)
from tiny_text import CAPTIONS

from motiondistill.priors.base import per_sample
from motiondistill.priors.loading import load_prior
from motiondistill.priors.sampling import sample
from motiondistill.priors.schedule import FlowSchedule

SINGLE = 1e-4  # float32 through a random network, a few steps with guidance 3
CLEAN = 1e-5  # float32 arithmetic of a scheduler on numbers of order one
STARTING_STEP = 2e-2  # relative change by starting one of a thousand steps below pure noise
STEPS, SCALE = 4, 3.0
PROMPTS = [CAPTIONS[0], CAPTIONS[1]]

VARIANTS = {
    "cogvideox-2b": (tiny_cogvideox, {"generation": "2b"}),
    "cogvideox-5b": (tiny_cogvideox, {"generation": "5b"}),
    "cogvideox-1.5": (tiny_cogvideox, {"generation": "1.5"}),
    "wan-2.1": (tiny_wan, {"version": "2.1"}),
    "wan-2.1-euler": (tiny_wan, {"version": "2.1-euler"}),
    "wan-ti2v": (tiny_wan, {"version": "ti2v"}),
    "wan-a14b": (tiny_wan, {"version": "a14b"}),
    "hunyuan": (tiny_hunyuan, {}),
    "mochi": (tiny_mochi, {}),
}
"""Tiny builder and its options."""

LATENT_SHAPES = {
    "cogvideox-1.5": (4, 4, 8, 12),  # patches span two of the three latent frames, and one before
    "wan-ti2v": (6, 3, 4, 6),
    "mochi": (12, 2, 8, 12),
}
"""Where 9 frames of 32x48 do not become (4, 3, 8, 12)."""

FRAME_RULES = {
    "cogvideox-2b": (13, r"`frames` must be 8k\+1 .*got 13; nearest: 9 or 17"),
    "cogvideox-5b": (8, r"`frames` must be 8k\+1 .*got 8; nearest: 1 or 9"),
    "cogvideox-1.5": (13, r"`frames` must be 8k\+1 .*got 13; nearest: 9 or 17"),
    "hunyuan": (10, r"`frames` must be 4k\+1 .*got 10; nearest: 9 or 13"),
    "mochi": (9, r"`frames` must be 6k\+1 .*got 9; nearest: 7 or 13"),
}
WAN_FRAME_RULE = (10, r"`frames` must be 4k\+1 .*got 10; nearest: 9 or 13")


@pytest.fixture(scope="module", params=VARIANTS)
def variant(request):
    return request.param


@pytest.fixture(scope="module")
def folder(variant, tmp_path_factory):
    builder, options = VARIANTS[variant]
    return builder.save_tiny(tmp_path_factory.mktemp("priors") / "tiny", **options)


@pytest.fixture(scope="module")
def prior(folder):
    return load_prior(folder)


@pytest.fixture(scope="module")
def pipeline(folder):
    return load_pipeline(folder)


def native_size(prior):
    return prior.format.frames, prior.format.height, prior.format.width


def native_video(prior, seed=1):
    frames, height, width = native_size(prior)
    return draw(2, frames, 3, height, width, seed=seed).sigmoid()


def is_flow(prior):
    return isinstance(prior.schedule, FlowSchedule)


def own_latents(pipeline, prior, noise, scheduler):
    original, pipeline.scheduler = pipeline.scheduler, scheduler
    size = native_size(prior)
    latents = pipeline_output(pipeline, noise, prompts=PROMPTS, size=size, steps=STEPS, scale=SCALE)
    pipeline.scheduler = original
    return latents


def test_native_clip_comes_from_the_folder_and_latents_from_the_networks(variant, prior):
    native = VARIANTS[variant][0].NATIVE
    assert native_size(prior) == (native.frames, native.height, native.width)
    assert prior.format.fps == native.fps
    shape = prior.latent_shape(*native_size(prior))
    assert shape == LATENT_SHAPES.get(variant, (4, 3, 8, 12))
    with torch.no_grad():
        assert prior.encode(native_video(prior)).shape == (2, *shape)


@pytest.mark.slow
def test_sampling_is_the_pipelines_own(prior, pipeline):
    """From the highest finite level on; the pipelines start at pure noise."""
    noise = draw(2, *prior.latent_shape(*native_size(prior)))
    if is_flow(prior):
        top = prior.schedule.max_time
        capped = capped_flow(pipeline.scheduler, top)
    else:
        capped = capped_zero_snr(pipeline.scheduler)
        top = (1 - capped.alphas_cumprod[-2]).sqrt()
    expected = own_latents(pipeline, prior, top * noise, capped)
    ours = our_latents(prior, noise, PROMPTS, steps=STEPS, scale=SCALE)
    assert expected.std() > 0.1  # the comparison is not of zeros
    assert (ours - expected).abs().max() < SINGLE
    first_order = pipeline.scheduler.config.get("solver_order", 1) == 1
    if first_order:
        uncapped = own_latents(pipeline, prior, noise, pipeline.scheduler)
        assert (ours - uncapped).std() < STARTING_STEP * uncapped.std()


@pytest.mark.parametrize("level", [0.05, 0.4, 0.9])
def test_clean_estimate_is_the_schedulers_own(prior, pipeline, level):
    scaled, output = draw(2, 2, *prior.latent_shape(*native_size(prior)))
    if is_flow(prior):
        # One step from there to zero.
        scheduler = capped_flow(pipeline.scheduler, 1.0)
        scheduler.set_timesteps(sigmas=np.array([level]))
        expected = scheduler.step(output, scheduler.timesteps[0], scaled, return_dict=False)[0]
        own = scheduler.sigmas[0]
        time = 1 - own if scheduler.config.get("invert_sigmas") else own
        sigma = (time / (1 - time)).expand(2)
    else:
        scheduler, timestep = pipeline.scheduler, int(1000 * level)
        scheduler.set_timesteps(1000)
        expected = scheduler.step(output, timestep, scaled).pred_original_sample
        kept = scheduler.alphas_cumprod[timestep]
        sigma = ((1 - kept) / kept).sqrt().float().expand(2)
        assert prior.schedule.time(sigma).tolist() == [timestep] * 2
    clean = prior.schedule.clean(scaled, output, sigma)
    assert (clean - expected).abs().max() < CLEAN
    snapped = prior.snap(sigma)
    if is_flow(prior) and prior.schedule.whole_times:
        # On the nearest of the whole times, of which there are a thousand.
        off = snapped / (1 + snapped) - sigma / (1 + sigma)
        assert off.abs().max() < 0.5e-3 + CLEAN
    else:
        assert torch.allclose(snapped, sigma)
    if is_flow(prior):
        given = scheduler.timesteps[0].item()
        assert prior.schedule.time(sigma)[0].item() == pytest.approx(given, abs=1e-2)


def test_decoding_is_the_pipelines_own(prior, pipeline):
    noise = draw(2, *prior.latent_shape(*native_size(prior)))
    options = {"prompts": PROMPTS, "size": native_size(prior), "steps": 2, "scale": 1.0}
    latents = pipeline_output(pipeline, noise, **options)
    expected = pipeline_output(pipeline, noise, decoded=True, **options)
    with torch.no_grad():
        video = prior.decode(latents)
    assert video.shape == expected.shape == (2, prior.format.frames, 3, 32, 48)
    assert 0.01 < video.std()
    assert (video - expected).abs().max() < SINGLE


def test_encoding_is_the_inverse_of_decoding_but_for_the_autoencoder(prior, pipeline):
    video, vae = native_video(prior), pipeline.vae
    with torch.no_grad():
        raw = vae.encode(video.transpose(1, 2) * 2 - 1).latent_dist.mode()
        expected = (vae.decode(raw).sample.transpose(1, 2) / 2 + 0.5).clamp(0, 1)
        ours = prior.decode(prior.encode(video))
    assert (ours - expected).abs().max() < SINGLE


def test_text_is_the_pipelines_own(variant, prior, pipeline):
    conditioning = prior.embed(PROMPTS).tensors
    options = {"max_sequence_length": 16}
    if variant != "hunyuan":
        options["do_classifier_free_guidance"] = False
    with torch.no_grad():
        embeddings, *others = pipeline.encode_prompt(PROMPTS, **options)
    ours = conditioning["embeddings"]
    if variant == "hunyuan":
        assert (conditioning["pooled"] - others[0]).abs().max() < SINGLE
        assert torch.equal(conditioning["mask"], others[1].bool())
    if variant == "mochi":
        # Padding is zero here and anything there; nobody looks at it.
        assert torch.equal(conditioning["mask"], others[0])
        embeddings = embeddings * others[0][..., None]
    assert ours.shape == (2, 16, embeddings.shape[-1])
    assert (ours - embeddings).abs().max() < SINGLE


def test_illegal_clips_are_refused(variant, prior):
    frames, message = FRAME_RULES.get(variant, WAN_FRAME_RULE)
    with pytest.raises(ValueError, match=message):
        prior.encode(torch.zeros(1, frames, 3, 32, 48))
    step = 16 if variant == "wan-ti2v" else 8
    with pytest.raises(ValueError, match=rf"`height` must be a multiple of {step} .*got 36"):
        prior.latent_shape(prior.format.frames, 36, 48)


def test_every_frame_gets_gradient(prior):
    video = native_video(prior).requires_grad_()
    latents = prior.encode(video)
    (gradient,) = torch.autograd.grad((draw(*latents.shape) * latents).sum(), video)
    assert (gradient.abs().amax(dim=(0, 2, 3, 4)) > 0).all()


def test_noise_estimate_belongs_to_the_clean_estimate(prior):
    """`x_sigma = clean + sigma * noise` in the network's own terms, at any level of the prior."""
    clean, noise = draw(2, 2, *prior.latent_shape(*native_size(prior)))
    sigma = prior.snap(torch.tensor([0.3, 1e6]))
    assert sigma[1] == pytest.approx(prior.sigma_max) and prior.sigma_max < 1e5
    schedule = prior.schedule
    a = per_sample(schedule.scale(sigma), clean)
    scaled = a * (clean + per_sample(sigma, clean) * noise)
    if is_flow(prior):
        output = (clean - noise) if schedule.towards_data else (noise - clean)
    else:
        output = a * noise - (1 - a**2).sqrt() * clean  # velocity
    assert (schedule.clean(scaled, output, sigma) - clean).abs().max() < SINGLE


def test_clips_of_other_sizes_are_sampled(prior):
    generator = torch.Generator().manual_seed(0)
    frames = 2 * prior.format.frames - 1
    size = (frames, 48, 64)
    latents = sample(prior, PROMPTS, generator=generator, num_steps=2, size=size)
    assert latents.shape == (2, *prior.latent_shape(*size))
    assert prior.decode(latents).shape == (2, frames, 3, 48, 64)
