"""Weights in every form a folder may have them, and nothing in a folder that runs."""

import json
import os
import pickle
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_latte import save_tiny

from motiondistill.priors.loading import load_prior
from motiondistill.priors.pickled import read_pickled

PARTS = {
    "vae": "diffusion_pytorch_model",
    "transformer": "diffusion_pytorch_model",
    "text_encoder": "pytorch_model",
}
PROMPT = "a person is walking"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return save_tiny(tmp_path_factory.mktemp("priors") / "whole")


@pytest.fixture(scope="module")
def prior(whole):
    return load_prior(whole)


@pytest.fixture
def folder(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "copy")


@pytest.fixture
def pickled(folder):
    """The same weights as `.bin` files."""
    for part, name in PARTS.items():
        (path,) = (folder / part).glob("*.safetensors")
        torch.save(load_file(path), folder / part / f"{name}.bin")
        path.unlink()
    return folder


class Trap:
    """Makes a folder when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def estimate(prior, clips=1):
    """A clean estimate and the latents of a video, which use every network."""
    x = draw(clips, *prior.latent_shape(16, 64, 64))
    video = draw(1, 16, 3, 64, 64, seed=1).sigmoid()
    with torch.no_grad():
        conditioning = prior.embed([PROMPT] * clips)
        return prior.denoise(x, torch.full((clips,), 0.7), conditioning), prior.encode(video)


def test_pickled_tensors_are_the_same_weights(prior, pickled):
    for ours, others in zip(estimate(load_prior(pickled)), estimate(prior), strict=True):
        assert torch.equal(ours, others)


def test_pickled_shards_are_the_same_weights(prior, pickled):
    whole = pickled / "transformer" / "diffusion_pytorch_model.bin"
    weights = torch.load(whole, weights_only=True)
    whole.unlink()
    names, shards = sorted(weights), {}
    for number in (1, 2):
        file = f"diffusion_pytorch_model-0000{number}-of-00002.bin"
        torch.save({k: weights[k] for k in names[number - 1 :: 2]}, whole.with_name(file))
        shards |= dict.fromkeys(names[number - 1 :: 2], file)
    index = {"metadata": {"total_size": 0}, "weight_map": shards}
    whole.with_name(f"{whole.name}.index.json").write_text(json.dumps(index))
    assert torch.equal(estimate(load_prior(pickled))[0], estimate(prior)[0])


def test_missing_shards_are_named(folder):
    (path,) = (folder / "transformer").glob("*.safetensors")
    file = "diffusion_pytorch_model-00002-of-00002.safetensors"
    index = {"metadata": {}, "weight_map": {"a": path.name, "b": file}}
    path.with_name(f"{path.name}.index.json").write_text(json.dumps(index))
    with pytest.raises(FileNotFoundError, match=f"but has no {file}; download it"):
        load_prior(folder)


def test_safetensors_go_before_pickles(prior, folder, tmp_path):
    with (folder / "vae" / "diffusion_pytorch_model.bin").open("wb") as file:
        pickle.dump({"x": Trap(tmp_path / "sprung")}, file)
    assert torch.equal(estimate(load_prior(folder, allow_pickle=True))[1], estimate(prior)[1])
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("part", PARTS)
def test_programs_in_pickles_run_only_for_those_who_allow_it(pickled, part, tmp_path):
    path, sprung = pickled / part / f"{PARTS[part]}.bin", tmp_path / "sprung"
    torch.save({**torch.load(path, weights_only=True), "extra": Trap(sprung)}, path)
    with pytest.raises(ValueError, match=r"but holds Python objects.*set prior\.allow_pickle=true"):
        load_prior(pickled).embed([PROMPT])
    assert not sprung.exists()
    with pytest.raises(ValueError, match="'extra' is a NoneType"):
        load_prior(pickled, allow_pickle=True).embed([PROMPT])
    assert sprung.exists(), "this is what allowing means"


def test_what_is_no_pickle_or_no_dictionary_is_refused(tmp_path):
    path = tmp_path / "model.ckpt"
    torch.save({"state_dict": {"w": torch.ones(2)}, "global_step": 3}, path)
    assert read_pickled(path)["global_step"] == 3
    content = path.read_bytes()
    for damage in (b"", b"version https://git-lfs.github.com/spec/v1", content[:-30], content[:99]):
        path.write_bytes(damage)
        with pytest.raises(ValueError, match=r"model\.ckpt` must"):
            read_pickled(path)
    torch.save([torch.ones(2)], path)
    with pytest.raises(ValueError, match="must hold a dictionary of tensors, got list"):
        read_pickled(path)


def test_code_in_a_folder_is_not_run(prior, folder, tmp_path, monkeypatch):
    import diffusers
    import transformers

    sprung = tmp_path / "sprung"
    code = f"open({str(sprung)!r}, 'w')\nclass Own: pass\n"
    for part in (*PARTS, "tokenizer", "."):
        (folder / part / "own.py").write_text(code)
    for part, names in {
        "text_encoder": ("AutoModel", "AutoConfig"),
        "tokenizer": ("AutoTokenizer",),
        "transformer": ("AutoModel",),
        "vae": ("AutoModel",),
    }.items():
        name = "tokenizer_config.json" if part == "tokenizer" else "config.json"
        path = folder / part / name
        config = json.loads(path.read_text())
        own = {"auto_map": dict.fromkeys(names, "own.Own")}
        path.write_text(json.dumps(config | own))
    index = json.loads((folder / "model_index.json").read_text())
    (folder / "model_index.json").write_text(json.dumps(index | {"transformer": ["own", "Own"]}))
    expected = estimate(prior)  # before counting: it reads its own text encoder when first asked
    asked = []
    for kind in (
        diffusers.AutoencoderKL,
        diffusers.LatteTransformer3DModel,
        transformers.T5EncoderModel,
        transformers.T5Tokenizer,
    ):
        real = kind.from_pretrained.__func__

        def noted(cls, *arguments, real=real, **options):
            asked.append(options)
            return real(cls, *arguments, **options)

        monkeypatch.setattr(kind, "from_pretrained", classmethod(noted))
    ours = estimate(load_prior(folder))
    assert all(torch.equal(a, b) for a, b in zip(ours, expected, strict=True))
    assert not sprung.exists()
    assert len(asked) == 4
    assert not any("trust_remote_code" in options for options in asked)


def test_parts_of_another_class_are_refused(folder):
    path = folder / "vae" / "config.json"
    config = json.loads(path.read_text()) | {"_class_name": "AutoencoderKLWan"}
    path.write_text(json.dumps(config))
    with pytest.raises(ValueError, match=r"must hold diffusers\.AutoencoderKL .*got Autoenc.*Wan"):
        load_prior(folder)


def test_weights_saved_in_another_layout_still_fit(folder):
    """The library's own variants beside the weights are not read."""
    (path,) = (folder / "vae").glob("*.safetensors")
    save_file({"x": torch.zeros(1)}, path.with_name("diffusion_pytorch_model.fp16.safetensors"))
    (folder / "vae" / "notes.safetensors").write_bytes(b"none")
    load_prior(folder)
