"""`motiondistill diagnose` end to end with a tiny prior: stages, going on, mistakes, the page."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import torch
from browser import opened_page
from mocap_folder import clip_joints, write_folder

from motiondistill.cli import main
from motiondistill.commands import diagnose, diagnose_stages, one_latents, one_run
from motiondistill.engine.stages import Step
from motiondistill.motion.motion_file import load_motion
from motiondistill.report.diagnosis import STAGES
from motiondistill.report.diagnosis_page import write_page
from motiondistill.report.media import read_image

HOSTILE = "a person juggles <img src=x onerror=alert(1)></script>"
PROMPTS = ["a person is walking", HOSTILE]
# Stages share the keys of `optimize`, so these are its own, too.
OPTIMIZED = ["prior.model=gaussian", "camera.size=[32,32]", "run.frames=5", "run.threads=1"]
OPTIMIZED += ["init.num_samples=2", "init.num_steps=3", "init.sampling_steps=2"]
OPTIMIZED += ["score.num_steps=2", "score.views=1"]
SMALL = [*OPTIMIZED, "diagnose.motions=2", "diagnose.latent_steps=2"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("diagnosed") / "one"
    assert main(["diagnose", *PROMPTS, "--out", str(folder), *SMALL]) == 0
    return folder


def record(folder: Path) -> Any:
    return json.loads((folder / "diagnosis.json").read_text(encoding="utf-8"))


def files(folder: Path) -> dict[str, int]:
    """What stages leave, and when it was written."""
    kept = ("config.yaml", "log.txt", "summary.json", "summary.csv", "index.html", "grid.png")
    return {
        str(path.relative_to(folder)): path.stat().st_mtime_ns
        for stage in STAGES
        for path in (folder / stage).rglob("*")
        if path.is_file() and path.name not in kept
    }


def test_every_stage_leaves_its_motions(finished: Path) -> None:
    found = record(finished)
    assert found["finished"]
    walk, juggling = found["cases"]
    assert (walk["asked"], juggling["asked"]) == ("walk", None)
    assert {stage: len(walk["cells"][stage]["motions"]) for stage in STAGES} == {
        "representation": 2,
        "samples": 2,
        "latents": 1,
        "distillation": 1,
    }
    for stage in STAGES:
        cell = walk["cells"][stage]
        for each in cell["motions"]:
            assert each["file"].startswith(stage)
            assert load_motion(finished / each["file"]).motion.num_frames == 5
            assert 0 <= each["probability"] <= 1
            assert each["figures"]["jerk"] >= 0
        assert (finished / cell["folder"] / "strip.png").is_file()
        counted = [each for each in cell["motions"] if each["before"] in (None, "walk")]
        assert cell["hits"] == [each["action"] == "walk" for each in counted]
    # A clip and its fit for each of two samples.
    strip = read_image(finished / walk["cells"]["samples"]["folder"] / "strip.png")
    assert strip.shape == (3, 4 * 128, 5 * 128)


def test_what_is_not_known_is_told(finished: Path) -> None:
    juggling = record(finished)["cases"][1]
    assert juggling["owner"] is None
    assert juggling["cells"]["representation"]["status"] == "left out"
    assert juggling["cells"]["representation"]["why"].startswith("names none of the known actions")
    assert juggling["cells"]["samples"]["hits"] is None
    assert len(juggling["cells"]["samples"]["motions"]) == 2


def test_the_distillation_is_that_of_optimize(finished: Path, tmp_path: Path) -> None:
    """It goes on from the samples that were looked at, and these are those it would draw."""
    alone = tmp_path / "alone"
    assert main(["optimize", PROMPTS[0], "--out", str(alone), *OPTIMIZED]) == 0
    (own,) = record(finished)["cases"][0]["cells"]["distillation"]["motions"]
    ours, theirs = load_motion(finished / own["file"]), load_motion(alone / "motion.npz")
    assert torch.equal(ours.motion.rotations, theirs.motion.rotations)
    assert torch.equal(ours.motion.translation, theirs.motion.translation)


def test_finished_stages_are_not_made_again(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "again"
    shutil.copytree(finished, folder)
    lost = next((folder / "representation").glob("a-person-is-walking*"))
    shutil.rmtree(lost)
    before = files(folder)
    for module, name in ((one_run, "optimize"), (one_latents, "optimize_latents")):
        monkeypatch.setattr(module, name, None)
    monkeypatch.setattr(diagnose_stages, "sample_targets", None)
    assert main(["diagnose", *PROMPTS, "--out", str(folder), *SMALL]) == 0
    after = files(folder)
    assert {name: after[name] for name in before} == before
    assert record(folder)["cases"][0]["cells"]["representation"]["status"] == "finished"
    monkeypatch.setattr("motiondistill.commands.diagnose.make_looking", None)
    assert main(["diagnose", *PROMPTS, "--out", str(folder), *SMALL]) == 0, "nothing is to be done"


def test_an_interrupted_fit_is_made_again_and_the_rest_goes_on(
    finished: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder, fit = tmp_path / "cut", diagnose_stages.fit

    def interrupted(*given: Any) -> Iterator[Step]:
        yield next(iter(fit(*given)))
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(diagnose_stages, "fit", interrupted)
        assert main(["diagnose", PROMPTS[0], "--out", str(folder), *SMALL]) == 130
    assert "To go on, repeat the command." in capsys.readouterr().out
    (walk,) = record(folder)["cases"]
    assert {cell["status"] for cell in walk["cells"].values()} == {"not begun"}
    assert walk["remark"] == "Not all stages are finished."
    assert main(["diagnose", PROMPTS[0], "--out", str(folder), *SMALL]) == 0
    ours, theirs = record(folder)["cases"][0], record(finished)["cases"][0]
    assert [
        [each["probability"] for each in ours["cells"][stage]["motions"]] for stage in STAGES
    ] == [[each["probability"] for each in theirs["cells"][stage]["motions"]] for stage in STAGES]


def test_true_clips_come_from_the_folder_that_is_named(tmp_path: Path) -> None:
    walking = {"01_01": ("walk", clip_joints("walk", 4.0, speed=1.2))}
    mocap, folder = write_folder(tmp_path / "mocap", walking), tmp_path / "out"
    words = ["diagnose", "someone walks", "someone kicks", "--motions", str(mocap)]
    assert main([*words, "--out", str(folder), *SMALL, "diagnose.latent_steps=0"]) == 0
    walk, kick = (case["cells"]["representation"] for case in record(folder)["cases"])
    names = [each["name"] for each in walk["motions"]]
    assert names == ["someone walks: cmu/01_01", "someone walks: cmu/01_01 (2)"]
    assert (kick["status"], kick["why"]) == ("left out", "no motion shows the action 'kick'")


def test_a_stage_that_fails_leaves_the_others_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: Any) -> None:
        raise MemoryError("no room")

    monkeypatch.setattr(diagnose_stages, "sample_targets", broken)
    folder = tmp_path / "failed"
    few = [*SMALL, "init.start=neutral", "diagnose.latent_steps=0", "diagnose.motions=0"]
    assert main(["diagnose", PROMPTS[0], "--out", str(folder), *few]) == 1
    (walk,) = record(folder)["cases"]
    assert {stage: walk["cells"][stage]["status"] for stage in STAGES} == {
        "representation": "left out",
        "samples": "failed",
        "latents": "left out",
        "distillation": "finished",
    }
    assert "samples: no room" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "one of the arguments PROMPT, --prompts FILE and --set is required"),
        (["x", "--set", "paper"], "argument PROMPT: not allowed with argument --prompts or --set"),
        (["x", "x"], "`PROMPT` must be given once, got 'x' twice"),
        (["x", "init.start=reference"], "`init.start` must be sampled or neutral in `diagnose`"),
        (["x", "init.num_steps=0"], "`init.num_steps` must be above 0 in `diagnose`"),
        (
            ["x", "diagnose.latents=nowhere"],
            "`diagnose.latents` must be a YAML file or a shipped name",
        ),
        (["x", "score.views=3", "score.accumulate=2"], "`score.accumulate` must divide"),
        (["x", "--motions", "/nowhere"], "`--motions` must be a folder of motions"),
        (["x", "prior.model=/nowhere"], "`prior.model` must be a name that "),
    ],
)
def test_a_mistake_is_one_line_and_leaves_no_folder(
    words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "out"
    assert main(["diagnose", "--out", str(folder), "prior.model=gaussian", *words]) == 2
    told = capsys.readouterr().err.splitlines()[-1]
    assert told.startswith(f"motiondistill: error: {message}")
    assert not folder.exists()


def test_another_diagnosis_is_told_apart(
    finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["diagnose", *PROMPTS, "--out", str(finished), *SMALL, "run.seed=1"]) == 2
    assert "`run.seed` must be that of the diagnosis in" in capsys.readouterr().err
    assert main(["diagnose", PROMPTS[0], "--out", str(finished), *SMALL]) == 2
    assert "`--prompts` must be those of the diagnosis in" in capsys.readouterr().err


def test_prompts_are_text_on_the_page(finished: Path) -> None:
    page = (finished / "diagnosis.html").read_text(encoding="utf-8")
    assert "a person juggles &lt;img src=x onerror=alert(1)&gt;&lt;/script&gt;" in page
    assert "<img src=x" not in page
    # Three pictures without true clips, four with them.
    assert page.count('src="data:image/jpeg;base64,') == 7


def test_page_and_terminal_tell_which_verdicts_may_turn(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = record(finished)
    assert found["updates"] == {"fit": 3, "latents": 2, "distillation": 2}
    assert not any(" n: " in words for words in found["definitions"].values())
    told = {"owner": "representation", "remark": "", "rests_on": {"representation": 1}}
    caution = "one more motion may turn it: 0 of 1 true clips recognised"
    found["cases"][0] |= told | {"caution": caution}
    folder = tmp_path / "told"
    shutil.copytree(finished, folder)
    page = write_page(folder, found).read_text(encoding="utf-8")
    heads = re.findall(r'<th scope="col">([^<]*)</th>', page)
    assert heads[:6] == ["prompt", "owner", *STAGES]
    diagnose._print(found, folder)
    assert f"representation, {caution}" in capsys.readouterr().out
    light = '<span class="light red">representation</span>'
    assert page.count(f"{light}<small>{caution}</small>") == 2
    assert "<li>owner representation <b>1 prompt</b></li>" in page
    assert "<li>fit <b>3 updates</b></li>" in page
    for words in (
        "2 motions, fitted in 3 updates.",
        "1 motion, made in 2 updates and fitted in 3 updates.",
        "1 motion, made in 2 updates.",
    ):
        assert words in page


def test_a_figure_that_is_missing_tells_why(finished: Path, tmp_path: Path) -> None:
    folder, found = tmp_path / "missing", record(finished)
    shutil.copytree(finished, folder)
    cells = found["cases"][0]["cells"]
    cells["representation"]["figures"]["sliding_speed"] = 0.1
    cells["latents"]["figures"]["sliding_speed"] = None
    cells["samples"]["figures"] = dict.fromkeys(cells["samples"]["figures"])
    for each in cells["samples"]["motions"]:
        each["figures"] = {}
    page = write_page(folder, found).read_text(encoding="utf-8")
    assert '<span title="no foot touches the floor">-</span>' in page
    assert '<span title="the motions are too short to be measured">-</span>' in page
    assert "-: the motions are too short to be measured; no foot touches the floor." in page


def test_the_page_leads_to_videos_motions_runs_and_data(finished: Path) -> None:
    page = (finished / "diagnosis.html").read_text(encoding="utf-8")
    files = [finished / unquote(each) for each in re.findall(r'<a href="([^"]+)"', page)]
    assert all(file.is_file() for file in files)
    names = {str(file.relative_to(finished)) for file in files}
    assert {"diagnosis.json", "config.yaml", "distillation/index.html"} <= names
    for case in record(finished)["cases"]:
        for stage, cell in case["cells"].items():
            if cell["status"] == "finished":
                own = {Path(name).name for name in names if name.startswith(cell["folder"])}
                assert {"strip.png", "metrics.json"} <= own
                assert {Path(each["file"]).name for each in cell["motions"]} <= own
                assert ("report.html" in own) == (stage == "distillation")
                assert any(name.endswith(".mp4") for name in own) == (
                    stage in ("latents", "distillation")
                )


@pytest.mark.browser
def test_the_page_needs_nothing_else_and_fits(finished: Path, tmp_path: Path) -> None:
    alone = tmp_path / "alone.html"
    shutil.copy(finished / "diagnosis.html", alone)
    columns = "getComputedStyle(document.querySelector('.beside')).gridTemplateColumns"
    for width, stages in ((1500, 4), (1200, 2), (400, 1)):
        with opened_page(width, 800) as (page, watch):
            page.goto(alone.as_uri())
            assert len(page.evaluate(columns).split()) == stages, "none stands alone in its row"
            owner = page.locator(".verdicts td .light").first.bounding_box()
            assert owner is not None and owner["x"] + owner["width"] <= width
            assert page.locator("figure img").count() == 7
            loaded = "[...document.images].every((image) => image.naturalWidth > 0)"
            assert page.evaluate(loaded)
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert watch.errors == watch.requests == []
