"""A batch's index in headless Chromium: sorted by every column, and safe with any prompt."""

import datetime
import io
import os
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import torch
from browser import opened_page
from PIL import Image
from playwright.sync_api import Page
from report_run import FRAMES, LEVELS, leave

from motiondistill.bookkeeping.batch import Row, read_summary, write_summary
from motiondistill.motion.motion_file import load_motion, save_motion
from motiondistill.report.batch_page import write_index
from motiondistill.report.run_page import write_report
from motiondistill.report.thumbnails import four_frames
from motiondistill.structures import Motion

pytestmark = pytest.mark.browser
HOSTILE = "</td><script>throw 1</script><img src=x onerror='throw 2'>\"b مرحبا"
# The second run's file is lifted by this, so that it floats more than the first.
LIFT = 0.5
# Greys of JPEG at quality 82, of 255; neighbouring frames are 40 apart.
JPEG = 4


def row(prompt: str, folder: str, loss: float | None, status: Any = "finished") -> Row:
    message = "the device <b>is gone</b>" if status == "failed" else ""
    return Row(prompt, 0, status, 10, loss, None, None, folder, message)


ROWS = [
    row("a person walks", "walk", 2.0),
    row(HOSTILE, "hostile", -10.0),
    row("b", "failed", None, "failed"),
    row("c", "plain", 0.5),
]


@pytest.fixture(scope="module")
def index(low_body: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("batch")
    for name, prompt in (("walk", ROWS[0].prompt), ("hostile", HOSTILE)):
        leave(folder / name, low_body, prompt)
    lift(folder / "hostile" / "motion.npz", low_body)
    write_report(folder / "walk", low_body)
    write_summary(folder, ROWS)
    assert read_summary(folder) == ROWS
    return write_index(folder, read_summary(folder), low_body)


def lift(path: Path, body: Any) -> None:
    file = load_motion(path)
    up = torch.tensor([0.0, LIFT, 0.0])
    motion = Motion(file.motion.rotations, file.motion.translation + up, file.motion.fps)
    joints = body(motion).joints
    save_motion(path, motion, joints, prompt=file.prompt, seed=0, body=file.body)


@pytest.fixture
def opened(index: Path) -> Iterator[Page]:
    with opened_page(1400, 800) as (page, watch):
        page.goto(index.as_uri())
        yield page
        assert (watch.errors, watch.requests) == ([], [])


def order(page: Page) -> list[str]:
    prompts: list[str] = page.locator("tbody td.prompt").evaluate_all(
        "(cells) => cells.map((cell) => cell.dataset.value)"
    )
    return prompts


def test_every_column_sorts_both_ways_and_the_lacking_come_last(opened: Page) -> None:
    walk, hostile, failed, plain = (each.prompt for each in ROWS)
    head = opened.locator("th[data-key=loss]")
    head.locator("button").click()
    assert order(opened) == [hostile, plain, walk, failed]
    assert head.get_attribute("aria-sort") == "ascending"
    head.locator("button").click()
    assert order(opened) == [walk, plain, hostile, failed]
    assert head.get_attribute("aria-sort") == "descending"
    assert opened.locator("th[aria-sort$=scending]").count() == 1
    opened.select_option("#key", "floating")
    assert order(opened)[:2] == [walk, hostile]
    opened.click("#turn")
    assert order(opened)[:2] == [hostile, walk]
    opened.locator("th[data-key=prompt] button").press("Enter")
    assert [prompt for prompt in order(opened) if prompt != hostile] == [walk, failed, plain]


def test_what_is_shown_is_text(opened: Page) -> None:
    cell = opened.locator("tbody td.prompt").filter(has_text="onerror")
    assert cell.inner_text() == HOSTILE
    assert opened.locator("script").count() == 1
    failed = opened.locator("tbody td.prompt").filter(has_text="is gone")
    assert "the device <b>is gone</b>" in failed.inner_text()


def test_thumbnails_and_links_are_those_of_the_runs(opened: Page, index: Path) -> None:
    links = opened.locator("tbody td.prompt a").evaluate_all(
        "(links) => links.map((link) => link.getAttribute('href'))"
    )
    assert links == ["walk/report.html"]
    pictures = opened.locator("video.thumbnail")
    assert (
        pictures.evaluate_all(
            "(all) => all.map((video) => [video.poster.slice(0, 15), video.clientWidth > 150])"
        )
        == [["data:image/jpeg", True]] * 2
    )
    assert (index.parent / links[0]).is_file()
    assert not [name for name in os.listdir(index.parent) if name.startswith(".")]
    opened.click("tbody td.prompt a")
    assert opened.locator("h1").text_content() == ROWS[0].prompt


def test_the_video_plays_where_it_is_looked_at(opened: Page) -> None:
    row = opened.locator("tbody tr").filter(has_text=ROWS[0].prompt)
    playing = "(video) => !video.paused && video.readyState > 1"
    video = row.locator("video")
    assert video.evaluate("(video) => [video.paused, video.readyState]") == [True, 0]
    for begin, end in (
        (row.hover, opened.locator("h1").hover),
        (row.locator("td.prompt a").focus, opened.locator("#turn").focus),
    ):
        begin()
        for _ in range(200):
            if video.evaluate(playing):
                break
            opened.wait_for_timeout(50)
        else:
            raise TimeoutError("no video")
        other = opened.locator("tbody tr").filter(has_text="onerror").locator("video")
        assert other.evaluate("(video) => video.paused")
        end()
        assert video.evaluate("(video) => [video.paused, video.currentTime]") == [True, 0]


def test_the_picture_has_frames_from_the_whole_motion(index: Path) -> None:
    columns = [image(index.parent / "walk" / "strip.png", count) for count in (FRAMES, 0)]
    assert columns[0].size == (256, 256)
    greys = [columns[0].getpixel(place)[0] for place in ((60, 60), (190, 60), (60, 190))]
    wanted = [LEVELS[column] for column in (0, 1, 2)]
    assert greys == pytest.approx(wanted, abs=JPEG)
    assert columns[0].tobytes() == columns[1].tobytes(), "square frames are counted by themselves"


def image(strip: Path, columns: int) -> Image.Image:
    found = four_frames(strip, columns)
    assert found is not None
    return Image.open(io.BytesIO(found[0]))


def test_a_phone_shows_every_value_with_its_name_and_unit(opened: Page) -> None:
    opened.set_viewport_size({"width": 390, "height": 800})
    row = opened.locator("tbody tr").filter(has_text=ROWS[0].prompt)
    label = "(cell) => getComputedStyle(cell, '::before').content"
    assert row.locator("td.status").evaluate(label) == '"status"'
    found = row.locator("td[data-of=floating]")
    assert found.inner_text().endswith(" m") and found.evaluate(label) == '"floating"'
    assert row.locator("td[data-of=jerk]").inner_text().endswith(" m/s³")
    slid = opened.locator("td[data-of=sliding_speed]").evaluate_all(
        "(all) => all.map((each) => each.dataset.label)"
    )
    assert set(slid) == {"sliding speed"}, "of runs without a figure, too"
    assert opened.evaluate("document.documentElement.scrollWidth") == 390


def test_the_legend_has_every_shape_and_no_other(opened: Page) -> None:
    shapes = "(all) => [...new Set(all.map((each) => each.className))].sort()"
    shown = opened.locator("tbody .light").evaluate_all(shapes)
    assert opened.locator(".note .light").evaluate_all(shapes) == shown
    # The lifted motion never touches the floor.
    assert "light none" in shown
    assert "no foot touches the floor" in opened.locator(".note").inner_text()


def test_the_foot_tells_what_made_the_page_and_when(opened: Page) -> None:
    today = datetime.datetime.now(datetime.UTC).date()
    days = [(today - datetime.timedelta(days)).isoformat() for days in (0, 1)]  # past midnight
    foot = opened.locator("footer").inner_text()
    assert foot in [f"Made by motiondistill {version('motiondistill')} on {day}." for day in days]
