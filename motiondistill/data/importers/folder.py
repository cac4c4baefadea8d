"""Motion capture files and folders of any known format."""

import logging
import zipfile
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, Literal, assert_never

import numpy as np
from numpy.lib import format as npy

from motiondistill.data.importers.amass import read_amass
from motiondistill.data.importers.bvh import read_bvh, read_bvh_files
from motiondistill.data.importers.clip import CapturedClip
from motiondistill.data.importers.deepmimic import read_deepmimic
from motiondistill.data.importers.expmap import NUM_VALUES, read_expmap
from motiondistill.data.importers.gltf import read_gltf
from motiondistill.data.importers.humanml import NUM_FEATURES, read_humanml
from motiondistill.data.importers.motion272 import NUM_ROTATION_FEATURES, read_motion272
from motiondistill.data.importers.own_file import read_own
from motiondistill.data.importers.poselib import read_poselib
from motiondistill.data.joints import JOINTS_FPS
from motiondistill.structures import NUM_JOINTS

MotionFormat = Literal[
    "bvh", "gltf", "amass", "humanml", "motion272", "poselib", "deepmimic", "expmap", "own"
]
KNOWN: Final = (
    "ours (motion.npz), BVH (.bvh), glTF (.glb), AMASS and SMPL-X parameters (.npz), HumanML3D's "
    "joints (frames, 22, 3) and 263 features, MotionStreamer's 272 features and poselib (.npy), "
    "DeepMimic (.txt, .json), CMU's exponential maps (.txt, .csv)"
)
# How much of a text is looked at to tell its format.
_HEAD: Final = 4096
_log = logging.getLogger(__name__)


def read_motion_capture(path: Path, *, root: Path | None = None) -> list[CapturedClip]:
    """The clips in a file of any known format, at `JOINTS_FPS`.

    The format follows from the suffix and a look into the file. Raises FileNotFoundError, or
    ValueError for files that are damaged or hold no motion.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no motion capture at {path}; give a file: {KNOWN}.")
    kind = recognise(path)
    if kind is None:
        raise ValueError(
            f"`path` must be motion capture of a known format, got {told(path)}: {KNOWN}."
        )
    return [clip.at(JOINTS_FPS) for clip in _reader(kind)(path, root)]


def read_folder(folder: Path, *, key: str = "folder") -> list[CapturedClip]:
    """The clips that `look_through` finds."""
    return look_through(folder, key=key)[0]


def look_through(folder: Path, *, key: str = "folder") -> tuple[list[CapturedClip], str]:
    """The clips in all motions of `folder` and the folders in it, at `JOINTS_FPS`; and other files.

    Files that are no motion are passed over, and counted in one line, of the log, too; a motion
    that is damaged is an error. BVH files of one skeleton share what their axis and their unit are,
    so that a clip of somebody who lies on the floor is not turned upright. `key` is what errors
    call the folder.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"`{key}` must be a folder of motions, got {folder}.")
    kinds = {path: recognise(path) for path in sorted(folder.rglob("*")) if path.is_file()}
    bvh = [path for path, kind in kinds.items() if kind == "bvh"]
    clips = read_bvh_files(bvh, root=folder, fps=JOINTS_FPS)
    for path, kind in kinds.items():
        if kind is not None and kind != "bvh":
            clips += [clip.at(JOINTS_FPS) for clip in _reader(kind)(path, folder)]
    others = _counted([path for path, kind in kinds.items() if kind is None])
    if not clips:
        raise ValueError(
            f"`{key}` must hold motions of a known format, found {others or 'no file'} in "
            f"{folder}; add some: {KNOWN}."
        )
    if others:
        _log.info("passed over in %s, as they are no motions of a known format: %s", folder, others)
    return clips, others


def recognise(path: Path) -> MotionFormat | None:
    """The format of a file by its suffix and, where that may be anything, by its beginning."""
    match path.suffix.lower():
        case ".bvh":
            return "bvh"
        case ".glb":
            return "gltf"
        case ".npz":
            return _archive_format(path)
        case ".npy":
            return _array_format(path)
        case ".txt" | ".json" | ".csv":
            return _text_format(path)
        case _:
            return None


def told(path: Path) -> str:
    """The file for messages: an array with the shape that keeps it from being a known one."""
    try:
        shape = _header(path)[0] if path.suffix.lower() == ".npy" else None
    except (KeyError, ValueError):
        shape = None
    return str(path) if shape is None else f"{path}, an array of shape {shape}"


def _counted(paths: Sequence[Path]) -> str:
    """How many files there are of each ending, the most first, and what the first array holds."""
    counts = Counter(path.suffix.lower() or "without an ending" for path in paths).most_common()
    arrays = [f"such as {told(path)}" for path in paths if path.suffix.lower() == ".npy"]
    return "; ".join([", ".join(f"{count} {ending}" for ending, count in counts), *arrays[:1]])


def _reader(kind: MotionFormat) -> Callable[[Path, Path | None], list[CapturedClip]]:
    match kind:
        case "own":
            return lambda path, root: read_own(path, root=root)
        case "bvh":
            return lambda path, root: read_bvh(path, root=root)
        case "gltf":
            return lambda path, root: read_gltf(path, root=root)
        case "amass":
            return lambda path, root: read_amass(path, root=root)
        case "humanml":
            return lambda path, root: read_humanml(path, root=root)
        case "motion272":
            return lambda path, root: read_motion272(path, root=root)
        case "poselib":
            return lambda path, root: read_poselib(path, root=root)
        case "deepmimic":
            return lambda path, root: read_deepmimic(path, root=root)
        case "expmap":
            return lambda path, root: read_expmap(path, root=root)
        case _:
            assert_never(kind)


def _archive_format(path: Path) -> MotionFormat | None:
    """The format of an `.npz` by its arrays; one that cannot be opened is left to its reader."""
    try:
        with zipfile.ZipFile(path) as archive:
            arrays = {name.removesuffix(".npy") for name in archive.namelist()}
    except (OSError, zipfile.BadZipFile):
        return "amass"
    if not arrays.isdisjoint(("trans", "transl")):
        return "amass"
    return "own" if arrays.issuperset(("rotations", "translation", "joint_names")) else None


def _array_format(path: Path) -> MotionFormat | None:
    try:
        shape, dtype = _header(path)
    except (KeyError, ValueError):
        return "humanml"  # whose reader says what is wrong
    if dtype.hasobject:
        return "poselib" if b"SkeletonMotion" in path.read_bytes() else None
    if shape[1:] == (NUM_ROTATION_FEATURES,):
        return "motion272"
    return "humanml" if shape[1:] in ((NUM_JOINTS, 3), (NUM_FEATURES,)) else None


def _header(path: Path) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and type of an array; raises ValueError or KeyError for what is none."""
    with path.open("rb") as file:
        readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
        shape, _, dtype = readers[npy.read_magic(file)](file)
    return shape, dtype


def _text_format(path: Path) -> MotionFormat | None:
    with path.open(encoding="utf-8", errors="replace") as file:
        head = file.read(_HEAD)
    if head.lstrip().startswith("{"):
        return "deepmimic" if '"Frames"' in head else None
    return "expmap" if head.partition("\n")[0].count(",") == NUM_VALUES - 1 else None
