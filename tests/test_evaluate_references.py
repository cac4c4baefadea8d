"""References of `evaluate`: which files of a folder they are, and what they may be compared by."""

from pathlib import Path

import pytest
import torch
from rich.text import Text

from motiondistill.commands.evaluate import reference_files
from motiondistill.report.evaluation import Evaluated, Evaluation
from motiondistill.report.evaluation_table import table


def test_texts_are_taken_where_they_are_motions(tmp_path: Path) -> None:
    (tmp_path / "kick.txt").write_text('{"Loop": "wrap", "Frames": [[0.1, 1.0]]}')
    (tmp_path / "walk.csv").write_text(",".join(["0.0"] * 117) + "\n")
    (tmp_path / "README.txt").write_text("recorded in autumn")
    (tmp_path / "metrics.json").write_text('{"jerk": 1.0}')
    (tmp_path / "wave.bvh").write_text("HIERARCHY")
    names = [path.name for path in reference_files(tmp_path)]
    assert names == ["kick.txt", "walk.csv", "wave.bvh"]


@pytest.mark.parametrize(("fps", "told"), [(8.0, False), (30.0, True)])
def test_references_of_another_frame_rate_are_told(fps: float, told: bool) -> None:
    motion, reference = (
        Evaluated("m", "", "anny", rate, 16, 0.0, torch.zeros(16, 22, 3), ()) for rate in (8.0, fps)
    )
    caption = table(Evaluation((motion,), (), (reference,), "own recogniser")).caption
    assert isinstance(caption, Text)
    assert ("Frame rates differ" in caption.plain) == told
