"""Biovision hierarchy (BVH) files: reading, and the way from their joints to ours."""

import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill import rotations
from motiondistill.structures import JOINT_INDEX, JOINT_NAMES

_AXES: Final = {"x": 0, "y": 1, "z": 2}


@dataclass(frozen=True)
class BvhClip:
    """Joints of a BVH file in the world; end sites are joints named `<parent>_end`."""

    names: tuple[str, ...]
    parents: tuple[int, ...]
    positions: Float[Tensor, "frames nodes 3"]
    rotations: Float[Tensor, "frames nodes 3 3"]
    """World rotations; identity is the file's own rest pose."""
    fps: float


@dataclass(frozen=True)
class _Joint:
    name: str
    parent: int
    offset: tuple[float, float, float] = (0.0, 0.0, 0.0)
    channels: tuple[str, ...] = ()


def read_bvh(path: Path, *, scale: float = 1.0, z_up: bool = False) -> BvhClip:
    """The clip in a BVH file; see `parse_bvh`."""
    try:
        return parse_bvh(path.read_text(), scale=scale, z_up=z_up)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def parse_bvh(text: str, *, scale: float = 1.0, z_up: bool = False) -> BvhClip:
    """The clip in the text of a BVH file.

    `scale` is metres per unit of the file. `z_up` turns the file's +Z to +Y (and its -Y to +Z).
    Channels may come in any order on any joint; rotations apply in the order in which they are
    listed, and a joint's position channels take the place of its offset.
    """
    head, separator, motion = text.partition("MOTION")
    if not separator:
        raise ValueError("a BVH file has a HIERARCHY and a MOTION section; MOTION is missing.")
    joints = _parse_hierarchy(head.split())
    values, fps = _parse_motion(motion.split(), sum(len(joint.channels) for joint in joints))
    world, positions = _forward(joints, values)
    positions = positions * scale
    if z_up:
        turn = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
        positions, world = positions @ turn.T, turn @ world
    return BvhClip(
        tuple(joint.name for joint in joints),
        tuple(joint.parent for joint in joints),
        positions,
        world,
        fps,
    )


def to_joints(clip: BvhClip) -> Float[Tensor, "frames joints 3"]:
    """Positions of our 22 joints; NaN where the file's skeleton has none.

    Knows the names of the families in `JOINT_MAPS`. A missing spine joint lies halfway between its
    neighbours.
    """
    for mapping in JOINT_MAPS:
        if all(mapping[name] in clip.names for name in _ESSENTIAL):
            break
    else:
        raise ValueError(
            f"`clip` has joints {', '.join(clip.names[:8])}, ...: no known family of names; "
            "add a map from our joints to its names to JOINT_MAPS."
        )
    joints = torch.full((len(clip.positions), len(JOINT_NAMES), 3), torch.nan)
    for name, theirs in mapping.items():
        if theirs in clip.names:
            joints[:, JOINT_INDEX[name]] = clip.positions[:, clip.names.index(theirs)]
    middle = JOINT_INDEX["spine2"]
    if joints[:, middle].isnan().any():
        joints[:, middle] = (
            joints[:, JOINT_INDEX["spine1"]] + joints[:, JOINT_INDEX["spine3"]]
        ) / 2
    return joints


def _parse_hierarchy(words: Sequence[str]) -> list[_Joint]:
    """The joints in file order, parents first."""
    joints: list[_Joint] = []
    stack: list[int] = []
    rest = iter(words[1:])  # after HIERARCHY
    for word in rest:
        match word:
            case "ROOT" | "JOINT":
                joints.append(_Joint(_take(rest, 1, word)[0], stack[-1] if stack else -1))
            case "End" if stack:
                _take(rest, 1, word)  # Site
                joints.append(_Joint(f"{joints[stack[-1]].name}_end", stack[-1]))
            case "{":
                stack.append(len(joints) - 1)
            case "}" if stack:
                stack.pop()
            case "OFFSET" if stack:
                x, y, z = map(float, _take(rest, 3, word))
                joints[-1] = dataclasses.replace(joints[-1], offset=(x, y, z))
            case "CHANNELS" if stack:
                names = _take(rest, int(_take(rest, 1, word)[0]), word)
                channels = tuple(name.lower() for name in names)
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
    frames, frame_time, numbers = int(count), float(seconds), [float(number) for number in rest]
    if frame_time <= 0 or len(numbers) != frames * channels:
        raise ValueError(
            f"MOTION must hold {frames} frames of {channels} channels and a positive frame time; "
            f"got {len(numbers)} numbers and {frame_time} s."
        )
    return torch.tensor(numbers).view(frames, channels), 1 / frame_time


def _take(words: Iterator[str], count: int, what: str) -> list[str]:
    """The next `count` words."""
    taken = list(itertools.islice(words, count))
    if len(taken) < count:
        raise ValueError(f"{what} must be followed by {count} words; the file ends after {taken}.")
    return taken


def _forward(
    joints: list[_Joint], values: Float[Tensor, "frames channels"]
) -> tuple[Float[Tensor, "frames nodes 3 3"], Float[Tensor, "frames nodes 3"]]:
    """World rotations and positions in the file's units."""
    frames = len(values)
    world: list[Tensor] = []
    positions: list[Tensor] = []
    column = 0
    for joint in joints:
        place = torch.tensor(joint.offset).repeat(frames, 1)
        local = rotations.identity(frames)
        for channel in joint.channels:
            axis = _AXES[channel[0]]
            if channel.endswith("position"):
                place[:, axis] = values[:, column]
            else:
                turn = torch.zeros(frames, 3)
                turn[:, axis] = values[:, column].deg2rad()
                local = local @ rotations.from_axis_angle(turn)
            column += 1
        if joint.parent < 0:
            world.append(local)
            positions.append(place)
        else:
            above = world[joint.parent]
            world.append(above @ local)
            positions.append(positions[joint.parent] + (above @ place[..., None]).squeeze(-1))
    return torch.stack(world, 1), torch.stack(positions, 1)


def _both_sides(
    central: dict[str, str], sides: dict[str, str], left: str, right: str
) -> dict[str, str]:
    """A map from our names to theirs: `central`, and `sides` with both prefixes."""
    lateral = {
        f"{side}_{ours}": prefix + theirs
        for side, prefix in (("left", left), ("right", right))
        for ours, theirs in sides.items()
    }
    return central | lateral


# Names of joints: the Daz-friendly release of the CMU data, the common "Hips, Spine, LeftArm"
# names, and those of CMU data converted by way of MotionBuilder.
JOINT_MAPS: Final = (
    _both_sides(
        {"pelvis": "hip", "spine1": "abdomen", "spine3": "chest", "neck": "neck", "head": "head"},
        {"hip": "Thigh", "knee": "Shin", "ankle": "Foot", "foot": "Foot_end"}
        | {"collar": "Collar", "shoulder": "Shldr", "elbow": "ForeArm", "wrist": "Hand"},
        "l",
        "r",
    ),
    _both_sides(
        {"pelvis": "Hips", "spine1": "Spine", "spine2": "Spine1", "spine3": "Spine2"}
        | {"neck": "Neck", "head": "Head"},
        {"hip": "UpLeg", "knee": "Leg", "ankle": "Foot", "foot": "ToeBase"}
        | {"collar": "Shoulder", "shoulder": "Arm", "elbow": "ForeArm", "wrist": "Hand"},
        "Left",
        "Right",
    ),
    _both_sides(
        {"pelvis": "Hips", "spine1": "lowerback", "spine2": "Chest", "spine3": "Chest2"}
        | {"neck": "Neck", "head": "Head"},
        {"hip": "Hip", "knee": "Knee", "ankle": "Ankle", "foot": "Toe"}
        | {"collar": "Collar", "shoulder": "Shoulder", "elbow": "Elbow", "wrist": "Wrist"},
        "Left",
        "Right",
    ),
)
_ESSENTIAL: Final = (
    "pelvis",
    "left_hip",
    "left_knee",
    "right_ankle",
    "left_shoulder",
    "right_elbow",
    "left_wrist",
)
