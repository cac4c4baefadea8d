"""`motiondistill priors` on tiny folders: what it lists, checks, and says of mistakes."""

import json
import shutil

import imageio.v3
import pytest
import tiny_latte
import tiny_ltx
import torch
import yaml
from huggingface_hub import constants
from test_priors_hub import COMMIT, fill
from test_priors_weights import Trap

from motiondistill.building import objects
from motiondistill.building import prior as build_prior
from motiondistill.checkup import prior_check
from motiondistill.cli import main
from motiondistill.priors import DiffusersPrior, memory
from motiondistill.priors.tiny_codec import gradient_cosine, load_tiny_codec, probe
from motiondistill.schema.prior import PriorConfig


@pytest.fixture(autouse=True)
def no_hub(monkeypatch, tmp_path):
    """An empty cache is all there is of the hub."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return tiny_latte.save_tiny(tmp_path_factory.mktemp("priors") / "a tiny one")


@pytest.fixture
def folder(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "copy")


def fails(capsys, *arguments):
    """The one line that the command says of a mistake."""
    assert main(["priors", "check", *map(str, arguments)]) == 2
    *log, last = capsys.readouterr().err.splitlines()
    assert last.startswith("motiondistill: error: ")
    assert not any("Traceback" in line for line in log)
    return last.removeprefix("motiondistill: error: ")


@pytest.mark.slow
def test_the_check_passes_through_everything(whole, tmp_path, capsys):
    clip = tmp_path / "new" / "clip.mp4"
    assert main(["priors", "check", str(whole), "--out", str(clip), "prior.encode=two_pass"]) == 0
    out = capsys.readouterr().out.splitlines()
    for start in ("loaded ", "embedded ", "encoded 16x3x64x64 to 4x16x16x16 ", "took the gradient"):
        assert any(line.startswith(start) for line in out), start
    assert sum(line.startswith("denoised from sigma") for line in out) == 3
    assert any(line.startswith(f"sampled {clip} in 4 steps") for line in out)
    assert out[-1].startswith("peak memory: ")
    assert imageio.v3.imread(clip).shape[0] == 32  # played twice


@pytest.mark.slow
def test_the_check_takes_other_sizes_and_steps(tmp_path, capsys):
    folder = tiny_ltx.save_tiny(tmp_path / "ltx")
    clip, knobs = tmp_path / "clip.mp4", ["sample.num_steps=1", "run.frames=5"]
    assert main(["priors", "check", str(folder), "--out", str(clip), *knobs]) == 0
    out = capsys.readouterr().out
    assert "encoded 5x3x32x32 to" in out and "in 1 steps" in out
    one = ["--out", str(tmp_path / "one.mp4"), "run.frames=1"]
    assert main(["priors", "check", str(folder), *one]) == 0
    assert "encoded 1x3x32x32 to" in capsys.readouterr().out
    message = fails(capsys, folder, "--out", tmp_path / "six.mp4", "run.frames=6")
    assert message.startswith("`frames` must be 4k+1 for this prior, got 6; nearest: 5 or 9.")


def test_mistakes_in_the_command_are_told(capsys, whole, tmp_path):
    assert fails(capsys).startswith("`priors check` must be told which prior; add a name")
    assert "must be told which prior" in fails(capsys, "prior.dtype=bfloat16")
    assert main(["priors", "chek", "wan"]) == 2
    assert "unknown word chek; `check`?" in capsys.readouterr().err
    assert main(["priors", "--out", "a.mp4"]) == 2
    assert "`--out` must come with `check`, got a.mp4" in capsys.readouterr().err
    assert fails(capsys, whole, "--out", "/proc/a.mp4").startswith("`--out` must be in a folder")
    assert fails(capsys, whole, "prior.dtype=float8").startswith("`prior.dtype` must be one of")
    assert fails(capsys, whole, "prior.batch_size=0").startswith("`prior.batch_size` must be betw")
    assert "`prior.device` must be a device of this machine (cpu" in fails(
        capsys, whole, "prior.device=cuda:99"
    )
    assert "`prior.text_device` must be a device" in fails(capsys, whole, "prior.text_device=oven")


def test_one_prior_is_checked_and_no_other(capsys, whole, tmp_path):
    assert "`prior.model` must be left out of `priors check" in fails(
        capsys, whole, "prior.model=embedded"
    )
    (tmp_path / "mine.yaml").write_text("prior: {model: embedded}\n")
    message = fails(capsys, whole, "--config", tmp_path / "mine.yaml")
    assert message.startswith("`prior.model` must be left out")


def test_no_clip_is_overwritten(capsys, whole, tmp_path):
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(b"dear to someone")
    assert "`--out` must name a new file, got" in fails(capsys, whole, "--out", clip)
    assert clip.read_bytes() == b"dear to someone"


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("animatediff", "AnimateDiffPipeline.from_pretrained("),
        ("videocrafter2", "motiondistill convert videocrafter2 CKPT FOLDER"),
    ],
)
def test_how_to_make_the_folder_of_a_prior_is_told(capsys, name, how):
    message = fails(capsys, name)
    assert message.startswith(f"`prior.model` must be a folder for {name}, which no repository")
    assert how in message


def test_what_is_nowhere_is_told(capsys):
    assert "Lightricks/LTX-Video is not downloaded, and the hub cannot be reached" in fails(
        capsys, "ltx"
    )
    assert "someone/nothing is not downloaded" in fails(capsys, "someone/nothing")
    assert "`prior.model` must be a name that `motiondistill priors` lists, " in fails(
        capsys, "/nowhere"
    )
    assert fails(capsys, "wan2.1-1.3").endswith("got 'wan2.1-1.3'; did you mean wan2.1-1.3b?")


def test_missing_and_foreign_parts_are_told(capsys, folder):
    shutil.rmtree(folder / "tokenizer")
    assert "tokenizer` must hold the tokenizer, but is missing" in fails(capsys, folder)
    index = folder / "model_index.json"
    index.write_text(json.dumps({"_class_name": "SoraPipeline"}))
    assert "must name a supported pipeline (LattePipeline, " in fails(capsys, folder)
    index.unlink()
    assert "model_index.json` is missing; " in fails(capsys, folder)


def test_pickles_are_read_only_for_those_who_allow_it(capsys, folder, tmp_path):
    (path,) = (folder / "transformer").glob("*.safetensors")
    path.unlink()
    torch.save({"x": Trap(tmp_path / "sprung")}, path.with_suffix(".bin"))
    assert "set prior.allow_pickle=true" in fails(capsys, folder)
    assert not (tmp_path / "sprung").exists()
    assert "'x' is a NoneType" in fails(capsys, folder, "prior.allow_pickle=true")


def test_too_little_memory_is_told(capsys, whole, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(memory, "free_bytes", lambda device: 1000)
        assert "must fit the free memory of cpu, 0.0 GiB" in fails(capsys, whole)

    def full(*_):
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(DiffusersPrior, "denoise", full)
    assert fails(capsys, whole).startswith("the prior must fit the memory, which is full; set")

    def broken(*_):
        raise RuntimeError("something else")

    monkeypatch.setattr(DiffusersPrior, "denoise", broken)
    with pytest.raises(RuntimeError, match="something else"):
        main(["priors", "check", str(whole)])


@pytest.mark.parametrize("method", ["encode", "denoise", "decode"])
def test_infinities_are_told(capsys, whole, monkeypatch, method):
    real = getattr(DiffusersPrior, method)
    monkeypatch.setattr(DiffusersPrior, method, lambda *given: real(*given) * torch.inf)
    message = fails(capsys, whole)
    assert message.startswith(method) and "gives infinities or nan; set prior." in message


def test_frames_without_a_gradient_are_told(capsys, whole, monkeypatch):
    real = DiffusersPrior.encode

    def forgetful(self, video):
        return real(self, torch.cat([video[:, :12], video[:, 12:].detach()], 1))

    monkeypatch.setattr(DiffusersPrior, "encode", forgetful)
    assert "but frames [12, 13, 14, 15] get none" in fails(capsys, whole)


def test_a_prior_that_is_right_has_smaller_errors_at_smaller_levels():
    """The shipped prior knows something; the check's figures show it."""
    prior = objects.make_prior(PriorConfig(), seed=0)
    lines = list(prior_check._denoising(prior, prior_check._moving_bars(16, 64, 64), seed=0))
    errors = [float(line.split("error of ")[1].split()[0]) for line in lines if "error" in line]
    assert errors == sorted(errors) and errors[0] < 0.2


@pytest.mark.slow
def test_a_run_records_the_commit_of_its_prior(tmp_path, capsys):
    folder = tiny_ltx.save_tiny(tmp_path / "ltx")
    fill(tmp_path / "hub", folder, "someone/tiny")
    knobs = [
        "prior.model=someone/tiny",
        "camera.size=[32,32]",
        "init.num_samples=1",
        "init.sampling_steps=1",
        "init.num_steps=1",
        "score.num_steps=1",
        "score.views=1",
    ]
    out = tmp_path / "run"
    assert main(["optimize", "a person walks", "--out", str(out), *knobs]) == 0
    stored = yaml.safe_load((out / "config.yaml").read_text())
    assert stored["prior"]["revision"] == COMMIT
    # The branch moves on; the run does not.
    fill(tmp_path / "hub", folder, "someone/tiny", commit="e" * 40)
    assert objects.pinned(PriorConfig(model="someone/tiny")).revision == "e" * 40
    arguments = ["optimize", "a person walks", "--out", str(out), "--resume", "score.num_steps=2"]
    assert main(arguments) == 0
    stored = yaml.safe_load((out / "config.yaml").read_text())
    assert stored["prior"]["revision"] == COMMIT
    assert f"snapshots/{COMMIT}" in (out / "log.txt").read_text() + capsys.readouterr().err


def test_a_tiny_autoencoder_is_compared_with_the_models_own(whole, tmp_path, capsys, monkeypatch):
    from diffusers import AutoencoderTiny

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        AutoencoderTiny(
            encoder_block_out_channels=(8, 8, 8),
            decoder_block_out_channels=(8, 8, 8),
            num_encoder_blocks=(1, 1, 1),
            num_decoder_blocks=(1, 1, 1),
        ).save_pretrained(tmp_path / "taesd")
    knob = f"prior.tiny_autoencoder={tmp_path / 'taesd'}"
    clip, loads, load = tmp_path / "clip.mp4", [], build_prior.load_prior
    monkeypatch.setattr(build_prior, "load_prior", lambda *a, **k: loads.append(a) or load(*a, **k))
    assert main(["priors", "check", str(whole), "--out", str(clip), knob]) == 0
    assert len(loads) == 1, "a second denoiser may not fit"
    line = next(x for x in capsys.readouterr().out.splitlines() if "cosine" in x)
    full = load(whole).codec
    tiny = load_tiny_codec(tmp_path / "taesd", full)
    cosine = gradient_cosine(full, tiny, *probe(full))
    assert f"cosine of {cosine:.3f} " in line and cosine < 0.9, "they are strangers"
    capsys.readouterr()
    assert "nowhere" in fails(capsys, whole, "prior.tiny_autoencoder=/nowhere")
