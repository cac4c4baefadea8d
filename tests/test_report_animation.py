"""The player's own arithmetic, in Chromium: it has the body's vertices, and a right camera."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from browser import opened_page
from walk_file import FPS, walk

from motiondistill.report.animation import animation
from motiondistill.report.documents import page_file

pytestmark = pytest.mark.browser


@pytest.fixture
def body_script() -> Iterator[Callable[[str, Any], Any]]:
    """A page with `body.js` alone, that evaluates an expression of `given`."""
    with opened_page() as (page, watch):
        page.add_script_tag(content=page_file("body.js"))
        yield lambda expression, given: page.evaluate(f"(given) => {expression}", given)
        assert watch.errors == []


def test_the_player_has_the_bodys_vertices(
    low_body: Any, body_script: Callable[[str, Any], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    mesh = low_body(walk(low_body))
    thin = len(mesh.parts) * 6 * 3  # bytes of three frames of five: every second and the last
    for most in (10**9, thin):
        monkeypatch.setattr("motiondistill.report.animation._MAX_BYTES", most)
        data = animation(mesh, FPS, 0.0)
        assert data["keys"] == ([0, 1, 2, 3, 4] if most > thin else [0, 2, 4])
        whole = mesh.vertices[data["keys"]]
        spread = (mesh.vertices.amax((0, 1)) - mesh.vertices.amin((0, 1))).max()
        for time, wanted in ((0, whole[0]), (4, whole[-1]), (1, (whole[0] + whole[1]) / 2)):
            if most > thin and time == 1:
                wanted = whole[1]
            found = body_script(
                "unpack(given[0]).then((body) => { const p = new Float32Array(body.size);"
                "pose(body, given[1], p); return [...p]; })",
                [data, time],
            )
            error = (torch.tensor(found).view_as(wanted) - wanted).abs().max()
            assert error < spread / 65535  # half a level, and rounding


def test_the_camera_sees_left_on_the_right_and_up_above(
    body_script: Callable[[str, Any], Any],
) -> None:
    fov, distance, aspect = 0.5, 4.0, 1.5
    camera = {"eye": [0.0, 1.0, distance], "target": [0.0, 1.0, 0.0], "fov": fov}
    camera |= {"aspect": aspect, "near": 0.1, "far": 50.0}
    flat = body_script("[...clipFromWorld(given)]", camera)
    clip = torch.tensor(flat, dtype=torch.float64).view(4, 4).T  # WebGL's are column by column
    half = distance * math.tan(fov / 2)
    for point, place in (
        ((0.0, 1.0, 0.0), (0.0, 0.0)),
        ((half, 1.0, 0.0), (1 / aspect, 0.0)),
        ((0.0, 1.0 + half, 0.0), (0.0, 1.0)),
    ):
        seen = clip @ torch.tensor([*point, 1.0], dtype=torch.float64)
        torch.testing.assert_close(
            seen[:2] / seen[3], torch.tensor(place, dtype=torch.float64), atol=1e-6, rtol=0
        )
    for depth, edge in ((0.1, -1.0), (50.0, 1.0)):
        seen = clip @ torch.tensor([0.0, 1.0, distance - depth, 1.0], dtype=torch.float64)
        assert float(seen[2] / seen[3]) == pytest.approx(edge, abs=1e-5)
