"""`motiondistill latents` end to end with tiny priors: results, interruption, resumption."""

import csv
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tiny_ltx
import torch
from walk_file import save, walk

from motiondistill import config
from motiondistill.building.latents import make_latent_problem, start_motion
from motiondistill.checkpoints import CHECKPOINTS, load_newest
from motiondistill.cli import main
from motiondistill.commands import one_latents
from motiondistill.commands.latents import with_models
from motiondistill.latents.ablation import LatentsSettings, optimize_latents
from motiondistill.latents.state import LatentStep
from motiondistill.motion.motion_file import load_motion
from motiondistill.motion.timeline import Timeline
from motiondistill.report.latent_grid import BAND, FRAMES_WIDTH, WORDS_WIDTH
from motiondistill.report.media import read_image
from motiondistill.schema.jobs import LatentsConfig

PROMPTS = ["a person is walking", "a person bows"]
SMALL = ["camera.size=[32,32]", "run.frames=9", "run.threads=1", "score.views=2"]
SMALL += ["score.num_steps=4", "score.updates_per_target=3", "run.checkpoint_every=2"]


@pytest.fixture(scope="module")
def prior(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_ltx.save_tiny(tmp_path_factory.mktemp("prior") / "tiny")


@pytest.fixture(scope="module")
def finished(prior: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two prompts with two priors, left in peace."""
    folder = tmp_path_factory.mktemp("runs") / "finished"
    arguments = [f"prior.model=[gaussian,{prior}]", *SMALL, "latents.fit_steps=2"]
    assert main(["latents", *PROMPTS, "--out", str(folder), *arguments]) == 0
    return folder


def figures(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "metrics.json").read_text())
    return found


def test_every_prior_leaves_a_folder_for_every_prompt(finished: Path, prior: Path) -> None:
    folders = sorted(path.name for path in finished.iterdir() if path.is_dir())
    assert folders == [
        "01-gaussian-a-person-is-walking",
        "02-gaussian-a-person-bows",
        "03-tiny-a-person-is-walking",
        "04-tiny-a-person-bows",
    ]
    for name in folders:
        for file in ("video_000.mp4", "video_180.mp4", "log.txt", "motion.npz"):
            assert (finished / name / file).stat().st_size > 0
        assert read_image(finished / name / "strip.png").shape == (3, 2 * 128, 8 * 128)
        told = figures(finished / name)
        assert (told["steps"], told["finished"]) == (4, True)
        energy = torch.tensor(told["motion_energy_by_view"])
        assert energy.shape == (2, 8)
        assert told["motion_energy"] == pytest.approx(energy.mean().item(), rel=1e-5)
        assert told["temporal_flickering"] == pytest.approx(1 - told["motion_energy"], rel=1e-5)
        assert told["recognised"]["asked"] in ("walk", "bow")
        assert set(told["definitions"]) <= {*told}
    stored = config.load(LatentsConfig, str(finished / folders[2] / "config.yaml"))
    assert stored.prior.model == str(prior) and stored.latents.models == ()
    loaded = load_motion(finished / folders[3] / "motion.npz")
    assert (loaded.prompt, loaded.motion.num_frames) == (PROMPTS[1], 9)


def test_the_summary_and_the_grid_show_all(finished: Path, prior: Path) -> None:
    rows = json.loads((finished / "summary.json").read_text())
    assert [(row["prior"], row["prompt"]) for row in rows] == [
        (model, prompt) for model in ("gaussian", str(prior)) for prompt in PROMPTS
    ]
    assert {row["status"] for row in rows} == {"finished"}
    assert rows[1]["evidence"] == figures(finished / rows[1]["folder"])["evidence"]
    with (finished / "summary.csv").open() as file:
        assert [row["folder"] for row in csv.DictReader(file)] == [row["folder"] for row in rows]
    image = read_image(finished / "grid.png")
    # Frames are square: eight of them in a row.
    height = 2 * BAND + 4 * (FRAMES_WIDTH // 8)
    assert image.shape == (3, height, WORDS_WIDTH + FRAMES_WIDTH)


def test_what_is_finished_is_not_made_again(
    finished: Path,
    prior: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = (finished / "grid.png").read_bytes()
    monkeypatch.setattr(one_latents, "optimize_latents", None)
    assert main(["latents", *PROMPTS, "--out", str(finished), "--resume"]) == 0
    assert (finished / "grid.png").read_bytes() == before
    told = capsys.readouterr().out
    assert "grid.png" in told
    whole = (str(prior), PROMPTS[0], "finished")
    assert any(all(words in line for words in whole) for line in told.splitlines()), "split rows"
    assert main(["latents", PROMPTS[1], "--out", str(finished), "--resume"]) == 2
    assert "`PROMPT` must be the stored run's" in capsys.readouterr().err
    other = ["--out", str(finished), "--resume", "score.views=3"]
    assert main(["latents", *PROMPTS, *other]) == 2
    assert "`score.views` must be the stored run's 2, got 3" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("space", ["latents", "pixels"])
def test_interrupted_and_resumed_clips_are_the_same_bits(
    space: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [*SMALL, f"latents.space={space}", "latents.recognise=false", "prior.model=gaussian"]
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert main(["latents", *PROMPTS, "--out", str(whole), *given]) == 0

    def interrupted(*made: Any) -> Iterator[LatentStep]:
        for step in optimize_latents(*made):
            if step.index == 0:
                os.kill(os.getpid(), signal.SIGINT)
            yield step

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(one_latents, "optimize_latents", interrupted)
        assert main(["latents", *PROMPTS, "--out", str(cut), *given]) == 130
    assert "To go on: motiondistill latents 'a person is walking'" in capsys.readouterr().out
    rows = json.loads((cut / "summary.json").read_text())
    assert [(row["status"], row["steps"]) for row in rows] == [("stopped", 1), ("not begun", 0)]
    assert main(["latents", *PROMPTS, "--out", str(cut), "--resume"]) == 0
    for folder in (path for path in whole.iterdir() if path.is_dir()):
        ours, theirs = (load_newest(run / folder.name / CHECKPOINTS) for run in (whole, cut))
        assert torch.equal(ours["numbers"], theirs["numbers"])
        one, other = (figures(run / folder.name) for run in (whole, cut))
        assert {**one, "seconds": 0} == {**other, "seconds": 0}


def test_a_prior_that_fails_leaves_the_others_alone(
    prior: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The tiny prior takes 4k+1 frames, the other any."""
    given = [*SMALL, "run.frames=8", "latents.recognise=false"]
    folder = tmp_path / "run"
    models = f"prior.models=[gaussian,{prior}]"
    assert main(["latents", PROMPTS[0], "--out", str(folder), models, *given]) == 1
    rows = json.loads((folder / "summary.json").read_text())
    assert [row["status"] for row in rows] == ["finished", "failed"]
    assert rows[1]["message"].startswith("`frames` must be 4k+1 for this prior, got 8")
    assert "failed: 02-tiny" in capsys.readouterr().out


def test_the_start_is_the_body_at_rest_or_a_motion(tmp_path: Path, low_body: Any) -> None:
    file = tmp_path / "motion.npz"
    save(file, walk(low_body), low_body)
    videos = {}
    for start in ("neutral", "reference", "first_frame"):
        given = [*SMALL, "prior.model=gaussian", f"latents.start={start}"]
        given += [] if start == "neutral" else [f"latents.motion={file}"]
        problem, fitting = make_latent_problem(config.load(LatentsConfig, None, given), PROMPTS[0])
        videos[start] = problem.start
        assert problem.start.shape == (2, 9, 3, 32, 32) and fitting.cameras.size == (32, 32)
        torch.testing.assert_close(problem.azimuths, torch.tensor([0.0, torch.pi]))
    still = {start: bool((video == video[:, :1]).all()) for start, video in videos.items()}
    assert still == {"neutral": True, "reference": False, "first_frame": True}


def test_a_still_start_is_the_first_pose_of_the_reference(tmp_path: Path, low_body: Any) -> None:
    file = tmp_path / "motion.npz"
    save(file, walk(low_body), low_body)
    timeline = Timeline(6, 8.0)
    moving, still = (
        start_motion(LatentsSettings(start=start, motion=str(file)), timeline, 0)
        for start in ("reference", "first_frame")
    )
    assert (moving.rotations - moving.rotations[:1]).abs().max() > 0.1
    assert torch.equal(still.rotations, moving.rotations[:1].expand_as(still.rotations))
    assert torch.equal(still.translation, moving.translation[:1].expand_as(still.translation))


def test_priors_are_named_one_or_several_on_the_command_line() -> None:
    given = ["prior.model=a", "prior.model=[b,c]", "prior.models=[d]", "prior.dtype=float32"]
    assert with_models(given) == [
        'latents.models=["a"]',
        "latents.models=[b,c]",
        "latents.models=[d]",
        "prior.dtype=float32",
    ]
    odd = config.load(LatentsConfig, None, with_models(['prior.model=./a, "b": c']))
    assert odd.latents.models == ('./a, "b": c',)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: PROMPT"),
        (["score.views=2"], "the following arguments are required: PROMPT"),
        (["x", "x"], "`PROMPT` must be given once, got 'x' twice; leave one out."),
        (["x", "seed=1"], "`seed` is not a key of `latents`; did you mean `run.seed`?"),
        (["x", "prior.model=/nowhere"], "`prior.model` must be a name that "),
        (["x", "prior.model=[gaussian,/nowhere]"], "`prior.model` must be a name that "),
        (["x", "--resume"], "`--resume` needs `--out`"),
        (["x", "score.objective=vsd"], "`score.objective` must not be vsd in `latents`"),
        (["x", "latents.start=reference", "latents.motion=/no.npz"], "`latents.motion` must be a"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_no_folder(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["latents", *arguments]) == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith(f"motiondistill: error: {message}")
    assert not list(tmp_path.glob("runs/*"))
