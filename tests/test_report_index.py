"""A batch's index in headless Chromium: sorted by every column, and safe with any prompt."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from browser import opened_page
from playwright.sync_api import Page
from report_run import leave

from motiondistill.batch import Row, read_summary, write_summary
from motiondistill.motion.motion_file import load_motion, save_motion
from motiondistill.report.batch_page import write_index
from motiondistill.report.run_page import write_report
from motiondistill.structures import Motion

pytestmark = pytest.mark.browser
HOSTILE = "</td><script>throw 1</script><img src=x onerror='throw 2'>\"b مرحبا"
# The second run's file is lifted by this, so that it floats more than the first.
LIFT = 0.5


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
    assert opened.locator("img.thumbnail").evaluate_all(
        "(images) => images.map((image) => [image.naturalWidth > 300, image.naturalHeight])"
    ) == [[True, 64], [True, 64]]
    assert (index.parent / links[0]).is_file()
    assert not [name for name in os.listdir(index.parent) if name.startswith(".")]
    opened.click("tbody td.prompt a")
    assert opened.locator("h1").text_content() == ROWS[0].prompt
