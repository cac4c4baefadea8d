"""DeepMimic: its axes, hinges, quaternions and durations."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from foreign_captures import TOLERANCE, deepmimic

from motiondistill.data.importers.deepmimic import read_deepmimic
from motiondistill.structures import JOINT_INDEX as J


def written(folder: Path, content: Any, name: str = "humanoid3d_kick.txt") -> Path:
    (folder / name).write_text(content if isinstance(content, str) else json.dumps(content))
    return folder / name


def test_deepmimic_stands_in_our_axes(tmp_path: Path) -> None:
    (clip,) = read_deepmimic(written(tmp_path, deepmimic()))
    assert (clip.name, clip.label, clip.source) == ("kick", "kick", "deepmimic")
    assert clip.fps == pytest.approx(10.0)
    expected = {
        "pelvis": (0, 0.9, 0),
        "left_hip": (0.084887, 0.9, 0),
        "right_ankle": (-0.084887, 0.9 - 0.421546 - 0.40987, 0),
        "left_shoulder": (0.18311, 0.9 + 0.236151 + 0.2435, -0.02405),
        "right_wrist": (-0.18311, 0.9 + 0.236151 + 0.2435 - 0.274788 - 0.258947, -0.02405),
        "neck": (0, 0.9 + 0.236151 + 0.223894, 0),
        "left_foot": (0.084887, 0.9 - 0.421546 - 0.40987 - 0.0225, 0.1335),
    }
    for name, place in expected.items():
        assert torch.allclose(clip.joints[0, J[name]], torch.tensor(place), atol=TOLERANCE), name
    for name in ("spine1", "spine3", "left_collar", "right_collar"):
        assert clip.joints[:, J[name]].isnan().all()


def test_deepmimic_hinges_and_quaternions_turn_the_right_joints(tmp_path: Path) -> None:
    # The right knee (index 20) bends back, the left elbow (43) forwards; the root turns left.
    half = math.sqrt(0.5)
    changes = {"n20": -math.pi / 2, "n43": math.pi / 2}
    (clip,) = read_deepmimic(written(tmp_path, deepmimic(**changes)))
    joints = clip.joints[0]
    shin = joints[J["right_ankle"]] - joints[J["right_knee"]]
    assert torch.allclose(shin, torch.tensor([0, 0, -0.40987]), atol=TOLERANCE)
    forearm = joints[J["left_wrist"]] - joints[J["left_elbow"]]
    assert torch.allclose(forearm, torch.tensor([0, 0, 0.258947]), atol=TOLERANCE)
    (turned,) = read_deepmimic(written(tmp_path, deepmimic(n4=half, n6=half, **changes)))
    forearm = turned.joints[0, J["left_wrist"]] - turned.joints[0, J["left_elbow"]]
    assert torch.allclose(forearm, torch.tensor([0.258947, 0, 0]), atol=TOLERANCE)


def test_deepmimic_frames_of_unequal_length_are_spread_evenly(tmp_path: Path) -> None:
    content = deepmimic(3)
    for frame, (seconds, x) in zip(
        content["Frames"], [(0.1, 0.0), (0.2, 1.0), (0.0, 3.0)], strict=True
    ):
        frame[0], frame[1] = seconds, x
    (clip,) = read_deepmimic(written(tmp_path, content))
    # One metre a tenth of a second all along; x is ahead, which is our z.
    assert torch.allclose(clip.joints[:, 0, 2], torch.tensor([0.0, 1, 2, 3]), atol=1e-4)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "JSON"),
        ({"Frames": []}, "list of frames"),
        ([1], "list of frames"),
        ({"Frames": [[0.1] * 43]}, "44 numbers.*43"),
        ({"Frames": [["a"] * 44]}, "numbers only"),
        (deepmimic(n0=0.0), "positive durations"),
    ],
)
def test_other_texts_are_no_deepmimic(content: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        read_deepmimic(written(tmp_path, content))
