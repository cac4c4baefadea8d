"""Missing, broken and foreign folders are refused in words; tokenizers need no download."""

import json
import logging
import shutil
import string

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_ltx import TEXT_LENGTH, save_tiny
from tiny_text import CAPTIONS, tiny_encoder, tiny_tokenizer

from motiondistill.priors.loading import load_prior
from motiondistill.priors.text import T5Text, build_t5_tokenizer


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return save_tiny(tmp_path_factory.mktemp("priors") / "whole")


@pytest.fixture
def folder(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "copy")


@pytest.fixture(scope="module")
def tokenizer():
    return tiny_tokenizer(TEXT_LENGTH)


def test_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere/model_index\.json.*complete pipeline"):
        load_prior(tmp_path / "nowhere")


def test_other_families_are_refused(folder):
    (folder / "model_index.json").write_text('{"_class_name": "MysteryPipeline"}')
    with pytest.raises(ValueError, match=r"pipeline \(.*LTXPipeline.*\), got 'MysteryPipeline'"):
        load_prior(folder)


def test_broken_json_is_named(folder):
    (folder / "transformer" / "config.json").write_text("{")
    with pytest.raises(ValueError, match=r"transformer/config\.json` must be JSON"):
        load_prior(folder)
    (folder / "model_index.json").write_text("[]")
    with pytest.raises(ValueError, match=r"model_index\.json` must be a JSON object, got list"):
        load_prior(folder)


def test_incomplete_native_file_is_named(folder):
    (folder / "motiondistill.json").write_text('{"fps": 8}')
    with pytest.raises(
        ValueError, match=r"`frames` in `.*motiondistill\.json` must be a whole.* None"
    ):
        load_prior(folder)


@pytest.mark.parametrize(
    "change",
    [{"fps": "8"}, {"fps": 0}, {"frames": 2.5}, {"height": [32]}, {"text_length": True}],
    ids=str,
)
def test_native_clips_of_wrong_values_are_refused(folder, change):
    path = folder / "motiondistill.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    ((name, value),) = change.items()
    message = (
        rf"`{name}` in `.*motiondistill\.json` must be a .*number above 0, got {value!r}; corr"
    )
    with pytest.raises(ValueError, match=message.replace("[", r"\[").replace("]", r"\]")):
        load_prior(folder)


def test_truncated_weights_are_named(folder):
    path = folder / "vae" / "diffusion_pytorch_model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(
        ValueError, match=r"vae/diffusion_pytorch_model\.safetensors` must be a comp"
    ):
        load_prior(folder)


@pytest.mark.parametrize("part", ["text_encoder", "vae", "transformer"])
def test_missing_weights_are_named(folder, part):
    for path in (folder / part).glob("*.safetensors"):
        path.unlink()
    with pytest.raises(FileNotFoundError, match=f"{part}` must hold weights as .safetensors"):
        load_prior(folder)


@pytest.mark.parametrize("part", ["text_encoder", "vae", "transformer"])
def test_absent_and_surplus_weights_are_refused(folder, part):
    from safetensors.torch import load_file, save_file

    (path,) = (folder / part).glob("*.safetensors")
    weights = load_file(path)
    first = sorted(weights)[0]
    save_file({k: v for k, v in weights.items() if k != first}, path, {"format": "pt"})
    with pytest.raises(ValueError, match=f"{part}` must hold exactly the weights.*missing"):
        load_prior(folder).embed(["text encoders are read here"])
    save_file({**weights, "surplus": torch.zeros(1)}, path, {"format": "pt"})
    with pytest.raises(ValueError, match=f"{part}` must hold exactly the weights.*unexpected"):
        load_prior(folder).embed(["text encoders are read here"])


def test_weights_of_another_size_are_refused(folder):
    path = folder / "transformer" / "config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps({**config, "num_attention_heads": 4}))
    with pytest.raises(ValueError, match="transformer` must"):
        load_prior(folder)


def test_missing_tokenizer_is_named(folder):
    shutil.rmtree(folder / "tokenizer")
    with pytest.raises(FileNotFoundError, match="tokenizer` must hold the tokenizer"):
        load_prior(folder)


def test_released_defaults_hold_without_our_file(folder):
    (folder / "motiondistill.json").unlink()
    video_format = load_prior(folder).format
    assert (video_format.fps, video_format.frames, video_format.height) == (25, 161, 512)


def test_tokenizer_is_the_same_every_time_and_after_a_folder(tokenizer, tmp_path):
    from transformers import T5Tokenizer

    again = build_t5_tokenizer(reversed(CAPTIONS), vocab_size=120, max_length=TEXT_LENGTH)
    assert again.get_vocab() == tokenizer.get_vocab()
    tokenizer.save_pretrained(tmp_path)
    loaded = T5Tokenizer.from_pretrained(tmp_path, local_files_only=True)
    for text in (*CAPTIONS, "Zebra #42~", ""):
        assert loaded(text).input_ids == tokenizer(text).input_ids
    assert loaded.model_max_length == TEXT_LENGTH


def test_words_of_the_captions_are_single_tokens(tokenizer):
    assert tokenizer.tokenize("a person is walking, front view") == [
        *("\u2581a", "\u2581person", "\u2581is", "\u2581walking", ",", "\u2581front", "\u2581view")
    ]
    assert len(build_t5_tokenizer(CAPTIONS, vocab_size=101, max_length=8)) == 101


@given(st.text(alphabet=string.ascii_letters + string.digits + string.punctuation, max_size=20))
def test_every_ascii_word_is_encoded_and_decoded(tokenizer, word):
    ids = tokenizer(word, add_special_tokens=False).input_ids
    special = any(piece in word for piece in ("<pad>", "</s>", "<unk>"))
    assert special or (tokenizer.unk_token_id not in ids and tokenizer.decode(ids) == word)


def test_too_small_vocabularies_are_refused():
    with pytest.raises(ValueError, match=r"`vocab_size` must be at least 98.*got 50"):
        build_t5_tokenizer(CAPTIONS, vocab_size=50, max_length=8)


def test_prompts_that_are_cut_are_told(tokenizer, caplog):
    text = T5Text(tokenizer, tiny_encoder(tokenizer), max_length=4)
    with caplog.at_level(logging.WARNING, logger="motiondistill"):
        assert text.embed(["a person is walking"]).tensors["mask"].sum() == 4
    assert "has 5 tokens but the model reads 4" in caplog.text
    with pytest.raises(ValueError, match=r"`prompts` must be a list.*'a person'"):
        text.embed("a person")
