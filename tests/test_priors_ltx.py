"""The LTX prior against its own pipeline, on a tiny random model that went through a folder."""

import json
import shutil

import pytest
import torch
from parity import agree, capped_flow, draw, load_pipeline, our_latents
from tiny_ltx import NATIVE, TEXT_LENGTH, save_tiny
from tiny_text import CAPTIONS

from motiondistill.priors.loading import load_prior
from motiondistill.priors.sampling import sample
from motiondistill.priors.schedule import FlowSchedule

SINGLE = 1e-4  # float32 through a random network, a few steps with guidance 3
STARTING_STEP = 1e-2  # relative change by starting one of a thousand steps below pure noise
PROMPTS = [CAPTIONS[0], CAPTIONS[1]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_tiny(tmp_path_factory.mktemp("a folder with spaces") / "tiny")


@pytest.fixture(scope="module")
def prior(folder):
    return load_prior(folder)


@pytest.fixture(scope="module")
def pipeline(folder):
    return load_pipeline(folder)


def draw_video(frames=9, size=32):
    return torch.rand(2, frames, 3, size, size, generator=torch.Generator().manual_seed(1))


def test_native_clip_and_rules_come_from_the_folder(prior):
    video_format = prior.format
    assert (video_format.fps, video_format.frames) == (NATIVE.fps, NATIVE.frames)
    rules = (video_format.frame_step, video_format.frame_offset, video_format.size_step)
    assert rules == (4, 1, 8)
    assert prior.sigma_max == pytest.approx(999)


def pipeline_latents(pipeline, noise, steps, scale):
    """What the pipeline's own call makes of `noise`, its scheduler included."""
    tokens = pipeline(
        prompt=PROMPTS,
        negative_prompt=["", ""],
        height=NATIVE.height,
        width=NATIVE.width,
        num_frames=NATIVE.frames,
        frame_rate=int(NATIVE.fps),
        num_inference_steps=steps,
        guidance_scale=scale,
        latents=noise.flatten(2).transpose(1, 2),
        output_type="latent",
        max_sequence_length=TEXT_LENGTH,
    ).frames
    return tokens.transpose(1, 2).reshape(noise.shape)


def test_sampling_is_the_pipelines_own(prior, pipeline):
    """Up to the start: the pipeline's is flow time 1 (infinite sigma), ours one step below."""
    cap = FlowSchedule().max_time
    steps, scale = 4, 3.0
    noise = draw(2, *prior.latent_shape(NATIVE.frames, NATIVE.height, NATIVE.width))
    original = pipeline.scheduler
    uncapped = pipeline_latents(pipeline, noise, steps, scale)
    pipeline.scheduler = capped_flow(original, cap)
    capped = pipeline_latents(pipeline, cap * noise, steps, scale)
    pipeline.scheduler = original
    ours = our_latents(prior, noise, PROMPTS, steps=steps, scale=scale)
    assert agree(ours, capped, SINGLE)
    assert (ours - uncapped).std() < STARTING_STEP * uncapped.std()


def test_decoding_is_the_pipelines_own(prior, pipeline):
    latents = draw(2, *prior.latent_shape(9, 32, 32))
    raw = pipeline._denormalize_latents(
        latents,
        pipeline.vae.latents_mean,
        pipeline.vae.latents_std,
        pipeline.vae.config.scaling_factor,
    )
    with torch.no_grad():
        frames = pipeline.vae.decode(raw).sample
        expected = pipeline.video_processor.postprocess_video(frames, output_type="pt")
        video = prior.decode(latents)
    assert video.shape == (2, 9, 3, 32, 32)
    assert (video - expected).abs().max() < SINGLE


def test_latents_are_normalised_by_the_stored_statistics(prior, pipeline):
    video = draw_video()
    with torch.no_grad():
        mode = pipeline.vae.encode(video.transpose(1, 2) * 2 - 1).latent_dist.mode()
        expected = pipeline._normalize_latents(
            mode,
            pipeline.vae.latents_mean,
            pipeline.vae.latents_std,
            pipeline.vae.config.scaling_factor,
        )
        latents = prior.encode(video)
    assert tuple(latents.shape[1:]) == prior.latent_shape(9, 32, 32)
    assert (latents - expected).abs().max() < SINGLE


@pytest.mark.parametrize(
    ("frames", "size", "message"),
    [
        (10, 32, r"`frames` must be 4k\+1 .*got 10; nearest: 9 or 13"),
        (9, 36, "`height` must be a multiple of 8 .*got 36; nearest: 32 or 40"),
    ],
)
def test_illegal_clips_are_refused(prior, frames, size, message):
    with pytest.raises(ValueError, match=message):
        prior.encode(draw_video(frames, size))
    with pytest.raises(ValueError, match=message):
        prior.latent_shape(frames, size, size)


def test_text_is_the_pipelines_own(prior, pipeline):
    with torch.no_grad():
        embeddings, mask, *_ = pipeline.encode_prompt(
            PROMPTS, do_classifier_free_guidance=False, max_sequence_length=TEXT_LENGTH
        )
    conditioning = prior.embed(PROMPTS)
    assert (conditioning.tensors["embeddings"] - embeddings).abs().max() < SINGLE
    assert torch.equal(conditioning.tensors["mask"], mask)


def test_denoising_depends_on_the_frame_rate(prior, folder, tmp_path):
    faster = shutil.copytree(folder, tmp_path / "faster")
    native = json.loads((faster / "motiondistill.json").read_text())
    (faster / "motiondistill.json").write_text(json.dumps({**native, "fps": 16}))
    x, sigma = draw(2, *prior.latent_shape(9, 32, 32)), torch.tensor([0.5, 2.0])
    conditioning = prior.embed(PROMPTS)
    with torch.no_grad():
        base, other = (p.denoise(x, sigma, conditioning) for p in (prior, load_prior(faster)))
    assert not torch.allclose(base, other)


def test_clips_of_other_sizes_are_sampled(prior):
    generator = torch.Generator().manual_seed(0)
    latents = sample(prior, PROMPTS, generator=generator, num_steps=2, size=(5, 32, 40))
    assert latents.shape == (2, 8, 2, 4, 5)
    assert prior.decode(latents).shape == (2, 5, 3, 32, 40)
