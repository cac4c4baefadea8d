"""Image models as priors of videos, each against its own pipeline on a tiny random model."""

import json
import logging
import shutil

import pytest
import tiny_clip
import tiny_deepfloyd
import tiny_sd3
import tiny_sdxl
import tiny_stable_diffusion
import torch
from parity import agree, capped_flow, ddim, draw, first_sigma, load_pipeline, our_latents
from tiny_text import CAPTIONS

from motiondistill.priors.loading import family_of, load_components, load_prior

SINGLE = 1e-4  # float32 through a random network, a few steps with guidance 4
STEPS, SCALE = 4, 4.0
FRAMES = 2
PROMPTS = [CAPTIONS[0], CAPTIONS[1]]
EACH_FRAME = [PROMPTS[0]] * FRAMES + [PROMPTS[1]] * FRAMES
LEADING = {"timestep_spacing": "leading"}

CASES = {
    "sd-ddim": (tiny_stable_diffusion, {}),
    "sd-v": (tiny_stable_diffusion, {"prediction_type": "v_prediction"}),
    "sd-pndm": (tiny_stable_diffusion, {"scheduler": "PNDMScheduler", "skip_prk_steps": True}),
    "sd-euler": (tiny_stable_diffusion, {"scheduler": "EulerDiscreteScheduler", **LEADING}),
    "sdxl": (tiny_sdxl, {}),
    "sdxl-plain-empty": (tiny_sdxl, {"zero_for_empty": False}),
    "sd3": (tiny_sd3, {}),
    "sd3-without-t5": (tiny_sd3, {"with_t5": False}),
    "sd3-dynamic": (tiny_sd3, {"use_dynamic_shifting": True, "max_image_seq_len": 400}),
    "deepfloyd": (tiny_deepfloyd, {}),
}


@pytest.fixture(scope="module", params=CASES)
def case(request):
    return request.param


@pytest.fixture(scope="module")
def folder(case, tmp_path_factory):
    family, options = CASES[case]
    return family.save_tiny(tmp_path_factory.mktemp("priors") / case, **options)


@pytest.fixture(scope="module")
def prior(folder):
    return load_prior(folder)


@pytest.fixture(scope="module")
def pipeline(folder, case):
    absent = {"text_encoder_3": None, "tokenizer_3": None} if case == "sd3-without-t5" else {}
    return load_pipeline(folder, **absent)


def native_size(prior):
    return prior.format.frames, prior.format.height, prior.format.width


def flat(video):
    """Images [B F, C, h, w] of a video [B C F h w], written out."""
    return torch.stack([clip[:, index] for clip in video for index in range(clip.shape[1])])


def pipeline_images(case, pipeline, noise, prior):
    """What the pipeline's own call makes of each frame's noise; its step is one of first order."""
    images, sigma = flat(noise), first_sigma(prior, noise, STEPS)
    config = pipeline.scheduler.config
    size = {"height": prior.format.height, "width": prior.format.width}
    options = {"num_inference_steps": STEPS, "guidance_scale": SCALE, **size}
    signal = (1 + sigma**2).rsqrt()  # of diffusions that preserve variance
    if case == "deepfloyd":
        plain = {"thresholding": False, "clip_sample": False, "variance_type": "fixed_small"}
        pipeline.scheduler = ddim(config, **plain)
        pipeline.prepare_intermediate_images = lambda *_: images * sigma * signal
        return pipeline(EACH_FRAME, clean_caption=False, output_type="pt", **options).images
    options["output_type"] = "latent"
    if case.startswith("sd3"):
        pipeline.scheduler = capped_flow(pipeline.scheduler, 0.999)
        options["max_sequence_length"] = tiny_sd3.TEXT_LENGTH
        return pipeline(EACH_FRAME, "", "", latents=0.999 * images, **options).images
    if "Euler" in config["_class_name"]:
        pipeline.scheduler.set_timesteps(STEPS)
        latents = images * sigma / pipeline.scheduler.init_noise_sigma
    else:
        pipeline.scheduler = ddim(config)
        latents = images * sigma * signal
    return pipeline(EACH_FRAME, latents=latents, **options).images


@pytest.mark.slow
def test_sampling_is_the_pipelines_own(case, prior, pipeline):
    """Every frame is an image of its own, made for the prompt of its clip."""
    shape = prior.latent_shape(*native_size(prior))
    noise = draw(2, *shape)
    expected = pipeline_images(case, pipeline, noise, prior)
    ours = our_latents(prior, noise, PROMPTS, steps=STEPS, scale=SCALE)
    assert ours.shape == noise.shape
    assert agree(flat(ours), expected, SINGLE)


def test_text_is_the_pipelines_own(case, prior, pipeline, caplog):
    """Also of a prompt that is too long, whose end nobody reads."""
    prompts = [PROMPTS[0], "a person waves " * 30]
    options = {"do_classifier_free_guidance": False}
    if case.startswith("sd3"):
        others = {"prompt_2": None, "prompt_3": None}
        options |= {"max_sequence_length": tiny_sd3.TEXT_LENGTH, **others}
    elif case.startswith("sd-"):
        options |= {"device": "cpu", "num_images_per_prompt": 1}
    with torch.no_grad():
        embeddings, _, *pooled = pipeline.encode_prompt(prompts, **options)
    with caplog.at_level(logging.WARNING, logger="motiondistill"):
        ours = prior.embed(prompts).tensors
    assert "its end is ignored" in caplog.text
    assert (ours["embeddings"] - embeddings).abs().max() < SINGLE
    assert bool(pooled) == ("pooled" in ours)
    if pooled:
        assert (ours["pooled"] - pooled[0]).abs().max() < SINGLE


def test_frames_do_not_see_each_other(prior):
    x, sigma = draw(2, *prior.latent_shape(*native_size(prior))), prior.snap(torch.ones(2))
    conditioning = prior.embed(PROMPTS)
    with torch.no_grad():
        together = prior.denoise(x, sigma, conditioning)
        swapped = prior.denoise(x.flip(2), sigma, conditioning)
        longer = prior.denoise(torch.cat([x, x], 2), sigma, conditioning)
    assert (swapped.flip(2) - together).abs().max() < SINGLE
    assert (longer - torch.cat([together, together], 2)).abs().max() < SINGLE


def test_decoding_is_the_pipelines_own(prior, pipeline):
    latents = draw(2, *prior.latent_shape(*native_size(prior)))
    with torch.no_grad():
        video = prior.decode(latents)
        images = flat(latents)
        if hasattr(pipeline, "vae"):
            config = pipeline.vae.config
            raw = images / config.scaling_factor + (config.shift_factor or 0)
            images = pipeline.vae.decode(raw).sample
    assert video.shape == (2, *native_size(prior)[:1], 3, *native_size(prior)[1:])
    assert (video.flatten(0, 1) - (images / 2 + 0.5).clamp(0, 1)).abs().max() < SINGLE


def test_latents_are_normalised_modes_of_single_frames(prior, pipeline):
    frames, height, width = native_size(prior)
    video = draw(2, frames, 3, height, width, seed=1).sigmoid()
    with torch.no_grad():
        latents = prior.encode(video)
        expected = video[1, 0, None] * 2 - 1
        if hasattr(pipeline, "vae"):
            config = pipeline.vae.config
            mode = pipeline.vae.encode(expected).latent_dist.mode()
            expected = (mode - (config.shift_factor or 0)) * config.scaling_factor
    assert (latents[1, :, 0] - expected[0]).abs().max() < SINGLE


def test_any_number_of_frames_is_legal_but_not_any_size(prior):
    _, height, width = native_size(prior)
    for frames in (1, 3, 40):
        assert prior.latent_shape(frames, height, width)[1] == frames
    with pytest.raises(ValueError, match=r"`height` must be a multiple of .*, got 17"):
        prior.latent_shape(1, 17, width)


@pytest.mark.parametrize("case", ["sd3-dynamic", "sdxl"], indirect=True)
def test_levels_are_those_of_one_image(prior):
    _, height, width = native_size(prior)
    one, many, larger = (
        prior.sampling_sigmas(STEPS, prior.latent_shape(frames, scale * height, scale * width))
        for frames, scale in ((1, 1), (40, 1), (1, 2))
    )
    assert torch.equal(one, many)
    dynamic = hasattr(prior.schedule, "shift")
    assert torch.equal(one, larger) != dynamic


@pytest.mark.parametrize("case", ["sd-ddim", "sdxl", "deepfloyd"], indirect=True)
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"in_channels": 9}, "`in_channels` of the UNet must be [34], .*got 9"),
        ({"time_cond_proj_dim": 8}, "`time_cond_proj_dim` of the UNet must be null, got 8"),
    ],
)
def test_editing_and_distilled_networks_are_refused(folder, change, message):
    family = family_of(folder)
    assert family.kind == "image"
    components = load_components(folder, family)
    config = components["unet"].config
    components["unet"].register_to_config(**{**config, **change})
    with pytest.raises(ValueError, match=message):
        family.compose(components, family.native, family.text_length)


def test_autoencoders_with_statistics_are_refused(tmp_path):
    folder = tiny_sdxl.save_tiny(tmp_path / "tiny")
    path = folder / "vae" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"latents_mean": [0.1] * 4}))
    with pytest.raises(ValueError, match="`latents_mean` of an SDXL autoencoder must be null"):
        load_prior(folder)


def test_weights_under_the_names_of_old_releases_load(tmp_path):
    """Stable Diffusion 1.5's own: a prefix, a surplus buffer, and attention by other names."""
    from diffusers import AutoencoderKL
    from safetensors.torch import load_file, save_file

    pipeline = tiny_stable_diffusion.tiny_pipeline()
    torch.manual_seed(0)
    pipeline.vae = AutoencoderKL(block_out_channels=(8,), norm_num_groups=4)
    folder = tmp_path / "new"
    pipeline.save_pretrained(folder)
    old = shutil.copytree(folder, tmp_path / "old")
    path = old / "text_encoder" / "model.safetensors"
    text = {f"text_model.{name}": weight for name, weight in load_file(path).items()}
    positions = torch.arange(tiny_clip.LENGTH)[None]
    save_file(text | {"text_model.embeddings.position_ids": positions}, path, {"format": "pt"})
    path = old / "vae" / "diffusion_pytorch_model.safetensors"
    vae = load_file(path)
    for new, former in {"q": "query", "k": "key", "v": "value", "out.0": "proj_attn"}.items():
        vae = {name.replace(f"to_{new}.", f"{former}."): weight for name, weight in vae.items()}
    assert any(".proj_attn." in name for name in vae)
    save_file(vae, path, {"format": "pt"})
    expected, prior = load_prior(folder), load_prior(old)
    image = draw(1, 1, 3, 8, 8).sigmoid()
    assert (prior.encode(image) - expected.encode(image)).abs().max() < SINGLE
    ours, theirs = (p.embed(PROMPTS).tensors["embeddings"] for p in (prior, expected))
    assert (ours - theirs).abs().max() < SINGLE
