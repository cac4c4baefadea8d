"""What `motiondistill probe` refuses once it knows the prior, and how it says so."""

from pathlib import Path

import pytest
import torch

from motiondistill.bookkeeping.out_of_memory import remedies_of_probe
from motiondistill.building.probe import make_study
from motiondistill.cli import main
from motiondistill.commands import probe
from motiondistill.config import load
from motiondistill.schema.jobs import ProbeConfig

TINY = ["prior.model=gaussian", "camera.size=[16,16]", "probe.null_copies=0"]


def test_slides_that_frames_cannot_show_are_told() -> None:
    """Eight frames a second show four periods of the sway, each of 0.8 m."""
    told = (
        r"`probe\.slide_speed` must be below 3\.2 m/s for the prior's 8 frames a second, .* "
        r"got 3\.2; set it to 1\.6 or less\."
    )
    with pytest.raises(ValueError, match=told):
        make_study(load(ProbeConfig, None, [*TINY, "probe.slide_speed=3.2"]))


def test_slides_that_frames_show_are_asked_for() -> None:
    config = load(ProbeConfig, None, [*TINY, "probe.slide_speed=3.19"])
    assert make_study(config).settings.slide_speed == 3.19


def test_too_little_memory_is_told_by_the_keys_that_help(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(config: ProbeConfig) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    monkeypatch.setattr(probe, "make_study", full)
    assert main(["probe", "--set", "paper", "--out", str(tmp_path / "p")]) == 2
    told = capsys.readouterr().err
    assert "one clip asks of them, but 2.00 GiB more were wanted; try prior.batch_size=1, " in told
    assert "probe.null_copies=2" in told
    assert not (tmp_path / "p").exists()


def test_remedies_are_settings_that_there_are_and_end() -> None:
    tried = ["render.supersampling=2", "camera.size=[32,32]"]
    while len(found := remedies_of_probe(load(ProbeConfig, None, tried))) > 1:
        tried = [*tried, found[0]]
        assert len(tried) < 20
    assert found == ["a camera.size below [32, 32]"]
    keys = {word.split("=")[0] for word in tried[2:]}
    assert keys == {
        *("prior.batch_size", "probe.null_copies", "prior.encode", "gradient.draws"),
        "render.supersampling",
    }
