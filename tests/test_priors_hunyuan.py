"""What only HunyuanVideo has: guidance told to the network, a template, two text encoders."""

import dataclasses
import json
import logging
import shutil

import pytest
import torch
from parity import draw
from tiny_hunyuan import TEXT_LENGTH, save_tiny
from tiny_text import CAPTIONS

from motiondistill.priors.families.hunyuan import FAMILY, TEMPLATE, TEMPLATE_TOKENS
from motiondistill.priors.loading import load_components, load_prior

PROMPTS = [CAPTIONS[0], CAPTIONS[1]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_tiny(tmp_path_factory.mktemp("hunyuan") / "tiny")


@pytest.fixture(scope="module")
def prior(folder):
    return load_prior(folder)


def change(path, **entries):
    path.write_text(json.dumps(json.loads(path.read_text()) | entries))


def test_the_template_is_the_pipelines():
    from diffusers.pipelines.hunyuan_video import pipeline_hunyuan_video

    expected = pipeline_hunyuan_video.DEFAULT_PROMPT_TEMPLATE
    assert expected == {"template": TEMPLATE, "crop_start": TEMPLATE_TOKENS}


def test_a_prior_says_which_guidance_it_imitates(prior, folder):
    assert prior.embedded_guidance == prior.denoiser.embedded_guidance == 6.0
    assert FAMILY.guidance_distilled
    seen = []
    handle = prior.denoiser.transformer.register_forward_pre_hook(
        lambda _, __, options: seen.append(options["guidance"]), with_kwargs=True
    )
    x, sigma = draw(2, 4, 3, 8, 12), torch.tensor([0.5, 2.0])
    conditioning = prior.embed(PROMPTS)
    with torch.no_grad():
        strong = prior.denoise(x, sigma, conditioning)
        handle.remove()
        weaker = dataclasses.replace(prior.denoiser, embedded_guidance=1.0)
        weak = dataclasses.replace(prior, denoiser=weaker).denoise(x, sigma, conditioning)
    assert [value.tolist() for value in seen] == [[6000.0, 6000.0]]
    assert not torch.allclose(strong, weak)


def test_a_network_without_distillation_is_told_no_guidance(folder):
    from diffusers import HunyuanVideoTransformer3DModel

    components = dict(load_components(folder, FAMILY))
    config = {**components["transformer"].config, "guidance_embeds": False}
    plain = HunyuanVideoTransformer3DModel.from_config(config).eval()
    prior = FAMILY.compose({**components, "transformer": plain}, FAMILY.native, TEXT_LENGTH)
    assert prior.embedded_guidance is None
    with torch.no_grad():
        clean = prior.denoise(draw(1, 4, 3, 8, 12), torch.tensor([1.0]), prior.embed(PROMPTS[:1]))
    assert clean.isfinite().all()


def test_words_are_split_as_the_tokenizers_file_says(folder, prior, tmp_path):
    """Also where the folder names the class of Llama 2's tokenizer, as the released one does."""
    from transformers import LlamaTokenizerFast

    copy = shutil.copytree(folder, tmp_path / "copy")
    change(copy / "model_index.json", tokenizer=["transformers", "LlamaTokenizerFast"])
    change(copy / "tokenizer" / "tokenizer_config.json", tokenizer_class="LlamaTokenizerFast")
    named = LlamaTokenizerFast.from_pretrained(copy / "tokenizer")
    right = load_components(folder, FAMILY)["tokenizer"]
    assert named(PROMPTS[0]).input_ids != right(PROMPTS[0]).input_ids  # the trap
    tensors, others = (p.embed(PROMPTS).tensors for p in (prior, load_prior(copy)))
    assert all(torch.equal(tensors[name], others[name]) for name in tensors)


def test_padding_goes_behind_the_prompt_whatever_the_folder_says(folder, prior, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "copy")
    change(copy / "tokenizer" / "tokenizer_config.json", padding_side="left")
    tensors, others = (p.embed(PROMPTS).tensors for p in (prior, load_prior(copy)))
    assert all(torch.equal(tensors[name], others[name]) for name in tensors)
    mask = tensors["mask"].int()
    assert (mask.diff(dim=1) <= 0).all() and 0 < mask.sum(1).min() < TEXT_LENGTH


def test_long_prompts_are_cut_with_a_warning(prior, caplog):
    with caplog.at_level(logging.WARNING):
        prior.embed([CAPTIONS[0]])
        assert not caplog.records
        tensors = prior.embed([CAPTIONS[0] * 5]).tensors
    assert f"but the model reads {TEXT_LENGTH}" in caplog.text
    assert tensors["mask"].all()
