"""Exponential maps of the CMU skeleton, as data sets of motion prediction store them.

117 comma-separated numbers a frame: the root's position, then a rotation vector for each of 38
joints. The skeleton's offsets are constants of the data sets' published code (for instance
`_some_variables_cmu` of "Convolutional Sequence to Sequence Model for Human Dynamics", MIT).
"""

from pathlib import Path
from typing import Final

import numpy as np
import torch

from motiondistill import rotations
from motiondistill.data.importers.clip import CapturedClip, label_hint, subject_hint, tell_rate
from motiondistill.data.importers.joint_names import to_joints
from motiondistill.data.importers.placement import UNITS, inserted_frames
from motiondistill.data.importers.skeleton import AnimatedSkeleton, place

EXPMAP_FPS: Final = 120.0
# Name, parent, offset in CMU's unit, y up.
_JOINTS: Final = (
    ("Hips", -1, (0.0, 0.0, 0.0)),
    ("LHipJoint", 0, (0.0, 0.0, 0.0)),
    ("LeftUpLeg", 1, (1.65674, -1.80282, 0.62477)),
    ("LeftLeg", 2, (2.5972, -7.13576, 0.0)),
    ("LeftFoot", 3, (2.49236, -6.8477, 0.0)),
    ("LeftToeBase", 4, (0.19704, -0.54136, 2.14581)),
    ("LeftToeBase_end", 5, (0.0, 0.0, 1.11249)),
    ("RHipJoint", 0, (0.0, 0.0, 0.0)),
    ("RightUpLeg", 7, (-1.6107, -1.80282, 0.62476)),
    ("RightLeg", 8, (-2.59502, -7.12977, 0.0)),
    ("RightFoot", 9, (-2.4678, -6.78024, 0.0)),
    ("RightToeBase", 10, (-0.23024, -0.63258, 2.13368)),
    ("RightToeBase_end", 11, (0.0, 0.0, 1.11569)),
    ("LowerBack", 0, (0.0, 0.0, 0.0)),
    ("Spine", 13, (0.01961, 2.0545, -0.14112)),
    ("Spine1", 14, (0.01021, 2.06436, -0.05921)),
    ("LowerNeck", 15, (0.0, 0.0, 0.0)),
    ("Neck", 16, (0.00713, 1.56711, 0.14968)),
    ("Head", 17, (0.03429, 1.56041, -0.10006)),
    ("Head_end", 18, (0.01305, 1.6256, -0.05265)),
    ("LeftShoulder", 15, (0.0, 0.0, 0.0)),
    ("LeftArm", 20, (3.54205, 0.90436, -0.17364)),
    ("LeftForeArm", 21, (4.86513, 0.0, 0.0)),
    ("LeftHand", 22, (3.35554, 0.0, 0.0)),
    ("LeftFingerBase", 23, (0.0, 0.0, 0.0)),
    ("LeftFingers", 24, (0.66117, 0.0, 0.0)),
    ("LeftFingers_end", 25, (0.53306, 0.0, 0.0)),
    ("LeftThumb", 23, (0.0, 0.0, 0.0)),
    ("LeftThumb_end", 27, (0.5412, 0.0, 0.5412)),
    ("RightShoulder", 15, (0.0, 0.0, 0.0)),
    ("RightArm", 29, (-3.49802, 0.75994, -0.32616)),
    ("RightForeArm", 30, (-5.02649, 0.0, 0.0)),
    ("RightHand", 31, (-3.36431, 0.0, 0.0)),
    ("RightFingerBase", 32, (0.0, 0.0, 0.0)),
    ("RightFingers", 33, (-0.73041, 0.0, 0.0)),
    ("RightFingers_end", 34, (-0.58887, 0.0, 0.0)),
    ("RightThumb", 32, (0.0, 0.0, 0.0)),
    ("RightThumb_end", 36, (-0.59786, 0.0, 0.59786)),
)
NUM_VALUES: Final = 3 + 3 * len(_JOINTS)


def read_expmap(path: Path, *, root: Path | None = None) -> list[CapturedClip]:
    """The clip in a table of exponential maps, at 120 frames per second.

    The skeleton has no collars, and its trunk misses one of CMU's three spine bones.
    """
    try:
        table = np.loadtxt(path, delimiter=",", dtype=np.float64, ndmin=2)
    except ValueError as error:
        raise ValueError(f"{path} must be a table of numbers between commas: {error}.") from error
    if table.shape[1] != NUM_VALUES or not np.isfinite(table).all():
        raise ValueError(
            f"{path} must hold {NUM_VALUES} finite numbers a line, got {table.shape[1]}; give the "
            "exponential maps of CMU's 38 joints."
        )
    tell_rate("Tables of exponential maps", EXPMAP_FPS, "CMU")
    values = torch.from_numpy(table)
    # The files count rotations for row vectors, x' = x R; columns take the transpose.
    turns = rotations.from_axis_angle(-values[:, 3:].reshape(len(values), -1, 3))
    offsets = torch.tensor([offset for *_, offset in _JOINTS])
    places = offsets.to(values).repeat(len(values), 1, 1)
    places[:, 0] = values[:, :3]
    parents = tuple(parent for _, parent, _ in _JOINTS)
    names = tuple(name for name, *_ in _JOINTS)
    positions = place(parents, turns, places).float()
    skeleton = AnimatedSkeleton(names, parents, offsets, positions, EXPMAP_FPS)
    joints = UNITS["CMU"] * to_joints(skeleton)
    joints = joints[inserted_frames(joints, EXPMAP_FPS) :]
    return [
        CapturedClip(
            path.stem,
            "cmu-expmap",
            subject_hint(path, root),
            label_hint(path, root),
            joints,
            EXPMAP_FPS,
        )
    ]
