"""The page of a run in headless Chromium: its player plays, scrubs, turns and zooms, offline."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import imageio.v3
import numpy as np
import pytest
from browser import Watch, opened_page
from numpy.typing import NDArray
from playwright.sync_api import Page
from report_run import FPS, FRAMES, LEVELS, leave

from motiondistill.report import run_page
from motiondistill.report.curves import Curve, plot
from motiondistill.report.run_page import write_report

pytestmark = pytest.mark.browser
HOSTILE = (
    '</script><script>document.title="owned"</script><img src=x onerror="throw 1"> '
    "\"'&amp; {{script}} \u202e مرحبا 人 <!-- "
)
# The share of values in two pictures that may differ though they show the same.
SAME = 0.001
# Greys after H.264 at quality 17, of 255; neighbouring frames are 40 apart.
LEVEL_TOLERANCE = 6


@pytest.fixture(scope="module")
def report(low_body: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = leave(tmp_path_factory.mktemp("report") / "run", low_body, HOSTILE)
    return write_report(folder, low_body)


@pytest.fixture(scope="module")
def browser() -> Iterator[tuple[Page, Watch]]:
    with opened_page(500, 700) as (page, watch):
        yield page, watch


@pytest.fixture
def opened(browser: tuple[Page, Watch], report: Path) -> Iterator[Page]:
    """The page, standing still at its first frame, as readers see it who want less motion."""
    page, watch = browser
    page.emulate_media(reduced_motion="reduce")
    page.goto(report.as_uri())
    page.wait_for_selector("#player[data-ready]")
    yield page
    assert (watch.errors, watch.requests) == ([], [])


def wait_until(page: Page, condition: str) -> None:
    """Playwright's own way to wait evaluates text in the page, which the page's policy forbids."""
    for _ in range(200):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(50)
    raise TimeoutError(condition)


def frame(page: Page) -> int:
    return int(page.inner_text("#counter").split(" / ")[0]) - 1


def picture(page: Page) -> NDArray[np.int16]:
    """What the player shows, after everything asked for is drawn."""
    page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return imageio.v3.imread(page.locator("#body").screenshot()).astype(np.int16)


def alike(one: NDArray[np.int16], other: NDArray[np.int16]) -> bool:
    """Whether they differ by no more than where the browser rounds the picture's place."""
    return one.shape == other.shape and float((abs(one - other) > 24).mean()) < SAME


def wait_for_videos(page: Page, number: int) -> None:
    """Until both videos stand in the middle of this frame of one of their repeats."""
    wait_until(
        page,
        f"""[...document.querySelectorAll("video")].every((video) => !video.seeking &&
        Math.abs(video.currentTime % {FRAMES / FPS} - {(number + 0.5) / FPS}) < 0.02)""",
    )


def boxes(page: Page, selector: str) -> list[dict[str, float]]:
    found: list[dict[str, float]] = page.locator(selector).evaluate_all(
        "(all) => all.map((each) => each.getBoundingClientRect().toJSON())"
    )
    assert found
    return found


def overlap(one: dict[str, float], other: dict[str, float]) -> bool:
    return all(
        one[low] < other[high] and other[low] < one[high]
        for low, high in (("left", "right"), ("top", "bottom"))
    )


def levels(page: Page) -> list[int]:
    """The grey that each video shows."""
    found: list[int] = page.evaluate(
        """[...document.querySelectorAll("video")].map((video) => {
        const context = document.createElement("canvas").getContext("2d");
        context.drawImage(video, 0, 0);
        return context.getImageData(100, 100, 1, 1).data[1];
        })"""
    )
    return found


def test_a_hostile_prompt_is_text(opened: Page) -> None:
    page = opened
    assert page.locator("h1").text_content() == HOSTILE
    assert page.title() == f"{' '.join(HOSTILE.split())} · motiondistill"
    assert page.locator("script").count() == 2
    assert page.locator("img").count() == 1


def test_it_plays_and_the_videos_with_it(opened: Page) -> None:
    page = opened
    assert (frame(page), page.inner_text("#play")) == (0, "Play")
    page.click("#play")
    wait_until(page, "Number(document.getElementById('counter').textContent.split(' ')[0]) >= 3")
    assert page.inner_text("#play") == "Pause"
    assert page.evaluate("[...document.querySelectorAll('video')].map((v) => v.paused)") == [
        False,
        False,
    ]
    page.locator("#body").focus()
    page.keyboard.press("Space")
    stopped = frame(page)
    wait_for_videos(page, stopped)
    assert frame(page) == stopped


def test_without_a_wish_for_rest_it_plays_unasked(
    browser: tuple[Page, Watch], report: Path
) -> None:
    page, _ = browser
    page.emulate_media(reduced_motion="no-preference")
    page.goto(report.as_uri())
    wait_until(page, "Number(document.getElementById('counter').textContent.split(' ')[0]) >= 2")
    assert page.inner_text("#play") == "Pause"


def test_the_body_shows_the_frame_that_a_slow_video_shows(opened: Page) -> None:
    page = opened
    # A video that goes at a third of its rate, whatever the page asks for.
    page.evaluate(
        """() => {
        const video = document.querySelector("video");
        video.playbackRate = 0.33;
        Object.defineProperty(video, "playbackRate", { get: () => 1, set: () => {} });
        window.seen = [];
        const note = (now, { mediaTime }) => {
          const length = Number(document.getElementById("scrub").max) + 1;
          const shown = Math.round(mediaTime * 8) % length;
          requestAnimationFrame(() => window.seen.push(
            [shown, Number(document.getElementById("counter").textContent.split(" ")[0]) - 1]));
          video.requestVideoFrameCallback(note);
        };
        video.requestVideoFrameCallback(note);
        }"""
    )
    page.click("#play")
    wait_until(page, "window.seen.length > 8")
    page.click("#play")
    seen = page.evaluate("window.seen")[1:]  # the first may be told before the page plays
    assert len({shown for shown, _ in seen}) > 2
    assert [body for _, body in seen] == [shown for shown, _ in seen]


def test_scrubbing_moves_body_and_videos(opened: Page) -> None:
    page = opened
    first = picture(page)
    for number in (3, 1):
        page.locator("#scrub").fill(str(number))
        wait_for_videos(page, number)
        assert frame(page) == number
        assert not alike(picture(page), first)
        for level in levels(page):
            assert abs(level - LEVELS[number]) < LEVEL_TOLERANCE
    page.locator("#scrub").fill("0")
    wait_for_videos(page, 0)
    assert alike(picture(page), first)


def test_keys_step_through_the_frames_and_around(opened: Page) -> None:
    page = opened
    page.locator("#body").focus()
    seen = []
    for key in ("ArrowRight", "ArrowRight", "ArrowLeft", "End", "ArrowRight", "ArrowLeft", "Home"):
        page.keyboard.press(key)
        picture(page)
        seen.append(frame(page))
    assert seen == [1, 2, 1, FRAMES - 1, 0, FRAMES - 1, 0]


@pytest.mark.parametrize("deed", ["drag", "wheel", "side", "keys"])
def test_the_view_turns_and_zooms(deed: str, opened: Page) -> None:
    page = opened
    before = picture(page)
    box = page.locator("#body").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 150, box["y"] + 150)
    match deed:
        case "drag":
            page.mouse.down()
            page.mouse.move(box["x"] + 190, box["y"] + 160)
            page.mouse.up()
        case "wheel":
            page.mouse.wheel(0, -200)
        case "side":
            page.click("[data-side=back]")
        case _:
            page.locator("#body").focus()
            page.keyboard.press("Shift+ArrowLeft")
    after = picture(page)
    assert not alike(after, before)
    if deed != "side":
        page.mouse.move(box["x"] + 10, box["y"] + 10)
        assert alike(picture(page), after)  # it stays where it was left
        page.locator("#body").focus()
        page.keyboard.press("0")
        # The ring that shows the focus of keys lies within the canvas.
        page.evaluate("document.activeElement.blur()")
        assert alike(picture(page), before)
    assert frame(page) == 0


def test_every_download_is_the_file(opened: Page, report: Path) -> None:
    page = opened
    names = page.locator(".downloads a").evaluate_all("(links) => links.map((a) => a.download)")
    assert {"motion.npz", "strip.png", "video_front.mp4"} <= {*names}
    for name in names:
        with page.expect_download() as download:
            page.click(f'a[download="{name}"]')
        assert Path(download.value.path()).read_bytes() == (report.parent / name).read_bytes()


def test_the_page_fits_a_phone(opened: Page) -> None:
    size = opened.viewport_size
    assert size is not None
    try:
        opened.set_viewport_size({"width": 360, "height": 700})
        assert opened.evaluate("document.documentElement.scrollWidth") == 360
        # No button and no caption lies on what it is about.
        for things, words in (("#body", ".sides button"), ("video", "figcaption")):
            for thing, word in itertools.product(boxes(opened, things), boxes(opened, words)):
                assert not overlap(thing, word)
        width = boxes(opened, ".figures tbody")[0]["width"]
        described = boxes(opened, ".figures th small")
        assert min(box["width"] for box in described) == width
        for value in boxes(opened, ".figures td.value"):
            assert not any(overlap(value, box) for box in described)
    finally:
        opened.set_viewport_size(size)


def test_neighbouring_plots_are_level(opened: Page) -> None:
    curves = [
        Curve("gradients/a", (1, 2), (1e-6, 1.23e-3)),  # by its logarithm
        Curve("terms/a_name_that_is_longer_than_a_plot", (1, 2), (1.0, 1.5)),
        Curve("score/b", (1, 2), (-1.23e-5, -1.25e-5)),
    ]
    drawn = "".join(plot(curve, 1, 2) for curve in curves)
    opened.locator(".plots").first.evaluate(
        "(place, drawn) => { place.style.gridTemplateColumns = 'repeat(3, 105px)';"
        "place.innerHTML = drawn; }",
        drawn,
    )
    size = opened.viewport_size
    for width in (500, 1000):
        opened.set_viewport_size({"width": width, "height": 700})
        tops = [box["top"] for box in boxes(opened, ".plots:first-of-type svg")[:3]]
        assert tops == pytest.approx([tops[0]] * 3, abs=0.1)
        values = boxes(opened, ".plots:first-of-type figcaption span:last-child")[:3]
        ranges = boxes(opened, ".plots:first-of-type .range span")[:6]
        assert all(box["height"] < 25 for box in values + ranges), "no value goes over two lines"
    opened.set_viewport_size(size)


def test_what_is_too_large_for_the_page_is_shown_from_beside_it(
    browser: tuple[Page, Watch], low_body: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_page, "_MAX_EMBEDDED", 0)
    file = write_report(leave(tmp_path / "run", low_body), low_body)
    assert 'src="strip.png"' in file.read_text(encoding="utf-8")
    page, watch = browser
    page.goto(file.as_uri())
    page.wait_for_selector("#player[data-ready]")
    wait_until(page, "document.querySelector('#strip').naturalWidth > 0")
    wait_until(page, "document.querySelector('video').readyState > 1")
    assert (watch.errors, watch.requests) == ([], [])
