"""`motiondistill latents` cut short: by a late Ctrl-C, and by too little memory."""

import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from motiondistill import config
from motiondistill.bookkeeping.out_of_memory import remedies_of_clips
from motiondistill.building import latents as build_latents
from motiondistill.cli import main
from motiondistill.commands import one_latents
from motiondistill.latents.ablation import optimize_latents
from motiondistill.latents.state import LatentStep
from motiondistill.report import latent_results
from motiondistill.schema.jobs import LatentsConfig

PROMPTS = ["a person is walking", "a person bows"]
SMALL = ["camera.size=[32,32]", "run.frames=9", "run.threads=1", "score.views=2"]
SMALL += ["score.num_steps=4", "prior.model=gaussian"]


@pytest.mark.parametrize(
    ("place", "presses", "row"),
    [
        ("the last update", 1, ("finished", 4)),
        ("the fit", 1, ("stopped", 4)),
        ("the fit", 2, ("stopped", 4)),
    ],
)
def test_a_late_ctrl_c_begins_no_other_clip(
    place: str, presses: int, row: tuple[str, int], tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    given = [*SMALL, "latents.fit_steps=3"]
    given += [f"latents.recognise={str(place == 'the fit').lower()}"]
    module, name, index = {
        "the last update": (one_latents, "optimize_latents", 3),
        "the fit": (latent_results, "fit", 1),
    }[place]
    real, taken = getattr(module, name), []

    def interrupted(*made: Any) -> Iterator[Any]:
        for step in real(*made):
            taken.append(step.index)
            for _ in range(presses if step.index == index else 0):
                signal.raise_signal(signal.SIGINT)
            yield step

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, name, interrupted)
        assert main(["latents", *PROMPTS, "--out", str(folder), *given]) == 130
    assert taken == [*range(index + 1)]
    rows = json.loads((folder / "summary.json").read_text())
    assert [(each["status"], each["steps"]) for each in rows] == [row, ("not begun", 0)]
    first = folder / rows[0]["folder"]
    assert (first / "metrics.json").is_file() == (presses == 1)
    assert not (first / "motion.npz").exists()
    if place == "the fit":
        assert main(["latents", *PROMPTS, "--out", str(folder), "--resume"]) == 0
        told = json.loads((first / "metrics.json").read_text())
        assert told["finished"] and told["recognised"]["asked"] == "walk"


def test_a_ctrl_c_that_leaves_nothing_undone_is_no_interruption(tmp_path: Path) -> None:
    def interrupted(*made: Any) -> Iterator[LatentStep]:
        for step in optimize_latents(*made):
            if step.index == 3:
                signal.raise_signal(signal.SIGINT)
            yield step

    given = [*SMALL, "prior.model=gaussian", "latents.recognise=false"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(one_latents, "optimize_latents", interrupted)
        assert main(["latents", PROMPTS[0], "--out", str(tmp_path / "run"), *given]) == 0


FULL = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


def fails(error: BaseException) -> Callable[..., Any]:
    def fail(*_: Any) -> Any:
        raise error

    return fail


@pytest.mark.parametrize(("error", "code"), [(FULL, 2), (KeyboardInterrupt(), 130)])
def test_a_first_prior_that_is_not_made_leaves_no_folder(
    error: BaseException,
    code: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(build_latents, "make_latent_problem", fails(error))
    assert main(["latents", PROMPTS[0], "--out", str(tmp_path / "run")]) == code
    assert not (tmp_path / "run").exists()
    if error is FULL:
        last = capsys.readouterr().err.splitlines()[-1]
        assert last.startswith("motiondistill: error: The memory must hold what one update needs")
        assert "2.00 GiB more were wanted; try prior.batch_size=1, then " in last


@pytest.mark.parametrize(
    ("name", "place"), [("optimize_latents", " at step 0"), ("initial_latents", "")]
)
def test_too_little_memory_is_told_by_the_keys_that_help(
    name: str, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(one_latents, name, fails(FULL))
    assert main(["latents", PROMPTS[0], "--out", str(tmp_path / "run"), *SMALL]) == 1
    (row,) = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert row["status"] == "failed"
    assert f"but 2.00 GiB more were wanted{place}; try prior.batch_size=1" in row["message"]
    assert ("score.accumulate=2" in row["message"]) == bool(place)


@pytest.mark.parametrize("begun", [False, True])
@pytest.mark.parametrize("space", ["latents", "pixels"])
def test_remedies_are_settings_that_there_are_and_end(space: str, begun: bool) -> None:
    given = ["render.supersampling=2", "camera.size=[32,32]", f"latents.space={space}"]
    tried = list(given)
    while len(found := remedies_of_clips(load(tried), begun=begun)) > 1:
        tried = [*tried, found[0]]
        assert len(tried) < 20
    assert found == ["a camera.size below [32, 32]"]
    keys = {word.split("=")[0] for word in tried[3:]}
    here = {"score.accumulate"} | ({"prior.encode"} if space == "pixels" else set())
    assert keys == {"prior.batch_size"} | (here if begun else {"render.supersampling"})


def load(overrides: list[str]) -> LatentsConfig:
    return config.load(LatentsConfig, None, overrides)
