"""Clips of joint positions: a folder with `manifest.csv` and arrays in `joints22/*.npz`."""

import csv
import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy.typing import NDArray
from torch import Tensor

from motiondistill.data.dropped import Dropped
from motiondistill.structures import NUM_JOINTS, Motion

JOINTS_FPS = 30.0
_MANIFEST = "manifest.csv"
_COLUMNS = ("clip", "npz", "cls", "floor_y")
# A joint that moves further in one frame (15 m/s at 30 fps) is a fault of the recording, and so are
# its neighbours.
_MAX_STEP = 0.5
_STEP_MARGIN = 3
# The floor of a sound clip lies within this height of zero; a root fault puts it far off.
_MAX_FLOOR = 0.3
_NO_FLOOR = f"no floor within {_MAX_FLOOR:g} m of zero"
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

    @property
    def full_name(self) -> str:
        """Source and name: what the clip is called wherever clips of several sources are."""
        return full_name(self.source, self.name)

    def frames(self, chosen: slice) -> "JointClip":
        """These frames of the clip."""
        motion = None if self.motion is None else self.motion.frames(chosen)
        return dataclasses.replace(self, joints=self.joints[chosen], motion=motion)


def full_name(source: str, name: str) -> str:
    """See `JointClip.full_name`."""
    return f"{source}/{name}"


def has_manifest(folder: Path) -> bool:
    """Whether the folder is in the form that `read_joint_clips` reads."""
    return (folder / _MANIFEST).is_file()


def read_joint_clips(folder: Path) -> list[JointClip]:
    """All sound pieces of all clips that the manifest of `folder` names.

    Clips are cut round jumps of more than half a metre a frame. Raises as `whole_joint_clips`.
    """
    return [piece for clip in whole_joint_clips(folder)[0] for piece in pieces(clip)]


def whole_joint_clips(folder: Path) -> tuple[list[JointClip], list[Dropped]]:
    """All clips that the manifest of `folder` names, and those without a floor, which are left out.

    Raises FileNotFoundError or ValueError for a manifest that does not fit its arrays.
    """
    manifest = folder / _MANIFEST
    if not has_manifest(folder):
        raise FileNotFoundError(
            f"`folder` must hold manifest.csv and joints22/, found none at {manifest}; "
            "give the motion-capture folder itself."
        )
    rows: list[dict[str, str]] = []
    without = []
    for row in (every := _rows(manifest)):
        if _has_floor(manifest, row):
            rows.append(row)
        else:
            name = full_name(_source(row["npz"]), row["clip"])
            without.append(Dropped(name, "", _NO_FLOOR, row["cls"]))
    clips: list[JointClip] = []
    for archive in sorted({row["npz"] for row in every}):
        path = folder / "joints22" / archive
        if not path.is_file():
            raise FileNotFoundError(
                f"{manifest} must name files of joints22/, got {archive}; add {path}."
            )
        with np.load(path, allow_pickle=False) as arrays:
            for row in rows:
                if row["npz"] == archive:
                    clip = JointClip(
                        name=row["clip"],
                        source=_source(archive),
                        label=row["cls"],
                        joints=_joints(path, arrays, row["clip"]),
                        subject=row.get("subject") or _subject(row["clip"]),
                        terms=row.get("licence", ""),
                    )
                    clips.append(clip)
    return clips, without


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


def why_no_piece(clip: JointClip) -> str:
    """Why `pieces` finds nothing in the clip."""
    if len(clip.joints) < _MIN_SECONDS * JOINTS_FPS:
        return f"shorter than {_MIN_SECONDS:g} s"
    return f"jumps of more than {_MAX_STEP:g} m between its frames"


def _rows(manifest: Path) -> list[dict[str, str]]:
    with manifest.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        missing = [name for name in _COLUMNS if name not in (reader.fieldnames or ())]
        if missing:
            raise ValueError(
                f"{manifest} must have the columns {', '.join(_COLUMNS)}, got none of the name "
                f"{', '.join(missing)}; add it."
            )
        return list(reader)


def _has_floor(manifest: Path, row: Mapping[str, str]) -> bool:
    try:
        return abs(float(row["floor_y"])) < _MAX_FLOOR
    except ValueError:
        raise ValueError(
            f"`floor_y` in {manifest} must be a height in metres, got {row['floor_y']!r} for "
            f"{row['clip']}; give 0 where the floor is at zero."
        ) from None


def _joints(
    path: Path, arrays: Mapping[str, NDArray[Any]], name: str
) -> Float[Tensor, "frames joints 3"]:
    if name not in arrays:
        raise ValueError(
            f"{path} must hold an array for each clip of the manifest, got none for {name}; add it."
        )
    array = arrays[name]
    if array.dtype.kind != "f" or array.ndim != 3 or array.shape[1:] != (NUM_JOINTS, 3):
        raise ValueError(
            f"`{name}` in {path} must be numbers of shape (frames, {NUM_JOINTS}, 3), got "
            f"{array.dtype} of shape {array.shape}; give the joints in SMPL's order."
        )
    return torch.from_numpy(array.astype(np.float32))


def _source(archive: str) -> str:
    return archive.split("_")[0]


def _subject(name: str) -> str:
    """CMU names its takes by subject and number: `07_12`."""
    match = re.fullmatch(r"(\d+)_\d+", name)
    return match[1] if match else ""
