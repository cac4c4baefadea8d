"""Biovision hierarchy (BVH) files."""

import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill import rotations
from motiondistill.data.importers.clip import CapturedClip, label_hint, subject_hint
from motiondistill.data.importers.joint_names import to_joints
from motiondistill.data.importers.placement import (
    Up,
    guess_unit,
    guess_up,
    inserted_frames,
    upright,
)
from motiondistill.data.importers.skeleton import AnimatedSkeleton, place

_AXES: Final = {"x": 0, "y": 1, "z": 2}
_CHANNELS: Final = tuple(f"{axis}{kind}" for kind in ("position", "rotation") for axis in _AXES)

_RATE_ROUNDING: Final = 1e-3


@dataclass(frozen=True)
class BvhAnimation:
    """All that a BVH file tells, in its own axes and units; end sites are named `<parent>_end`."""

    names: tuple[str, ...]
    parents: tuple[int, ...]
    offsets: Float[Tensor, "nodes 3"]
    """From the parent, at rest."""
    turns: Float[Tensor, "frames nodes 3 3"]
    """Relative to the parent, against the rest pose; float64."""
    places: Float[Tensor, "frames nodes 3"]
    """From the parent, before it turns; float64."""
    fps: float


@dataclass(frozen=True)
class _Joint:
    name: str
    parent: int
    offset: tuple[float, float, float] = (0.0, 0.0, 0.0)
    channels: tuple[str, ...] = ()


def read_bvh(
    path: Path, *, root: Path | None = None, up: Up | None = None, unit: float | None = None
) -> list[CapturedClip]:
    """The clip in a BVH file, at its own frame rate; see `read_bvh_files`."""
    return read_bvh_files([path], root=root, up=up, unit=unit)


def read_bvh_files(
    paths: Sequence[Path],
    *,
    root: Path | None = None,
    up: Up | None = None,
    unit: float | None = None,
    fps: float | None = None,
) -> list[CapturedClip]:
    """The clips in BVH files, a T-pose that was put before the motion left out.

    Args:
        root: The folder that was imported; folders below it name the subject.
        up: The axis that points up. If None it is guessed, for each skeleton, from where heads and
            feet are: together, files of one skeleton tell more than a single one in which somebody
            lies on the floor.
        unit: Metres per unit of the files; if None it is guessed from the length of the legs.
        fps: The frame rate of the clips; that of each file if None.
    """
    clips = [_read(path, root, fps) for path in paths]
    groups: dict[str, list[int]] = {}
    for number, clip in enumerate(clips):
        groups.setdefault(clip.source, []).append(number)
    for group in groups.values():
        members = [clips[number].joints for number in group]
        axis = up or guess_up(members)
        metres = unit or guess_unit(members)
        for number in group:
            joints = metres * upright(clips[number].joints, axis)
            clips[number] = dataclasses.replace(clips[number], joints=joints)
    return clips


def _read(path: Path, root: Path | None, fps: float | None) -> CapturedClip:
    """The clip in the file's own axes and units."""
    try:
        skeleton = parse_bvh(path.read_text(encoding="utf-8", errors="replace"))
        joints = to_joints(skeleton)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    clip = CapturedClip(
        name=path.stem,
        source=f"bvh-{skeleton.key}",
        subject=subject_hint(path, root),
        label=label_hint(path, root),
        joints=joints[inserted_frames(joints, skeleton.fps) :],
        fps=skeleton.fps,
    )
    return clip if fps is None else clip.at(fps)


def parse_bvh(text: str) -> AnimatedSkeleton:
    """The hierarchy in the text of a BVH file and where it goes; see `parse_animation`."""
    animation = parse_animation(text)
    positions = place(animation.parents, animation.turns, animation.places).float()
    return AnimatedSkeleton(
        animation.names, animation.parents, animation.offsets, positions, animation.fps
    )


def parse_animation(text: str) -> BvhAnimation:
    """What the text of a BVH file holds.

    Channels may come in any order on any joint; rotations apply in the order in which they are
    listed, and a joint's position channels take the place of its offset.
    """
    head, separator, motion = text.partition("MOTION")
    if not separator:
        raise ValueError("a BVH file has a HIERARCHY and a MOTION section; MOTION is missing.")
    joints = _parse_hierarchy(head.split())
    values, fps = _parse_motion(motion.split(), sum(len(joint.channels) for joint in joints))
    parents = tuple(joint.parent for joint in joints)
    offsets = torch.tensor([joint.offset for joint in joints])
    names = tuple(joint.name for joint in joints)
    return BvhAnimation(names, parents, offsets, *_locals(joints, values), fps)


def _parse_hierarchy(words: Sequence[str]) -> list[_Joint]:
    """The joints in file order, parents first."""
    joints: list[_Joint] = []
    stack: list[int] = []
    rest = iter(words[1:])  # after HIERARCHY
    for word in rest:
        match word:
            case "ROOT" | "JOINT" | "End" if stack or word == "ROOT":
                # Names may hold spaces: Biped's do.
                name = " ".join(itertools.takewhile("{".__ne__, rest))
                parent = stack[-1] if stack else -1
                name = f"{joints[parent].name}_end" if word == "End" else name
                joints.append(_Joint(name, parent))
                stack.append(len(joints) - 1)
            case "}" if stack:
                stack.pop()
            case "OFFSET" if stack:
                x, y, z = map(float, _take(rest, 3, word))
                joints[-1] = dataclasses.replace(joints[-1], offset=(x, y, z))
            case "CHANNELS" if stack:
                names = _take(rest, int(_take(rest, 1, word)[0]), word)
                channels = tuple(name.lower() for name in names)
                if not set(channels) <= set(_CHANNELS):
                    raise ValueError(
                        f"CHANNELS must be among {', '.join(_CHANNELS)}; got {' '.join(names)}."
                    )
                joints[-1] = dataclasses.replace(joints[-1], channels=channels)
            case _:
                raise ValueError(
                    f"expected a joint, OFFSET, CHANNELS or a brace in HIERARCHY; got {word!r}."
                )
    if stack or not joints:
        raise ValueError("HIERARCHY must close every brace it opens; the file may be cut short.")
    return joints


def _parse_motion(
    words: Sequence[str], channels: int
) -> tuple[Float[Tensor, "frames channels"], float]:
    """The table of channels and the frame rate, from `Frames: N Frame Time: T` and numbers."""
    rest = iter(words)
    _, count, _, _, seconds = _take(rest, 5, "MOTION")
    frames, frame_time = int(count), float(seconds)
    numbers = np.fromiter(map(float, rest), np.float64)
    if not (0 < frame_time < np.inf) or frames < 1 or len(numbers) != frames * channels:
        raise ValueError(
            f"MOTION must hold {frames} frames of {channels} channels, one or more, and a positive "
            f"frame time; got {len(numbers)} numbers and {frame_time} s; the file may be cut short."
        )
    if not np.isfinite(numbers).all():
        raise ValueError("MOTION must hold finite numbers; got nan or inf.")
    fps = 1 / frame_time
    # Frame times are written with few digits.
    fps = float(round(fps)) if abs(fps - round(fps)) < _RATE_ROUNDING * fps else fps
    return torch.from_numpy(numbers).view(frames, channels), fps


def _take(words: Iterator[str], count: int, what: str) -> list[str]:
    """The next `count` words."""
    taken = list(itertools.islice(words, count))
    if len(taken) < count:
        raise ValueError(f"{what} must be followed by {count} words; the file ends after {taken}.")
    return taken


def _locals(
    joints: list[_Joint], values: Float[Tensor, "frames channels"]
) -> tuple[Float[Tensor, "frames nodes 3 3"], Float[Tensor, "frames nodes 3"]]:
    """Rotations and offsets relative to the parents, in the file's units."""
    frames = len(values)
    turns, offsets = [], []
    column = 0
    for joint in joints:
        offset = torch.tensor(joint.offset, dtype=values.dtype).repeat(frames, 1)
        local = rotations.identity(frames).to(values)
        for channel in joint.channels:
            axis = _AXES[channel[0]]
            if channel.endswith("position"):
                offset[:, axis] = values[:, column]
            else:
                local = local @ _about(axis, values[:, column].deg2rad())
            column += 1
        turns.append(local)
        offsets.append(offset)
    return torch.stack(turns, 1), torch.stack(offsets, 1)


def _about(axis: int, angles: Float[Tensor, " frames"]) -> Float[Tensor, "frames 3 3"]:
    """Rotations about a coordinate axis, as the bulk of a file's numbers are."""
    a, b = (axis + 1) % 3, (axis + 2) % 3
    matrix = rotations.identity(len(angles)).to(angles).clone()
    cosine, sine = angles.cos(), angles.sin()
    matrix[:, a, a] = matrix[:, b, b] = cosine
    matrix[:, b, a], matrix[:, a, b] = sine, -sine
    return matrix
