"""Many runs from one command: their prompts and seeds, their folders, failures and resumption."""

import csv
import json
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from motiondistill.bookkeeping.batch import parse_seeds, plan, read_prompts, standing
from motiondistill.building import objects
from motiondistill.checkpoints import CHECKPOINTS, save_step
from motiondistill.cli import main
from motiondistill.commands import one_run
from motiondistill.engine.optimize import optimize
from motiondistill.engine.stages import Step

PROMPTS = ("a person walks", "A person bows, twice!")
FOLDERS = ["a-person-walks_seed0", "a-person-walks_seed1"]
TINY = ["prior.model=gaussian", "camera.size=[16,16]", "run.frames=4", "init.start=neutral"]
TINY += ["score.num_steps=2", "score.views=1", "run.threads=1"]


@pytest.fixture(scope="module")
def prompts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("prompts") / "prompts.txt"
    path.write_text(f"# two\n\n  {PROMPTS[0]}  \n#{PROMPTS[0]}\n{PROMPTS[1]}\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def finished(prompts: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of four runs that were left in peace, with one prior for all."""
    folder, made = tmp_path_factory.mktemp("runs") / "batch", []
    make_prior = objects.make_prior

    def counted(*given: Any) -> Any:
        made.append(given)
        return make_prior(*given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(objects, "make_prior", counted)
        # The first word after the file is an override, as all others are.
        arguments = ["optimize", "--prompts", str(prompts), *TINY, "--seeds", "0-1"]
        assert main([*arguments, "--out", str(folder)]) == 0
    assert len(made) == 1
    return folder


def rows(folder: Path) -> list[dict[str, Any]]:
    return json.loads((folder / "summary.json").read_text(encoding="utf-8"))


def test_every_prompt_has_a_run_with_every_seed(finished: Path) -> None:
    found = rows(finished)
    pairs = [(prompt, seed) for prompt in PROMPTS for seed in (0, 1)]
    assert [(row["prompt"], row["seed"]) for row in found] == pairs
    assert [row["folder"] for row in found][:2] == FOLDERS
    assert len({row["folder"] for row in found}) == 4
    assert {row["status"] for row in found} == {"finished"}
    for row in found:
        metrics = json.loads((finished / row["folder"] / "metrics.json").read_text())
        names = ("prompt", "seed", "steps", "loss", "evidence", "seconds")
        assert {name: row[name] for name in names} == {name: metrics[name] for name in names}
        assert row["steps"] == 2
    with (finished / "summary.csv").open(newline="", encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    assert [row["prompt"] for row in table] == [row["prompt"] for row in found]
    assert [float(row["evidence"]) for row in table] == [row["evidence"] for row in found]


def test_a_run_of_a_batch_is_the_run_alone(finished: Path, tmp_path: Path) -> None:
    assert main(["optimize", PROMPTS[0], "--out", str(tmp_path / "one"), *TINY, "run.seed=1"]) == 0
    alone = (tmp_path / "one" / "motion.npz").read_bytes()
    assert alone == (finished / FOLDERS[1] / "motion.npz").read_bytes()
    assert alone != (finished / FOLDERS[0] / "motion.npz").read_bytes()


def patched(monkeypatch: pytest.MonkeyPatch, event: Callable[[Step], None]) -> list[int]:
    """Lets `event` happen after each step of seed 1; the seeds of the runs that were begun."""
    begun = []

    def steps(problem: Any, *given: Any) -> Iterator[Step]:
        begun.append(problem.seed)
        for step in optimize(problem, *given):
            if problem.seed == 1:
                event(step)
            yield step

    monkeypatch.setattr(one_run, "optimize", steps)
    return begun


def broken(_: Step) -> None:
    raise RuntimeError("the device\nis gone")


def interrupted(step: Step) -> None:
    if step.index == 0:
        os.kill(os.getpid(), signal.SIGINT)


def interrupted_late(step: Step) -> None:
    if step.index == 1:
        os.kill(os.getpid(), signal.SIGINT)


def aborted(_: Step) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("event", "code", "statuses", "steps"),
    [
        (broken, 1, ["finished", "failed", "finished"], [2, 0, 2]),
        (interrupted, 130, ["finished", "stopped", "not begun"], [2, 1, 0]),
        (interrupted_late, 130, ["finished", "finished", "not begun"], [2, 2, 0]),
        (aborted, 130, ["finished", "not begun", "not begun"], [2, 0, 0]),
    ],
)
def test_what_ends_a_run_is_told_and_resume_does_the_rest(
    event: Callable[[Step], None],
    code: int,
    statuses: list[str],
    steps: list[int],
    finished: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "batch"
    arguments = ["optimize", PROMPTS[0], "--seeds", "0-2", "--out", str(folder)]
    with pytest.MonkeyPatch.context() as patch:
        assert patched(patch, event) == []
        assert main([*arguments, *TINY]) == code
    assert [row["status"] for row in rows(folder)] == statuses
    assert [row["steps"] for row in rows(folder)] == steps
    told = capsys.readouterr().out
    assert ("failed: a-person-walks_seed1: the device is gone" in told) == (event is broken)
    assert ("--seeds 0,1,2 --out" in told and told.rstrip().endswith("--resume")) == (code == 130)
    with pytest.MonkeyPatch.context() as patch:
        begun = patched(patch, lambda step: None)
        assert main([*arguments, "--resume"]) == 0
    assert begun == [seed for seed in range(3) if statuses[seed] != "finished"]
    assert {row["status"] for row in rows(folder)} == {"finished"}
    for name in FOLDERS:
        resumed = (folder / name / "motion.npz").read_bytes()
        assert resumed == (finished / name / "motion.npz").read_bytes()


def test_a_batch_may_grow_but_not_change(
    finished: Path, prompts: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    again = ["optimize", "--prompts", str(prompts), "--out", str(finished), "--resume"]
    before = (finished / FOLDERS[0] / "motion.npz").stat().st_mtime_ns
    assert main(again) == 0
    assert (finished / FOLDERS[0] / "motion.npz").stat().st_mtime_ns == before
    assert len(rows(finished)) == 4  # the stored seeds
    assert main([*again, "score.views=3"]) == 2
    assert "`score.views` must be the stored run's 1, got 3" in capsys.readouterr().err


def test_a_batch_that_has_not_distilled_may_do_so_otherwise(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As long as none of its runs has: they would not be runs of one configuration."""
    asked = ["optimize", PROMPTS[0], "--seeds", "0-1", "--out"]
    later, whole = str(tmp_path / "later"), str(tmp_path / "whole")
    other = ["score.objective=sds", "score.views=2", "score.num_steps=2"]
    assert main([*asked, later, *TINY, "score.num_steps=0"]) == 0
    assert main([*asked, later, "--resume", *other]) == 0
    assert main([*asked, whole, *TINY, *other]) == 0
    for name in FOLDERS:
        motion = Path(later, name, "motion.npz").read_bytes()
        assert motion == Path(whole, name, "motion.npz").read_bytes()
    shutil.rmtree(tmp_path / "later" / FOLDERS[0])
    assert main([*asked, later, "--resume", "score.objective=csd"]) == 2
    assert "`score.objective` must be the stored run's 'sds', got" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a person walks", "--prompts", "FILE"], "argument PROMPT: not allowed with argument"),
        (["--prompts", "nowhere.txt"], "`--prompts` must be a file, got nowhere.txt; "),
        (["--prompts", "FILE", "--seeds", "3-1"], "`--seeds` must hold ranges that rise"),
        (["--prompts", "FILE", "--seeds", "0", "run.seed=1"], "`run.seed` must be left out with"),
        (["--prompts", "FILE", "--resume"], "`--resume` needs `--out`, "),
        (["--prompts", "FILE", "scor.views=1"], "`scor.views` is not a key of `optimize`; "),
        (["--prompts", "LONG"], "line 2 of `--prompts` must have at most 500 characters, got 501"),
        (["--prompts", "FILE", "--out", "BATCH"], "`--out` must be a new or empty folder, got"),
        (
            ["a person walks", "--out", "BATCH", "--resume"],
            "`--out` must be the folder of a single",
        ),
        (
            ["--prompts", "FILE", "--out", "BATCH/" + FOLDERS[0], "--resume"],
            "`--out` must be the folder of a batch to resume, got",
        ),
    ],
)
def test_a_mistake_is_one_line(
    arguments: list[str],
    message: str,
    finished: Path,
    prompts: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "long.txt").write_text("\n" + "x" * 501)
    names = {"FILE": str(prompts), "LONG": "long.txt", "BATCH": str(finished)}
    words = [word.replace("BATCH", names["BATCH"]) for word in arguments]
    assert main(["optimize", *(names.get(word, word) for word in words)]) == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith(f"motiondistill: error: {message}")
    assert not (tmp_path / "runs").exists()


@given(st.lists(st.integers(0, 99), min_size=1, max_size=20, unique=True))
def test_seeds_come_back_from_their_words(seeds: list[int]) -> None:
    assert parse_seeds(",".join(map(str, seeds))) == tuple(seeds)
    assert parse_seeds(f"{seeds[0]}-{seeds[0] + 3}") == tuple(range(seeds[0], seeds[0] + 4))


@pytest.mark.parametrize(
    ("words", "rule"),
    [
        ("", "whole numbers"),
        ("-1", "whole numbers"),
        ("0-", "whole numbers"),
        ("a", "whole numbers"),
        ("1,,2", "whole numbers"),
        ("0-3,2", "each seed once"),
        ("9223372036854775808", "ranges that rise"),
        ("0-10000", "of at most 10000 seeds"),
    ],
)
def test_other_words_are_no_seeds(words: str, rule: str) -> None:
    with pytest.raises(ValueError, match=rf"`--seeds` must hold .*{rule}"):
        parse_seeds(words)


@given(st.sets(st.text(min_size=1, max_size=60), min_size=1, max_size=8))
def test_every_run_has_a_folder_of_its_own_and_none_is_a_path(texts: set[str]) -> None:
    every = {*texts, "a b", "a-b", "A b", "a  b", "x" * 50, "x" * 51}
    folders = [job.folder for job in plan(sorted(every), (0, 10), Path("out"))]
    assert len({*folders}) == 2 * len(every)
    for folder in folders:
        assert folder.parent == Path("out")
        assert {*folder.name} <= {*"abcdefghijklmnopqrstuvwxyz0123456789-_"}


def test_prompts_are_lines_without_blanks_and_comments(tmp_path: Path) -> None:
    path = tmp_path / "prompts.txt"
    path.write_bytes("\ufeffa  person walks\r\n\r\n # no\r\nseven # sevens".encode())
    assert read_prompts(path) == {1: "a person walks", 4: "seven # sevens"}
    for content, message in (
        (b"#\n\n", "must hold a prompt a line, got none in"),
        (b"a\nb\na \n", "must hold each prompt once, got 'a' in lines 1 and 3"),
        (b"\xff\xfe\x00", "must be a text file in UTF-8"),
    ):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=f"`--prompts` {message}"):
            read_prompts(path)


def test_checkpoints_tell_of_updates_that_the_figures_do_not_know(tmp_path: Path) -> None:
    done, cut = {"finished": True, "steps": 4}, {"finished": False, "steps": 3}
    assert standing(tmp_path, {}) == ("not begun", 0)
    assert standing(tmp_path, {}, "why") == ("failed", 0)
    save_step(tmp_path / CHECKPOINTS, 4, {})
    assert standing(tmp_path, done) == ("finished", 4)
    assert standing(tmp_path, cut) == standing(tmp_path, {}) == ("stopped", 4)
    save_step(tmp_path / CHECKPOINTS, 6, {})
    assert standing(tmp_path, done) == ("stopped", 6)
    assert standing(tmp_path, done, "why") == ("failed", 6)
