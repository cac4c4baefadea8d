"""What files of other formats hold: HumanML3D, DeepMimic, poselib, exponential maps."""

from collections import OrderedDict
from typing import Any

import captures
import numpy as np

from motiondistill.data.importers.expmap import NUM_VALUES
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


def expmap(turn: np.ndarray, joint: int) -> np.ndarray:
    """Four frames of somebody who stands still, one of 38 joints turned, (4, 117)."""
    row = np.zeros(NUM_VALUES)
    row[:3] = 0, 16, 0
    row[3 + 3 * joint : 6 + 3 * joint] = captures.rotation_vector(turn)
    return np.tile(row, (4, 1))
