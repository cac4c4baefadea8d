"""Pages of probes speak the words that they define, tell what is missing, and lead to the data."""

import csv
import json
import re
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from browser import opened_page
from probe_summaries import WALK, WAVE, figures, gradients, kind, summary

from motiondistill.bookkeeping.probe_files import read_figures, read_summary, write_summary
from motiondistill.cli import main
from motiondistill.probing.pairs import KINDS
from motiondistill.probing.ranking import VERDICTS
from motiondistill.probing.summary import DEFINITIONS
from motiondistill.report import probe_table, probe_words
from motiondistill.report.heat_colours import READABLE, contrast
from motiondistill.report.probe_comparison import write_comparison
from motiondistill.report.probe_page import write_page

ENDS = {"value": "", "low": "_low", "high": "_high"}
ABOVE, UNDECIDED = figures(0.9, 0.5, "above"), figures(0.6, 0.4, "undecided")


def some(*names: str, **more: Any) -> dict[str, Any]:
    kinds = {name: kind(name, UNDECIDED, prompts=[WALK, WAVE]) for name in names}
    return summary(kinds, **more)


def page_of(found: dict[str, Any], folder: Path) -> str:
    folder.mkdir(exist_ok=True)
    return write_page(folder, found).read_text(encoding="utf-8")


def heads(table: str) -> list[str]:
    return [unescape(each) for each in re.findall(r'<th scope="col"[^>]*>([^<]*)</th>', table)]


def linked(page: Path) -> list[Path]:
    """Where the links of the page lead."""
    found = re.findall(r'<a href="([^"]+)"', page.read_text(encoding="utf-8"))
    return [page.parent / unquote(unescape(each)) for each in found]


def test_every_column_and_every_row_of_figures_is_defined_by_its_own_word(tmp_path: Path) -> None:
    page = page_of(some("reversed", "frozen", gradients=gradients(0.1)), tmp_path)
    defined = re.findall(r'<th scope="row">([^<]+)<', page.split("<summary>Definitions")[1])
    first, second = re.findall(r'<table class="facts">.*?</table>', page)[:2]
    assert heads(first) == heads(second)
    assert {*heads(first)} <= {*defined} and "" not in heads(first)
    assert {"cosine", "signal to noise", "level", "view", "interval"} <= {*defined}
    columns = [str(each.header) for each in probe_table.table(some("reversed")).columns]
    assert {*columns} <= {*defined} and {"preferred", "verdict"} <= {*columns}
    for key in ("auc", "null", "above_null"):
        assert f"<small>{key} in summary.json</small>" in page


def test_keys_of_figures_are_defined() -> None:
    assert {*ABOVE} <= {*DEFINITIONS}
    for word in VERDICTS:
        assert word in DEFINITIONS["verdict"]
    assert {*probe_words.VERDICTS} == {*VERDICTS, None}


def test_kinds_that_could_not_be_asked_tell_why(tmp_path: Path) -> None:
    page = page_of(some("reversed"), tmp_path)
    left_out = page.split("<h2>Left out</h2>")[1]
    assert "No clip could be asked: the prompt names no side, left or right, or names" in left_out
    always = {"no words", "frozen", "shuffled", "jittered"}
    assert {each.name for each in KINDS if not each.unasked} == always


def test_brackets_mean_unequal_complexity_everywhere(tmp_path: Path) -> None:
    found = some("reversed", "frozen")
    assert list(probe_table.table(found).columns[0].cells) == ["reversed", "(frozen)"]
    page = page_of(found, tmp_path)
    assert page.count(">(frozen)<") == 4  # a table, and maps by level, view and prompt
    assert "0.60?<" in page and "(0.60" not in page


def test_a_page_leads_to_what_lies_beside_it(tmp_path: Path) -> None:
    found = some("reversed", gradients=gradients(0.1))
    for name in ("rows.csv", "gradients.csv", "config.yaml"):
        (tmp_path / name).write_text("x")
    write_summary(tmp_path, found)
    files = linked(write_page(tmp_path, found))
    assert all(file.is_file() for file in files)
    names = {"rows.csv", "gradients.csv", "summary.json", "config.yaml", "maps.png"}
    assert {file.name for file in files} == names | {"gradients.png"}
    without = linked(write_page(tmp_path, found | {"gradients": None}))
    assert {file.name for file in without} == names - {"gradients.csv"}


def test_a_comparison_leaves_its_figures_as_json_and_csv(tmp_path: Path) -> None:
    alone = summary({"reversed": kind("reversed", figures(0.7, None, None))})
    probes = {}
    for name, found in (("a & b", some("reversed", "frozen")), ("c", alone)):
        page_of(found, tmp_path / name)
        probes[str(tmp_path / name)] = found
    page = write_comparison(tmp_path, probes)
    told = json.loads((tmp_path / "comparison.json").read_text(encoding="utf-8"))
    first, second, third = told["figures"]
    assert first == {
        "prior": "x, a & b",
        "probe": str(tmp_path / "a & b"),
        "kind": "reversed",
        "primary": True,
        "recordings": 4,
        **dict(zip(("auc", "low", "high"), UNDECIDED["auc"].values(), strict=True)),
        **{f"null{end}": UNDECIDED["null"][name] for name, end in ENDS.items()},
        **{f"above_null{end}": UNDECIDED["above_null"][name] for name, end in ENDS.items()},
        "verdict": "undecided",
    }
    assert (second["kind"], second["primary"], third["prior"]) == ("frozen", False, "x, c")
    assert third["null"] is third["above_null_low"] is third["verdict"] is None
    assert told["not_asked_alike"] == []
    assert {key for key in first if not key.endswith(("_low", "_high"))} <= {*told["definitions"]}
    with (tmp_path / "comparison.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [*rows[0]] == [*first]
    for row, figure in zip(rows, told["figures"], strict=True):
        assert row == {key: "" if value is None else str(value) for key, value in figure.items()}
    files = linked(page)
    assert all(file.is_file() for file in files)
    assert {file.name for file in files} == {
        *("comparison.csv", "comparison.json", "comparison.png", "probe.html")
    }
    assert len(files) == 5


def test_verdicts_of_earlier_versions_are_not_compared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_summary(tmp_path, summary({"reversed": kind("reversed", figures(0.6, 0.4, "holds"))}))
    assert read_summary("score.probe", tmp_path)["finished"], "its gradients may still be followed"
    with pytest.raises(ValueError, match=r"must hold verdicts of this version .*, got 'holds' in"):
        read_figures("--compare", tmp_path)
    both = ["probe", "--compare", str(tmp_path), str(tmp_path), "--out", str(tmp_path / "c")]
    assert main(both) == 2
    assert "repeat the command of that probe" in capsys.readouterr().err
    assert not (tmp_path / "c").exists()


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_numbers_and_intervals_can_be_read_in_a_browser(scheme: Any, tmp_path: Path) -> None:
    shares = [place / 20 for place in range(21)]
    levels = [figures(each, 0.5, "above" if each > 0.6 else "undecided") for each in shares]
    found = summary({"reversed": kind("reversed", *levels, prompts=[WALK])})
    found["pairs"]["kinds"]["frozen"] = kind("frozen", levels[0], prompts=[WAVE])
    page_of(found, tmp_path)
    drawn = """[...document.querySelectorAll(".heat td, .heat td small")].map((each) => [
        getComputedStyle(each).color, getComputedStyle(each.closest("td")).backgroundColor])"""
    with opened_page() as (page, _):
        page.emulate_media(color_scheme=scheme)
        page.goto((tmp_path / "probe.html").as_uri())
        cells = page.evaluate(drawn)
    assert len(cells) > 2 * len(shares)
    for pair in cells:
        ink, below = (tuple(map(int, re.findall(r"\d+", each))) for each in pair)
        assert len(ink) == len(below) == 3, "no colour is translucent"
        assert contrast(ink, below) >= READABLE
