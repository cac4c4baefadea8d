"""Clips of joint positions: a folder with `manifest.csv` and arrays in `joints22/*.npz`."""

import csv
import dataclasses
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from motiondistill.structures import Motion

JOINTS_FPS = 30.0
_MANIFEST = "manifest.csv"
# A joint that moves further in one frame (15 m/s at 30 fps) is a fault of the recording, and so are
# its neighbours.
_MAX_STEP = 0.5
_STEP_MARGIN = 3
# The floor of a sound clip lies within this height of zero; a root fault puts it far off.
_MAX_FLOOR = 0.3
_MIN_SECONDS = 0.4


@dataclass(frozen=True)
class JointClip:
    """Joint positions in metres, +Y up, at `JOINTS_FPS`; NaN for joints the source lacks."""

    name: str
    source: str
    """Clips of one source share their skeleton's neutral pose."""
    label: str
    """The class in the manifest, or other words about what is done."""
    joints: Float[Tensor, "frames joints 3"]
    subject: str = ""
    """Who moved; empty where nobody knows."""
    terms: str = ""
    """The licence."""
    motion: Motion | None = None
    """Its rotations, on its own skeleton, where the source has them exactly."""

    def frames(self, chosen: slice) -> "JointClip":
        """These frames of the clip."""
        motion = None if self.motion is None else self.motion.frames(chosen)
        return dataclasses.replace(self, joints=self.joints[chosen], motion=motion)


def has_manifest(folder: Path) -> bool:
    """Whether the folder is in the form that `read_joint_clips` reads."""
    return (folder / _MANIFEST).is_file()


def read_joint_clips(folder: Path) -> list[JointClip]:
    """All sound pieces of all clips that the manifest of `folder` names.

    Clips are cut round jumps of more than half a metre a frame; clips without a floor are left out.
    """
    manifest = folder / _MANIFEST
    if not has_manifest(folder):
        raise FileNotFoundError(
            f"`folder` must hold manifest.csv and joints22/, found none at {manifest}; "
            "give the motion-capture folder itself."
        )
    with manifest.open(newline="") as file:
        rows = list(csv.DictReader(file))
    clips: list[JointClip] = []
    for archive in sorted({row["npz"] for row in rows}):
        with np.load(folder / "joints22" / archive, allow_pickle=False) as arrays:
            for row in rows:
                if row["npz"] == archive and abs(float(row["floor_y"])) < _MAX_FLOOR:
                    joints = torch.from_numpy(arrays[row["clip"]]).float()
                    clip = JointClip(
                        name=row["clip"],
                        source=archive.split("_")[0],
                        label=row["cls"],
                        joints=joints,
                        subject=row.get("subject") or _subject(row["clip"]),
                        terms=row.get("licence", ""),
                    )
                    clips += pieces(clip)
    return clips


def sound_frames(joints: Float[Tensor, "frames joints 3"]) -> Bool[Tensor, " frames"]:
    """Which frames are further than three frames from a jump."""
    # Comparisons with NaN, the missing joints, are false.
    jumps = (joints.diff(dim=0).norm(dim=-1) > _MAX_STEP).any(-1)
    sound = torch.ones(len(joints), dtype=torch.bool)
    for jump in jumps.nonzero().flatten().tolist():
        sound[max(jump - _STEP_MARGIN, 0) : jump + _STEP_MARGIN + 2] = False
    return sound


def pieces(clip: JointClip) -> list[JointClip]:
    """The runs of sound frames that are long enough to show anything."""
    sound = sound_frames(clip.joints)
    found: list[JointClip] = []
    start = None
    for frame, good in enumerate([*sound.tolist(), False]):
        if good and start is None:
            start = frame
        elif not good and start is not None:
            if frame - start >= _MIN_SECONDS * JOINTS_FPS:
                found.append(clip.frames(slice(start, frame)))
            start = None
    return found


def _subject(name: str) -> str:
    """CMU names its takes by subject and number: `07_12`."""
    match = re.fullmatch(r"(\d+)_\d+", name)
    return match[1] if match else ""
