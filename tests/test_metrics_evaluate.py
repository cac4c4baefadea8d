"""`motiondistill evaluate` end to end: the table, the files it writes, references and mistakes."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import standin_smplx
import torch
from test_metrics_physical import moved, statue
from walk_file import save, walk

from motiondistill.body.base import Body
from motiondistill.body.skinning import SkinnedBody
from motiondistill.building import objects
from motiondistill.cli import main
from motiondistill.data.parametric import parametric_motion
from motiondistill.metrics.catalogue import CATALOGUE
from motiondistill.metrics.evaluator_own import load_own_evaluator
from motiondistill.motion.motion_file import MotionFile
from motiondistill.randomness import seeded
from motiondistill.render.cpu import CpuRasterizer
from motiondistill.report.evaluation import Subject, evaluate
from motiondistill.report.figures import QUANTILES, reference_table
from motiondistill.report.measuring import fidelity
from motiondistill.report.media import save_video
from motiondistill.report.video_reading import read_video
from motiondistill.schema.look import BodyConfig
from motiondistill.structures import Motion


@pytest.fixture(autouse=True)
def body_once(monkeypatch: pytest.MonkeyPatch, low_body: SkinnedBody) -> None:
    monkeypatch.setattr(objects, "anny_body", lambda *arguments: low_body)


@pytest.fixture(scope="module")
def folder(low_body: SkinnedBody, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with a video, a gliding statue, and references: two walks and a wave."""
    folder = tmp_path_factory.mktemp("motions")
    (folder / "run").mkdir()
    save(folder / "run" / "motion.npz", act("walk", low_body, 1), low_body)
    fading = torch.linspace(0, 1, 11)[:, None, None, None].expand(-1, 3, 64, 64)
    save_video(folder / "run" / "video_front.mp4", fading, 8.0)
    times = torch.arange(60) / 30
    glide = moved(statue(), times[:, None] * torch.tensor([1.0, 0.0, 0.0]))
    save(folder / "glide.npz", glide, low_body, prompt="a person stands")
    (folder / "real" / "more").mkdir(parents=True)
    save(folder / "real" / "wave.npz", act("wave", low_body, 2), low_body)
    save(folder / "real" / "walk.npz", act("walk", low_body, 1), low_body)
    save(folder / "real" / "more" / "walk.npz", act("walk", low_body, 7), low_body)
    return folder


def test_a_motion_of_smplx_is_measured_on_that_body(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMPLX_DIR", str(standin_smplx.save(tmp_path)))
    body = objects.make_body(BodyConfig(name="smplx"))
    save(tmp_path / "walk.npz", act("walk", body, 1), body)
    found = evaluated(tmp_path / "found.json", tmp_path / "walk.npz")
    assert "smplx" in json.dumps(found)


def act(action: str, body: Body, seed: int) -> Motion:
    return parametric_motion(action, "left", seeded(seed), body.rest_joints, 8.0, 11)


def evaluated(path: Path, *arguments: str | Path) -> dict[str, Any]:
    assert main(["evaluate", *map(str, arguments), "--json", str(path)]) == 0
    return dict(json.loads(path.read_text()))


@pytest.fixture(scope="module")
def found(folder: Path, low_body: SkinnedBody) -> dict[str, Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(objects, "anny_body", lambda *arguments: low_body)
        real = folder / "real"
        path = folder / "new" / "figures.json"
        return evaluated(path, folder / "run", folder / "glide.npz", "--reference", real)


def test_the_json_holds_definitions_versions_and_n(found: dict[str, Any]) -> None:
    assert set(found["metrics"]) == set(CATALOGUE)
    for id, metric in found["metrics"].items():
        assert metric["definition"] == CATALOGUE[id].definition and metric["version"] == 1
    assert found["conventions"]["up_axis"] == "+Y"
    told = [*found["set"].values()]
    for motion in found["motions"]:
        told += motion["values"].values()
        assert {"physical", "video", "reference"} == {CATALOGUE[id].kind for id in motion["values"]}
    for figure in told:
        assert (figure["value"] is None) == ("reason" in figure)
        assert {"unit", "version", "n"} <= set(figure)


def test_a_statue_is_told_and_a_walk_is_not(found: dict[str, Any]) -> None:
    run, glide = found["motions"]
    assert (run["static"], glide["static"]) == (False, True)
    assert (run["prompt"], glide["fps"], glide["frames"]) == ("a walk", 30.0, 60)
    assert glide["values"]["foot_skating_ratio"]["value"] == 1
    assert glide["values"]["root_speed"]["value"] == pytest.approx(1, rel=1e-3)
    assert abs(glide["floor_estimate_m"]) < 0.01


def test_the_nearest_reference_is_found_and_moves_alike(found: dict[str, Any]) -> None:
    run, glide = (motion["values"] for motion in found["motions"])
    nearest = run["nearest_reference"]
    assert nearest["note"].endswith("real/walk.npz") and nearest["n"] == 3
    assert nearest["value"] < 1e-5 < glide["nearest_reference"]["value"]
    assert run["motion_fidelity"]["value"] == pytest.approx(1, abs=1e-4)
    assert glide["motion_fidelity"]["value"] < 0.9
    names = [Path(name).name for name in found["references"]["names"]]
    assert sorted(names) == ["walk.npz", "walk.npz", "wave.npz"]
    median = found["references"]["medians"]["dynamic_degree"]
    assert median["n"] == 3 and median["value"] > 0.1


def test_flickering_is_that_of_the_clip_without_its_repeat(found: dict[str, Any]) -> None:
    """The video shows the clip twice; from white back to black the brightness would jump."""
    figure = found["motions"][0]["values"]["temporal_flickering"]
    assert figure["n"] == 11
    assert figure["value"] == pytest.approx(0.9, abs=0.01)  # H.264 rounds colours
    assert "no video" in found["motions"][1]["values"]["temporal_flickering"]["reason"]


def test_small_sets_are_refused_with_a_reason(found: dict[str, Any]) -> None:
    reasons = {id: each.get("reason", "") for id, each in found["set"].items()}
    assert "at least 192 samples a set" in reasons["fid_own"]
    assert "prompts of known actions, a pool, got 2" in reasons["r_precision_top1_own"]
    assert "at least 32 motions, got 2" in reasons["diversity_own"]
    assert reasons["multimodality_joints"] == "needs 2 motions of one prompt"
    assert found["set"]["diversity_joints"]["value"] > 0.1
    assert 0 <= found["set"]["mm_dist_own"]["value"] <= 2**0.5
    assert found["evaluator_own"].startswith("own recogniser, sha256 ")


def test_the_table_has_a_column_for_each_motion(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", str(folder / "run"), str(folder / "glide.npz")]) == 0
    out = capsys.readouterr().out
    head, *rows = out.splitlines()
    heads = ["metric", "unit", "good", "run", "glide.npz", "(still)", "all", "together"]
    assert head.split() == heads
    assert rows[0].split()[:3] == ["frame", "rate", "Hz"] and len(rows[0].split()) == 5
    # What is said of both together stands in a column of its own.
    (diversity,) = [row for row in rows if row.startswith("diversity of joints")]
    assert diversity.rstrip().rfind(" ") >= head.index("all together") - 1
    (skating,) = [row.split() for row in rows if row.startswith("foot skating")]
    assert skating[2:4] == ["1", "lower"] and skating[-1] == "1"
    assert "are no merit" in " ".join(out.split())
    lacking = (
        "without nearest reference, motion fidelity, FID (own): no references; add --reference"
    )
    assert lacking in out


def test_many_motions_are_told_by_their_median(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [str(folder / "run"), *[str(folder / "real" / "walk.npz")] * 4]
    assert main(["evaluate", *files]) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[0].split()[3:] == [
        *("median", "lowest", "highest", "n"),
        *("real", "all", "together"),
    ]
    (row,) = [line.split() for line in out.splitlines() if line.startswith("root speed")]
    assert row[-5] == row[-4] == row[-3] and row[-2] == "5"
    # Without references, motions of one rate stand beside the package's real windows.
    usual = reference_table(8.0)["root_speed"][QUANTILES.index(0.5)]
    assert float(row[-1]) == pytest.approx(usual, rel=1e-2)
    # All have one prompt, and are alike.
    (row,) = [line.split() for line in out.splitlines() if line.startswith("multimodality")]
    assert float(row[-1]) == pytest.approx(0, abs=1e-5)


def test_scalars_for_tensorboard(folder: Path, tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    board = tmp_path / "board"
    found = evaluated(tmp_path / "a.json", folder / "run", "--tensorboard", board)
    read = EventAccumulator(str(board / "0-run"))
    read.Reload()
    values = {id: each["value"] for id, each in found["motions"][0]["values"].items()}
    wanted = {f"metrics/{id}": value for id, value in values.items() if value is not None}
    assert set(read.Tags()["scalars"]) == set(wanted)
    for tag, value in wanted.items():
        (event,) = read.Scalars(tag)
        assert event.value == pytest.approx(value, rel=1e-6)


def test_bodies_that_are_not_ours_are_measured_on_the_average_one(
    folder: Path, low_body: SkinnedBody, tmp_path: Path
) -> None:
    save(tmp_path / "a.npz", walk(low_body), low_body, body="robot")
    found = evaluated(tmp_path / "a.json", tmp_path / "a.npz")
    assert found["motions"][0]["body"] == low_body.name


def test_fidelity_knows_left_from_right_and_forwards_from_backwards(
    low_body: SkinnedBody,
) -> None:
    left, right = (
        parametric_motion("wave", side, seeded(2), low_body.rest_joints, 8.0, 8)
        for side in ("left", "right")
    )
    rasterizer = CpuRasterizer()
    same = float(fidelity(left, moved(left, torch.tensor([2.0, 0, 1.0])), low_body, rasterizer))
    assert same == pytest.approx(1, abs=1e-3)
    assert float(fidelity(left, right, low_body, rasterizer)) < 0.95
    back = left.frames(torch.arange(7, -1, -1))
    assert float(fidelity(left, back, low_body, rasterizer)) < 0.9


def test_videos_are_read_as_they_were_written(folder: Path, tmp_path: Path) -> None:
    video = read_video(folder / "run" / "video_front.mp4")
    assert video.shape == (22, 3, 256, 256)
    expected = torch.linspace(0, 1, 11).repeat(2)
    torch.testing.assert_close(video.mean((1, 2, 3)), expected, atol=0.02, rtol=0)
    (tmp_path / "a.mp4").write_text("no video")
    with pytest.raises(ValueError, match=r"a\.mp4 must be a video"):
        read_video(tmp_path / "a.mp4")
    with pytest.raises(FileNotFoundError, match="a video must be a file"):
        read_video(tmp_path / "b.mp4")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["gone.npz"], "`FILE` must be a motion file or a run's folder, got"),
        (["RUN", "--reference", "gone"], "`--reference` must be a folder of motion files, got"),
        (["RUN", "--reference", "empty"], "`--reference` must hold motion files (.npz"),
        (["RUN", "--json", "empty"], "`--json` must name a new file, got empty, which exists"),
        (["RUN", "--clip", "gone"], "`--clip` must be a folder with CLIP's weights, got gone"),
        (["short.npz"], "`FILE` must hold at least 4 frames, got 3 in short.npz"),
        ([], "the following arguments are required: RUN|FILE"),
    ],
)
def test_mistakes_are_told_in_one_line(
    arguments: list[str],
    message: str,
    folder: Path,
    low_body: SkinnedBody,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    save(tmp_path / "short.npz", walk(low_body).frames(slice(3)), low_body)
    shutil.copytree(folder / "run", tmp_path / "RUN")
    assert main(["evaluate", *arguments]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1 and message in told


def test_a_set_that_is_large_enough_is_judged_by_our_recogniser(low_body: SkinnedBody) -> None:
    """36 motions: each of three actions is a third, so that chance alone hits often."""
    actions = ("walk", "wave", "squat")
    motions = [
        parametric_motion(action, "left", seeded(seed), low_body.rest_joints, 8.0, 16)
        for action in actions
        for seed in range(12)
    ]
    subjects = [
        subject(motion, low_body, f"a person does a {actions[index // 12]}")
        for index, motion in enumerate(motions)
    ]
    found = evaluate(subjects, (), load_own_evaluator(), CpuRasterizer())
    together = {each.metric.id: each for each in found.together}
    top = [together[f"r_precision_top{k}_own"] for k in (1, 2, 3)]
    assert all(each.n == 36 and each.value is not None and each.value > 0.9 for each in top)
    assert all(each.interval is not None for each in top)
    shares = [float(each.note.removesuffix(" by chance")) for each in top]
    assert 0.3 < shares[0] < shares[1] < shares[2] < 0.8
    assert together["diversity_own"].value and together["mm_dist_own"].value
    multimodality, diversity = (
        together[f"{name}_joints"].value for name in ("multimodality", "diversity")
    )
    assert multimodality is not None and diversity is not None and multimodality < diversity
    assert "no references" in together["fid_own"].note
    prompts = [each.prompt for each in found.motions]
    swapped = [
        subject(motion, low_body, prompts[index - 12]) for index, motion in enumerate(motions)
    ]
    wrong = evaluate(swapped, (), load_own_evaluator(), CpuRasterizer())
    (miss,) = [each for each in wrong.together if each.metric.id == "r_precision_top1_own"]
    assert miss.value is not None and miss.value < shares[0]


def subject(motion: Motion, body: SkinnedBody, prompt: str) -> Subject:
    joints = body(motion).joints
    file = MotionFile(motion, joints, body.name, body.shape, prompt, 0, "0")
    return Subject(prompt, file, body)
