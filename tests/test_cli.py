"""The command line end to end with a tiny random prior: results, kills, resumption, mistakes."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import imageio.v3
import pytest
import torch
import yaml
from tiny_ltx import save_tiny

from motiondistill.building import objects
from motiondistill.cli import main
from motiondistill.motion.motion_file import load_motion

PROMPT = "a person walks"
KILLED = -9
# Killed within the fit, and within the distillation.
KILLS = (3, 8)


@pytest.fixture(scope="module")
def prior(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny(tmp_path_factory.mktemp("prior"))


@pytest.fixture(scope="module")
def settings(prior: Path) -> list[str]:
    """A run of ten steps, five of each stage, that takes a second."""
    return [
        f"prior.model={prior}",
        "camera.size=[32,32]",
        "init.num_samples=2",
        "init.sampling_steps=2",
        "init.num_steps=5",
        "score.num_steps=5",
        "score.views=2",
        "run.checkpoint_every=2",
        "run.threads=1",
    ]


@pytest.fixture(scope="module")
def finished(settings: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that was left in peace."""
    folder = tmp_path_factory.mktemp("runs") / "finished"
    assert main(["optimize", PROMPT, "--out", str(folder), *settings]) == 0
    return folder


def test_a_run_leaves_what_it_promises(finished: Path) -> None:
    loaded = load_motion(finished / "motion.npz")
    assert loaded.motion.rotations.shape == (9, 22, 3, 3)
    assert (loaded.prompt, loaded.seed, loaded.body) == (PROMPT, 0, "anny-low")
    assert 0.5 < loaded.joints[:, 15, 1].mean() < 2.5  # the head is where heads are, metres
    assert imageio.v3.imread(finished / "strip.png").shape == (3 * 128, 8 * 128, 3)
    for name in ("video_front.mp4", "video_orbit.mp4", "log.txt"):
        assert (finished / name).stat().st_size > 0
    assert list(finished.glob("events.out.tfevents.*"))
    metrics = json.loads((finished / "metrics.json").read_text())
    assert (metrics["steps"], metrics["finished"]) == (10, True)
    stored = yaml.safe_load((finished / "config.yaml").read_text())
    assert stored["run"]["frames"] == 9  # resolved
    assert stored["about"]["prompt"] == PROMPT


@pytest.mark.slow
@pytest.mark.parametrize("step", KILLS)
def test_a_killed_and_resumed_run_gives_the_same_bits(
    finished: Path, settings: list[str], tmp_path: Path, step: int
) -> None:
    folder = tmp_path / "killed"
    script = f"""
import os, signal, sys
from motiondistill import cli
from motiondistill.bookkeeping import store
snapshot = store.snapshot
def fatal(state):
    if state.step >= {step}:
        os.kill(os.getpid(), signal.SIGKILL)
    return snapshot(state)
store.snapshot = fatal
cli.main(sys.argv[1:])
"""
    arguments = ["optimize", PROMPT, "--out", str(folder), *settings]
    killed = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True)
    assert killed.returncode == KILLED
    assert not (folder / "motion.npz").exists()
    assert main(["optimize", PROMPT, "--out", str(folder), "--resume"]) == 0
    assert (folder / "motion.npz").read_bytes() == (finished / "motion.npz").read_bytes()


@pytest.mark.slow
def test_a_start_distilled_later_in_another_way_gives_the_same_bits(
    settings: list[str], tmp_path: Path
) -> None:
    start, later, whole = (str(tmp_path / name) for name in ("start", "later", "whole"))
    given = ["--out", start, *settings]
    assert main(["optimize", PROMPT, *given, "score.num_steps=0"]) == 0
    shutil.copytree(start, later)
    other = ["score.objective=dds", "score.views=3", "score.num_steps=4"]
    assert main(["optimize", PROMPT, "--out", later, "--resume", *other]) == 0
    assert main(["optimize", PROMPT, "--out", whole, *settings, *other]) == 0
    assert Path(later, "motion.npz").read_bytes() == Path(whole, "motion.npz").read_bytes()
    assert main(["optimize", PROMPT, "--out", later, "--resume", "score.objective=sds"]) == 2


@pytest.mark.slow
def test_equal_seeds_give_equal_motions_and_others_differ(
    finished: Path, settings: list[str], tmp_path: Path
) -> None:
    first = load_motion(finished / "motion.npz").motion.rotations
    for seed, equal in ((0, True), (1, False)):
        folder = tmp_path / str(seed)
        # The stored configuration repeats the run, and an override changes it.
        stored = str(finished / "config.yaml")
        arguments = ["optimize", PROMPT, "--config", stored, "--out", str(folder)]
        assert main([*arguments, f"run.seed={seed}"]) == 0
        again = load_motion(folder / "motion.npz").motion.rotations
        assert torch.equal(first, again) == equal


def test_a_sample_is_a_video_and_a_strip(
    prior: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "new" / "walk.mp4"
    arguments = ["sample", PROMPT, "--out", str(path), f"prior.model={prior}"]
    assert main([*arguments, "sample.num_steps=2", "sample.view=back view"]) == 0
    assert imageio.v3.imread(path.with_suffix(".png")).shape == (128, 8 * 128, 3)
    assert path.stat().st_size > 0
    assert capsys.readouterr().out.split() == [str(path), str(path.with_suffix(".png"))]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: COMMAND; see `motiondistill --help`."),
        (["optimize", "x", "--seed", "3"], "unknown option --seed, near --seeds; see"),
        (["optimise", "x"], "`COMMAND` must be one of optimize, latents, probe, "),
        (
            ["optimize"],
            "one of the arguments PROMPT and --prompts FILE is required; see `motiondist",
        ),
        (["optimize", ""], "`PROMPT` must not be empty, got ''; say what a person does, such as"),
        (["optimize", " \t"], "`PROMPT` must not be empty, got ' \\t'; "),
        (["optimize", "x" * 501], "`PROMPT` must have at most 500 characters, got 501; "),
        (["optimize", "a\x07b"], "`PROMPT` must be text without control characters, got 'a\\x07b'"),
        (["optimize", "x", "--fast"], "unknown option --fast; see"),
        (["optimize", "x", "walks"], "an override must have the form key=value, got 'walks'; "),
        (["optimize", "x", "--out", "/dev/null/x"], "`--out` must be a folder that can be written"),
        (["optimize", "x", "--config", "nope"], "`--config` must be a YAML file or a shipped name"),
        (["optimize", "x", "score.guidence_scale=1"], "`score.guidence_scale` is not a key of"),
        (["optimize", "x", "score.views=four"], "`score.views` must be a whole number, got 'four'"),
        (["optimize", "x", "run.frames=100000"], "`run.frames` must be between 3 and 1024, got"),
        (["optimize", "x", "run.frames=10", "PRIOR"], "`frames` must be 4k+1 for this prior, got"),
        (["optimize", "x", "camera.size=[32,44]", "PRIOR"], "`width` must be a multiple of 8"),
        (["optimize", "x", "prior.model=/nowhere"], "`prior.model` must be a name that "),
        (["optimize", "x", "--resume"], "`--resume` needs `--out`"),
        (["optimize", "x", "--resume", "--out", "empty"], "`--out` must be a run's folder to"),
        (["sample", "x", "--out", "a.gif"], "`--out` must end in .mp4, got a.gif; name it a.mp4."),
        (["sample", "x", "--out", "/dev/null/a.mp4"], "`--out` must be in a folder that can be"),
        (["sample", "x", "--out", "/proc/a.mp4"], "`--out` must be in a folder that can be"),
        (["sample", "x", "sample.view=top view"], "`sample.view` must be one of front view, "),
        (["config", "--print", "--schema"], "argument --schema: not allowed with argument --print"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(
    arguments: list[str],
    message: str,
    prior: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    words = [f"prior.model={prior}" if word == "PRIOR" else word for word in arguments]
    assert main(words) == 2
    *log, last = capsys.readouterr().err.splitlines()
    assert last.startswith(f"motiondistill: error: {message}")
    assert not any("Traceback" in line for line in log)
    assert not list(tmp_path.glob("runs/*")), "a mistake leaves no folder behind"


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda folder: [path.unlink() for path in folder.iterdir()], "no checkpoint in "),
        (lambda folder: [path.write_bytes(b"x") for path in folder.iterdir()], "checkpoint "),
    ],
)
def test_missing_and_damaged_checkpoints_are_told(
    harm: Callable[[Path], object],
    message: str,
    finished: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    checkpoints = tmp_path / "checkpoints"
    checkpoints.mkdir()
    (tmp_path / "config.yaml").write_bytes((finished / "config.yaml").read_bytes())
    for path in (finished / "checkpoints").iterdir():
        (checkpoints / path.name).write_bytes(path.read_bytes())
    harm(checkpoints)
    assert main(["optimize", PROMPT, "--out", str(tmp_path), "--resume"]) == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith(f"motiondistill: error: {message}")


def test_a_damaged_checkpoint_is_passed_over_and_the_run_is_the_same(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoints = tmp_path / "checkpoints"
    checkpoints.mkdir()
    (tmp_path / "config.yaml").write_bytes((finished / "config.yaml").read_bytes())
    for path in (finished / "checkpoints").iterdir():
        (checkpoints / path.name).write_bytes(path.read_bytes())
    before, newest = sorted(checkpoints.iterdir())
    assert (before.stem, newest.stem) == ("step_00000008", "step_00000010")
    newest.write_bytes(newest.read_bytes()[:-3])
    arguments = ["optimize", PROMPT, "--out", str(tmp_path), "--resume"]
    assert main([*arguments, "run.keep_checkpoints=1"]) == 0
    told = capsys.readouterr().err
    for words in ("step_00000010.safetensors is damaged", "from step 8 of 10"):
        assert words in told and words in (tmp_path / "log.txt").read_text()
    assert (tmp_path / "motion.npz").read_bytes() == (finished / "motion.npz").read_bytes()
    assert [path.name for path in checkpoints.iterdir()] == [newest.name]


def test_a_folder_in_use_is_left_alone(
    finished: Path, settings: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    before = (finished / "config.yaml").read_bytes()
    assert main(["optimize", "other", "--out", str(finished), *settings]) == 2
    assert "name another, or go on with that run by --resume" in capsys.readouterr().err
    assert (finished / "config.yaml").read_bytes() == before


def test_what_nobody_foresaw_keeps_its_traceback(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def broken(*_: object) -> None:
        raise KeyError("inside")

    monkeypatch.setattr(objects, "make_problem", broken)
    with pytest.raises(KeyError, match="inside"):
        main(["optimize", "x", "--out", str(tmp_path / "run")])


def test_the_configuration_is_printed_as_yaml_that_can_be_read_back(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["config", "score.views=3"]) == 0
    printed = capsys.readouterr().out
    (tmp_path / "mine.yaml").write_text(printed)
    assert main(["config", "optimize", "--config", str(tmp_path / "mine.yaml")]) == 0
    assert capsys.readouterr().out == printed
    assert "views: 3" in printed
    assert main(["config", "sample", "--schema"]) == 0
    assert "class SampleConfig" in capsys.readouterr().out


@pytest.mark.parametrize(
    "command", [[], ["optimize"], ["sample"], ["render"], ["config"], ["priors"]]
)
def test_help_does_without_torch(command: list[str]) -> None:
    script = """
import sys
from motiondistill.cli import main
try:
    main(sys.argv[1:])
except SystemExit as end:
    assert end.code == 0
assert not {"torch", "numpy", "omegaconf", "rich"} & set(sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", script, *command, "--help"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "usage: motiondistill" in done.stdout
