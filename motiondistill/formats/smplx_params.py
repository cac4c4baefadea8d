"""SMPL-X parameters: the keyword arguments of the `smplx` package's `SMPLX.forward`."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from motiondistill.atomic import write_atomically
from motiondistill.data.importers.smpl_skeletons import SMPLX, SmplSkeleton
from motiondistill.formats.smpl import to_smpl
from motiondistill.structures import Motion

_NUM_COEFFICIENTS = 10


def smplx_arrays(
    motion: Motion,
    skeleton: SmplSkeleton = SMPLX,
    betas: tuple[float, ...] = (),
    expression: tuple[float, ...] = (),
) -> dict[str, NDArray[Any]]:
    """All arguments for all frames, float32, and `fps`, which `forward` passes over; +Y up.

    For a model made with `use_pca=False, flat_hand_mean=True`: hands are rotation vectors. Shape
    and expression are repeated for each frame, at least ten numbers each.

    Args:
        motion: One motion of that skeleton: see `rest_pose.on_skeleton`.
        skeleton: See `smpl.skeleton_of`.
        betas: The skeleton's shape; zeros are the average's.
        expression: Of the face.
    """
    poses = to_smpl(motion, skeleton)
    count = motion.num_frames
    half = poses.hands.shape[1] // 2
    arrays = {
        "global_orient": poses.body[:, 0],
        "body_pose": poses.body[:, 1:].flatten(1),
        "jaw_pose": poses.jaw,
        "left_hand_pose": poses.hands[:, :half].flatten(1),
        "right_hand_pose": poses.hands[:, half:].flatten(1),
        "transl": poses.transl,
    }
    found = {name: tensor.numpy().astype(np.float32) for name, tensor in arrays.items()}
    found |= {f"{side}eye_pose": np.zeros((count, 3), np.float32) for side in "lr"}
    for name, values in (("betas", betas), ("expression", expression)):
        row = np.zeros(max(_NUM_COEFFICIENTS, len(values)), np.float32)
        row[: len(values)] = values
        found[name] = np.tile(row, (count, 1))
    return found | {"fps": np.array(motion.fps)}


def write_smplx(
    path: Path,
    motion: Motion,
    skeleton: SmplSkeleton = SMPLX,
    betas: tuple[float, ...] = (),
    expression: tuple[float, ...] = (),
) -> None:
    """The file of `smplx_arrays`, whole or not at all."""
    content: dict[str, Any] = smplx_arrays(motion, skeleton, betas, expression)
    write_atomically(path, lambda part: np.savez_compressed(part, **content))
