"""A folder of one job is refused by another by its name, not by its keys."""

from pathlib import Path

import pytest

from motiondistill import config as configs
from motiondistill.bookkeeping import resuming, store
from motiondistill.cli import main
from motiondistill.schema.jobs import JOBS, LatentsConfig, ProbeConfig

CLIPS = ["latents", "x", "--resume", "--out"]
WORDS = {
    "probe": ["probe", "--set", "paper", "--out"],
    "diagnose": ["diagnose", "a person walks", "--out"],
    "latents": CLIPS,
    "optimize": ["optimize", "x", "--resume", "--out"],
    "report": ["report"],
}


@pytest.mark.parametrize("command", WORDS)
def test_another_jobs_folder_is_told_by_that_job(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = "optimize" if command == "report" else command
    key = "RUN" if command == "report" else "--out"
    other = "probe" if command == "latents" else "latents"
    store.write_config(tmp_path, JOBS[other](), {"prompt": "x", "prompts": ["x"]})
    assert main([*WORDS[command], str(tmp_path)]) == 2
    told = capsys.readouterr().err
    assert f"`{key}` must be a folder of `motiondistill {wanted}`, got {tmp_path}, of " in told
    assert f"of `motiondistill {other}`; name another." in told


def test_a_configuration_tells_its_job_and_nothing_is_asked_of_older_ones(tmp_path: Path) -> None:
    store.write_config(tmp_path, ProbeConfig(), {"prompt": None})
    path = tmp_path / resuming.CONFIG
    assert configs.read_about(path) == {"job": "probe", "prompt": None}
    resuming.check_job("--out", path, ProbeConfig)
    path.write_text(path.read_text().replace("  job: probe\n", ""))
    resuming.check_job("--out", path, LatentsConfig)


@pytest.mark.parametrize("holds", ["[1, 2]", '{"rows": []}'])
def test_figures_of_another_job_are_no_probes(
    holds: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "summary.json").write_text(holds)
    both = ["--compare", str(tmp_path / "a"), str(tmp_path / "b")]
    assert main(["probe", *both, "--out", str(tmp_path / "c")]) == 2
    told = capsys.readouterr().err
    assert "`--compare` must hold the figures of a probe, got " in told
    assert "which holds others; name a folder that `motiondistill probe` made." in told


def test_a_prior_that_is_none_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["latents", "x", "prior.model=[ ]"]) == 2
    assert "`prior.model` must name a prior, or several in brackets" in capsys.readouterr().err
