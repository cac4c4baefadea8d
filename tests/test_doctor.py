"""What the checkup finds is what is there; what it cannot do it tells, with a remedy."""

from pathlib import Path
from typing import Any

import pytest
import standin_smplx

from motiondistill.checkup import machine
from motiondistill.checkup.machine import Finding, examine
from motiondistill.cli import main


@pytest.fixture(scope="module")
def found() -> dict[str, Finding]:
    return {finding.name: finding for finding in examine()}


def test_all_that_the_defaults_need_works(found: dict[str, Finding]) -> None:
    needed = ("body.name=anny", "render.rasterizer=cpu", "prior.model=embedded", "videos", "cache")
    assert {found[name].state for name in needed} == {"works"}
    assert found["body.name=anny"].told == "1229 vertices"
    assert found["prior.model=embedded"].told == "loaded, 16 x 64 x 64 at 8 frames a second"


def test_what_is_not_here_has_a_remedy(found: dict[str, Finding]) -> None:
    for finding in found.values():
        assert finding.told
        assert (finding.remedy != "") == (finding.state != "works"), finding


def test_a_model_of_smplx_is_loaded_from_where_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMPLX_DIR", str(tmp_path))
    assert machine._smplx().state == "optional"
    (tmp_path / "SMPLX_NEUTRAL.npz").touch()
    assert machine._smplx().state == "broken", "an empty file is no model"
    path = standin_smplx.save(tmp_path)
    assert machine._smplx().told.startswith(f"{path}, ")


def test_a_library_is_imported_or_told_by_its_extra() -> None:
    assert machine._library("x", "json", "extra").state == "works"
    finding = machine._library("x", "no_such_package", "extra")
    assert (finding.state, finding.remedy) == ("optional", 'pip install "motiondistill[extra]"')


def test_what_breaks_is_told_and_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: Any) -> None:
        raise OSError("no ffmpeg [at all]")

    monkeypatch.setattr(machine, "save_video", broken)
    monkeypatch.setattr(machine, "SHIPPED", {})  # it takes long to load
    assert main(["doctor"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert any(line.split()[:2] == ["videos", "broken"] for line in lines)
    assert any("no ffmpeg [at all]" in line for line in lines), "no markup"
    assert lines[-1].startswith("videos is broken; try: pip install --force-reinstall imageio-ff")
    monkeypatch.undo()
    monkeypatch.setattr(machine, "SHIPPED", {})
    assert main(["doctor"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "All that the default settings need works."
