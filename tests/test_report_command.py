"""Reports on the command line: every run ends with one, and lives without it."""

from pathlib import Path
from typing import Any

import pytest
from report_run import CHANGED, leave

from motiondistill.bookkeeping import store
from motiondistill.bookkeeping.batch import SUMMARY, Row, write_summary
from motiondistill.cli import main
from motiondistill.commands import one_run, optimize_batch
from motiondistill.config import load
from motiondistill.report.results import RESULTS
from motiondistill.schema.jobs import OptimizeConfig

TINY = ["prior.model=gaussian", "camera.size=[16,16]", "run.frames=4", "init.start=neutral"]
TINY += ["score.num_steps=2", "score.views=1", "run.threads=1"]


def broken(*_: object) -> Path:
    raise RuntimeError("the disk\nis full")


@pytest.mark.slow
def test_a_run_ends_with_its_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "run"
    assert main(["optimize", "a <b>person</b>", "--out", str(folder), *TINY]) == 0
    assert f"  {folder / 'report.html'}\n" in capsys.readouterr().out
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "a &lt;b&gt;person&lt;/b&gt;" in page and "<b>person" not in page
    for group in ("loss", "pose", "tilt"):
        assert f'<figcaption><b title="{group}">{group}</b>' in page
    assert main(["report", str(folder)]) == 0
    assert (folder / "report.html").read_text(encoding="utf-8") == page


@pytest.mark.slow
def test_a_report_that_fails_leaves_the_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "batch"
    monkeypatch.setattr(one_run, "write_report", broken)
    monkeypatch.setattr(optimize_batch, "write_index", broken)
    arguments = ["optimize", "a person walks", "--seeds", "0", "--out", str(folder)]
    assert main([*arguments, *TINY]) == 0
    run = folder / "a-person-walks_seed0"
    assert all((run / name).is_file() for name in RESULTS)
    assert not (run / "report.html").exists() and not (folder / "index.html").exists()
    told = capsys.readouterr().err
    assert "the report could not be made: the disk is full. Try `motiondistill report " in told
    assert "no index.html: the disk is full. Try `motiondistill report " in told
    assert "the disk" in (run / "log.txt").read_text(encoding="utf-8")
    # Made later, from the folder alone.
    assert main(["report", str(folder)]) == 0
    written = capsys.readouterr().out.splitlines()
    assert written == [str(run / "report.html"), str(folder / "index.html")]
    assert all(Path(path).is_file() for path in written)


def test_settings_that_differ_come_first(low_body: Any, tmp_path: Path) -> None:
    from motiondistill.report.run_page import write_report

    page = write_report(leave(tmp_path / "run", low_body), low_body).read_text(encoding="utf-8")
    changed = page.split("<h2>Settings</h2>")[1].split("<details>")[0]
    for setting in CHANGED:
        key, _, value = setting.partition("=")
        assert f'<th scope="row">{key}</th><td>{value}</td>' in changed
    assert changed.count('<th scope="row">') == len(CHANGED)
    assert page.count('<th scope="row">score.objective</th>') == 1


def test_what_the_run_filled_in_is_not_taken_for_a_change(low_body: Any, tmp_path: Path) -> None:
    from motiondistill.report.run_page import write_report

    folder = leave(tmp_path / "run", low_body)
    filled = load(OptimizeConfig, None, [*CHANGED, "run.frames=5", "run.threads=2"])
    store.write_config(folder, filled, store.origin("a person walks"))
    page = write_report(folder, low_body).read_text(encoding="utf-8")
    changed = page.split("<h2>Settings</h2>")[1].split("<details>")[0]
    assert changed.count('<th scope="row">') == len(CHANGED)
    assert "filled in by the run: run.frames 5, run.threads 2.<" in changed


def test_loss_and_evidence_are_explained(low_body: Any, tmp_path: Path) -> None:
    from motiondistill.report.run_page import EVIDENCE, LOSS, write_report

    page = write_report(leave(tmp_path / "run", low_body), low_body).read_text(encoding="utf-8")
    header = page.split("<header>")[1].split("</header>")[0]
    for name, meaning in (("loss", LOSS), ("evidence", EVIDENCE)):
        assert f'<li title="{meaning}">{name} <b>' in header
        assert f"{name.capitalize()}: {meaning}." in header


def test_a_damaged_run_keeps_its_older_page(low_body: Any, tmp_path: Path) -> None:
    from motiondistill.report.run_page import write_report

    folder = leave(tmp_path / "run", low_body)
    older = write_report(folder, low_body).read_bytes()
    (folder / "motion.npz").write_bytes(b"no archive")
    with pytest.raises(ValueError, match="`RUN` must be a motion file"):
        write_report(folder, low_body)
    assert (folder / "report.html").read_bytes() == older
    assert not [*folder.glob(".report*")]


@pytest.mark.parametrize("damaged", ["motion.npz", "metrics.json"])
def test_one_damaged_run_leaves_the_pages_of_the_others(
    damaged: str, low_body: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ("first", "second")
    rows = []
    for seed, name in enumerate(names):
        leave(tmp_path / name, low_body)
        rows.append(Row("a person walks", seed, "finished", 10, 1.0, None, None, name))
    about = store.origin("") | {"prompts": ["a person walks"], "seeds": [0, 1]}
    store.write_config(tmp_path, load(OptimizeConfig, None, CHANGED), about)
    write_summary(tmp_path, rows)
    (tmp_path / names[0] / damaged).write_bytes(b"damaged")
    (tmp_path / names[1] / "strip.png").write_bytes(b"damaged")  # it has a row without a thumbnail
    assert main(["report", str(tmp_path)]) == 1
    caught = capsys.readouterr()
    written = [tmp_path / names[1] / "report.html", tmp_path / "index.html"]
    assert caught.out.splitlines() == [str(path) for path in written]
    assert "no page of first: " in caught.err and damaged in caught.err
    assert (tmp_path / "index.html").read_text(encoding="utf-8").count("<tr>") == 3
    assert "strip.png must be a picture" in caught.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["report", "/nowhere"],
            "`RUN` must be the folder of a run or of a batch, and /nowhere does not exist; check "
            "the path.",
        ),
        (["report", "/"], "`RUN` must be the folder of a run or of a batch, got / without config"),
        (["report", "nowhere", "a=b"], "`report` has no settings, got a=b; leave it out"),
    ],
)
def test_a_mistake_is_one_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert capsys.readouterr().err.startswith(f"motiondistill: error: {message}")


def test_a_batch_without_its_summary_says_so(
    low_body: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = leave(tmp_path / "run", low_body)
    config = (folder / "config.yaml").read_text(encoding="utf-8")
    (folder / "config.yaml").write_text(config.replace("  prompt: a person walks", "  prompts: []"))
    assert main(["report", str(folder)]) == 2
    assert "no summary at" in capsys.readouterr().err
    (folder / SUMMARY[1]).write_text('[{"a": 1}]')
    assert main(["report", str(folder)]) == 2
    assert "must hold the rows of a batch, got others" in capsys.readouterr().err
