"""What only Mochi has: time from noise to data, empty prompts without tokens, its own levels."""

import json
import shutil

import pytest
import torch
from parity import capped_flow, draw, load_pipeline, our_latents, pipeline_output
from tiny_mochi import NATIVE, save_tiny
from tiny_text import CAPTIONS

from motiondistill.priors.loading import load_prior
from motiondistill.priors.schedule import linear_quadratic_times

SINGLE = 1e-4  # float32 through a random network, a few steps with guidance 3
EXACT = 1e-12  # float64


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_tiny(tmp_path_factory.mktemp("mochi") / "tiny")


@pytest.fixture(scope="module")
def plain_folder(folder, tmp_path_factory):
    """One whose empty prompt is the end token."""
    copy = shutil.copytree(folder, tmp_path_factory.mktemp("mochi") / "plain")
    index = copy / "model_index.json"
    entries = {"force_zeros_for_empty_prompt": False}
    index.write_text(json.dumps(json.loads(index.read_text()) | entries))
    return copy


@pytest.mark.parametrize("steps", [2, 3, 7, 64])
def test_levels_are_the_pipelines(steps):
    from diffusers.pipelines.mochi.pipeline_mochi import linear_quadratic_schedule

    expected = torch.tensor(linear_quadratic_schedule(steps, 0.025), dtype=torch.float64)
    assert (linear_quadratic_times(steps) - expected).abs().max() < EXACT


def test_one_step_starts_at_noise():
    assert linear_quadratic_times(1).tolist() == [1.0]


def test_time_runs_from_noise_to_data(folder):
    schedule = load_prior(folder).schedule
    sigma = torch.tensor([1 / 999, 1.0, 999.0])
    assert schedule.time(sigma).tolist() == pytest.approx([999, 500, 1], abs=1e-3)


def test_an_empty_prompt_has_no_token_where_the_pipeline_forgets_it(folder, plain_folder):
    forgetting, plain = load_prior(folder), load_prior(plain_folder)
    for prior, tokens in ((forgetting, 0), (plain, 1)):
        tensors = prior.embed(["", CAPTIONS[0]]).tensors
        assert tensors["mask"].sum(1).tolist() == [tokens, tensors["mask"][1].sum().item()]
        assert torch.equal(tensors["embeddings"].abs().amax(-1) > 0, tensors["mask"])


def test_sampling_is_the_pipelines_own_where_an_empty_prompt_is_a_token(plain_folder):
    prior, pipeline = load_prior(plain_folder), load_pipeline(plain_folder)
    size = (NATIVE.frames, NATIVE.height, NATIVE.width)
    noise = draw(1, *prior.latent_shape(*size))
    top = prior.schedule.max_time
    pipeline.scheduler = capped_flow(pipeline.scheduler, top)
    prompts = [CAPTIONS[0]]
    expected = pipeline_output(
        pipeline, top * noise, prompts=prompts, size=size, steps=3, scale=3.0
    )
    ours = our_latents(prior, noise, prompts, steps=3, scale=3.0)
    assert (ours - expected).abs().max() < SINGLE
