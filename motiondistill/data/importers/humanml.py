"""HumanML3D (Guo et al. 2022): joint positions of 22 joints, or 263 features a frame."""

from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from motiondistill import rotations
from motiondistill.data.importers.clip import CapturedClip, label_hint, tell_rate
from motiondistill.data.importers.leg_check import check_body, check_features
from motiondistill.structures import NUM_JOINTS

HUMANML_FPS: Final = 20.0
NUM_FEATURES: Final = 263
_POSITIONS: Final = slice(4, 4 + 3 * (NUM_JOINTS - 1))


def read_humanml(path: Path, *, root: Path | None = None) -> list[CapturedClip]:
    """The clip in `new_joints/*.npy` (frames, 22, 3) or `new_joint_vecs/*.npy` (frames, 263).

    The features must not be normalised. The label is the first caption in `../texts/<name>.txt`
    where there is one. All of HumanML3D has one skeleton, and says nothing of subjects, nor of
    rates: its own is assumed, and told.
    """
    try:
        array = np.load(path, allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise ValueError(f"{path} must be an array of numbers, got damaged data: {error}.") from (
            error
        )
    joints = _joints(path, array)
    caption = path.parent.parent / "texts" / f"{path.stem}.txt"
    label = label_hint(path, root)
    if caption.is_file():
        lines = caption.read_text(encoding="utf-8", errors="replace").splitlines()
        label = next((line.partition("#")[0].strip() for line in lines), label)
    tell_rate("Arrays of joints or of HumanML3D's features (.npy)", HUMANML_FPS, "HumanML3D")
    return [CapturedClip(path.stem, "humanml3d", "", label, joints, HUMANML_FPS)]


def recover_joints(
    features: Float[Tensor, "frames 263"],
) -> Float[Tensor, "frames joints 3"]:
    """World positions from HumanML3D's features, metres.

    The heading and the horizontal position of the root are sums of its velocities (features 0 to
    2); its height and the other joints are given (3 to 66), the latter without heading. The 6D
    rotations (67 to 192) come from inverse kinematics on these positions, and are not used.
    """
    # Feature 0 is the angle of half the turn, and turns are of the world against the subject.
    turned = -2 * torch.cat([features.new_zeros(1), features[:-1, 0]]).cumsum(0)
    world_from_heading = rotations.about_y(turned)
    zero = torch.zeros_like(features[:, 0])
    velocity = torch.stack([features[:, 1], zero, features[:, 2]], -1)
    velocity = torch.cat([velocity.new_zeros(1, 3), velocity[:-1]])
    root = (world_from_heading @ velocity[..., None])[..., 0].cumsum(0)
    others = features[:, _POSITIONS].reshape(len(features), -1, 3)
    others = others @ world_from_heading.transpose(-1, -2) + root[:, None]
    root = root + torch.stack([zero, features[:, 3], zero], -1)
    return torch.cat([root[:, None], others], 1)


def _joints(path: Path, array: NDArray[Any]) -> Float[Tensor, "frames joints 3"]:
    if array.dtype.kind != "f":
        raise ValueError(f"{path} must hold floating-point numbers, got {array.dtype}.")
    if not array.size or array.shape[1:] not in ((NUM_JOINTS, 3), (NUM_FEATURES,)):
        raise ValueError(
            f"{path} must have shape (frames, {NUM_JOINTS}, 3) or (frames, {NUM_FEATURES}) with "
            f"one frame or more, got {array.shape}; give HumanML3D's new_joints or new_joint_vecs."
        )
    finite = np.isfinite(array).reshape(len(array), -1).all(1)
    if not finite.all():
        raise ValueError(
            f"{path} must hold finite numbers, got others at frame {int(finite.argmin())}; "
            "check the file."
        )
    values = torch.from_numpy(array.astype(np.float32))
    if values.ndim == 3:
        check_body(path, values)
        return values
    joints = recover_joints(values)
    check_features(path, joints)
    return joints
