"""The Latte prior against its own pipeline, on a tiny random model that went through a folder."""

import json
import shutil

import pytest
import torch
from parity import agree, draw, load_pipeline, our_latents
from tiny_latte import NATIVE, save_tiny, tiny_transformer
from tiny_text import CAPTIONS

from motiondistill.priors.families.latte import LatteDenoiser
from motiondistill.priors.loading import load_prior
from motiondistill.priors.sampling import sample

SINGLE = 1e-4  # float32 through a random network, a few steps with guidance 4
PROMPTS = [" A person Squats\n", CAPTIONS[0]]
SIZE = (NATIVE.frames, NATIVE.height, NATIVE.width)


@pytest.fixture(scope="module", params=["v_prediction", "epsilon"])
def any_folder(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("priors") / request.param
    return save_tiny(folder, prediction_type=request.param)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_tiny(tmp_path_factory.mktemp("priors") / "tiny")


@pytest.fixture
def copy(folder, tmp_path):
    return shutil.copytree(folder, tmp_path / "copy")


@pytest.fixture(scope="module")
def prior(folder):
    return load_prior(folder)


@pytest.fixture(scope="module")
def pipeline(folder):
    return load_pipeline(folder)


def draw_video(frames=16, height=64, width=64):
    generator = torch.Generator().manual_seed(1)
    return torch.rand(2, frames, 3, height, width, generator=generator)


def change(path, **entries):
    path.write_text(json.dumps(json.loads(path.read_text()) | entries))


def test_native_clip_and_rules_come_from_the_folder(prior):
    video_format = prior.format
    assert (video_format.fps, video_format.frames) == (NATIVE.fps, NATIVE.frames)
    assert video_format.size_step == 16  # 4 of the autoencoder, 4 of the patches
    assert prior.latent_shape(*SIZE) == (4, 16, 16, 16)


def test_sampling_is_the_pipelines_own(any_folder):
    """From the start of noise: the pipeline's is pure noise at a level that is not quite that."""
    prior, pipeline = load_prior(any_folder), load_pipeline(any_folder)
    steps, scale = 5, 4.0
    noise = draw(2, *prior.latent_shape(*SIZE))
    # The pipeline treats the padding of a negative prompt in another way, so it is given ours.
    conditioning, unconditional = prior.embed(PROMPTS), prior.embed(["", ""])
    expected = pipeline(
        prompt_embeds=conditioning.tensors["embeddings"],
        negative_prompt=None,
        negative_prompt_embeds=unconditional.tensors["embeddings"],
        num_inference_steps=steps,
        guidance_scale=scale,
        video_length=NATIVE.frames,
        latents=noise * (1 - pipeline.scheduler.alphas_cumprod[-1]).sqrt(),
        output_type="latent",
    ).frames
    ours = our_latents(prior, noise, PROMPTS, steps=steps, scale=scale)
    assert agree(ours, expected, SINGLE)


def test_decoding_is_the_pipelines_own(prior, pipeline):
    latents = draw(2, *prior.latent_shape(*SIZE))
    with torch.no_grad():
        frames = pipeline.decode_latents(latents, NATIVE.frames)
        expected = pipeline.video_processor.postprocess_video(frames, output_type="pt")
        video = prior.decode(latents)
    assert video.shape == (2, 16, 3, 64, 64)
    assert (video - expected).abs().max() < SINGLE


def test_latents_are_scaled_modes_of_single_frames(prior, pipeline):
    video = draw_video()
    with torch.no_grad():
        latents = prior.encode(video)
        for clip, frame in ((0, 0), (1, 5)):
            posterior = pipeline.vae.encode(video[clip, frame, None] * 2 - 1).latent_dist
            expected = posterior.mode()[0] * pipeline.vae.config.scaling_factor
            assert (latents[clip, :, frame] - expected).abs().max() < SINGLE


def test_text_is_the_pipelines_own(prior, pipeline):
    def encoded(prompts):
        return pipeline.encode_prompt(
            prompts, do_classifier_free_guidance=False, clean_caption=False
        )[0]

    with torch.no_grad():
        together, alone = encoded(PROMPTS), encoded(PROMPTS[0])
    ours = prior.embed(PROMPTS).tensors["embeddings"]
    assert (ours - together).abs().max() < SINGLE
    # The pipeline shortens a single prompt, where padding is zero in a batch.
    length = alone.shape[1]
    assert (ours[:1, :length] - alone).abs().max() < SINGLE
    assert (ours[0, :length].abs().amax(1) > 0).all()
    assert (ours[0, length:] == 0).all()


def test_capitals_and_outer_space_do_not_matter(prior):
    shouted = prior.embed([" A PERSON squats "]).tensors["embeddings"]
    assert torch.equal(shouted, prior.embed(["a person squats"]).tensors["embeddings"])


def test_channels_of_variance_are_not_used(prior):
    """A transformer without them, with otherwise the same weights, predicts the same."""
    full = prior.denoiser.transformer
    weights = full.state_dict()
    for name in ("proj_out.weight", "proj_out.bias"):
        # Rows are ordered by place in the 4x4 patch, then by channel.
        weights[name] = weights[name].unflatten(0, (16, 8))[:, :4].flatten(0, 1)
    slim = tiny_transformer(out_channels=4)
    slim.load_state_dict(weights)
    x, time = draw(2, 4, 16, 16, 16), torch.tensor([3.0, 800.0])
    conditioning = prior.embed(PROMPTS)
    with torch.no_grad():
        expected = full(x, time, conditioning.tensors["embeddings"]).sample[:, :4]
        for transformer in (full, slim):
            ours = LatteDenoiser(transformer).predict(x, time, conditioning)
            assert (ours - expected).abs().max() < SINGLE


@pytest.mark.parametrize(
    ("size", "message"),
    [
        ((17, 64, 64), r"`frames` must be 16 for this prior, got 17; leave it out"),
        ((1, 64, 64), r"`frames` must be 16 for this prior, got 1; leave it out"),
        ((16, 72, 64), "`height` must be a multiple of 16 .*got 72; nearest: 64 or 80"),
    ],
)
def test_illegal_clips_are_refused(prior, size, message):
    with pytest.raises(ValueError, match=message):
        prior.encode(draw_video(*size))
    with pytest.raises(ValueError, match=message):
        prior.latent_shape(*size)


def test_clips_of_other_sizes_are_sampled(prior):
    generator = torch.Generator().manual_seed(0)
    latents = sample(prior, PROMPTS, generator=generator, num_steps=2, size=(16, 32, 80))
    assert latents.shape == (2, 4, 16, 8, 20)
    assert prior.decode(latents).shape == (2, 16, 3, 32, 80)


def test_released_defaults_hold_without_our_file(copy):
    (copy / "motiondistill.json").unlink()
    video_format = load_prior(copy).format
    assert (video_format.fps, video_format.frames, video_format.height) == (8, 16, 512)


def test_native_clips_must_fit_the_transformer(copy):
    change(copy / "motiondistill.json", frames=17)
    with pytest.raises(
        ValueError, match=r"`frames` must be 16 for this prior, got 17; leave it out"
    ):
        load_prior(copy)


def test_statistics_that_the_pipeline_ignores_are_refused(copy):
    change(copy / "vae" / "config.json", shift_factor=0.1)
    with pytest.raises(ValueError, match=r"`shift_factor` of a Latte .* null, got 0\.1"):
        load_prior(copy)
