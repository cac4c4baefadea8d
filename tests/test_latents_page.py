"""The page of clips without a body: every prior and prompt, whatever their words."""

from pathlib import Path
from typing import Any

import pytest

from motiondistill.report.latents_page import PAGE, write_page

PROMPT = 'a person is <b>walking</b> "fast"'


def row(prior: str, prompt: str, folder: str, **figures: Any) -> dict[str, Any]:
    none = dict.fromkeys(("motion_energy", "temporal_flickering", "evidence", "recognised"))
    known = {"status": "finished", "steps": 30, "score": None, "message": ""}
    return {"prior": prior, "prompt": prompt, "folder": folder, **none, **known, **figures}


@pytest.fixture
def page(tmp_path: Path) -> str:
    folder = tmp_path / "01 first"
    folder.mkdir()
    for name in ("video_000.mp4", "video_090.mp4", "strip.png", "fitted.png"):
        (folder / name).touch()
    rows = [
        row("one", PROMPT, folder.name, motion_energy=0.0123, recognised="stand", score=0.17),
        row("one", "a person sings", "02", status="failed", message="no <memory>"),
        row("two", PROMPT, "03", status="not begun", steps=0),
    ]
    assert write_page(tmp_path, rows) == tmp_path / PAGE
    return (tmp_path / PAGE).read_text(encoding="utf-8")


def test_every_clip_has_its_figures_and_its_words(page: str) -> None:
    table = page.partition("<tbody>")[2].partition("</tbody>")[0]
    first, second, third = table.split("</tr>")[:3]
    assert "0.0123" in first and "<td>stand</td><td>walk: 17 %</td>" in first
    assert "<small>failed: no &lt;memory&gt;</small>" in second
    assert "<td>-</td><td>no known action</td>" in second
    assert "<small>not begun</small>" in third and "<td>walk</td>" in third
    assert "<b>walking" not in page and "walking&lt;/b&gt; &quot;fast&quot;" in page


def test_a_clip_plays_from_its_folder_and_others_are_left_out(page: str) -> None:
    assert page.count("<h2>one</h2>") == page.count("<h2>two</h2>") == 1
    assert page.count("<figure>") == 1, "of the others there is nothing to see"
    shown, folded = page.partition("<figure>")[2].split("Other views, and the fitted body")
    assert 'src="01%20first/video_000.mp4"' in shown and "video_090" not in shown
    for name in ("video_090.mp4", "strip.png", "fitted.png"):
        assert f'src="01%20first/{name}"' in folded
