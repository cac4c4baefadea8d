"""The clock of the player, in Chromium: it follows the video's frames as they are shown."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from browser import opened_page

from motiondistill.report.documents import page_file

pytestmark = pytest.mark.browser
FRAMES, FPS = 16, 8
LENGTH = FRAMES / FPS  # seconds
# Ends a script: where the clock stands.
STATE = "return [clock.time, clock.frame(), clock.smooth()];"


@pytest.fixture(scope="module")
def run() -> Iterator[Callable[[str], Any]]:
    """Runs a script that has a clock, and gives what it returns."""
    with opened_page() as (page, watch):
        page.add_script_tag(content=page_file("clock.js"))
        begin = f"const clock = new Clock({FRAMES}, {FPS});"
        yield lambda script: page.evaluate(f"() => {{ {begin} {script} }}")
        assert watch.errors == []


def test_without_a_video_it_goes_by_itself(run: Callable[[str], Any]) -> None:
    time, frame, _ = run(f"for (let t = 100; t <= 1600; t += 100) clock.advance(t); {STATE}")
    assert (time, frame) == (pytest.approx(1.6), 12)
    hidden, _, _ = run(f"clock.advance(60_000); {STATE}")
    assert hidden == pytest.approx(0.25), "a hidden page goes on from where it was"
    slow, _, _ = run(f"clock.speed = 0.5; clock.advance(200); {STATE}")
    assert slow == pytest.approx(0.1)


def test_it_stays_in_the_frame_that_the_video_shows(run: Callable[[str], Any]) -> None:
    # The video stands at its third frame for longer than that lasts.
    for passed in (0, 60, 124, 300):
        time, frame, smooth = run(
            f"clock.advance(50); clock.tell(400, 0.25, {LENGTH}); clock.advance({400 + passed});"
            f"{STATE}"
        )
        assert frame == 2
        assert time == pytest.approx(0.25 + min(passed / 1000, 0.99 / FPS))
        assert abs(smooth - 2) <= 0.5, "the body is in the third pose, give or take half a frame"


def test_a_stuck_video_is_left_behind(run: Callable[[str], Any]) -> None:
    told = f"clock.tell(0, 0, {LENGTH}); for (let t = 0; t <= 1500; t += 100) clock.advance(t);"
    time, frame, _ = run(f"{told} {STATE}")
    assert time > 0.9 and frame >= 7
    assert run(f"clock.tell(0, 0, {LENGTH}); return [clock.led(400), clock.led(700)];") == [
        True,
        False,
    ]


@pytest.mark.parametrize("repeats", [1, 2, 3])
def test_it_goes_on_where_the_video_begins_again(repeats: int, run: Callable[[str], Any]) -> None:
    span = repeats * LENGTH
    end = span - 1 / FPS
    time, frame, _ = run(
        f"clock.time = {end + 0.1}; clock.tell(0, {end}, {span}); clock.advance(90);"
        f"clock.tell(200, 0, {span}); clock.advance(200); {STATE}"
    )
    assert (time, frame) == (pytest.approx(span), 0), "forward, and not back by a whole video"


def test_frames_are_gone_to_around_the_clip(run: Callable[[str], Any]) -> None:
    frames = [
        run(f"clock.time = {LENGTH + 0.3}; clock.go({frame}); {STATE}")[:2]
        for frame in (0, 3, FRAMES, -1)
    ]
    assert [frame for _, frame in frames] == [0, 3, 0, FRAMES - 1]
    assert all(LENGTH <= time < 2 * LENGTH for time, _ in frames), "in the same repeat"
    before = run(f"clock.time = -0.1; {STATE}")
    assert before[1] == FRAMES - 1, "a video may begin before the clock did"
