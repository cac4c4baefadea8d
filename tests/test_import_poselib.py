"""poselib: motions in pickles, read without running them."""

import math
import os
from pathlib import Path
from typing import Any

import captures
import numpy as np
import pytest
import torch
from foreign_captures import AMP, AMP_OFFSETS, AMP_PARENTS, TOLERANCE, poselib

from motiondistill.data.importers.poselib import read_poselib
from motiondistill.structures import JOINT_INDEX as J


def pickled(folder: Path, content: Any) -> Path:
    path = folder / "amp_humanoid_walk.npy"
    np.save(path, np.array(content, dtype=object), allow_pickle=True)
    return path


def test_poselib_is_read_without_pickle(tmp_path: Path) -> None:
    content = poselib()
    (clip,) = read_poselib(pickled(tmp_path, content))
    xyzw = content["rotation"]["arr"]
    turns = np.array([[_matrix(q) for q in frame] for frame in xyzw])
    placed = captures.positions(turns, np.tile([1.0, 2.0, 0.9], (5, 1)), AMP_OFFSETS, AMP_PARENTS)
    placed = placed @ captures.Z_UP
    for ours, theirs in {
        "pelvis": "pelvis",
        "spine2": "torso",
        "neck": "head",
        "left_wrist": "left_hand",
        "right_knee": "right_shin",
        "left_ankle": "left_foot",
        "right_shoulder": "right_upper_arm",
    }.items():
        found = clip.joints[:, J[ours]].numpy()
        assert np.abs(found - placed[:, AMP.index(theirs)]).max() < TOLERANCE, ours
    assert (clip.label, clip.fps) == ("walk", 60.0)
    toes = clip.joints[:, J["left_foot"]] - clip.joints[:, J["left_ankle"]]
    assert torch.allclose(
        toes.norm(dim=-1), torch.tensor(math.hypot(0.1335, 0.0225)), atol=TOLERANCE
    )


def _matrix(xyzw: np.ndarray) -> np.ndarray:
    """A rotation matrix by way of the double-angle formula, p' = p + 2 w u x p + 2 u x (u x p)."""
    u, w = xyzw[:3], xyzw[3]
    return np.array(
        [p + 2 * w * np.cross(u, p) + 2 * np.cross(u, np.cross(u, p)) for p in np.eye(3)]
    ).T


class _Attack:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.folder),)


def test_code_in_a_pickle_is_refused_and_never_runs(tmp_path: Path) -> None:
    path = pickled(tmp_path, poselib(extra=_Attack(tmp_path / "made")))
    with pytest.raises(ValueError, match=r"mkdir.*not loaded"):
        read_poselib(path)
    assert not (tmp_path / "made").exists()
    np.load(path, allow_pickle=True)  # it would have
    assert (tmp_path / "made").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"rotation": 1}, "skeleton_tree.*is missing"),
        ({k: v for k, v in poselib().items() if k != "fps"}, "fps.*no motion"),
        ([1, 2], "list"),
        (poselib(is_local=False), "is_local"),
        (poselib(fps=0), "positive"),
        (poselib(root_translation={"arr": np.zeros((4, 3))}), r"\(5, 3\).*\(4, 3\)"),
        (poselib(rotation={"arr": np.zeros((5, 14, 4))}), "rotation"),
    ],
)
def test_other_pickles_are_no_poselib(content: Any, message: str, tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    boxed = np.empty((), dtype=object)
    boxed[()] = content
    np.save(path, boxed, allow_pickle=True)
    with pytest.raises(ValueError, match=message) as error:
        read_poselib(path)
    assert "x.npy" in str(error.value)


@pytest.mark.parametrize("share", [0.0, 0.2, 0.6, 0.95])
def test_a_pickle_that_is_cut_short_is_refused(share: float, tmp_path: Path) -> None:
    path = pickled(tmp_path, poselib())
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(ValueError, match="pickled dictionary"):
        read_poselib(path)
