"""Words in pictures can be read on any ground and leave the rest alone."""

import pytest
import torch

from motiondistill.report.labels import label


@pytest.mark.parametrize("ground", [0.0, 0.5, 1.0])
def test_words_have_white_and_black_at_the_top_left_whatever_the_ground(ground: float) -> None:
    video = torch.full((2, 3, 256, 300), ground)
    shown = label(video, "back view")
    changed = (shown != video).any(0).any(0)
    rows, columns = changed.nonzero(as_tuple=True)
    assert rows.max() < 40 and columns.max() < 120 and rows.min() >= 3
    corner = shown[0, 0, :40, :120]
    assert float(corner.max()) == 1 and float(corner.min()) == 0
    assert torch.equal(shown[0], shown[1])


def test_other_words_look_other() -> None:
    video = torch.zeros(1, 3, 128, 128)
    assert not torch.equal(label(video, "front view"), label(video, "back view"))
    assert torch.equal(label(video, ""), video)
