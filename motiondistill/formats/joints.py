"""Joint positions as `.npy` of (frames, 22, 3), as HumanML3D's `new_joints` has them."""

from pathlib import Path

import numpy as np
from jaxtyping import Float
from torch import Tensor

from motiondistill.atomic import write_atomically

JOINTS_FILE_FPS = 20.0
"""The file cannot tell its rate: readers take HumanML3D's."""


def write_joints(path: Path, joints: Float[Tensor, "frames 22 3"]) -> None:
    """World positions at 20 fps, metres, +Y up, float32, whole or not at all."""
    array = joints.numpy().astype(np.float32)
    write_atomically(path, lambda part: np.save(part, array, allow_pickle=False))
