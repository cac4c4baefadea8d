"""Where time goes: nested stages, steps, the run's files, and the benchmark in small."""

import json
import runpy
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from motiondistill.cli import main
from motiondistill.engine import profile
from motiondistill.engine.profile import BETWEEN, REST, Profile, table, timed, write_profile

SCRIPT = Path(__file__).parent.parent / "experiments" / "bench_step.py"


class Clock:
    """Time that passes only when it is told to."""

    now = 0.0

    def __call__(self) -> float:
        return self.now

    def pass_by(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(profile, "_now", found)
    return found


def work(clock: Clock, count: int) -> Iterator[int]:
    @timed("outer")
    def outer() -> None:
        clock.pass_by(1)
        with timed("inner"):
            clock.pass_by(2)
        clock.pass_by(4)

    for index in range(count):
        clock.pass_by(8)
        outer()
        with timed("inner"):
            clock.pass_by(16 * index)
        yield index


def test_a_stage_has_its_own_time_and_not_that_of_those_within(clock: Clock) -> None:
    watch, seen = Profile(), []
    for index in watch.watched(work(clock, 3)):
        clock.pass_by(32)
        seen.append(index)
    assert seen == [0, 1, 2]
    expected = [
        {"outer": 5.0, "inner": 2.0 + 16 * index, REST: 8.0, BETWEEN: 32.0} for index in range(3)
    ]
    assert watch.steps == expected
    summary = watch.summary()
    assert (summary["steps"], summary["seconds"]) == (3, clock.now)
    assert list(summary["stages"]) == ["outer", "inner", REST, BETWEEN]
    assert summary["stages"]["inner"] == {
        "seconds": 54.0,
        "share": 54 / clock.now,
        "median_ms": 18_000.0,
    }
    assert sum(stage["share"] for stage in summary["stages"].values()) == pytest.approx(1)
    assert "inner" in table(summary) and "18000.00 ms" in table(summary)


def test_nobody_watches_what_is_outside_of_steps(clock: Clock) -> None:
    watch = Profile()
    for _ in watch.watched(work(clock, 1)):
        with timed("outside"):
            clock.pass_by(1)
    assert "outside" not in watch.summary()["stages"]
    with timed("after"):
        pass


def test_a_stage_that_fails_is_over(clock: Clock) -> None:
    def caught() -> Iterator[int]:
        try:
            with timed("broken"):
                clock.pass_by(1)
                raise KeyError
        except KeyError:
            clock.pass_by(2)
        yield 0

    watch = Profile()
    assert list(watch.watched(caught())) == [0]
    assert watch.steps == [{"broken": 1.0, REST: 2.0, BETWEEN: 0.0}]


def test_no_steps_are_no_division_by_zero(tmp_path: Path) -> None:
    assert "0 steps" in write_profile(tmp_path, Profile())


def test_a_profiled_run_tells_where_its_time_went(tmp_path: Path) -> None:
    out = tmp_path / "run"
    given = ["prior.model=gaussian", "init.num_steps=0", "score.num_steps=3", "score.views=2"]
    size = ["run.frames=4", "camera.size=[16,16]", "run.profile=true", "score.accumulate=2"]
    began = time.perf_counter()
    assert main(["optimize", "a person bows", "--out", str(out), *given, *size]) == 0
    found = json.loads((out / "profile.json").read_text())
    assert found["steps"] == 3 and 0 < found["seconds"] < time.perf_counter() - began
    stages = {"field", "body", "render", "encode", "embed", "denoise", "backward", "optimise"}
    assert stages | {"regularise", REST, BETWEEN} == set(found["stages"])
    assert all(stage["seconds"] > 0 for stage in found["stages"].values())
    assert "3 steps took" in (out / "log.txt").read_text()


def test_the_benchmark_runs_in_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "new" / "page.md"
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), "--quick", "--threads", "1", "--out", str(out)])
    threads = torch.get_num_threads()
    try:
        runpy.run_path(str(SCRIPT), run_name="__main__")
    finally:
        torch.set_num_threads(threads)
    text = out.read_text(encoding="utf-8")
    assert "{" not in text and "nan" not in text
    for part in ("field", "body", "render", "encode", "denoise", "optimise", "all parts", "step"):
        assert f"| {part} |" in text


def test_the_page_compares_the_step_with_the_sum_of_its_parts() -> None:
    page = runpy.run_path(str(SCRIPT))["page"]
    about = {"rounds": 3, "threads": 1, "commit": "x", "machine": "m", "torch": "t"}
    about |= {"views": 1, "frames": 1, "height": 1, "width": 1}
    found = {"a": [1.0, 2.0, 9.0], "b": [2.0, 2.0, 2.0], "step": [4.4, 4.4, 4.4]}
    assert "| all parts | 4.0 |" in page(found, about)
    assert "**1.100**" in page(found, about) and "it is kept" in page(found, about)
    assert "it is missed" in page(found | {"step": [5.0, 5.0, 5.0]}, about)
