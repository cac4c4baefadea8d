"""What only CogVideoX has: zero-terminal-SNR levels, three kinds of positions, doubled latents."""

import json
import math
import shutil

import pytest
import torch
from parity import load_pipeline
from tiny_cogvideox import NATIVE, save_tiny

from motiondistill.priors.families.cogvideox import _rotations, fitted_region
from motiondistill.priors.loading import load_prior
from motiondistill.priors.vp_schedule import vp_schedule

SINGLE = 1e-5  # float32 positions; cosines of numbers up to a hundred
LEVELS = 1e-6  # the scheduler's own levels are float32 where zero SNR is made


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return {
        generation: save_tiny(tmp_path_factory.mktemp("cog") / "tiny", generation=generation)
        for generation in ("2b", "5b", "1.5")
    }


def change(path, **entries):
    path.write_text(json.dumps(json.loads(path.read_text()) | entries))


@pytest.mark.parametrize("shift", [1.0, 3.0])
@pytest.mark.parametrize("name", ["CogVideoXDDIMScheduler", "CogVideoXDPMScheduler"])
def test_levels_are_the_schedulers_but_for_pure_noise(name, shift):
    import diffusers

    scheduler = getattr(diffusers, name)(
        clip_sample=False,
        prediction_type="v_prediction",
        rescale_betas_zero_snr=True,
        snr_shift_scale=shift,
        timestep_spacing="trailing",
    )
    schedule = vp_schedule(scheduler.config)
    assert scheduler.alphas_cumprod[-1] == 0
    expected = scheduler.alphas_cumprod[:-1]
    assert (schedule.alphas_cumprod / expected - 1).abs().max() < LEVELS
    kept = expected[-1].item()
    assert schedule.sigma_max == pytest.approx(math.sqrt((1 - kept) / kept), rel=1e-6)
    scheduler.set_timesteps(4)
    times = schedule.time(schedule.sampling_sigmas(4, 1)[:-1])
    assert times.tolist() == scheduler.timesteps.clamp(max=998).tolist()


@pytest.mark.parametrize("generation", ["5b", "1.5"])
@pytest.mark.parametrize("latent_size", [(10, 16), (8, 12), (4, 16), (10, 4)])
def test_positions_are_the_pipelines(folders, generation, latent_size):
    pipeline = load_pipeline(folders[generation])
    height, width = latent_size
    expected = pipeline._prepare_rotary_positional_embeddings(4 * height, 4 * width, 4, "cpu")
    ours = _rotations(pipeline.transformer.config, torch.zeros(1, 4, 4, height, width))
    for mine, theirs in zip(ours, expected, strict=True):
        assert mine.shape == theirs.shape
        assert (mine - theirs).abs().max() < SINGLE


def test_the_native_grid_fills_its_own_region():
    assert fitted_region((30, 45), (30, 45)) == ((0, 0), (30, 45))
    assert fitted_region((15, 15), (30, 45)) == ((0, 8), (30, 38))  # 7.5 rounds to even
    assert fitted_region((10, 45), (30, 45)) == ((10, 0), (20, 45))


def test_the_first_latent_stands_twice_where_patches_span_two(folders):
    plain, paired = load_prior(folders["5b"]), load_prior(folders["1.5"])
    generator = torch.Generator().manual_seed(0)
    video = torch.rand(2, NATIVE.frames, 3, NATIVE.height, NATIVE.width, generator=generator)
    with torch.no_grad():
        single, double = plain.encode(video), paired.encode(video)
    assert torch.equal(double[:, :, 1:], single)
    assert torch.equal(double[:, :, 0], single[:, :, 0])
    assert torch.equal(paired.decode(double), plain.decode(single))


def test_text_of_another_length_needs_rotary_positions(folders, tmp_path):
    for generation in ("2b", "5b"):
        copy = shutil.copytree(folders[generation], tmp_path / generation)
        change(copy / "motiondistill.json", text_length=12)
        if generation == "5b":
            assert load_prior(copy).embed(["a"]).tensors["embeddings"].shape[1] == 12
            continue
        with pytest.raises(ValueError, match=r"`text_length` .* must be 16, .* got 12; change"):
            load_prior(copy)


def test_other_patches_in_time_are_refused(folders, tmp_path):
    from motiondistill.priors.families.cogvideox import FAMILY
    from motiondistill.priors.loading import load_components

    copy = shutil.copytree(folders["1.5"], tmp_path / "copy")
    components = load_components(copy, FAMILY)
    components["transformer"].register_to_config(patch_size_t=3)
    with pytest.raises(ValueError, match=r"`patch_size_t` .* must be null or 2, got 3"):
        FAMILY.compose(components, NATIVE, 16)
