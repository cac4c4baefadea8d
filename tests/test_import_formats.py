"""HumanML3D, DeepMimic, poselib and exponential maps."""

import json
import math
import os
from collections import OrderedDict
from pathlib import Path
from typing import Any

import captures
import numpy as np
import pytest
import torch

from motiondistill.data.importers.deepmimic import read_deepmimic
from motiondistill.data.importers.expmap import NUM_VALUES, read_expmap
from motiondistill.data.importers.humanml import read_humanml
from motiondistill.data.importers.poselib import read_poselib
from motiondistill.structures import JOINT_INDEX as J
from motiondistill.structures import JOINT_NAMES

# Single precision on metre-sized chains.
TOLERANCE = 1e-5
FRAMES = 9


def walking() -> np.ndarray:
    """World joints of somebody who moves, turns and travels, (frames, 22, 3)."""
    angles = captures.random_angles(FRAMES)
    turns = np.array(
        [
            [
                captures.about(1, 0.3 * k if j == 0 else y) @ captures.about(0, 0 if j == 0 else x)
                for j, (x, y, _) in enumerate(frame)
            ]
            for k, frame in enumerate(angles)
        ]
    )
    roots = np.array([[0.2 * k, 0.9 + 0.01 * k, 0.05 * k * k] for k in range(FRAMES)])
    placed = captures.positions(turns, roots)
    return placed[:, [[name for name, *_ in captures.SKELETON].index(n) for n in JOINT_NAMES]]


def features_of(joints: np.ndarray, headings: np.ndarray) -> np.ndarray:
    """HumanML3D's features as its processing makes them: everything turned to face +Z."""
    features = np.zeros((len(joints) - 1, 263), np.float32)
    for frame, row in enumerate(features):
        to_front = captures.about(1, -headings[frame])
        # Velocities are turned by the heading of the frame that they lead to.
        to_next = captures.about(1, -headings[frame + 1])
        velocity = to_next @ (joints[frame + 1, 0] - joints[frame, 0])
        # Half the angle by which the world turns against the subject.
        row[0] = -(headings[frame + 1] - headings[frame]) / 2
        row[1:4] = velocity[0], velocity[2], joints[frame, 0, 1]
        level = joints[frame, 1:] - joints[frame, 0] * [1, 0, 1]
        row[4:67] = (level @ to_front.T).flatten()
    return features


def test_humanml_joints_are_taken_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "new_joints").mkdir()
    (tmp_path / "texts").mkdir()
    path = tmp_path / "new_joints" / "000021.npy"
    np.save(path, walking().astype(np.float32))
    assert read_humanml(path)[0].label == "new joints"
    (tmp_path / "texts" / "000021.txt").write_text(
        "a man walks.#a/DET man/NOUN#0.0#0.0\nhe goes.#\n"
    )
    (clip,) = read_humanml(path)
    assert (clip.label, clip.source, clip.fps) == ("a man walks.", "humanml3d", 20.0)
    assert np.abs(clip.joints.numpy() - walking()).max() < TOLERANCE


def test_humanml_features_give_the_joints_back(tmp_path: Path) -> None:
    headings = 0.3 * np.arange(FRAMES)
    # The recovered clip starts at the origin, facing +Z: where HumanML3D puts every clip.
    joints = walking() - walking()[0, 0] * [1, 0, 1]
    path = tmp_path / "clip.npy"
    np.save(path, features_of(joints, headings))
    (clip,) = read_humanml(path)
    assert clip.joints.shape == (FRAMES - 1, 22, 3)
    assert np.abs(clip.joints.numpy() - joints[:-1]).max() < TOLERANCE


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((5, 200), np.float32), r"\(5, 200\)"),
        (np.full((5, 22, 3), np.nan), "finite"),
        (np.zeros((5, 22, 3), np.int64), "int64"),
        (np.zeros((0, 263)), "finite"),
        (np.array([{}]), "damaged"),
    ],
)
def test_other_arrays_are_no_humanml(array: np.ndarray, message: str, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", array)
    with pytest.raises(ValueError, match=message):
        read_humanml(tmp_path / "x.npy")


def deepmimic(frames: int = 4, **changes: float) -> dict[str, Any]:
    """Standing still; a change sets the number at `n<index>` in every frame."""
    quaternion = [1.0, 0, 0, 0]
    limbs = [*quaternion, *quaternion]  # chest, neck
    for _ in range(2):
        limbs += [*quaternion, 0.0, *quaternion, *quaternion, 0.0]
    row = [0.1, 0.0, 0.9, 0.0, *quaternion, *limbs]
    for name, value in changes.items():
        row[int(name[1:])] = value
    return {"Loop": "none", "Frames": [list(row) for _ in range(frames)]}


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


AMP = (
    "pelvis torso head right_upper_arm right_lower_arm right_hand left_upper_arm left_lower_arm "
    "left_hand right_thigh right_shin right_foot left_thigh left_shin left_foot"
).split()
AMP_PARENTS = [-1, 0, 1, 1, 3, 4, 1, 6, 7, 0, 9, 10, 0, 12, 13]
AMP_OFFSETS = np.concatenate(
    [
        [[0, 0, 0], [0, 0, 0.24], [0, 0, 0.22]],
        [[-0.02, -0.18, 0.24], [0, 0, -0.27], [0, 0, -0.26]],
        [[-0.02, 0.18, 0.24], [0, 0, -0.27], [0, 0, -0.26]],
        [[0, -0.08, 0], [0, 0, -0.42], [0, 0, -0.41]],
        [[0, 0.08, 0], [0, 0, -0.42], [0, 0, -0.41]],
    ]
)


def poselib(**changes: Any) -> OrderedDict[str, Any]:
    """A motion as poselib saves it, +Z up."""

    def tensor(array: np.ndarray) -> OrderedDict[str, Any]:
        return OrderedDict(arr=array, context={"dtype": str(array.dtype)})

    turns = [
        [captures.about(1, x) @ captures.about(0, y) for x, y, _ in frame]
        for frame in captures.random_angles(5, joints=15)
    ]
    quaternions = np.array([[captures.quaternion(m) for m in frame] for frame in turns])
    tree = OrderedDict(
        node_names=AMP,
        parent_indices=tensor(np.array(AMP_PARENTS)),
        local_translation=tensor(AMP_OFFSETS.astype(np.float32)),
    )
    return OrderedDict(
        rotation=tensor(quaternions),
        root_translation=tensor(np.tile([1.0, 2.0, 0.9], (5, 1))),
        skeleton_tree=tree,
        is_local=True,
        fps=np.array(60, np.int32),
        __name__="SkeletonMotion",
    ) | OrderedDict(changes)


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


def expmap(turn: np.ndarray, joint: int) -> np.ndarray:
    row = np.zeros(NUM_VALUES)
    row[:3] = 0, 16, 0
    row[3 + 3 * joint : 6 + 3 * joint] = captures.rotation_vector(turn)
    return np.tile(row, (4, 1))


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
