"""A page in headless Chromium, for tests of what is shown in a browser."""

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Page, sync_playwright

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = [
    "--no-sandbox",  # as root, in a container
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-angle=swiftshader",  # WebGL without a graphics card
    "--enable-unsafe-swiftshader",
]


@dataclass
class Watch:
    """What went wrong on a page since it was opened."""

    errors: list[str] = field(default_factory=list)
    """Exceptions, and what was written to the console as an error."""
    requests: list[str] = field(default_factory=list)
    """Addresses on the network that the page asked for; those of files and data are none."""


@contextlib.contextmanager
def opened_page(width: int = 1000, height: int = 800) -> Iterator[tuple[Page, Watch]]:
    """An empty page; the test is skipped where there is no Chromium."""
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=_FLAGS)
        page = browser.new_page(viewport={"width": width, "height": height})
        watch = Watch()
        page.on("pageerror", lambda error: watch.errors.append(str(error)))
        page.on(
            "console",
            lambda said: watch.errors.append(said.text) if said.type == "error" else None,
        )
        page.on(
            "request",
            lambda asked: (
                watch.requests.append(asked.url)
                if not asked.url.startswith(("file:", "data:", "blob:", "about:"))
                else None
            ),
        )
        yield page, watch
        browser.close()
