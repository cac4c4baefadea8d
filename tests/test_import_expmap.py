"""Exponential maps of the eight actions."""

from pathlib import Path

import captures
import numpy as np
import pytest
from foreign_captures import TOLERANCE, expmap

from motiondistill.data.importers.expmap import read_expmap
from motiondistill.structures import JOINT_INDEX as J


def test_exponential_maps_turn_row_vectors(tmp_path: Path) -> None:
    """As their own code does: x_child = offset @ R_parent + x_parent, with R of joints multiplied
    from the left."""
    unit = 0.0254 / 0.45
    path = tmp_path / "walking_1.txt"
    turn = captures.about(0, 0.5)
    np.savetxt(path, expmap(turn, 3), delimiter=",")  # the left knee
    (clip,) = read_expmap(path)
    shin = clip.joints[0, J["left_ankle"]] - clip.joints[0, J["left_knee"]]
    expected = unit * np.array([2.49236, -6.8477, 0.0]) @ turn
    assert np.abs(shin.numpy() - expected).max() < TOLERANCE
    thigh = clip.joints[0, J["left_knee"]] - clip.joints[0, J["left_hip"]]
    assert np.abs(thigh.numpy() - unit * np.array([2.5972, -7.13576, 0])).max() < TOLERANCE
    assert (clip.label, clip.fps, clip.source) == ("walking", 120.0, "cmu-expmap")
    assert clip.joints[:, J["left_collar"]].isnan().all()
    # A turned root carries everything along.
    np.savetxt(path, expmap(turn, 0), delimiter=",")
    (whole,) = read_expmap(path)
    shin = whole.joints[0, J["left_ankle"]] - whole.joints[0, J["left_knee"]]
    assert np.abs(shin.numpy() - expected).max() < TOLERANCE


@pytest.mark.parametrize(
    ("text", "message"), [("1,2,3\n", "117"), ("a,b\n", "numbers"), ("", "117")]
)
@pytest.mark.filterwarnings("ignore:loadtxt")
def test_other_tables_are_no_exponential_maps(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_expmap(path)
