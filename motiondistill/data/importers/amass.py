"""AMASS and other `.npz` files of SMPL, SMPL-H and SMPL-X motions."""

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from motiondistill import rotations
from motiondistill.data.importers.clip import CapturedClip, label_hint, subject_hint
from motiondistill.data.importers.placement import Up, guess_up, upright
from motiondistill.data.importers.smpl_skeletons import SMPL, SMPLX, SmplSkeleton
from motiondistill.kinematics import forward_kinematics
from motiondistill.structures import JOINT_INDEX, NUM_HAND_JOINTS, NUM_JOINTS, PARENTS, Motion

# Numbers a frame, and where the fingers begin: SMPL without and with its two hands, SMPL-H, and
# SMPL-X, which has a jaw and two eyes before its fingers.
_HANDS_AT: Final[dict[int, int | None]] = {66: None, 72: None, 156: 66, 165: 75}
_JAW_AT: Final = {165: 66}
_EYES: Final = 6
# What the `smplx` package calls the arrays of AMASS.
_PACKAGE_NAMES: Final = {
    "trans": "transl",
    "root_orient": "global_orient",
    "pose_body": "body_pose",
    "pose_jaw": "jaw_pose",
}
_HANDS: Final = ("left_hand_pose", "right_hand_pose")
_KEYS: Final = (
    *"poses trans root_orient pose_body pose_jaw pose_hand betas".split(),
    *"surface_model_type up_axis".split(),
)
_RATES: Final = ("mocap_frame_rate", "mocap_framerate", "fps")
# All that zipfile and numpy raise for damaged files.
_UNREADABLE: Final = (ValueError, OSError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error)


@dataclass(frozen=True)
class SmplFile:
    """What an `.npz` of SMPL motion holds."""

    poses: Float[Tensor, "frames values"]
    """Rotation vectors of all joints in SMPL's order."""
    trans: Float[Tensor, "frames 3"]
    fps: float
    skeleton: SmplSkeleton
    """The average one of the file's kind of body."""
    average: bool
    """Whether the file says that its body is the average: it has `betas`, and all are zero."""
    up: Up | None
    """The axis that points up, where the file tells."""


def read_amass(
    path: Path, *, root: Path | None = None, up: Up | None = None, fps: float | None = None
) -> list[CapturedClip]:
    """The clip in an `.npz` of SMPL motion: `trans`, and `poses` or `root_orient`, `pose_body`.

    Or `transl`, `global_orient` and `body_pose`, as the `smplx` package calls them; these are y-up.
    The exact rotations come along as the clip's motion, those of fingers and jaw too where they
    move; eyes are left out. Joints are those of the average skeleton in this motion: the shape
    (`betas`) needs a licensed body, and bones are rescaled in retargeting anyway.

    Args:
        root: The folder that was imported; folders below it name the subject.
        up: The axis that points up; if None what the file says, else guessed from where heads and
            feet are.
        fps: For files that do not say.
    """
    return [clip_of(path, load_smpl(path, fps=fps), root=root, up=up)]


def clip_of(
    path: Path, file: SmplFile, *, root: Path | None = None, up: Up | None = None
) -> CapturedClip:
    """The clip in the content of a file; see `read_amass`."""
    motion, joints = to_motion(file.skeleton, file.poses, file.trans, file.fps, up or file.up)
    return CapturedClip(
        name=path.stem,
        source=file.skeleton.name,
        subject=subject_hint(path, root),
        label=label_hint(path, root),
        joints=joints,
        fps=motion.fps,
        motion=motion,
    )


def load_smpl(path: Path, *, fps: float | None = None) -> SmplFile:
    """The content of an `.npz` of SMPL motion, checked; `fps` is for files that do not say."""
    arrays = _arrays(path)
    poses = _poses(path, arrays)
    trans = _numbers(path, arrays, "trans")
    if trans.shape != (len(poses), 3) or not len(poses):
        raise ValueError(
            f"`trans` in {path} must have shape ({len(poses)}, 3), like its poses, and one frame "
            f"or more; got {tuple(trans.shape)}."
        )
    rate = _rate(path, arrays, fps)
    betas = arrays.get("betas")
    average = betas is not None and betas.dtype.kind in "fiu" and not betas.any()
    told = str(arrays.get("up_axis", ""))
    up: Up | None = "y" if told == "y" else "z" if told == "z" else None
    return SmplFile(poses, trans, rate, _skeleton(arrays, poses.shape[1]), average, up)


def to_motion(
    skeleton: SmplSkeleton,
    poses: Float[Tensor, "frames values"],
    trans: Float[Tensor, "frames 3"],
    fps: float,
    up: Up | None = None,
) -> tuple[Motion, Float[Tensor, "frames joints 3"]]:
    """Our motion and world joints of rotation vectors counted from SMPL's rest pose.

    With `T_j` the world rotations from that pose to our T-pose, SMPL's rotation `R_j` relative to
    the parent is `T_parent R_j T_j^T` in our terms. `trans` moves the body, whose pelvis is not at
    its origin.
    """
    turns = rotations.from_axis_angle(poses.reshape(len(poses), -1, 3))
    body = turns[:, :NUM_JOINTS]
    template = skeleton.template()
    _, positions = forward_kinematics(body, template)
    joints = positions + trans[:, None]
    up = up or guess_up([joints])
    world = upright(torch.eye(3), up).T
    joints = upright(joints, up)
    t_pose = skeleton.t_pose()
    before = torch.cat([torch.eye(3)[None], t_pose[list(PARENTS[1:])]])
    ours = before @ body @ t_pose.transpose(-1, -2)
    ours = torch.cat([world @ ours[:, :1], ours[:, 1:]], 1)
    translation = joints[:, 0] - skeleton.rest_joints()[0]
    hands, jaw = _hands(turns, t_pose), _jaw(turns)
    return Motion(ours, translation, fps, hands=hands, jaw=jaw), joints


def _hands(
    turns: Float[Tensor, "frames all 3 3"], t_pose: Float[Tensor, "joints 3 3"]
) -> Float[Tensor, "frames 30 3 3"] | None:
    """Rotations of the fingers, which go with the forearms into the T-pose; None if all rest."""
    start = _HANDS_AT[3 * turns.shape[1]]
    if start is None:
        return None
    fingers = turns[:, start // 3 :]
    if torch.equal(fingers, rotations.identity(*fingers.shape[:2]).to(fingers)):
        return None
    wrists = [JOINT_INDEX["left_wrist"], JOINT_INDEX["right_wrist"]]
    held = t_pose[wrists].repeat_interleave(NUM_HAND_JOINTS // 2, 0)
    return held @ fingers @ held.transpose(-1, -2)


def _jaw(turns: Float[Tensor, "frames all 3 3"]) -> Float[Tensor, "frames 3 3"] | None:
    """Rotations of the jaw, whose head is upright in both rest poses; None where it rests."""
    start = _JAW_AT.get(3 * turns.shape[1])
    if start is None:
        return None
    jaw = turns[:, start // 3]
    return None if torch.equal(jaw, rotations.identity(len(jaw)).to(jaw)) else jaw


def _arrays(path: Path) -> dict[str, NDArray[Any]]:
    """What the file holds; objects, which only pickle could read, are left out."""
    arrays: dict[str, NDArray[Any]] = {}
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
        if damaged is not None:
            raise zipfile.BadZipFile(f"the checksum of {damaged} differs")
        with np.load(path, allow_pickle=False) as file:
            for name in (*_KEYS, *_RATES):
                if name in file.files:
                    arrays[name] = file[name]
            for name, other in _PACKAGE_NAMES.items():
                if name not in arrays and other in file.files:
                    arrays[name] = file[other]
            if all(name in file.files for name in _HANDS):
                arrays["pose_hand"] = np.concatenate([file[name] for name in _HANDS], -1)
            if "global_orient" in file.files:
                arrays |= {"up_axis": np.array("y"), "surface_model_type": np.array("smplx")}
    except _UNREADABLE as error:
        raise ValueError(
            f"{path} must be an .npz of arrays, got damaged or pickled data: {error}; save it anew "
            "with numpy.savez."
        ) from error
    return arrays


def _poses(path: Path, arrays: dict[str, NDArray[Any]]) -> Float[Tensor, "frames values"]:
    """Rotation vectors of all joints in SMPL's order."""
    if "poses" in arrays:
        poses = _numbers(path, arrays, "poses")
    else:
        body = [_numbers(path, arrays, name) for name in ("root_orient", "pose_body")]
        if "pose_hand" in arrays:
            if "pose_jaw" in arrays:
                body.append(_numbers(path, arrays, "pose_jaw"))
                body.append(torch.zeros(len(body[0]), _EYES))
            body.append(_numbers(path, arrays, "pose_hand"))
        if any(part.ndim != 2 or len(part) != len(body[0]) for part in body):
            shapes = ", ".join(str(tuple(part.shape)) for part in body)
            raise ValueError(
                f"`root_orient`, `pose_body` and `pose_hand` in {path} must have one row a frame, "
                f"got shapes {shapes}."
            )
        poses = torch.cat(body, -1)
    if poses.ndim != 2 or poses.shape[1] not in _HANDS_AT:
        counts = ", ".join(map(str, _HANDS_AT))
        raise ValueError(
            f"`poses` in {path} must have {counts} numbers a frame (SMPL, SMPL-H or SMPL-X), got "
            f"shape {tuple(poses.shape)}."
        )
    return poses


def _numbers(path: Path, arrays: dict[str, NDArray[Any]], name: str) -> Tensor:
    if name not in arrays:
        raise ValueError(
            f"{path} must hold `trans`, and `poses` or `root_orient` and `pose_body`; `{name}` is "
            "missing; give a motion of AMASS."
        )
    array = arrays[name]
    if array.dtype.kind not in "fiu" or not np.isfinite(array).all():
        raise ValueError(f"`{name}` in {path} must hold finite numbers; got {array.dtype}.")
    return torch.from_numpy(array.astype(np.float32))


def _rate(path: Path, arrays: dict[str, NDArray[Any]], fps: float | None) -> float:
    found = [arrays[name] for name in _RATES if name in arrays]
    if not found and fps is None:
        raise ValueError(
            f"{path} must tell its frames per second as {', '.join(_RATES)}; it has none of them: "
            "tell it by `fps`."
        )
    rate = float(found[0].reshape(-1)[0]) if found else float(fps or 0)
    if not 0 < rate < float("inf"):
        raise ValueError(f"the frame rate of {path} must be positive, got {rate}; check the file.")
    return rate


def _skeleton(arrays: dict[str, NDArray[Any]], values: int) -> SmplSkeleton:
    told = str(arrays["surface_model_type"]) if "surface_model_type" in arrays else ""
    return SMPLX if "smplx" in told or (not told and values == 165) else SMPL
