"""Biovision hierarchy (BVH) files: reading, and the way from their joints to ours."""

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
    offset: tuple[float, float, float]
    channels: tuple[str, ...]


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


def _parse_hierarchy(words: list[str]) -> list[_Joint]:
    """The joints in file order, parents first."""
    joints: list[_Joint] = []
    stack: list[int] = []
    position = 1  # after HIERARCHY
    while position < len(words):
        word = words[position]
        if word in ("ROOT", "JOINT", "End"):
            parent = stack[-1] if stack else -1
            name = f"{joints[parent].name}_end" if word == "End" else words[position + 1]
            joints.append(_Joint(name, parent, (0.0, 0.0, 0.0), ()))
            position += 2
        elif word == "{":
            stack.append(len(joints) - 1)
            position += 1
        elif word == "}":
            stack.pop()
            position += 1
        elif word == "OFFSET":
            x, y, z = (float(value) for value in words[position + 1 : position + 4])
            joints[-1] = _Joint(joints[-1].name, joints[-1].parent, (x, y, z), ())
            position += 4
        elif word == "CHANNELS":
            count = int(words[position + 1])
            channels = tuple(name.lower() for name in words[position + 2 : position + 2 + count])
            joints[-1] = _Joint(joints[-1].name, joints[-1].parent, joints[-1].offset, channels)
            position += 2 + count
        else:
            raise ValueError(
                f"expected a joint, OFFSET, CHANNELS or a brace in HIERARCHY; got {word!r}."
            )
    return joints


def _parse_motion(
    words: list[str], channels: int
) -> tuple[Float[Tensor, "frames channels"], float]:
    """The table of channels and the frame rate, from `Frames: N Frame Time: T` and numbers."""
    frames, frame_time = int(words[1]), float(words[4])
    numbers = words[5:]
    if frame_time <= 0 or len(numbers) != frames * channels:
        raise ValueError(
            f"MOTION must hold {frames} frames of {channels} channels and a positive frame time; "
            f"got {len(numbers)} numbers and {frame_time} s."
        )
    table = torch.tensor([float(number) for number in numbers]).view(frames, channels)
    return table, 1 / frame_time


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
