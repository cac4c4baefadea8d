"""What `motiondistill probe` refuses once it knows the prior, and how it says so."""

from pathlib import Path

import pytest
import torch
from mocap_folder import clip_joints, write_folder

from motiondistill.bookkeeping.out_of_memory import remedies_of_probe
from motiondistill.building.probe import make_study
from motiondistill.cli import main
from motiondistill.commands import probe
from motiondistill.config import load
from motiondistill.schema.jobs import ProbeConfig

TINY = ["prior.model=gaussian", "camera.size=[16,16]", "probe.null_copies=0"]


def test_slides_that_frames_cannot_show_are_told() -> None:
    """Eight frames a second show four periods of the sway, each of 0.8 m."""
    told = (
        r"`probe\.slide_speed` must be below 3\.2 m/s for the prior's 8 frames a second, .* "
        r"got 3\.2; set it to 1\.6 or less\."
    )
    with pytest.raises(ValueError, match=told):
        make_study(load(ProbeConfig, None, [*TINY, "probe.slide_speed=3.2"]))


def test_slides_that_frames_show_are_asked_for() -> None:
    config = load(ProbeConfig, None, [*TINY, "probe.slide_speed=3.19"])
    assert make_study(config).settings.slide_speed == 3.19


def test_too_little_memory_is_told_by_the_keys_that_help(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(config: ProbeConfig) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    monkeypatch.setattr(probe, "make_study", full)
    assert main(["probe", "--set", "paper", "--out", str(tmp_path / "p")]) == 2
    told = capsys.readouterr().err
    assert "one clip asks of them, but 2.00 GiB more were wanted; try prior.batch_size=1, " in told
    assert "probe.null_copies=2" in told
    assert not (tmp_path / "p").exists()


def test_remedies_are_settings_that_there_are_and_end() -> None:
    tried = ["render.supersampling=2", "camera.size=[32,32]"]
    while len(found := remedies_of_probe(load(ProbeConfig, None, tried))) > 1:
        tried = [*tried, found[0]]
        assert len(tried) < 20
    assert found == ["a camera.size below [32, 32]"]
    keys = {word.split("=")[0] for word in tried[2:]}
    assert keys == {
        *("prior.batch_size", "probe.null_copies", "prior.encode", "gradient.draws"),
        "render.supersampling",
    }


@pytest.mark.parametrize(
    ("prompt", "told"),
    [
        (
            "a person kicks",
            "`--motions` must show what a prompt names, got FOLDER for 'a person kicks' (no motion "
            "shows the action 'kick'; left out: kicking_1 (no kick that a window of 1.88 s fits "
            "round)); add such motions,",
        ),
        ("a person bows", "(no motion shows the action 'bow'); add such motions,"),
        ("a person juggles", "`--prompts` must hold a prompt of a known action, got 'a person jug"),
    ],
)
def test_motions_that_show_no_prompt_are_told_with_what_was_left_out(
    prompt: str, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mocap = write_folder(
        tmp_path / "mocap",
        {
            "walking_1": ("walk", clip_joints("walk", 4.0, speed=1.2)),
            "kicking_1": ("kick", clip_joints("stand", 3.0)),
        },
    )
    (tmp_path / "prompts.txt").write_text(prompt)
    arguments = ["probe", "--prompts", str(tmp_path / "prompts.txt"), "--motions", str(mocap)]
    assert main([*arguments, "--out", str(tmp_path / "out"), *TINY]) == 2
    said = capsys.readouterr().err
    assert told.replace("FOLDER", str(mocap)) in said
    assert f"left out of {mocap}: kicking_1 (no kick" in said
    assert "add --motions" not in said


def test_prompts_without_a_parametric_motion_are_told_to_add_motions(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "prompts.txt").write_text("a person does a cartwheel")
    arguments = [
        "probe",
        "--prompts",
        str(tmp_path / "prompts.txt"),
        "--out",
        str(tmp_path / "out"),
    ]
    assert main([*arguments, *TINY]) == 2
    said = capsys.readouterr().err
    assert "`--prompts` must hold a prompt that a motion shows, got 'a person does a cart" in said
    assert "or add --motions DIR." in said


@pytest.mark.parametrize("command", ["probe", "diagnose"])
def test_help_tells_where_the_action_of_a_file_comes_from(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main([command, "--help"])
    told = " ".join(capsys.readouterr().out.split())
    assert "a file's action is what its own name tells, else what the nearest folder's" in told
