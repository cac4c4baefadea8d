"""Embeddings on disk: the same bits again, for their own model alone, and whole or not at all."""

import gc
import logging
import os
import weakref

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from tiny_latte import save_tiny

from motiondistill.priors.base import Conditioning, TextEncoder
from motiondistill.priors.embedding_cache import CachedText, EmbeddingFiles, cache_folder
from motiondistill.priors.loading import family_of, load_components, load_prior
from motiondistill.priors.on_demand import OnDemand
from motiondistill.priors.text import T5Text

PROMPTS = ["a person is walking", "a person squats", ""]


class Counting(TextEncoder):
    """Embeds a prompt as its length, and remembers what it was asked."""

    def __init__(self, shift=0.0):
        self.asked = []
        self.shift = shift

    def embed(self, prompts):
        self.asked += prompts
        values = torch.tensor([[len(prompt) + self.shift] for prompt in prompts])
        return Conditioning({"embeddings": values, "mask": values > 0})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_tiny(tmp_path_factory.mktemp("priors") / "tiny")


def files(folder, *identity):
    return EmbeddingFiles(folder / "embeddings", identity or ("model", "revision"))


def equal(ours, others):
    return ours.tensors.keys() == others.tensors.keys() and all(
        torch.equal(tensor, others.tensors[name]) for name, tensor in ours.tensors.items()
    )


def test_each_prompt_is_embedded_once_for_all_runs(tmp_path):
    first, second = Counting(), Counting()
    expected = Counting().embed(PROMPTS)
    text = CachedText(first, files=files(tmp_path))
    assert equal(text.embed(PROMPTS), expected)
    assert equal(text.embed(PROMPTS[::-1]), expected[[2, 1, 0]])
    assert equal(CachedText(second, files=files(tmp_path)).embed(PROMPTS * 2), expected.repeat(2))
    assert (first.asked, second.asked) == (PROMPTS, [])


@pytest.mark.parametrize("identity", [("other", "revision"), ("model", "other"), ("model",)])
def test_other_models_revisions_and_lengths_have_other_embeddings(tmp_path, identity):
    CachedText(Counting(), files=files(tmp_path)).embed(PROMPTS)
    other = Counting(shift=0.5)
    embedded = CachedText(other, files=files(tmp_path, *identity)).embed(PROMPTS)
    assert other.asked == PROMPTS
    assert equal(embedded, Counting(shift=0.5).embed(PROMPTS))


def harm_nothing_left(path):
    path.write_bytes(b"")


def harm_cut(path):
    path.write_bytes(path.read_bytes()[:-1])


def harm_one_bit(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))


def harm_foreign(path):
    save_file({"embeddings": torch.zeros(1)}, path)


def harm_folder(path):
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    "harm", [harm_nothing_left, harm_cut, harm_one_bit, harm_foreign, harm_folder]
)
def test_damaged_files_are_told_and_computed_anew(tmp_path, caplog, harm):
    store = files(tmp_path)
    CachedText(Counting(), files=store).embed(PROMPTS)
    harm(store.path(PROMPTS[0]))
    again = Counting()
    with caplog.at_level(logging.WARNING, logger="motiondistill"):
        assert equal(CachedText(again, files=store).embed(PROMPTS), Counting().embed(PROMPTS))
    assert again.asked == PROMPTS[:1]
    assert "is damaged and made anew" in caplog.text
    if harm is not harm_folder:
        assert store.read(PROMPTS[0]) is not None


def test_a_write_that_fails_leaves_nothing_and_stops_nobody(tmp_path, monkeypatch, caplog):
    store = files(tmp_path)

    def full(*_):
        raise OSError("No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with caplog.at_level(logging.WARNING, logger="motiondistill"):
        embedded = CachedText(Counting(), files=store).embed(PROMPTS)
    assert equal(embedded, Counting().embed(PROMPTS))
    assert "No space left" in caplog.text
    assert list(store.folder.iterdir()) == []


@given(st.text(max_size=300))
def test_prompts_never_become_paths(tmp_path_factory, prompt):
    folder = tmp_path_factory.getbasetemp() / "any"
    path = files(folder).path(prompt)
    assert path.parent == folder / "embeddings"
    assert len(path.stem) == 64 and path.stem.isalnum() and path.suffix == ".safetensors"


@pytest.mark.parametrize("prompt", ["../../etc/passwd", "a/b", "\0", "x" * 10_000, "\ud800"])
def test_any_prompt_is_kept_in_the_folder(tmp_path, prompt):
    store = files(tmp_path)
    CachedText(Counting(), files=store).embed([prompt])
    assert [path.parent for path in tmp_path.rglob("*.safetensors")] == [store.folder]
    assert equal(store.read(prompt), Counting().embed([prompt]))


def test_tensors_of_every_type_come_back_bit_for_bit(tmp_path):
    tensors = {
        "half": torch.randn(1, 3, 2).to(torch.bfloat16),
        "nothing": torch.zeros(1, 0),
        "turned": torch.arange(6.0).view(1, 2, 3).transpose(1, 2),
        "mask": torch.tensor([[True, False]]),
    }
    store = files(tmp_path)
    store.write("x", Conditioning(tensors))
    assert equal(store.read("x"), Conditioning(tensors))


def test_the_users_folder_follows_the_environment(tmp_path, monkeypatch):
    monkeypatch.delenv("MOTIONDISTILL_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "motiondistill"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "motiondistill"


def test_a_network_on_demand_is_loaded_once_used_and_released():
    loads = []

    def load():
        loads.append(torch.nn.Linear(2, 3))
        return loads[-1]

    stand_in = OnDemand(load)
    assert (loads, stand_in.loaded) == ([], False)
    assert stand_in(torch.zeros(1, 2)).shape == (1, 3)
    assert stand_in.out_features == 3
    assert len(loads) == 1
    gone = weakref.ref(loads.pop())
    stand_in.release()
    gc.collect()
    assert gone() is None and not stand_in.loaded
    assert stand_in.out_features == 3 and len(loads) == 1


def test_text_encoders_take_memory_only_while_prompts_are_embedded(folder, tmp_path, monkeypatch):
    from transformers import T5EncoderModel

    alive = weakref.WeakSet()
    forward = T5EncoderModel.forward

    def noted(self, *arguments, **options):
        alive.add(self)
        return forward(self, *arguments, **options)

    monkeypatch.setattr(T5EncoderModel, "forward", noted)
    prior = load_prior(folder, embeddings=tmp_path)
    expected = prior.embed(PROMPTS)
    gc.collect()
    assert len(alive) == 0

    def unwanted(self, *arguments, **options):
        raise AssertionError("the text encoder is not needed")

    monkeypatch.setattr(T5EncoderModel, "forward", unwanted)
    assert equal(prior.embed(PROMPTS), expected)
    assert equal(load_prior(folder, embeddings=tmp_path).embed(PROMPTS), expected)


def test_a_changed_encoder_is_asked_again(folder, tmp_path):
    from shutil import copytree

    copy = copytree(folder, tmp_path / "copy")
    before = load_prior(copy, embeddings=tmp_path / "cache").embed(PROMPTS)
    (path,) = (copy / "text_encoder").glob("*.safetensors")
    save_file({k: 2 * v for k, v in load_file(path).items()}, path, {"format": "pt"})
    after = load_prior(copy, embeddings=tmp_path / "cache").embed(PROMPTS)
    assert not equal(before, after)


@pytest.mark.parametrize("name", ["model_index.json", "transformer/config.json"])
def test_a_changed_configuration_asks_the_encoder_again(folder, tmp_path, monkeypatch, name):
    """What the pipeline does with an empty prompt, say, or how wide its embeddings are."""
    from shutil import copytree

    copy = copytree(folder, tmp_path / "copy")
    asked = []
    real = T5Text.embed
    monkeypatch.setattr(T5Text, "embed", lambda *given: asked.append(given[1]) or real(*given))
    for _ in range(2):
        load_prior(copy, embeddings=tmp_path / "cache").embed(PROMPTS[:1])
    assert len(asked) == 1
    path = copy / name
    path.write_text(path.read_text() + "\n")
    load_prior(copy, embeddings=tmp_path / "cache").embed(PROMPTS[:1])
    assert len(asked) == 2


def test_stand_ins_are_what_families_compose_with(folder):
    components = load_components(folder, family_of(folder))
    assert isinstance(components["text_encoder"], OnDemand)
    assert not components["text_encoder"].loaded
