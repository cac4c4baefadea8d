"""VideoCrafter2's checkpoint becomes a folder that does what its authors' code does."""

import json
import shutil

import pytest
import tiny_clip
import tiny_lvdm
import torch
from parity import draw
from safetensors.torch import load_file, save_file
from tiny_text import CAPTIONS

from motiondistill.cli import main
from motiondistill.priors.convert_videocrafter2 import CONDITIONED_FPS, convert
from motiondistill.priors.loading import load_prior
from motiondistill.priors.scaled_signal import ScaledSignalSchedule
from motiondistill.priors.videocrafter2_weights import convert_unet, unet_layout

SINGLE = 1e-4  # float32 through a random network
ROUNDING = 1e-6  # one product in float32
FPS = CONDITIONED_FPS
TEXT = 128  # channels: two heads of text
LEVELS = 3


@pytest.fixture(scope="module")
def unet():
    torch.manual_seed(0)
    return tiny_lvdm.UNet(base=32, multiples=(1, 2), layers=1, head=16, text=TEXT).eval()


@pytest.fixture(scope="module")
def text():
    torch.manual_seed(1)
    vocabulary = len(tiny_clip.tiny_tokenizer())
    return tiny_lvdm.Text(vocabulary, TEXT, layers=3, length=tiny_clip.LENGTH).eval()


@pytest.fixture(scope="module")
def vae():
    from diffusers import AutoencoderKL

    torch.manual_seed(2)
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * LEVELS,
        up_block_types=("UpDecoderBlock2D",) * LEVELS,
        block_out_channels=(32, 32, 64),
        layers_per_block=1,
        latent_channels=4,
    ).eval()


@pytest.fixture(scope="module")
def weights(unet, text, vae):
    parts = {
        "model.diffusion_model.": unet.state_dict(),
        "first_stage_model.": tiny_lvdm.vae_weights(vae, LEVELS),
        "cond_stage_model.model.": text.state_dict(),
    }
    every = {prefix + name: t for prefix, part in parts.items() for name, t in part.items()}
    return every | {"betas": torch.zeros(1000), "scale_arr": torch.ones(1400)}


@pytest.fixture
def checkpoint(weights, tmp_path):
    path = tmp_path / "a checkpoint" / "model.ckpt"
    path.parent.mkdir()
    torch.save({"state_dict": weights}, path)
    tiny_clip.tiny_tokenizer().save_pretrained(path.parent / "tokenizer")
    return path


def test_unet_does_what_its_authors_does(unet):
    from diffusers import UNet3DConditionModel

    weights = unet.state_dict()
    ours = UNet3DConditionModel(**unet_layout(weights).config()).eval()
    ours.load_state_dict(convert_unet(weights, FPS))
    video, times, context = draw(2, 4, 3, 8, 12), torch.tensor([7, 801]), draw(2, 5, TEXT)
    with torch.no_grad():
        expected = unet(video, times, context, FPS)
        assert (ours(video, times, context).sample - expected).abs().max() < SINGLE
        assert (unet(video, times, context, 8.0) - expected).abs().max() > 10 * SINGLE


def test_released_size_fits_the_library_s_unet():
    """Every weight has its place, in the shape that the library expects by default."""
    from diffusers import UNet3DConditionModel

    with torch.device("meta"):
        theirs = tiny_lvdm.UNet(base=320, multiples=(1, 2, 4, 4), layers=2, head=64, text=1024)
        ours = UNet3DConditionModel()
    weights = {
        name: torch.zeros(tensor.shape) if name.startswith(("fps_", "time_")) else tensor
        for name, tensor in theirs.state_dict().items()
    }
    layout = unet_layout(weights)
    for name, value in layout.config().items():
        assert name == "sample_size" or tuple(flat(ours.config[name])) == tuple(flat(value))
    converted = convert_unet(weights, FPS)
    expected = {name: tensor.shape for name, tensor in ours.state_dict().items()}
    assert {name: tensor.shape for name, tensor in converted.items()} == expected
    assert len(expected) == 1480


def flat(value):
    return value if isinstance(value, list | tuple) else (value,)


def test_folder_is_a_prior_like_any_other(checkpoint, tmp_path, unet, text, vae):
    out = tmp_path / "converted"
    assert main(["convert", "videocrafter2", str(checkpoint), str(out)]) == 0
    prior = load_prior(out)
    assert isinstance(prior.schedule, ScaledSignalSchedule)
    assert prior.schedule.factors[[0, 399, 999]].tolist() == pytest.approx([1, 0.7, 0.7])
    assert (prior.format.frames, prior.format.height, prior.format.width) == (16, 320, 512)
    tokenizer = tiny_clip.tiny_tokenizer()
    ids = tokenizer(CAPTIONS[0]).input_ids
    padded = torch.tensor([ids + [0] * (tiny_clip.LENGTH - len(ids))])
    conditioning = prior.embed([CAPTIONS[0]])
    sigma = prior.snap(torch.tensor([2.0]))
    x, time = draw(1, 4, 3, 8, 12), prior.schedule.time(sigma)
    frames = draw(1, 2, 3, 32, 32).sigmoid()
    with torch.no_grad():
        context = text(padded)
        assert (conditioning.tensors["embeddings"] - context).abs().max() < SINGLE
        expected = unet(x, time, context, FPS)
        output = prior.denoiser.predict(x, time, conditioning)
        assert (output - expected).abs().max() < SINGLE
        latents = vae.encode(frames[0] * 2 - 1).latent_dist.mode() * 0.18215
        assert (prior.encode(frames)[0].transpose(0, 1) - latents).abs().max() < SINGLE
        decoded = (vae.decode(latents / 0.18215).sample / 2 + 0.5).clamp(0, 1)
        assert (prior.decode(latents.transpose(0, 1)[None])[0] - decoded).abs().max() < SINGLE


def make_port(folder, top, unet):
    """A converted folder as the community's port: the frame rate's embedding by itself."""
    place = folder / "unet"
    config = json.loads((place / "config.json").read_text())
    config |= {"_class_name": "UNet3DVideoCrafterConditionModel", "fps_cond": True}
    (place / "config.json").write_text(json.dumps(config))
    path = place / "diffusion_pytorch_model.safetensors"
    weights, fps = load_file(path), unet.fps_embedding
    weights["time_embedding.linear_2.bias"] = unet.time_embed[2].bias.detach().clone()
    for layer, module in ((1, fps[0]), (2, fps[2])):
        weights[f"fps_embedding.linear_{layer}.weight"] = module.weight.detach().clone()
        weights[f"fps_embedding.linear_{layer}.bias"] = module.bias.detach().clone()
    save_file(weights, path, {"format": "pt"})
    if top:
        for path in place.iterdir():
            path.rename(folder / path.name)
        place.rmdir()


@pytest.mark.parametrize("top", [False, True])
def test_the_community_s_port_is_converted_too(checkpoint, tmp_path, unet, top):
    plain, port, out = tmp_path / "plain", tmp_path / "port", tmp_path / "out"
    convert(checkpoint, plain)
    shutil.copytree(plain, port)
    make_port(port, top, unet)
    if not top:
        with pytest.raises(ValueError, match=r"got UNet3DVideoCrafter.* `motiondistill convert"):
            load_prior(port)
    convert(port, out)
    assert (out / "scheduler/scheduler_config.json").read_text() == (
        plain / "scheduler/scheduler_config.json"
    ).read_text()
    for part in ("unet", "vae", "text_encoder"):
        (ours,), (expected,) = ((f / part).glob("*.safetensors") for f in (out, plain))
        ours, expected = load_file(ours), load_file(expected)
        assert ours.keys() == expected.keys()
        # The folded bias is a product of matrices, which rounds as memory lies.
        assert all((ours[name] - expected[name]).abs().max() < ROUNDING for name in expected)
    with pytest.raises(ValueError, match=r"got 'UNet3DConditionModel' in .* need no conversion"):
        convert(plain, tmp_path / "again")
    shutil.rmtree(port / "vae")
    with pytest.raises(FileNotFoundError, match=r"vae/config\.json` is missing"):
        convert(port, tmp_path / "again")


def test_other_checkpoints_are_refused_and_leave_nothing(checkpoint, weights, tmp_path):
    out = tmp_path / "out"
    prefix = "model.diffusion_model."
    changes = (
        ({f"{prefix}a.relative_position_k": torch.ones(1)}, (), "relative positions or image"),
        ({}, "cond_stage_model", r"nothing named cond_stage_model\.model\.\*"),
        ({}, f"{prefix}middle_block.1", "lacks .middle_block"),
        ({f"{prefix}out.2.bias": torch.ones(5)}, (), r"1 weights of its unet .*conv_out\.bias"),
        (
            {},
            f"{prefix}output_blocks.0.0.temopral",
            r"16 weights of its unet are .*first: up_blocks\.0\.temp_convs\.0",
        ),
    )
    for added, removed, message in changes:
        kept = {k: v for k, v in weights.items() if not removed or not k.startswith(removed)}
        torch.save({"state_dict": kept | added}, checkpoint)
        with pytest.raises(ValueError, match=message):
            convert(checkpoint, out)
    with pytest.raises(FileNotFoundError, match="`CKPT` must be VideoCrafter2's checkpoint file"):
        convert(tmp_path / "nowhere", out)
    out.mkdir()
    with pytest.raises(FileExistsError, match="`OUT` must not exist yet"):
        convert(checkpoint, out)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a checkpoint", "out"]


def test_a_failure_while_writing_leaves_nothing(checkpoint, tmp_path, monkeypatch):
    from diffusers import AutoencoderKL

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(AutoencoderKL, "save_pretrained", fail)
    with pytest.raises(OSError, match="disk full"):
        convert(checkpoint, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["a checkpoint"]


def test_checkpoints_that_hold_programs_are_not_run(checkpoint, tmp_path):
    torch.save({"state_dict": print}, checkpoint)
    with pytest.raises(ValueError, match=r"must hold tensors only.*; download model\.ckpt") as told:
        convert(checkpoint, tmp_path / "out")
    assert "allow_pickle" not in str(told.value), "there is no such option here"


@pytest.mark.parametrize("content", [{"state_dict": [1]}, {1: torch.ones(1)}, {"epoch": 3}])
def test_checkpoints_of_anything_but_named_tensors_are_refused(content, checkpoint, tmp_path):
    torch.save(content, checkpoint)
    with pytest.raises(
        ValueError, match=r"`CKPT` must hold tensors by name, but .* something else"
    ):
        convert(checkpoint, tmp_path / "out")


def test_files_that_are_no_checkpoints_are_told(checkpoint, tmp_path):
    checkpoint.write_bytes(bytes(range(7, 200)))
    with pytest.raises(ValueError, match="must be a complete PyTorch file, but starts with"):
        convert(checkpoint, tmp_path / "out")


def test_other_words_are_refused(checkpoint, tmp_path, capsys):
    words = ["convert", "videocrafter2", str(checkpoint), str(tmp_path / "out"), "fps=8"]
    assert main(words) == 2
    assert "`convert` has no settings, got fps=8; leave it out" in capsys.readouterr().err
    assert main(["convert", "sora", "a", "b"]) == 2
    assert "choose from 'videocrafter2'" in capsys.readouterr().err


def test_another_tokenizer_is_refused(checkpoint, tmp_path):
    from transformers import CLIPTokenizer

    vocab = {"a</w>": 0, "!": 1, "<|startoftext|>": 2, "<|endoftext|>": 3}
    CLIPTokenizer(vocab=vocab, merges=[]).save_pretrained(checkpoint.parent / "tokenizer")
    with pytest.raises(ValueError, match="must be CLIP's tokenizer, whose token 0 is '!'"):
        convert(checkpoint, tmp_path / "out")
