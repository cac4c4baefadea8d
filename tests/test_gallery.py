"""The contact sheets of results/rendering.md can be drawn again."""

import re
import runpy
import sys
from pathlib import Path

import imageio.v3
import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.slow
def test_the_gallery_writes_its_sheets_and_their_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["gallery.py", "--out", str(tmp_path / "rendering")])
    runpy.run_path(str(ROOT / "experiments" / "gallery.py"), run_name="__main__")
    page, kept = (
        (folder / "rendering.md").read_text(encoding="utf-8")
        for folder in (tmp_path, ROOT / "results")
    )
    sheets = re.findall(r"!\[\]\((\S+)\)", page)
    assert sheets == re.findall(r"!\[\]\((\S+)\)", kept) and len(sheets) == 5
    for name in sheets:
        drawn = imageio.v3.imread(tmp_path / name)
        assert drawn.shape == imageio.v3.imread(ROOT / "results" / name).shape
        assert drawn.std() > 10, "there is something to be seen"
