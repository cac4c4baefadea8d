"""Other people's readers of glTF: the Khronos validator, and three.js in a browser."""

import base64
import contextlib
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from browser import Watch, opened_page
from playwright.sync_api import Page, Route
from torch import Tensor

HERE = Path(__file__).parent / "node"
MODULES = HERE / "node_modules"
# Nobody's address: what the page asks of it is answered from the disk.
HOST = "http://three.test"
_KINDS = {".html": "text/html", ".js": "text/javascript"}


def _need(package: str) -> None:
    if not (MODULES / package).is_dir():
        pytest.skip(f"needs {package} of npm: npm ci --prefix tests/node")


def validated(path: Path) -> dict[str, Any]:
    """The validator's report: numbers of issues by severity, and their messages."""
    _need("gltf-validator")
    if shutil.which("node") is None:
        pytest.skip("needs node: apt-get install nodejs")
    command = ["node", str(HERE / "validate.mjs"), str(path)]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    report: dict[str, Any] = json.loads(said.stdout)
    return report


@contextlib.contextmanager
def three_page(width: int = 400, height: int = 400) -> Iterator[tuple[Page, Watch]]:
    """`animation.html`, ready to load a file."""
    _need("three")
    with opened_page(width, height) as (page, watch):
        page.route(f"{HOST}/**", _answer)
        page.goto(f"{HOST}/animation.html")
        page.wait_for_function("window.ready")
        yield page, watch


def _answer(route: Route) -> None:
    name = route.request.url.removeprefix(HOST + "/")
    file = (MODULES if name.startswith("three/") else HERE) / name
    route.fulfill(body=file.read_text(encoding="utf-8"), content_type=_KINDS[file.suffix])


def loaded(page: Page, path: Path) -> dict[str, Any]:
    """Shows the file; what three.js says it holds."""
    about: dict[str, Any] = page.evaluate(
        "data => window.load(data)", base64.b64encode(path.read_bytes()).decode()
    )
    return about


def vertices(page: Page, seconds: float, function: str = "vertices") -> Tensor:
    """The vertices in the world at this time, metres."""
    text = page.evaluate(f"seconds => window.{function}(seconds)", seconds)
    return torch.from_numpy(np.frombuffer(base64.b64decode(text), "<f4").reshape(-1, 3).copy())


def drawn(page: Page, seconds: float) -> Tensor:
    """The unlit body from the front, row 0 at the top, sRGB bytes."""
    text = page.evaluate("seconds => window.drawUnlit(seconds)", seconds)
    pixels = np.frombuffer(base64.b64decode(text), "u1")
    side = int((len(pixels) / 4) ** 0.5)
    return torch.from_numpy(pixels.reshape(side, side, 4)[::-1, :, :3].copy())
