"""DeepMimic's JSON motions of a humanoid with 15 joints (Peng et al. 2018)."""

import json
from pathlib import Path
from typing import Any, Final

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill import rotations
from motiondistill.data.importers.clip import CapturedClip, interpolated, label_hint, subject_hint
from motiondistill.data.importers.skeleton import from_quaternion, place
from motiondistill.structures import JOINT_INDEX, NUM_JOINTS

# DeepMimic's data/characters/humanoid3d.txt (MIT): our joint, parent, and where it is attached, in
# its axes (x ahead, y up, z to the right), metres. Its neck carries a head and its ankles carry
# feet, which have no joints: they stand for ours, at the head's centre and at the tips of the feet.
_JOINTS: Final = (
    ("pelvis", -1, (0.0, 0.0, 0.0)),
    ("spine2", 0, (0.0, 0.236151, 0.0)),
    ("neck", 1, (0.0, 0.223894, 0.0)),
    ("right_hip", 0, (0.0, 0.0, 0.084887)),
    ("right_knee", 3, (0.0, -0.421546, 0.0)),
    ("right_ankle", 4, (0.0, -0.40987, 0.0)),
    ("right_shoulder", 1, (-0.02405, 0.2435, 0.18311)),
    ("right_elbow", 6, (0.0, -0.274788, 0.0)),
    ("right_wrist", 7, (0.0, -0.258947, 0.0)),
    ("left_hip", 0, (0.0, 0.0, -0.084887)),
    ("left_knee", 9, (0.0, -0.421546, 0.0)),
    ("left_ankle", 10, (0.0, -0.40987, 0.0)),
    ("left_shoulder", 1, (-0.02405, 0.2435, -0.18311)),
    ("left_elbow", 12, (0.0, -0.274788, 0.0)),
    ("left_wrist", 13, (0.0, -0.258947, 0.0)),
    ("head", 2, (0.0, 0.175, 0.0)),
    ("right_foot", 5, (0.1335, -0.0225, 0.0)),
    ("left_foot", 11, (0.1335, -0.0225, 0.0)),
)
# A frame: duration, root position, root quaternion (w, x, y, z), then in this order a quaternion
# or, for hinges, the angle about +Z.
_ORDER: Final = (1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13)
_HINGES: Final = (4, 7, 10, 13)
_FRAME_LENGTH: Final = 8 + sum(1 if joint in _HINGES else 4 for joint in _ORDER)
# Ours from theirs: +Z is ahead and +X is to the left.
_AXES: Final = ((0.0, 0.0, -1.0), (0.0, 1.0, 0.0), (1.0, 0.0, 0.0))


def read_deepmimic(path: Path, *, root: Path | None = None) -> list[CapturedClip]:
    """The clip in a DeepMimic motion, at the rate of its first frame.

    Toes, and a head above the neck, stand where the character's feet and head end; collars and
    single spine joints are missing.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8", errors="replace"))
    except ValueError as error:
        raise ValueError(f"{path} must be JSON, got damaged text: {error}.") from error
    frames = _frames(path, content)
    durations, values = frames[:, 0], frames[:, 1:]
    fps = float(1 / durations[0])
    # A frame's duration lasts until the next one; that of the last is often zero.
    times = torch.cat([durations.new_zeros(1), durations[:-1].cumsum(0)])
    joints = _positions(values)
    if not torch.allclose(durations[:-1], durations[:1]):
        count = int(float(times[-1]) * fps + 1e-6) + 1
        joints = interpolated(joints, _frame_at(times, torch.arange(count) / fps))
    name = path.stem.removeprefix("humanoid3d_")
    label = label_hint(path.with_stem(name), root)
    subject = subject_hint(path, root)
    return [CapturedClip(name, "deepmimic", subject, label, joints.float(), fps)]


def _frames(path: Path, content: Any) -> Float[Tensor, "frames values"]:
    """The table of frames, checked."""
    rows = content.get("Frames") if isinstance(content, dict) else None
    if not isinstance(rows, list) or not rows:
        raise ValueError(f"{path} must have `Frames`, a list of frames; give a DeepMimic motion.")
    lengths = {len(row) if isinstance(row, list) else 0 for row in rows}
    if lengths != {_FRAME_LENGTH}:
        raise ValueError(
            f"`Frames` in {path} must hold {_FRAME_LENGTH} numbers each, those of humanoid3d; got "
            f"{', '.join(map(str, sorted(lengths)))}."
        )
    try:
        frames = torch.tensor(rows, dtype=torch.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"`Frames` in {path} must hold numbers only: {error}.") from error
    if not frames.isfinite().all() or not (frames[: max(len(frames) - 1, 1), 0] > 0).all():
        raise ValueError(
            f"`Frames` in {path} must hold finite numbers and positive durations; check the file."
        )
    return frames


def _positions(values: Float[Tensor, "frames values"]) -> Float[Tensor, "frames joints 3"]:
    """Our joints in our axes."""
    turns = rotations.identity(len(values), len(_JOINTS)).to(values).clone()
    turns[:, 0] = _from_wxyz(values[:, 3:7])
    column = 7
    for joint in _ORDER:
        if joint in _HINGES:
            angle = torch.zeros(len(values), 3, dtype=values.dtype)
            angle[:, 2] = values[:, column]
            turns[:, joint] = rotations.from_axis_angle(angle)
            column += 1
        else:
            turns[:, joint] = _from_wxyz(values[:, column : column + 4])
            column += 4
    offsets = torch.tensor([offset for *_, offset in _JOINTS]).to(values)
    offsets = offsets.repeat(len(values), 1, 1)
    offsets[:, 0] = values[:, :3]
    placed = place([parent for _, parent, _ in _JOINTS], turns, offsets)
    joints = torch.full((len(values), NUM_JOINTS, 3), torch.nan, dtype=values.dtype)
    joints[:, [JOINT_INDEX[name] for name, *_ in _JOINTS]] = placed
    return joints @ torch.tensor(_AXES).to(values).T


def _from_wxyz(quaternion: Float[Tensor, "frames 4"]) -> Float[Tensor, "frames 3 3"]:
    return from_quaternion(quaternion.roll(-1, -1))


def _frame_at(
    times: Float[Tensor, " frames"], wanted: Float[Tensor, " samples"]
) -> Float[Tensor, " samples"]:
    """Fractional frames at these times."""
    before = torch.searchsorted(times, wanted.to(times), right=True).clamp(1, len(times) - 1) - 1
    start, end = times[before], times[before + 1]
    return before + (wanted.to(times) - start) / (end - start)
