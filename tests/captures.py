"""A known motion of a small skeleton, and files of it, written as their formats say."""

import json
import math
import struct
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
# Our joint, its parent and its offset in metres; +Y up, facing +Z.
SKELETON: tuple[tuple[str, int, tuple[float, float, float]], ...] = (
    ("pelvis", -1, (0.0, 0.9, 0.0)),
    ("left_hip", 0, (0.1, -0.05, 0.0)),
    ("left_knee", 1, (0.0, -0.4, 0.01)),
    ("left_ankle", 2, (0.0, -0.4, -0.01)),
    ("left_foot", 3, (0.0, -0.05, 0.13)),
    ("right_hip", 0, (-0.1, -0.05, 0.0)),
    ("right_knee", 5, (0.0, -0.4, 0.01)),
    ("right_ankle", 6, (0.0, -0.4, -0.01)),
    ("right_foot", 7, (0.0, -0.05, 0.13)),
    ("spine1", 0, (0.0, 0.1, 0.0)),
    ("spine2", 9, (0.0, 0.12, 0.0)),
    ("spine3", 10, (0.0, 0.12, 0.0)),
    ("neck", 11, (0.0, 0.2, 0.0)),
    ("head", 12, (0.0, 0.1, 0.02)),
    ("left_collar", 11, (0.05, 0.15, 0.0)),
    ("left_shoulder", 14, (0.12, 0.0, 0.0)),
    ("left_elbow", 15, (0.27, 0.0, 0.0)),
    ("left_wrist", 16, (0.25, 0.0, 0.0)),
    ("right_collar", 11, (-0.05, 0.15, 0.0)),
    ("right_shoulder", 18, (-0.12, 0.0, 0.0)),
    ("right_elbow", 19, (-0.27, 0.0, 0.0)),
    ("right_wrist", 20, (-0.25, 0.0, 0.0)),
)
PARENTS = [parent for _, parent, _ in SKELETON]
OFFSETS = np.array([offset for *_, offset in SKELETON])
MIXAMO = {
    "pelvis": "Hips",
    "spine1": "Spine",
    "spine2": "Spine1",
    "spine3": "Spine2",
    "neck": "Neck",
    "head": "Head",
} | {
    f"{side.lower()}_{ours}": side + theirs
    for side in ("Left", "Right")
    for ours, theirs in {
        "hip": "UpLeg",
        "knee": "Leg",
        "ankle": "Foot",
        "foot": "ToeBase",
        "collar": "Shoulder",
        "shoulder": "Arm",
        "elbow": "ForeArm",
        "wrist": "Hand",
    }.items()
}
NAMES = [MIXAMO[name] for name, *_ in SKELETON]
# From our axes to a file's with +Z up.
Z_UP = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])


def about(axis: int, angle: float) -> Array:
    """The rotation about a coordinate axis."""
    a, b = (axis + 1) % 3, (axis + 2) % 3
    matrix = np.eye(3)
    matrix[a, a] = matrix[b, b] = math.cos(angle)
    matrix[b, a], matrix[a, b] = math.sin(angle), -math.sin(angle)
    return matrix


def quaternion(matrix: Array) -> Array:
    """(x, y, z, w) of a rotation by less than half a turn."""
    w = math.sqrt(max(0.0, 1 + np.trace(matrix))) / 2
    antisymmetric = [
        matrix[(k + 2) % 3, (k + 1) % 3] - matrix[(k + 1) % 3, (k + 2) % 3] for k in range(3)
    ]
    return np.array([*(value / (4 * w) for value in antisymmetric), w])


def rotation_vector(matrix: Array) -> Array:
    """The axis times the angle, for rotations by less than half a turn."""
    x, y, z, w = quaternion(matrix)
    vector = np.array([x, y, z])
    sine = np.linalg.norm(vector)
    return vector * (2 * math.atan2(sine, w) / sine) if sine > 1e-12 else 2 * vector


def random_angles(frames: int, seed: int = 0, joints: int = len(SKELETON)) -> Array:
    """Three angles a joint, small enough for a subject to stay upright and turns to be unique."""
    return np.random.default_rng(seed).uniform(-0.4, 0.4, (frames, joints, 3))


def positions(
    turns: Array, roots: Array, offsets: Array = OFFSETS, parents: Sequence[int] = PARENTS
) -> Array:
    """Forward kinematics, one joint after the other; column vectors."""
    placed = np.zeros((*turns.shape[:2], 3))
    for frame, (local, root) in enumerate(zip(turns, roots, strict=True)):
        world: list[Array] = []
        for joint, parent in enumerate(parents):
            if parent < 0:
                world.append(local[joint])
                placed[frame, joint] = root
            else:
                world.append(world[parent] @ local[joint])
                placed[frame, joint] = placed[frame, parent] + world[parent] @ offsets[joint]
    return placed


def bvh(
    angles: Array,
    roots: Array,
    orders: Sequence[Sequence[int]],
    *,
    offsets: Array = OFFSETS,
    names: Sequence[str] = NAMES,
    frame_time: float = 1 / 30,
) -> str:
    """A BVH file. `orders` has the axes of every joint's rotation channels; angles in radians."""
    lines, stack = ["HIERARCHY"], [-1]
    for joint, parent in enumerate(PARENTS):
        while stack[-1] != parent:
            stack.pop()
            lines.append("}")
        channels = [f"{'XYZ'[axis]}rotation" for axis in orders[joint]]
        if parent < 0:
            channels = ["Xposition", "Yposition", "Zposition", *channels]
        offset = " ".join(map(repr, offsets[joint].tolist()))
        lines += [
            f"{'ROOT' if parent < 0 else 'JOINT'} {names[joint]}",
            "{",
            f"OFFSET {offset}",
            f"CHANNELS {len(channels)} {' '.join(channels)}",
        ]
        stack.append(joint)
        if joint not in PARENTS:
            lines += ["End Site", "{", "OFFSET 0 0.1 0", "}"]
    lines += ["}"] * (len(stack) - 1)
    lines += ["MOTION", f"Frames: {len(angles)}", f"Frame Time: {frame_time!r}"]
    for frame, root in zip(angles, roots, strict=True):
        values = [*root, *np.degrees(frame).flatten()]
        lines.append(" ".join(f"{value:.9f}" for value in values))
    return "\n".join(lines) + "\n"


def glb(content: dict[str, object], arrays: Sequence[Array], dtype: str = "<f4") -> bytes:
    """A binary glTF file whose accessors are these arrays, in order."""
    types = {1: "SCALAR", 3: "VEC3", 4: "VEC4"}
    kinds = {"<f4": 5126, "<i2": 5122}
    accessors, views, binary = [], [], b""
    for number, array in enumerate(arrays):
        width = 1 if array.ndim == 1 else array.shape[1]
        # Only rotations, whose numbers are at most one, are ever stored as integers.
        packed = dtype if width == 4 else "<f4"
        scale = 32767 if packed == "<i2" else 1
        data = np.round(array * scale).astype(packed) if scale > 1 else array.astype(packed)
        views.append({"buffer": 0, "byteOffset": len(binary), "byteLength": data.nbytes})
        accessors.append(
            {
                "bufferView": number,
                "componentType": kinds[packed],
                "count": len(array),
                "type": types[width],
                "normalized": packed == "<i2",
            }
        )
        binary += data.tobytes() + b"\0" * (-data.nbytes % 4)
    whole = {
        "asset": {"version": "2.0"},
        "accessors": accessors,
        "bufferViews": views,
        "buffers": [{"byteLength": len(binary)}],
    }
    text = json.dumps(whole | content).encode()
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text
    chunks += struct.pack("<I4s", len(binary), b"BIN\0") + binary
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks
