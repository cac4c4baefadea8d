"""The two choices before the embedded prior's training can be asked again, from end to end."""

import math
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import imageio.v3
import pytest
import torch
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from torch import Tensor, nn

sys.path.append(str(Path(__file__).parent.parent / "experiments"))

import appearance
import embedded_families
from embedded_choices.families import CANDIDATES, clip_batch
from embedded_training.clips import Clips, Plan
from embedded_training.codec import Rebuilding
from embedded_training.networks import build_codec, seeded_weights

from motiondistill.body.skinning import SkinnedBody
from motiondistill.randomness import seeded


def rows_of(page: Path) -> dict[str, list[str]]:
    """The cells of each row of the page by the first of them."""
    lines = page.read_text(encoding="utf-8").splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {name: cells for name, *cells in rows}


def numbers(cells: Sequence[str]) -> list[float]:
    """The numbers of a row, of which some cells hold two."""
    words = " ".join(cells).replace("/", " ").replace("of", " ").split()
    return [float(word) for word in words]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, low_body: SkinnedBody, tmp_path: Path) -> None:
    """Both experiments with the shared body and little to do."""
    for script in (appearance, embedded_families):
        monkeypatch.setattr(script, "anny_body", lambda *_: low_body)
        monkeypatch.setattr(script, "RESULTS", tmp_path / "pictures")
    monkeypatch.setattr(appearance, "DOUBLES", 1)
    monkeypatch.setattr(appearance, "PARAMETRIC", appearance.PARAMETRIC[:2])
    monkeypatch.setattr(embedded_families, "HELD_OUT", 2)
    monkeypatch.setattr(embedded_families, "VIEWS", 1)
    monkeypatch.setattr(embedded_families, "TRAINING_BATCH", 1)


@pytest.mark.slow
@pytest.mark.usefixtures("small")
def test_the_appearances_are_compared(tmp_path: Path, low_body: SkinnedBody) -> None:
    words = ["--out", str(tmp_path), *"--clips 2 --fit-steps 1 --codec-steps".split()]
    appearance.main([*words, "1"])
    rows = rows_of(tmp_path / "appearance.md")
    start, *compared = rows
    assert start == "(the start of the fits)"
    assert compared == list(appearance.looks(low_body))
    assert {len(cells) for cells in rows.values()} == {11}
    for name in compared:
        fitted = rows[name] if "back" not in name else [rows[name][0], *rows[name][-2:]]
        assert all(map(math.isfinite, numbers(fitted))), name
    assert rows["part colours"][4].endswith(" of 12"), "limbs, views, motions"
    drawn = imageio.v3.imread(tmp_path / "pictures" / "appearances.png")
    assert drawn.shape == (2 * 2 * 64 * len(compared), 2 * 64, 3) and drawn.std() > 10
    # All stages are done: nothing is made again, and another recipe is refused.
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.safetensors")}
    appearance.main([*words, "1"])
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.safetensors")} == before
    assert rows_of(tmp_path / "appearance.md") == rows
    with pytest.raises(ValueError, match="made with codec_steps=2, got 1"):
        appearance.main([*words, "2"])


@pytest.mark.slow
@pytest.mark.usefixtures("small")
def test_the_families_are_compared(tmp_path: Path) -> None:
    embedded_families.main(["--clips", "2", "--budget", "1e-3", "--out", str(tmp_path)])
    header, *compared = (rows := rows_of(tmp_path / "families.md"))
    assert compared == list(CANDIDATES)
    for name in compared:
        figures = dict(zip(rows[header], numbers(rows[name]), strict=True))
        assert all(map(math.isfinite, figures.values())), name
        assert figures["steps"] == 1, "the least"
        assert min(figures["encode"], figures["denoise"], figures["training step"]) > 0
    drawn = imageio.v3.imread(tmp_path / "pictures" / "families.png")
    assert drawn.shape == (2 * 4 * 64, 8 * 64, 3) and drawn.std() > 10


class Unfolded(nn.Module):
    """A codec of frames as one of clips [B 3 F H W] with latents [B C F h w]."""

    def __init__(self, codec: Any) -> None:
        super().__init__()
        self.codec = codec

    def encode(self, videos: Tensor) -> Any:
        moments = self.codec.encode(frames_of(videos)).latent_dist.parameters
        unfolded = moments.unflatten(0, (len(videos), -1)).transpose(1, 2)
        return SimpleNamespace(latent_dist=DiagonalGaussianDistribution(unfolded))

    def decode(self, latents: Tensor) -> Any:
        images = self.codec.decode(frames_of(latents)).sample
        return SimpleNamespace(sample=images.unflatten(0, (len(latents), -1)).transpose(1, 2))


def frames_of(clips: Tensor) -> Tensor:
    """[B C F h w] as [BF C h w]."""
    return clips.transpose(1, 2).flatten(0, 1)


@torch.no_grad()
def test_the_loss_of_a_clip_is_the_mean_of_its_frames() -> None:
    """A codec of clips and one of frames are trained alike."""
    generator, codec = seeded(0), seeded_weights(0, build_codec, 32)
    videos = torch.rand(2, 3, 5, 32, 32, generator=generator)
    noise = torch.randn(2, 4, 5, 8, 8, generator=generator)
    # Divergences as large as errors: else a wrong sum of them would not be seen.
    codec.quant_conv.bias[:4] += 50
    clips = Rebuilding(Unfolded(codec))(videos, noise)
    frames = Rebuilding(codec)(frames_of(videos), frames_of(noise))
    torch.testing.assert_close(clips, frames.view(2, 5).mean(1))


@pytest.mark.parametrize("name", [name for name in CANDIDATES if "LTX" in name])
def test_batches_of_clips_are_whole_clips_and_noise_for_their_latents(name: str) -> None:
    count = torch.arange(3 * 17, dtype=torch.uint8).view(3, 17, 1, 1, 1)
    clips = Clips(Plan(3, 0, 64, "none"), count.expand(3, 17, 3, 64, 64).split(2), (), ())
    codec = CANDIDATES[name].build_codec()
    batch = clip_batch(clips, codec, 4, seeded(0))
    first = (255 * batch["images"][:, 0, :, 0, 0]).round().long()
    assert set((first[:, 0] // 17).tolist()) <= {0, 1, 2} and bool((first[:, 0] % 17 == 0).all())
    assert bool((first - first[:, :1] == torch.arange(17)).all())
    with torch.no_grad():
        latents = codec.encode(batch["images"]).latent_dist.mean
    assert batch["noise"].shape == latents.shape
