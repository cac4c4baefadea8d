"""Damaged tokenizers, configurations and pickles are refused in words that say what to do."""

import dataclasses
import json
import pickle
import shutil
import sys
import types

import pytest
import tiny_clip
import tiny_latte
import tiny_stable_diffusion
import tiny_text
import torch
from huggingface_hub import constants
from test_priors_hub import HUB_ID, fill
from transformers import CLIPTokenizer, T5Tokenizer

from motiondistill.checkup import prior_check
from motiondistill.checkup.prior_table import rows
from motiondistill.priors.base import Conditioning, TextEncoder
from motiondistill.priors.hub import cached
from motiondistill.priors.loading import load_prior
from motiondistill.priors.outline import outline
from motiondistill.priors.pickled import read_pickled
from motiondistill.priors.weights import Part, load_tokenizer
from motiondistill.schema.prior import PriorConfig

TOKENIZERS = {
    "T5Tokenizer": tiny_text.tiny_tokenizer(16),
    "CLIPTokenizer": tiny_clip.tiny_tokenizer(),
}


@pytest.fixture(scope="module", params=[tiny_latte, tiny_stable_diffusion])
def whole(request, tmp_path_factory):
    return request.param.save_tiny(tmp_path_factory.mktemp("priors") / "whole")


@pytest.fixture
def folder(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "copy")


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """An empty cache is all there is of the hub."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return tmp_path / "hub"


@pytest.fixture(params=TOKENIZERS)
def tokenizer(request, tmp_path):
    """The folder of a whole tokenizer."""
    part = Part(tmp_path / "tokenizer", f"transformers.{request.param}")
    TOKENIZERS[request.param].save_pretrained(part.folder)
    return part


@pytest.mark.parametrize("kept", [(), ("tokenizer_config.json",), ("vocab.json",)])
def test_tokenizers_without_a_vocabulary_are_refused(folder, hub, kept):
    shutil.rmtree(folder / "tokenizer")
    (folder / "tokenizer").mkdir()
    for name in kept:
        (folder / "tokenizer" / name).write_text("{}")
    with pytest.raises(FileNotFoundError, match=r"tokenizer's vocabulary \(tokenizer\.json, or vo"):
        load_prior(folder)
    fill(hub, folder, HUB_ID)
    assert cached(HUB_ID) is None, "so that the rest is downloaded"


def test_whole_tokenizers_are_accepted(tokenizer):
    tokenizer.check()
    assert load_tokenizer(tokenizer).get_vocab() == TOKENIZERS[tokenizer.kind.__name__].get_vocab()


def test_vocabularies_in_the_files_of_old_releases_are_accepted(tmp_path):
    whole = TOKENIZERS["CLIPTokenizer"]
    (tmp_path / "vocab.json").write_text(json.dumps(whole.get_vocab()))
    (tmp_path / "merges.txt").write_text("#version: 0.2\n")
    part = Part(tmp_path, "transformers.CLIPTokenizer")
    part.check()
    text = "a person is walking"
    assert load_tokenizer(part)(text).input_ids == whole(text).input_ids


@pytest.mark.parametrize("content", ["", "{", "[]", "{}"])
def test_damaged_vocabularies_are_refused(tokenizer, content):
    (tokenizer.folder / "tokenizer.json").write_text(content)
    with pytest.raises(ValueError, match=r"tokenizer` must hold a .*; copy it anew\. The library"):
        load_tokenizer(tokenizer)


def test_vocabularies_of_special_tokens_alone_are_refused(tmp_path):
    """The libraries write and read them without a word."""
    for kind in (T5Tokenizer, CLIPTokenizer):
        folder = tmp_path / kind.__name__
        kind().save_pretrained(folder)
        part = Part(folder, f"transformers.{kind.__name__}")
        part.check()
        with pytest.raises(ValueError, match=r"with a vocabulary, got [01] pieces .* copy it anew"):
            load_tokenizer(part)


def test_the_check_tells_that_prompts_mean_the_same():
    def embedded(value):
        return Conditioning({"embeddings": torch.full((1, 2), value), "mask": torch.ones(1, 2)})

    prior_check._different(embedded(1.0), embedded(2.0))
    with pytest.raises(ValueError, match=r"must tell prompts apart, but embeds .*tokenizer or its"):
        prior_check._different(embedded(1.0), embedded(1.0))


def test_the_check_embeds_two_prompts(whole, monkeypatch):
    prior = load_prior(whole)
    asked = []

    class Deaf(TextEncoder):
        def embed(self, prompts):
            asked.extend(prompts)
            return prior.embed(["x"] * len(prompts))

    deaf = dataclasses.replace(prior, text=Deaf())
    lines = prior_check._denoising(deaf, torch.zeros(1, 16, 3, 64, 64), seed=0)
    with pytest.raises(ValueError, match="must tell prompts apart"):
        next(lines)
    assert len(set(asked)) == 2
    assert len({len(prompt.split()) for prompt in asked}) == 1


LIBRARY = r"transformer` must hold a LatteTransformer3DModel .*copy the folder anew.*Error: "
CONFIGURATIONS = [
    (
        {"num_layers": "x"},
        r"`num_layers` in `.*transformer/config.json` must be a number.*, got 'x'",
    ),
    ({"num_attention_heads": None}, LIBRARY),
    ({"attention_head_dim": 0}, LIBRARY),
]


@pytest.mark.parametrize(("change", "message"), CONFIGURATIONS)
def test_configurations_of_wrong_values_are_refused(tmp_path, hub, change, message):
    folder = tiny_latte.save_tiny(tmp_path / "tiny")
    path = folder / "transformer" / "config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps(config | change))
    assert change.keys() <= config.keys()
    with pytest.raises(ValueError, match=message):
        load_prior(folder)
    if "num_attention_heads" in change:
        with pytest.raises(ValueError, match=message):
            outline(folder)
        fill(hub, folder, "maxin-cn/Latte-1")
        row = next(row for row in rows(PriorConfig()) if row.name == "latte")
        assert row.state.startswith("damaged: `")


@pytest.mark.parametrize("allowed", [False, True])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty; copy or download"),
        (b"version https://git-lfs.github.com/spec/v1", "is a pointer of Git LFS.*git lfs pull"),
        (b"<html>not found</html>", "starts with b'<html>no'; copy or download"),
        (b"PK\x03\x04cut", "reading it fails .*Error: .*; copy or download"),
    ],
)
def test_files_that_are_not_pytorchs_are_told(tmp_path, content, message, allowed):
    path = tmp_path / "model.bin"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"must be a complete PyTorch file, but {message}"):
        read_pickled(path, allow_pickle=allowed)


def test_pickles_that_need_absent_code_are_told(tmp_path, monkeypatch):
    path = tmp_path / "model.bin"
    module = types.ModuleType("absent_package")
    module.Own = type("Own", (), {"__module__": "absent_package"})
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "absent_package", module)
        torch.save({"x": module.Own()}, path)
        del module.Own
        with pytest.raises(ValueError, match=r"needs other code .*Own"):
            read_pickled(path, allow_pickle=True)
    with pytest.raises(
        ValueError, match=r"needs other code .*absent_package.*as \.safetensors, or"
    ):
        read_pickled(path, allow_pickle=True)
    with pytest.raises(ValueError, match=r"but holds Python objects"):
        read_pickled(path)


def test_plain_pickles_are_still_read(tmp_path):
    path = tmp_path / "model.bin"
    path.write_bytes(pickle.dumps({"x": 1}))
    with pytest.raises(ValueError, match="must"):
        read_pickled(path)
    torch.save({"x": torch.ones(2)}, path, _use_new_zipfile_serialization=False)
    assert torch.equal(read_pickled(path)["x"], torch.ones(2))
