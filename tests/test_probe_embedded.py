"""The page of the embedded prior's probe: who was asked what, and the figures as they are."""

import json
from pathlib import Path

import probe_embedded
import pytest
from probe_summaries import WALK, figures, kind, summary

from motiondistill.cli import main

ABOUT = {"commit": "abc", "torch": "2"}
CRAWL = "a person crawls"


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What was asked; every probe finds the same, comparisons are real."""
    given: list[list[str]] = []

    def quick(words: list[str]) -> int:
        given.append(words)
        if "--compare" in words:
            return main(words)
        folder = Path(words[words.index("--out") + 1])
        folder.mkdir(parents=True, exist_ok=True)
        known = figures(0.87, 0.51, "above")
        found = summary({"wrong action": kind("wrong action", known, prompts=(CRAWL, WALK))})
        found |= {"about": ABOUT, "left_out": {"a person juggles": "unknown"}}
        (folder / "summary.json").write_text(json.dumps(found))
        return 0

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(probe_embedded, "motiondistill", quick)
    return given


def page() -> str:
    return probe_embedded.PAGE_FILE.read_text(encoding="utf-8")


def test_every_source_and_prior_is_asked_the_same(calls: list[list[str]]) -> None:
    more = ["--set", "probe.draws=1"]
    probe_embedded.main(["--mocap", "here", "--beside", "a/b", "gaussian", "--out", "out", *more])
    beside, brief = "out/beside", probe_embedded.BRIEF
    others = ("embedded", "a-b", "gaussian")
    comparison = Path(calls[-1].pop())
    assert not comparison.parent.exists()
    assert calls == [
        ["probe", "--out", "out/parametric", "probe.draws=1"],
        ["probe", "--out", "out/recordings", "--motions", "here", "probe.draws=1"],
        ["probe", "--out", f"{beside}/embedded", "prior.model=embedded", "probe.draws=1", *brief],
        ["probe", "--out", f"{beside}/a-b", "prior.model=a/b", "probe.draws=1", *brief],
        [
            *("probe", "--out", f"{beside}/gaussian", "prior.model=gaussian", "probe.draws=1"),
            *(*brief, "probe.null_copies=0"),
        ],
        ["probe", "--compare", *(f"{beside}/{each}" for each in others), "--out"],
    ]
    called = "probe_embedded.py --mocap FOLDER --beside a/b gaussian --set probe.draws=1"
    assert page().count(f"Command: `python experiments/{called}`; seed 0;\ncommit abc;") == 2
    assert Path("results/probe_embedded/comparison.png").is_file()
    before = page()
    probe_embedded.main(["--mocap", "here", "--beside", "a/b", "gaussian", "--out", "out", *more])
    assert page() == before, "finished probes give the same page again"


def test_the_figures_are_those_of_the_probe(calls: list[list[str]]) -> None:
    probe_embedded.main([])
    assert calls == [["probe", "--out", "runs/probe_embedded/parametric"]]
    text = page()
    (row,) = [line for line in text.splitlines() if line.startswith("| wrong action | Do ")]
    said = (
        "0.87 (0.86 to 0.88) | 0.51 (0.50 to 0.52) | 0.36 (0.35 to 0.37) | above random weights |"
    )
    assert row.endswith(said)
    common, rare = text.index(f"| {WALK} | common | 0.87 |"), text.index(f"| {CRAWL} | ")
    assert common < rare and "no motion here shows them: 1." in text
    assert "Command: `python experiments/probe_embedded.py`;" in text
    assert "## Recordings" not in text and "## Beside" not in text
    assert f"| wrong action | **{said.split(' | ')[0]}** |" in text.split("### By noise level")[1]


def test_a_probe_that_fails_or_was_stopped_leaves_no_page(
    calls: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe_embedded, "motiondistill", lambda words: 130)
    with pytest.raises(SystemExit) as caught:
        probe_embedded.main([])
    assert caught.value.code == 130 and not calls and not probe_embedded.PAGE_FILE.exists()
