"""AMASS: the superset of what its readers demand, and a second file for readers of SMPL-H.

Blender's SMPL add-on needs `trans, gender, betas, poses` and a frame rate of 30 or more, and opens
no pickled objects. aitviewer takes `poses` for SMPL-H's, whose bodies have neither jaw nor eyes.
"""

from pathlib import Path
from typing import Any, Final

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from motiondistill.atomic import write_atomically
from motiondistill.data.importers.smpl_skeletons import SMPL, SMPLX, SmplSkeleton
from motiondistill.formats.rest_pose import at_rate
from motiondistill.formats.smpl import SmplPoses, to_smpl, z_up
from motiondistill.structures import Motion

LOWEST_FPS: Final = 30.0
"""What Blender's add-on does not refuse."""
NUM_BETAS: Final = 16


def amass_arrays(
    motion: Motion, skeleton: SmplSkeleton = SMPLX, betas: tuple[float, ...] = ()
) -> dict[str, NDArray[Any]]:
    """The arrays of AMASS' SMPL-X files, split and together; z-up, metres, at least 30 fps.

    Slower motions are resampled to 30 fps. Hands and jaw that the motion lacks are zeros, as the
    eyes are: SMPL-X's flat hands and closed mouth.

    Args:
        motion: One motion of that skeleton: see `rest_pose.on_skeleton`.
        skeleton: See `smpl.skeleton_of`.
        betas: The skeleton's shape; zeros are the average's.
    """
    poses, common = _common(motion, skeleton, betas, "smplx")
    count = len(poses.transl)
    eyes = np.zeros((count, 6))
    parts = {
        "root_orient": _flat(poses.body[:, :1]),
        "pose_body": _flat(poses.body[:, 1:]),
        "pose_jaw": _flat(poses.jaw[:, None]),
        "pose_eye": eyes,
        "pose_hand": _flat(poses.hands),
    }
    return common | parts | {"poses": np.concatenate(list(parts.values()), -1)}


def smplh_arrays(motion: Motion) -> dict[str, NDArray[Any]]:
    """The arrays of AMASS' SMPL-H files, of the average body, whose skeleton is SMPL's.

    `motion` is one of that skeleton, `data.importers.smpl_skeletons.SMPL`. A jaw is lost.
    """
    poses, common = _common(motion, SMPL, (), "smplh")
    return common | {
        "poses": np.concatenate([_flat(poses.body), _flat(poses.hands)], -1),
        "dmpls": np.zeros((len(poses.transl), 8)),
    }


def write_amass(
    path: Path, motion: Motion, skeleton: SmplSkeleton = SMPLX, betas: tuple[float, ...] = ()
) -> None:
    """The file of `amass_arrays`, whole or not at all."""
    arrays: dict[str, Any] = amass_arrays(motion, skeleton, betas)
    write_atomically(path, lambda part: np.savez_compressed(part, **arrays))


def write_smplh(path: Path, motion: Motion) -> None:
    """The file of `smplh_arrays`, whole or not at all."""
    arrays: dict[str, Any] = smplh_arrays(motion)
    write_atomically(path, lambda part: np.savez_compressed(part, **arrays))


def _common(
    motion: Motion, skeleton: SmplSkeleton, betas: tuple[float, ...], model: str
) -> tuple[SmplPoses, dict[str, NDArray[Any]]]:
    """The poses, z-up, and the arrays that all files have."""
    motion = at_rate(motion, max(motion.fps, LOWEST_FPS))
    poses = z_up(to_smpl(motion, skeleton), skeleton)
    shape = np.zeros(max(NUM_BETAS, len(betas)))
    shape[: len(betas)] = betas
    return poses, {
        "trans": poses.transl.numpy(),
        "betas": shape,
        "num_betas": np.array(len(shape)),
        "gender": np.array("neutral"),
        "surface_model_type": np.array(model),
        "mocap_frame_rate": np.array(motion.fps),
        "mocap_framerate": np.array(motion.fps),
        "mocap_time_length": np.array(motion.num_frames / motion.fps),
        # Ours alone: spares our reader a guess.
        "up_axis": np.array("z"),
    }


def _flat(vectors: Float[Tensor, "frames joints 3"]) -> NDArray[Any]:
    return vectors.flatten(1).numpy()
