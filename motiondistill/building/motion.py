"""The motion files that a configuration or a command line names, and the bodies in them."""

import logging
import zipfile
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill.body.anny import anny_body
from motiondistill.data.importers.folder import KNOWN, recognise, told
from motiondistill.data.joints import JointClip
from motiondistill.data.recordings import motion_of, neutral_poses
from motiondistill.formats.reading import ForeignMotion, read_foreign
from motiondistill.formats.rest_pose import on_skeleton
from motiondistill.motion.motion_file import RUN_MOTION as RUN_MOTION
from motiondistill.motion.motion_file import MotionFile, check_motion, load_motion
from motiondistill.schema.look import BodyConfig
from motiondistill.structures import Motion

_log = logging.getLogger(__name__)


def read_motion(key: str, name: str | Path) -> MotionFile:
    """The motion file that `key` names, or that of the run's folder, or one of a foreign format.

    Which, follows from its suffix and its keys. A foreign motion comes on the average Anny: by its
    rotations where it has them, else by its joints, which then have 30 frames a second. Raises
    FileNotFoundError, and ValueError for what holds no such motion; both name the key.
    """
    given = Path(name).expanduser()
    path = given / RUN_MOTION if given.is_dir() else given
    ours = path.suffix.lower() == ".npz" or zipfile.is_zipfile(path)
    if path.is_file() and not ours and not _is_foreign(path):
        raise ValueError(
            f"`{key}` must be a motion file or a run's folder, got {told(path)}, which is none "
            f"of {KNOWN}; name a run's folder or its motion.npz."
        )
    try:
        file = _foreign(path) if _is_foreign(path) else load_motion(path)
        check_motion(path, file)
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"`{key}` must be a motion file or a run's folder, got {path}; check the path."
        ) from error
    except ValueError as error:
        raise ValueError(f"`{key}` must be a motion file: {error}") from error
    except OSError as error:
        raise ValueError(
            f"`{key}` must be a motion file that can be read, got {path} ({error.strerror}); check "
            "its rights."
        ) from error
    return file


def recorded_body(file: MotionFile) -> dict[str, Any]:
    """The keys that ask for the body on which the motion was measured.

    Raises ValueError for a body that is not ours.
    """
    shape, expression = (
        [round(number, 6) for number in tensor.tolist()] for tensor in (file.shape, file.expression)
    )
    kind, _, _ = file.body.partition("-")
    match kind:
        case "anny":
            names = ("gender", "age", "height", "weight", "muscle", "proportions")
            return {"body": {"name": kind, **dict(zip(names, shape, strict=False))}}
        case "smplx":
            return {"body": {"name": kind, "betas": shape, "expression": expression}}
        case _:
            raise ValueError(
                f"`body.name` must be given for a motion of the body {file.body!r}; add "
                "body.name=anny."
            )


def coarse_body(file: MotionFile) -> BodyConfig:
    """The body of the motion, coarse; the average Anny, as the log tells, for one that is not ours.

    Coarse is enough to see what touches the floor, and takes a tenth of the time.
    """
    try:
        return BodyConfig(**recorded_body(file)["body"])
    except ValueError:
        _log.warning("the body %r is not ours; the average Anny stands in for it", file.body)
        return BodyConfig()


def motion_name(path: Path) -> str:
    """What a motion is called after its file, or after its run's folder."""
    place = path.absolute()
    if place.is_dir():
        return place.name
    return place.parent.name if place.name == RUN_MOTION else place.stem


def _is_foreign(path: Path) -> bool:
    """Whether the file is of another format; what is of none is taken for ours."""
    if not path.is_file():
        return False
    # What cannot be opened may be ours as well as AMASS'.
    damaged = path.suffix.lower() == ".npz" and not zipfile.is_zipfile(path)
    return not damaged and recognise(path) not in (None, "own")


def _foreign(path: Path) -> MotionFile:
    """The motion on the average Anny."""
    found = read_foreign(path)
    body = anny_body("low")
    motion = _on_skeleton(found, body.rest_joints)
    with torch.no_grad():
        joints = body(motion).joints
    return MotionFile(
        motion,
        joints,
        body=body.name,
        shape=body.shape,
        prompt="",  # file names are none
        seed=0,
        version="",
    )


def _on_skeleton(found: ForeignMotion, rest_joints: Float[Tensor, "joints 3"]) -> Motion:
    """The motion at its heights where these are known; else as `dataset` takes it."""
    clip = found.clip
    if found.rest_joints is not None and clip.motion is not None:
        return on_skeleton(clip.motion, found.rest_joints, rest_joints)
    recorded = JointClip(clip.name, clip.source, clip.label, clip.joints, motion=clip.motion)
    return motion_of(recorded, neutral_poses([recorded]), rest_joints)
