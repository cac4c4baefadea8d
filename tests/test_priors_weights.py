"""Weights in every form a folder may have them, and nothing in a folder that runs."""

import json
import os
import pickle
import shutil

import pytest
import tiny_wan
import torch
from safetensors.torch import load_file, save_file
from tiny_families import TINY
from tiny_latte import save_tiny

from motiondistill.priors import memory
from motiondistill.priors.base import Denoiser
from motiondistill.priors.loading import load_prior, randomized
from motiondistill.priors.pickled import read_pickled
from motiondistill.priors.placement import PlacedCodec, PlacedDenoiser, Placement

PARTS = {
    "vae": "diffusion_pytorch_model",
    "transformer": "diffusion_pytorch_model",
    "text_encoder": "pytorch_model",
}
PROMPT = "a person is walking"
SINGLE = 1e-4  # float32 through a random network
BFLOAT = 0.1  # bfloat16 keeps two to three digits, through a few layers


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
    assert all(torch.equal(a, b) for a, b in zip(ours, estimate(prior), strict=True))
    assert not sprung.exists()
    assert len(asked) == 4
    assert not any("trust_remote_code" in options for options in asked)


def test_parts_of_another_class_are_refused(folder):
    path = folder / "vae" / "config.json"
    config = json.loads(path.read_text()) | {"_class_name": "AutoencoderKLWan"}
    path.write_text(json.dumps(config))
    with pytest.raises(ValueError, match=r"must hold diffusers\.AutoencoderKL .*got Autoenc.*Wan"):
        load_prior(folder)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_stays_inside_of_the_networks(prior, whole, dtype):
    half = load_prior(whole, Placement(dtype=dtype, vae_dtype=dtype, text_dtype=torch.bfloat16))
    networks = half.codec.vae, half.denoiser.transformer
    assert all({p.dtype for p in n.parameters()} == {dtype} for n in networks)
    assert half.embed([PROMPT]).tensors["embeddings"].dtype == torch.bfloat16
    for ours, exact in zip(estimate(half), estimate(prior), strict=True):
        assert ours.dtype == torch.float32
        assert 0 < (ours - exact).abs().max() < BFLOAT * exact.abs().max()


@pytest.mark.parametrize("tiny", TINY, ids=lambda module: module.__name__)
def test_every_family_works_with_bfloat16_weights(tiny, tmp_path):
    folder = tiny.save_tiny(tmp_path / "tiny")
    exact = load_prior(folder)
    ours = load_prior(folder, Placement(dtype=torch.bfloat16, text_dtype=torch.bfloat16))
    size = exact.format.frames, exact.format.height, exact.format.width
    x, sigma = draw(1, *exact.latent_shape(*size)), exact.snap(torch.tensor([1.0]))
    with torch.no_grad():
        inexact, known = (p.denoise(x, sigma, p.embed([PROMPT])) for p in (ours, exact))
    assert inexact.dtype == torch.float32
    assert 0 < (inexact - known).norm() < BFLOAT * known.norm()


def test_modules_that_need_single_precision_keep_it(tmp_path):
    folder = tiny_wan.save_tiny(tmp_path / "tiny")
    prior = load_prior(folder, Placement(dtype=torch.bfloat16))
    fresh = randomized(prior, torch.Generator().manual_seed(0))
    types = [
        {name: weight.dtype for name, weight in p.denoiser.transformer.named_parameters()}
        for p in (prior, fresh)
    ]
    assert types[0] == types[1]
    assert set(types[0].values()) == {torch.float32, torch.bfloat16}


def test_each_part_has_its_own_precision(whole):
    mixed = load_prior(whole, Placement(dtype=torch.bfloat16))
    assert mixed.codec.vae.dtype == torch.float32
    assert mixed.denoiser.transformer.dtype == torch.bfloat16
    assert mixed.embed([PROMPT]).tensors["embeddings"].dtype == torch.float32


def test_gradients_in_pixels_are_single_precision_beside_half_weights(whole, prior):
    half = load_prior(whole, Placement(vae_dtype=torch.bfloat16))
    video = draw(1, 16, 3, 64, 64).sigmoid().requires_grad_()
    weights = draw(*half.encode(video).shape)
    ours, exact = (
        torch.autograd.grad((p.encode(video) * weights).sum(), video)[0] for p in (half, prior)
    )
    assert ours.dtype == torch.float32
    assert torch.nn.functional.cosine_similarity(ours.flatten(), exact.flatten(), 0) > 0.999


@pytest.mark.parametrize("size", [1, 2, 3, 8])
def test_batches_give_what_all_clips_at_once_give(prior, whole, size):
    parted = load_prior(whole, Placement(batch_size=size))
    assert isinstance(parted.denoiser, PlacedDenoiser)
    assert (estimate(parted, clips=5)[0] - estimate(prior, clips=5)[0]).abs().max() < SINGLE


def test_the_denoiser_gets_no_more_clips_than_allowed(prior):
    seen = []

    class Spy(Denoiser):
        def predict(self, scaled, time, conditioning):
            seen.append((len(scaled), len(time), len(conditioning)))
            return scaled

        def randomized(self, generator):
            return self

    x = draw(5, 4, 16, 16, 16)
    output = PlacedDenoiser(Spy(), "cpu", 2).predict(x, torch.ones(5), prior.embed([PROMPT] * 5))
    assert torch.equal(output, x)
    assert seen == [(2, 2, 2), (2, 2, 2), (1, 1, 1)]


def test_placed_parts_pass_values_and_gradients_through(prior):
    codec = PlacedCodec(prior.codec, "cpu")
    video = draw(1, 16, 3, 64, 64).sigmoid().requires_grad_()
    ours, theirs = codec.encode(video), prior.codec.encode(video)
    assert torch.equal(ours, theirs)
    gradients = [torch.autograd.grad(z.square().sum(), video)[0] for z in (ours, theirs)]
    assert torch.equal(*gradients)
    assert codec.latent_shape(16, 64, 64) == prior.latent_shape(16, 64, 64)
    assert codec.format == prior.format


@pytest.mark.gpu
def test_a_prior_on_another_device_answers_on_the_callers(prior, whole):
    placed = load_prior(whole, Placement(device="cuda", text_device="cuda"))
    assert placed.denoiser.denoiser.transformer.device.type == "cuda"
    for ours, exact in zip(estimate(placed), estimate(prior), strict=True):
        assert ours.device.type == "cpu"
        assert (ours - exact).abs().max() < 1e-2  # convolutions there may use TF32
    video = draw(1, 16, 3, 64, 64).sigmoid().requires_grad_()
    (gradient,) = torch.autograd.grad(placed.encode(video).square().sum(), video)
    assert gradient.abs().amax(dim=(0, 2, 3, 4)).min() > 0


def test_a_compiled_denoiser_is_compiled_at_its_first_use(whole, monkeypatch):
    compiled = []
    monkeypatch.setattr(torch.nn.Module, "compile", lambda self: compiled.append(type(self)))
    load_prior(whole, compiled=True)
    assert [kind.__name__ for kind in compiled] == ["LatteTransformer3DModel"]
    compiled.clear()
    load_prior(whole)
    assert not compiled


def test_weights_are_counted_from_the_heads_of_files(whole, pickled):
    vae = load_prior(whole).codec.vae
    numbers = sum(parameter.numel() for parameter in vae.parameters())
    assert memory.weight_bytes(whole / "vae", torch.float32) == 4 * numbers
    assert memory.weight_bytes(whole / "vae", torch.bfloat16) == 2 * numbers
    estimate_of_pickle = memory.weight_bytes(pickled / "vae", torch.float32)
    assert 4 * numbers <= estimate_of_pickle < 5 * numbers + 100_000


def test_too_little_memory_is_told_before_weights_are_read(whole, monkeypatch):
    sizes = [memory.weight_bytes(whole / part, torch.float32) for part in PARTS]
    monkeypatch.setattr(memory, "free_bytes", lambda device: sum(sizes) - 1)
    with pytest.raises(ValueError, match=r"must fit the free memory of cpu.*prior\.dtype=bfloat16"):
        load_prior(whole)
    load_prior(whole, Placement(dtype=torch.bfloat16))
    monkeypatch.setattr(memory, "free_bytes", lambda device: sum(sizes))
    load_prior(whole)


def test_free_memory_is_less_than_all_memory():
    free = memory.free_bytes(torch.device("cpu"))
    assert free is None or 0 < free < 2**50
    assert memory.free_bytes(torch.device("meta")) is None


def test_weights_saved_in_another_layout_still_fit(folder):
    """The library's own variants beside the weights are not read."""
    (path,) = (folder / "vae").glob("*.safetensors")
    save_file({"x": torch.zeros(1)}, path.with_name("diffusion_pytorch_model.fp16.safetensors"))
    (folder / "vae" / "notes.safetensors").write_bytes(b"none")
    load_prior(folder)
