"""Motions of any format that we read, as clips that know whether their floor is known."""

from dataclasses import dataclass
from pathlib import Path

from jaxtyping import Float
from torch import Tensor

from motiondistill.data.importers import CapturedClip, read_motion_capture
from motiondistill.data.importers.amass import clip_of, load_smpl
from motiondistill.data.importers.clip import label_hint
from motiondistill.data.importers.folder import recognise
from motiondistill.data.importers.gltf import own_motion
from motiondistill.formats.bvh_reading import read_bvh
from motiondistill.kinematics import forward_kinematics
from motiondistill.structures import Motion


@dataclass(frozen=True)
class ForeignMotion:
    """A clip, and the skeleton that its heights belong to."""

    clip: CapturedClip
    rest_joints: Float[Tensor, "22 3"] | None
    """Joints of the skeleton of `clip.motion` in the T-pose on the floor. None where the file tells
    its skeleton or its floor only roughly: who reads it should put the soles on the floor."""


def read_foreign(path: Path) -> ForeignMotion:
    """The one motion in a file of a foreign format, by its suffix and its keys.

    Files of our own exporters keep their heights, as others do that name our joints (BVH) or say
    that their body is the average one (SMPL). Raises FileNotFoundError, and ValueError that names
    file, key and reason, also for files that hold several motions.
    """
    kind = recognise(path) if path.is_file() else None
    if kind == "bvh":
        found = read_bvh(path)
        if found is not None:
            return _known(path, "bvh", found.motion, found.rest_joints)
    if kind == "gltf":
        ours = own_motion(path)
        if ours is not None:
            return _known(path, "gltf", *ours)
    if kind == "amass":
        file = load_smpl(path)
        return ForeignMotion(
            clip_of(path, file), file.skeleton.rest_joints() if file.average else None
        )
    clips = read_motion_capture(path)
    if len(clips) != 1:
        names = ", ".join(clip.name for clip in clips[:8])
        raise ValueError(
            f"{path} must hold one motion, got {len(clips)} ({names}); save them one a file."
        )
    return ForeignMotion(clips[0], None)


def _known(
    path: Path, source: str, motion: Motion, rest_joints: Float[Tensor, "22 3"]
) -> ForeignMotion:
    """A motion of a skeleton with our joints."""
    _, joints = forward_kinematics(motion.rotations, rest_joints)
    joints = joints + motion.translation[:, None]
    clip = CapturedClip(path.stem, source, "", label_hint(path), joints, motion.fps, motion)
    return ForeignMotion(clip, rest_joints)
