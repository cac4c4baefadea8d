"""`motiondistill probe` end to end with a tiny random prior: files, going on, mistakes, pages."""

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from browser import opened_page
from mocap_folder import clip_joints, write_folder
from PIL import Image
from standin_skeleton import rest_joints
from tiny_ltx import save_tiny

from motiondistill import config as configs
from motiondistill.bookkeeping.batch import read_prompts
from motiondistill.bookkeeping.probed_levels import with_probed_levels
from motiondistill.building.objects import make_settings
from motiondistill.cli import main
from motiondistill.data.labels import action_in
from motiondistill.data.parametric import PARAMETRIC_ACTIONS
from motiondistill.probing.clips import clips_of, folder_source, parametric_source, prompt_file
from motiondistill.probing.pairs import BY_NAME
from motiondistill.probing.ranking import TIE
from motiondistill.schema.jobs import OptimizeConfig, ProbeConfig

PROMPTS = ("a person walks", "a person punches with the left hand", "a person juggles")
KINDS = len(BY_NAME)


@pytest.fixture(scope="module")
def prior(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny(tmp_path_factory.mktemp("prior"))


@pytest.fixture(scope="module")
def arguments(prior: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    prompts = tmp_path_factory.mktemp("prompts") / "prompts.txt"
    prompts.write_text("\n".join(PROMPTS))
    return [
        *("probe", "--prompts", str(prompts), f"prior.model={prior}", "camera.size=[32,32]"),
        *("probe.levels=[0.4,0.8]", "probe.views=[front,back]", "probe.draws=1"),
        *("probe.motions=2", "probe.null_copies=2"),
        *("gradient.draws=2", "gradient.guidance_scales=[1,4]", "score.objective=sds"),
        "run.threads=1",
    ]


@pytest.fixture(scope="module")
def probed(arguments: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("probes") / "one"
    assert main([*arguments, "--out", str(folder)]) == 0
    return folder


def summary_in(folder: Path) -> Any:
    return json.loads((folder / "summary.json").read_text())


def test_a_probe_leaves_what_it_promises(probed: Path) -> None:
    with (probed / "rows.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    # Two motions of two prompts, levels and views, three networks; a walk has no mirrored pair.
    asked = 2 * 2 * 2 * 3
    assert len(rows) == asked * (KINDS + KINDS - 1)
    assert {row["network"] for row in rows} == {"given", "random-1", "random-2"}
    partners = {row["clip"]: row["partner"] for row in rows if row["kind"] == "wrong action"}
    assert all(PROMPTS[1] in other for clip, other in partners.items() if PROMPTS[0] in clip)
    assert {row["partner"] for row in rows if row["kind"] == "reversed"} == {""}
    with (probed / "gradients.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 4 * 2 * 2 * 2
    summary = summary_in(probed)
    assert summary["finished"] and summary["clips_wanted"] == 4
    assert summary["left_out"] == {PROMPTS[2]: "names none of the known actions, or several"}
    assert summary["pairs"]["kinds"]["mirrored"]["all"]["recordings"] == 2
    assert [each["level"] for each in summary["levels"]] == sorted(
        {float(r["level"]) for r in rows}
    )
    found = summary["pairs"]["kinds"]["reversed"]
    own = [r for r in rows if r["kind"] == "reversed" and r["network"] == "given"]
    won = 0.0
    for row in own:
        apart, least = float(row["preferred"]) - float(row["other"]), TIE * float(row["error"])
        won += 0.5 if abs(apart) <= least else float(apart > 0)
    assert found["all"]["auc"]["value"] == pytest.approx(won / len(own))
    assert len(found["by_level_and_view"]) == 4
    stored = yaml.safe_load((probed / "config.yaml").read_text())
    assert stored["about"]["prompts"] == list(PROMPTS)
    assert stored["probe"]["motions"] == 2
    for name in ("maps.png", "gradients.png"):
        with Image.open(probed / name) as image:
            assert min(image.size) > 100


def test_a_probe_goes_on_where_it_stopped(
    probed: Path, arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "again"
    shutil.copytree(probed, folder)
    files = sorted((folder / "answers").iterdir())
    files[1].unlink()
    before = {file: file.stat().st_mtime_ns for file in files if file.exists()}
    assert main([*arguments, "--out", str(folder)]) == 0
    assert {file: file.stat().st_mtime_ns for file in before} == before
    for name in ("rows.csv", "gradients.csv"):
        assert (folder / name).read_text() == (probed / name).read_text()
    capsys.readouterr()
    assert main([*arguments, "--out", str(folder), "run.seed=1"]) == 2
    assert "`run.seed` must be that of the probe in" in capsys.readouterr().err
    files[0].write_text("{}")
    assert main([*arguments, "--out", str(folder)]) == 2
    assert "must hold a clip's answers" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["score.num_steps=9"], "`score.num_steps` must be left out of `probe`"),
        (["score.guidance_scale=9"], "set gradient.guidance_scales"),
        (["score.objective=vsd"], "must not be vsd"),
        (["camera.fov_jitter=0.1"], "must be 0 in `probe`"),
        (["render.randomize=light"], "must be nothing in `probe`"),
        (["--set", "paper"], "not allowed with"),
        (["--motions", "nowhere"], "`--motions` must be a folder"),
        (["prior.model=gaussian"], "`probe.null_copies` must be 0"),
    ],
)
def test_mistakes_are_told(
    arguments: list[str],
    tmp_path: Path,
    words: list[str],
    told: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([*arguments, "--out", str(tmp_path / "out"), *words]) == 2
    assert told in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def with_suggestion(probed: Path, folder: Path, suggestion: Any) -> Path:
    summary = summary_in(probed)
    summary["gradients"]["suggestion"] = suggestion
    folder.mkdir()
    (folder / "summary.json").write_text(json.dumps(summary))
    return folder


def test_optimize_takes_the_levels_that_a_probe_suggests(
    probed: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    chosen = {"first_level": 0.8, "last_level": 0.4, "guidance_scale": 7.0, "cosine": 0.1}
    folder = with_suggestion(probed, tmp_path / "one", chosen)
    words = ["score.levels=auto", "score.objective=sds", f"score.probe={folder}"]
    score = make_settings(configs.load(OptimizeConfig, None, words)).distill
    assert (score.first_level, score.last_level, score.guidance_scale) == (0.8, 0.4, 7.0)
    assert "were probed of" in caplog.text  # of another prior than the embedded one
    resolved = with_probed_levels(configs.load(OptimizeConfig, None, words))
    assert (resolved.score.levels, resolved.score.probe) == ("probed", str(folder))
    free = with_suggestion(probed, tmp_path / "two", chosen | {"guidance_scale": None})
    words[2:] = [f"score.probe={free}/summary.json", "score.guidance_scale=3"]
    assert make_settings(configs.load(OptimizeConfig, None, words)).distill.guidance_scale == 3


def test_levels_that_nobody_suggests_are_told(probed: Path, tmp_path: Path) -> None:
    none = with_suggestion(probed, tmp_path / "none", None)
    early = with_suggestion(probed, tmp_path / "early", {"first_level": 0.8})
    summary = summary_in(early)
    (early / "summary.json").write_text(json.dumps(summary | {"finished": False}))
    for words, told in (
        ([], r"`score\.probe` must name a probe's folder"),
        (["score.probe=nowhere"], r"`score\.probe` must be the folder of a finished probe"),
        ([f"score.probe={none}"], r"no level's gradient led back"),
        ([f"score.probe={early}"], r"must name a finished probe, got .*, which stopped early"),
        ([f"score.probe={none}", "score.level_path=timesteps"], "must not be timesteps"),
    ):
        config = configs.load(OptimizeConfig, None, ["score.levels=auto", *words])
        with pytest.raises((ValueError, FileNotFoundError), match=told):
            with_probed_levels(config)
    for words in (["score.probe=a"], ["score.levels=auto", "score.first_level=0.8"]):
        with pytest.raises(ValueError, match=r"must be left out with score\.levels"):
            configs.load(OptimizeConfig, None, words)


def test_probes_side_by_side(
    probed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other"
    shutil.copytree(probed, other)
    summary = summary_in(other)
    summary["prior"]["model"] = "<b>other</b>"
    summary["config"]["run"]["seed"] = 5
    (other / "summary.json").write_text(json.dumps(summary))
    both = ["probe", "--compare", str(probed), str(other)]
    assert main([*both, "--out", str(tmp_path / "c")]) == 0
    page = (tmp_path / "c" / "comparison.html").read_text()
    told = capsys.readouterr().out.split()
    assert [Path(name).name for name in told] == [
        f"comparison.{kind}" for kind in ("html", "json", "csv")
    ]
    assert all(Path(name).is_file() for name in told)
    assert "&lt;b&gt;other&lt;/b&gt;" in page and "<b>other" not in page
    assert "run.seed differ" in page
    for words, told in (
        (["--compare", str(probed)], "at least two probes"),
        (["--compare", str(probed), str(tmp_path)], "folder of a finished probe"),
        (["--compare", str(probed), str(other), "--set", "paper"], "`--set` must be left out"),
    ):
        assert main(["probe", *words, "--out", str(tmp_path / "d")]) == 2
        assert told in capsys.readouterr().err


def test_prompt_sets_are_what_they_say() -> None:
    paper = list(read_prompts(prompt_file("paper")).values())
    assert [action_in(prompt) for prompt in paper] == ["run", "walk", "punch", "cartwheel"]
    actions = list(read_prompts(prompt_file("actions")).values())
    assert len(actions) >= 40
    assert {action_in(prompt) for prompt in actions} >= set(PARAMETRIC_ACTIONS)


def test_parametric_motions_take_the_side_that_is_named() -> None:
    source = parametric_source(rest_joints(), 8.0, 16, 0)
    clips, left_out = clips_of(PROMPTS, source, 2)
    assert [clip.prompt for clip in clips] == [PROMPTS[0]] * 2 + [PROMPTS[1]] * 2
    assert list(left_out) == [PROMPTS[2]]
    reach = clips[2].motion.rotations[:, [16, 17]].diff(dim=0).norm(dim=(-1, -2)).mean(0)
    assert reach[0] > reach[1]  # the left shoulder


def test_a_folder_of_recordings_gives_its_windows(tmp_path: Path) -> None:
    folder = write_folder(
        tmp_path / "mocap",
        {
            "01_01": ("walk", clip_joints("walk", 4.0, speed=1.2)),
            "02_01": ("kick", clip_joints("kick", 3.0, side="left", seed=1)),
        },
    )
    source = folder_source(folder, rest_joints(), 8.0, 16)
    walks = source.takes("walk", "right", 3)
    assert [take.name for take in walks] == ["cmu/01_01", "cmu/01_01 (2)"]  # there are no more
    assert [take.recording for take in walks] == ["cmu/01_01"] * 2
    assert all(take.motion.num_frames == 16 for take in walks)
    (left,), (right,) = source.takes("kick", "left", 1), source.takes("kick", "right", 1)
    swings = [
        take.motion.rotations[:, [1, 2]].diff(dim=0).norm(dim=(-1, -2)).mean(0)
        for take in (left, right)
    ]
    assert swings[0][0] > swings[0][1] and swings[1][1] > swings[1][0]
    assert source.takes("cartwheel", "right", 1) == []


def test_the_configuration_is_complete() -> None:
    assert "probe.levels" in dict(configs.flat(configs.to_dict(ProbeConfig())))
    assert main(["config", "probe", "--schema"]) == 0


@pytest.mark.browser
def test_the_page_needs_nothing_else_and_fits(probed: Path) -> None:
    for width in (1300, 400):
        with opened_page(width, 800) as (page, watch):
            page.goto((probed / "probe.html").as_uri())
            assert page.locator("table.heat td").count() > KINDS
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert watch.errors == watch.requests == []
