"""Probes side by side: what was not asked alike, what they are called, and which are refused."""

import json
from pathlib import Path
from typing import Any

import pytest
from probe_summaries import figures, kind, summary

from motiondistill import config as configs
from motiondistill.bookkeeping.probe_files import SUMMARY, write_summary
from motiondistill.cli import main
from motiondistill.report import probe_comparison
from motiondistill.report.probe_comparison import write_comparison
from motiondistill.schema.jobs import ProbeConfig

HERE, OTHERS = {"about": {"motions": "here"}}, {"about": {"motions": "others"}}
PARAMETRIC: dict[str, Any] = {"about": {"motions": None}}


@pytest.fixture(autouse=True)
def no_image(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing takes most of the time, and is tested elsewhere."""
    monkeypatch.setattr(probe_comparison, "write_png", lambda *_: None)


def probe(model: str = "x", **more: Any) -> dict[str, Any]:
    """The summary of a probe of this model."""
    found = summary({"reversed": kind("reversed", figures(0.6, 0.4, "above"))})
    return found | {"prior": {"model": model, "weights": "pretrained"}} | more


def compared(folder: Path, *summaries: dict[str, Any]) -> list[str]:
    """What a comparison tells that was not asked alike, in its file and on its page."""
    probes = {f"{place}": each for place, each in enumerate(summaries)}
    page = write_comparison(folder, probes).read_text(encoding="utf-8")
    told: list[str] = json.loads((folder / "comparison.json").read_text())["not_asked_alike"]
    assert ("Not asked alike" in page) == bool(told)
    return told


def settings(*overrides: str) -> dict[str, Any]:
    given = configs.load(ProbeConfig, None, [*overrides])
    return {"config": configs.to_dict(given)}


@pytest.mark.parametrize(
    "words", ["prior.negative_prompt=nobody", "prior.tiny_autoencoder=x", "prior.encode=latent"]
)
def test_what_a_prior_is_asked_with_is_told(words: str, tmp_path: Path) -> None:
    other = probe("y", **settings(words))
    assert compared(tmp_path, probe(**settings()), other) == [words.partition("=")[0]]


def test_who_answers_and_on_which_machine_is_no_other_question(tmp_path: Path) -> None:
    free = [
        *("prior.model=a/b", "prior.revision=main", "prior.weights=random"),
        *("prior.device=cuda", "prior.text_device=cuda", "prior.dtype=bfloat16"),
        *("prior.vae_dtype=bfloat16", "prior.text_dtype=float32", "prior.batch_size=1"),
        *("prior.compile=true", "prior.allow_pickle=true", "prior.encode=two_pass"),
        *("run.threads=1", "probe.null_copies=0"),
    ]
    assert compared(tmp_path, probe(**settings()), probe("y", **settings(*free))) == []


@pytest.mark.parametrize(
    ("about", "expected"),
    [
        ((HERE, HERE), []),
        ((HERE, OTHERS), ["--motions"]),
        ((HERE, PARAMETRIC), ["--motions"]),
        ((HERE, HERE, {}), ["--motions (not told by all)"]),
        ((PARAMETRIC, {"about": {}}), ["--motions (not told by all)"]),
        ((HERE, OTHERS, {}), ["--motions"]),
        (({}, {}), []),
    ],
)
def test_motions_from_other_places_are_told(
    about: tuple[dict[str, Any], ...], expected: list[str], tmp_path: Path
) -> None:
    assert compared(tmp_path, *(probe(**each) for each in about)) == expected


def test_a_probe_that_stopped_early_is_not_compared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, finished in (("a", True), ("b", False)):
        (tmp_path / name).mkdir()
        write_summary(tmp_path / name, probe(finished=finished))
    both = ["probe", "--compare", str(tmp_path / "a"), str(tmp_path / "b")]
    assert main([*both, "--out", str(tmp_path / "c")]) == 2
    told = f"`--compare` must name a finished probe, got {tmp_path / 'b'}, which stopped early; "
    assert f"{told}repeat its command, which goes on." in capsys.readouterr().err
    assert not (tmp_path / "c").exists()


def test_probes_of_one_prior_have_different_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the shortest ends of their folders' paths, also where they are told by their files."""
    monkeypatch.chdir(tmp_path)
    given = ("a/probe", f"b/{SUMMARY}", "b/probe", f"c/probe/{SUMMARY}", ".")
    for name in given:
        folder = tmp_path / name.removesuffix(SUMMARY)
        folder.mkdir(parents=True, exist_ok=True)
        write_summary(folder, probe())
    words = ["probe", "--compare", *given, str(tmp_path / "b"), "--out", "out"]
    assert main(words) == 0
    figures = json.loads((tmp_path / "out/comparison.json").read_text())["figures"]
    ends = ["a/probe", "b", "b/probe", "c/probe", tmp_path.name]
    assert [each["prior"] for each in figures] == [f"x, {end}" for end in ends]
    words = ["probe", "--compare", "b", f"b/{SUMMARY}", "--out", "other"]
    assert main(words) == 2
