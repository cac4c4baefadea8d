"""What only Wan has: two experts, a time for every token, whole times, prompts cleaned of HTML."""

import dataclasses
import json
import shutil

import pytest
import torch
from parity import draw
from tiny_text import CAPTIONS
from tiny_wan import NATIVE, save_tiny

from motiondistill.priors.families.wan import clean_prompt
from motiondistill.priors.loading import load_prior, randomized

SINGLE = 1e-5  # float32 through a random network
PROMPTS = [CAPTIONS[0], CAPTIONS[1]]
SHAPE = (4, 3, 8, 12)
BELOW, ABOVE = 874.0, 875.0  # of the boundary between the experts


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_tiny(tmp_path_factory.mktemp("wan") / "a14b", version="a14b")


@pytest.fixture(scope="module")
def prior(folder):
    return load_prior(folder)


@pytest.fixture(scope="module")
def token_prior(tmp_path_factory):
    return load_prior(save_tiny(tmp_path_factory.mktemp("wan") / "ti2v", version="ti2v"))


def only(denoiser, network):
    return dataclasses.replace(denoiser, transformer=network, low_noise=None, boundary=0.0)


def changed(folder, path, **entries):
    copy = shutil.copytree(folder, path)
    index = copy / "model_index.json"
    index.write_text(json.dumps(json.loads(index.read_text()) | entries))
    return load_prior(copy)


@torch.no_grad()
def test_every_clip_goes_to_the_expert_of_its_level(prior):
    denoiser, conditioning = prior.denoiser, prior.embed(PROMPTS)
    assert denoiser.boundary == 875
    scaled = draw(2, *SHAPE)
    high, low = (only(denoiser, n) for n in (denoiser.transformer, denoiser.low_noise))
    for first, second in ((BELOW, ABOVE), (ABOVE, BELOW), (ABOVE, 999.0), (1.0, BELOW)):
        time = torch.tensor([first, second])
        output = denoiser.predict(scaled, time, conditioning)
        for row in (0, 1):
            expert = high if time[row] >= 875 else low
            alone = expert.predict(scaled[[row]], time[[row]], conditioning[[row]])
            assert (output[[row]] - alone).abs().max() < SINGLE
    assert not torch.allclose(*(p.predict(scaled, time, conditioning) for p in (high, low)))


def test_gradient_flows_through_both_experts(prior):
    scaled = draw(2, *SHAPE).requires_grad_()
    time = torch.tensor([BELOW, ABOVE])
    output = prior.denoiser.predict(scaled, time, prior.embed(PROMPTS))
    (gradient,) = torch.autograd.grad((output * draw(*output.shape, seed=1)).sum(), scaled)
    assert (gradient.abs().amax(dim=(1, 2, 3, 4)) > 0).all()


def test_a_boundary_counts_only_between_two_experts(folder, tmp_path):
    alone = changed(folder, tmp_path / "alone", transformer_2=[None, None])
    unbounded = changed(folder, tmp_path / "unbounded", boundary_ratio=None)
    both = load_prior(folder)
    scaled, time = draw(2, *SHAPE), torch.tensor([100.0, 900.0])
    conditioning = both.embed(PROMPTS)
    with torch.no_grad():
        expected = only(both.denoiser, both.denoiser.transformer).predict(
            scaled, time, conditioning
        )
        for prior in (alone, unbounded):
            assert prior.denoiser.boundary == 0
            output = prior.denoiser.predict(scaled, time, conditioning)
            assert (output - expected).abs().max() < SINGLE


def test_random_weights_are_of_both_experts(prior):
    fresh = randomized(prior, torch.Generator().manual_seed(0)).denoiser
    trained = prior.denoiser
    states = [n.proj_out.weight for d in (fresh, trained) for n in (d.transformer, d.low_noise)]
    for index, state in enumerate(states):
        assert not any(torch.equal(state, other) for other in states[index + 1 :])
    assert (fresh.boundary, fresh.time_per_token) == (trained.boundary, trained.time_per_token)


@torch.no_grad()
def test_tokens_share_the_time_of_their_clip(token_prior):
    denoiser, conditioning = token_prior.denoiser, token_prior.embed(PROMPTS)
    assert denoiser.time_per_token
    scaled, time = draw(2, 6, 3, 4, 6), torch.tensor([30.0, 700.0])
    seen = []
    handle = denoiser.transformer.register_forward_pre_hook(
        lambda _, __, options: seen.append(options["timestep"]), with_kwargs=True
    )
    output = denoiser.predict(scaled, time, conditioning)
    handle.remove()
    assert seen[0].shape == (2, 3 * 2 * 3)
    assert (seen[0] == time[:, None]).all()
    per_clip = dataclasses.replace(denoiser, time_per_token=False)
    assert (output - per_clip.predict(scaled, time, conditioning)).abs().max() < SINGLE


def test_the_network_is_given_whole_times(prior):
    schedule = prior.schedule
    sigmas = schedule.sampling_sigmas(7, 1)[:-1]
    times = schedule.time(sigmas)
    assert torch.equal(times, times.round())
    exact = 1000 * sigmas / (1 + sigmas)
    assert ((exact - times) > -2e-3).all() and ((exact - times) < 1).all()
    # Single precision must not take one off a time that is whole already.
    whole = torch.arange(1, 1000)
    assert torch.equal(schedule.time((whole / 1000) / (1 - whole / 1000)), whole.float())


@pytest.mark.parametrize(
    "prompt", ["  a  person\n walks ", "left &amp;amp; right", "&lt;b&gt; \t squats", ""]
)
def test_prompts_are_cleaned_as_by_the_pipeline(prompt):
    from diffusers.pipelines.wan.pipeline_wan import prompt_clean

    assert clean_prompt(prompt) == prompt_clean(prompt)


def test_embeddings_are_zero_behind_the_end_of_the_text(prior):
    tensors = prior.embed(PROMPTS).tensors
    sizes = tensors["embeddings"].abs().amax(-1)
    assert torch.equal(sizes > 0, tensors["mask"])
    assert not tensors["mask"].all()


def test_patches_of_several_latent_frames_are_refused(folder):
    from motiondistill.priors.families.wan import FAMILY
    from motiondistill.priors.loading import load_components

    components = load_components(folder, FAMILY)
    components["transformer"].register_to_config(patch_size=(2, 2, 2))
    with pytest.raises(ValueError, match=r"`patch_size` .* got \(2, 2, 2\); use a released"):
        FAMILY.compose(components, NATIVE, 16)
