"""A model file in SMPL-X's exact layout, made of tubes, whose joints lie unlike Anny's.

The shape is ours: arms droop, legs are spread, left and right differ, and the pelvis is far from
the origin. Only names, sizes and the kinematic tree are those of the licensed files.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_MIDDLE = {
    "pelvis": (0.01, -0.35, 0.02),
    "spine1": (0.0, -0.24, -0.03),
    "spine2": (0.01, -0.10, -0.02),
    "spine3": (0.0, -0.03, 0.01),
    "neck": (-0.01, 0.13, -0.03),
    "head": (0.01, 0.29, 0.0),
    "jaw": (0.0, 0.27, 0.03),
}
_SIDES = {
    "hip": (0.06, -0.45, -0.01),
    "knee": (0.14, -0.84, -0.02),
    "ankle": (0.08, -1.26, -0.07),
    "foot": (0.15, -1.31, 0.07),
    "collar": (0.05, 0.03, -0.01),
    "shoulder": (0.17, 0.09, -0.02),
    "elbow": (0.42, 0.0, -0.06),
    "wrist": (0.68, 0.06, -0.03),
    "eye": (0.03, 0.34, 0.08),
}
_FINGERS = {"index": 0.03, "middle": 0.01, "pinky": -0.04, "ring": -0.02, "thumb": 0.05}
_BODY = (
    "pelvis left_hip right_hip spine1 left_knee right_knee spine2 left_ankle right_ankle spine3 "
    "left_foot right_foot neck left_collar right_collar head left_shoulder right_shoulder "
    "left_elbow right_elbow left_wrist right_wrist jaw left_eye right_eye"
).split()
_PARENT = {
    "spine1": "pelvis",
    "spine2": "spine1",
    "spine3": "spine2",
    "neck": "spine3",
    "head": "neck",
    "jaw": "head",
}
_SIDE_PARENT = {
    "hip": "pelvis",
    "knee": "hip",
    "ankle": "knee",
    "foot": "ankle",
    "collar": "spine3",
    "shoulder": "collar",
    "elbow": "shoulder",
    "wrist": "elbow",
    "eye": "head",
}
NAMES = (
    *_BODY,
    *(
        f"{side}_{finger}{k}"
        for side in ("left", "right")
        for finger in _FINGERS
        for k in (1, 2, 3)
    ),
)
_RADII = {"pelvis": 0.12, "spine1": 0.11, "spine2": 0.12, "spine3": 0.12, "neck": 0.05}
_RADII |= {"head": 0.09, "hip": 0.07, "knee": 0.05, "ankle": 0.04, "foot": 0.03, "collar": 0.05}
_RADII |= {"shoulder": 0.05, "elbow": 0.04, "wrist": 0.03, "jaw": 0.03, "eye": 0.012}
# Where a tube without a child ends, seen from its joint.
_ENDS = {"head": (0.0, 0.18, 0.02), "jaw": (0.0, -0.05, 0.06), "foot": (0.0, 0.0, 0.08)}


def parent_of(name: str) -> int:
    """Index of the joint's parent in `NAMES`; -1 for the pelvis."""
    side, _, part = name.partition("_")
    if name == "pelvis":
        return -1
    if name in _PARENT:
        return NAMES.index(_PARENT[name])
    if part in _SIDE_PARENT:
        above = _SIDE_PARENT[part]
        return NAMES.index(above if above in _MIDDLE else f"{side}_{above}")
    return NAMES.index(f"{side}_wrist") if part.endswith("1") else NAMES.index(name) - 1


def joint_positions() -> NDArray[np.float64]:
    """Template joints, metres."""
    rows: list[tuple[float, float, float]] = []
    for name in NAMES:
        side, _, part = name.partition("_")
        sign = 1.0 if side == "left" else -1.02  # the right side is a little larger
        if name in _MIDDLE:
            rows.append(_MIDDLE[name])
        elif part in _SIDES:
            x, y, z = _SIDES[part]
            rows.append((sign * x, y, z))
        else:
            x, y, z = _SIDES["wrist"]
            out = 0.06 + 0.03 * int(part[-1])
            rows.append((sign * (x + out), y + 0.01 * out, z + _FINGERS[part[:-1]]))
    return np.array(rows)


def _tube(
    start: NDArray[Any], end: NDArray[Any], radius: float, rings: int, around: int
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Vertices, faces and each vertex's place along a closed tube; ring 0 surrounds the start."""
    axis = (end - start) / np.linalg.norm(end - start)
    helper = np.eye(3)[np.abs(axis).argmin()]
    side = np.cross(axis, helper) / np.linalg.norm(np.cross(axis, helper))
    other = np.cross(axis, side)
    along = np.linspace(0, 1, rings)
    angle = np.arange(around) * (2 * np.pi / around)
    circle = radius * (np.cos(angle)[:, None] * side + np.sin(angle)[:, None] * other)
    centres = start + along[:, None] * (end - start)
    vertices = np.concatenate([(centres[:, None] + circle).reshape(-1, 3), [start, end]])
    faces = []
    for k in range(around):
        here, there = k, (k + 1) % around
        faces.append((rings * around, there, here))
        faces.append(
            (rings * around + 1, (rings - 1) * around + here, (rings - 1) * around + there)
        )
        for ring in range(rings - 1):
            a, b = ring * around + here, ring * around + there
            faces += [(a, b, b + around), (a, b + around, a + around)]
    return vertices, np.array(faces), np.concatenate([np.repeat(along, around), [0.0, 1.0]])


def _tubes() -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Vertices and triangles of a tube for every joint, what regresses joints, and the weights."""
    joints, parents = joint_positions(), [parent_of(name) for name in NAMES]
    vertices, faces, count = [], [], 0
    regressor, weights = np.zeros((55, 10475)), np.zeros((10475, 55))
    for joint, name in enumerate(NAMES):
        part = name.rpartition("_")[2]
        children = [child for child, above in enumerate(parents) if above == joint]
        end = (
            joints[children[0]] if children else joints[joint] + _end(part, joints, parents, joint)
        )
        # 25 tubes of 191 vertices and 30 of 190 are 10,475.
        rings, around = (27, 7) if joint < 25 else (47, 4)
        points, triangles, along = _tube(joints[joint], end, _RADII.get(part, 0.008), rings, around)
        rows = np.arange(count, count + len(points))
        regressor[joint, rows[:around]] = 1 / around
        shared = np.clip(0.5 - along, 0, 0.5) if parents[joint] >= 0 else np.zeros(len(along))
        weights[rows, joint] = 1 - shared
        if parents[joint] >= 0:
            weights[rows, parents[joint]] += shared
        vertices.append(points)
        faces.append(triangles + count)
        count += len(points)
    return np.concatenate(vertices), np.concatenate(faces), regressor, weights


def arrays(seed: int = 0) -> dict[str, NDArray[Any]]:
    """All that `SMPLX_NEUTRAL.npz` holds, under its names."""
    rng = np.random.default_rng(seed)
    template, face, regressor, weights = _tubes()
    parents = [parent_of(name) for name in NAMES]
    shapedirs = np.zeros((10475, 3, 400), np.float32)
    for first in (0, 300):  # the rest of the 300 shape and 100 expression directions stays zero
        waves = np.sin(template @ rng.normal(size=(3, 30)) * 3 + rng.normal(size=30))
        shapedirs[..., first : first + 10] = 0.01 * waves.reshape(10475, 3, 10)
    posedirs = 0.001 * rng.normal(size=(10475 * 3, 4)) @ rng.normal(size=(4, 486))
    return {
        "v_template": template,
        "f": face.astype(np.uint32),
        "shapedirs": shapedirs,
        "posedirs": posedirs.reshape(10475, 3, 486).astype(np.float32),
        "J_regressor": regressor,
        "weights": weights,
        "kintree_table": np.array([[4294967295, *parents[1:]], range(55)]),
        "vt": rng.random((11313, 2)),
        "ft": (face % 11313).astype(np.uint32),
        **{f"hands_components{side}": np.eye(45) for side in "lr"},
        **{f"hands_coeffs{side}": np.zeros((1554, 45)) for side in "lr"},
        **{f"hands_mean{side}": 0.1 * rng.normal(size=45) for side in "lr"},
        "lmk_faces_idx": np.arange(51),
        "lmk_bary_coords": np.full((51, 3), 1 / 3),
        "dynamic_lmk_faces_idx": np.zeros((79, 17), np.int64),
        "dynamic_lmk_bary_coords": np.full((79, 17, 3), 1 / 3),
        # Released files hold dictionaries, too, as pickled objects.
        "joint2num": np.array(dict(zip(NAMES, range(55), strict=True)), dtype=object),
        "part2num": np.array({"head": 0}, dtype=object),
    }


def _end(
    part: str, joints: NDArray[Any], parents: list[int], joint: int
) -> NDArray[Any] | tuple[float, float, float]:
    if part in _ENDS:
        return np.array(_ENDS[part])
    step = joints[joint] - joints[parents[joint]]
    length: float = np.linalg.norm(step)  # type: ignore[assignment]
    return step * (0.03 / length)


def save(folder: Path) -> Path:
    """The stand-in as `SMPLX_NEUTRAL.npz` in the folder."""
    path = folder / "SMPLX_NEUTRAL.npz"
    np.savez(path, **arrays())
    return path
