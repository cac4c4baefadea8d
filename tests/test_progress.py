"""What people are told while a run goes on."""

import io

import pytest
import torch
from rich.console import Console

from motiondistill.bookkeeping import progress
from motiondistill.bookkeeping.progress import (
    BarReporter,
    LineReporter,
    Stopwatch,
    loss_in_words,
    make_reporter,
)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_plain_lines_tell_step_terms_speed_and_time_left(clock: list[float]) -> None:
    stream = io.StringIO()
    reporter = make_reporter(Console(file=stream, width=40), 100)
    assert isinstance(reporter, LineReporter)
    with reporter:
        for step in range(1, 101):
            clock[0] += 0.5
            terms = {"sds": torch.tensor(0.2), "tilt": torch.tensor(0.05)}
            reporter(step, loss_in_words(torch.tensor(0.25), terms))
    lines = stream.getvalue().splitlines()  # one a step, however narrow the output
    assert lines[0] == "step 1/100  loss 0.25 (sds 0.2, tilt 0.05)  2.0 steps/s  0:50 left"
    assert [line.split()[1] for line in lines[1:]] == [f"{step}/100" for step in range(5, 101, 5)]
    assert lines[-1].endswith("0:00 left")


def test_steps_that_come_by_the_dozen_are_counted_one_by_one(clock: list[float]) -> None:
    stream = io.StringIO()
    with make_reporter(Console(file=stream), 100, "frame") as reporter:
        for done in (12, 24, 96, 98, 100):
            clock[0] += 0.25 * 12
            reporter(done, count=12)
    lines = stream.getvalue().splitlines()
    assert lines[0] == "frame 12/100  4.0 frames/s  0:22 left"
    assert [line.split()[1] for line in lines] == [
        "12/100",
        "24/100",
        "96/100",
        "98/100",
        "100/100",
    ]


def test_a_terminal_gets_a_bar(clock: list[float]) -> None:
    stream = io.StringIO()
    reporter = make_reporter(Console(file=stream, force_terminal=True, width=120), 4)
    assert isinstance(reporter, BarReporter)
    with reporter:
        for step in range(1, 5):
            clock[0] += 1
            reporter(step, "loss 1")
    assert "4/4" in stream.getvalue()
    assert "1.0 steps/s" in stream.getvalue()


def test_nothing_of_the_bar_is_cut_off_on_a_narrow_terminal(clock: list[float]) -> None:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=80, color_system=None)
    terms = {name: torch.tensor(0.00123) for name in ("sds", "angular_speed", "ground_penetration")}
    with BarReporter(console, 450) as reporter:
        for step in range(1, 5):
            clock[0] += 1
            reporter(step, loss_in_words(torch.tensor(0.1234), terms))
    shown = " ".join(stream.getvalue().split())  # words may be parted by a line's end
    assert "…" not in shown
    assert all(word in shown for word in ("4/450", "0.1234", "ground_penetration", "7:26 left"))


def test_a_slow_first_step_is_forgotten_with_the_second(clock: list[float]) -> None:
    watch = Stopwatch()
    clock[0] += 150.0
    assert watch.lap() == pytest.approx(150.0), "all that is known"
    clock[0] += 1.0
    assert watch.lap() == pytest.approx(1.0)


def test_the_speed_follows_a_change_but_not_a_hiccup(clock: list[float]) -> None:
    watch = Stopwatch()
    for _ in range(100):
        clock[0] += 0.1
        mean = watch.lap()
    assert mean == pytest.approx(0.1)
    clock[0] += 1.0
    assert watch.lap() < 0.14
    for _ in range(200):
        clock[0] += 0.4
        mean = watch.lap()
    assert mean == pytest.approx(0.4, rel=0.01)
