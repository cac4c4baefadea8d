"""Whole tiny trainings of the shipped priors, by both scripts."""

import json
from pathlib import Path

import pytest
import torch
import train_embedded_prior
import train_image_prior
from embedded_training import samples

from motiondistill.body.skinning import SkinnedBody
from motiondistill.priors import load_prior, sample
from motiondistill.randomness import seeded

TINY = "--steps 2 --batch 2 --threads 1 --device cpu".split()


@pytest.fixture(scope="module")
def video_training(low_body: SkinnedBody, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole training of the video prior, two steps long."""
    out = tmp_path_factory.mktemp("video")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train_embedded_prior, "anny_body", lambda *_: low_body)
        patch.setattr(samples, "_STEPS", 1)
        words = "--clips 4 --validation-clips 2 --size 32 --codec-steps 2 --width 16 --layers 1"
        train_embedded_prior.main([*TINY, *words.split(), "--out", str(out)])
        # Everything is there: nothing is done again.
        before = (out / "codec.safetensors").stat().st_mtime_ns
        train_embedded_prior.main([*TINY, *words.split(), "--out", str(out)])
        assert (out / "codec.safetensors").stat().st_mtime_ns == before
    torch.use_deterministic_algorithms(False)
    return out


def test_the_video_training_writes_a_prior(video_training: Path) -> None:
    prior = load_prior(video_training / "pipeline")
    assert (prior.format.frames, prior.format.height, prior.format.fps) == (16, 32, 8.0)
    latents = sample(prior, ["a person walks, back view"], generator=seeded(0), num_steps=2)
    assert latents.shape == (1, 4, 16, 8, 8) and bool(latents.isfinite().all())
    assert len(list((video_training / "samples").glob("step_00000002_*.png"))) == 2
    last = (video_training / "denoiser" / "figures.jsonl").read_text().splitlines()[-1]
    assert {"loss", "rate", "validation/mean", "validation/750-1000"} <= json.loads(last).keys()


@pytest.mark.slow
def test_the_image_training_writes_a_prior_with_the_same_codec(
    video_training: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(samples, "_STEPS", 1)
    words = ["--video", str(video_training), "--out", str(tmp_path), "--width", "8"]
    train_image_prior.main([*TINY, *words])
    torch.use_deterministic_algorithms(False)
    image, video = (load_prior(folder / "pipeline") for folder in (tmp_path, video_training))
    assert (image.format.frames, image.format.height) == (1, 32)
    latents = sample(image, ["a person walks, back view"], generator=seeded(0), num_steps=2)
    assert latents.shape == (1, 4, 1, 8, 8) and bool(latents.isfinite().all())
    picture = torch.rand(1, 1, 3, 32, 32, generator=seeded(0))
    frames = picture.expand(1, 16, 3, 32, 32)
    torch.testing.assert_close(image.encode(picture)[:, :, 0], video.encode(frames)[:, :, 5])
    assert len(list((tmp_path / "samples").glob("*.png"))) == 1


@pytest.mark.slow
def test_a_training_starts_from_a_shipped_prior(
    video_training: Path, low_body: SkinnedBody, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its codec is kept, its denoiser trained on."""
    monkeypatch.setattr(train_embedded_prior, "anny_body", lambda *_: low_body)
    monkeypatch.setattr(samples, "_STEPS", 1)
    words = "--clips 2 --validation-clips 2 --size 32 --rate 0 --codec-steps 0".split()
    start = ["--start", str(video_training / "pipeline"), "--out", str(tmp_path)]
    train_embedded_prior.main([*TINY, *words, *start])
    torch.use_deterministic_algorithms(False)
    assert not (tmp_path / "codec").exists(), "no training of the codec"
    for part in ("vae/diffusion_pytorch_model", "transformer/diffusion_pytorch_model"):
        name = f"pipeline/{part}.safetensors"
        assert (tmp_path / name).read_bytes() == (video_training / name).read_bytes()
    for path in (tmp_path / "pipeline").rglob("*.json"):
        assert str(video_training) not in path.read_text(), (
            "folders of this machine are not shipped"
        )
