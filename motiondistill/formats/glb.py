"""Skinned, animated GLB: the one-file form of glTF 2.0, which browsers, Blender and engines open.

glTF's world is ours (+Y up, facing +Z, metres), so nothing is turned. Bones rest in the T-pose with
the world's axes. The mesh hangs on them in its own rest pose, by the inverse bind matrices, and so
it moves exactly as our body does.

What GLB cannot hold: the pose-dependent corrections of SMPL-X. Files of Anny lose nothing, but
programs that read only the first four influences of a vertex, as three.js does, misplace some: over
the parametric actions by 0.01 mm in the mean and at worst by 6 mm, in wild poses by 9 mm.

It is written by hand: pygltflib, the library for it, leaves packing, bounds and alignment to its
user, and would replace only the few lines of `_container`.
"""

import json
import struct
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from motiondistill.atomic import write_atomically
from motiondistill.body.base import Body
from motiondistill.body.rig import Rig, rig_of
from motiondistill.body.skeleton import detailed_rotations, is_detailed
from motiondistill.render.appearance import part_palette
from motiondistill.render.shading import vertex_normals
from motiondistill.rotations import to_quaternion
from motiondistill.structures import NUM_JOINTS, Motion

_COMPONENTS: Final = {"f": 5126, "B": 5121, "I": 5125}
_KINDS: Final = {(): "SCALAR", (3,): "VEC3", (4,): "VEC4", (4, 4): "MAT4"}
_VERTICES, _INDICES = 34962, 34963
_PER_SET: Final = 4
# Weights below this move no vertex by a hundredth of a millimetre, but could need further sets.
_NEGLIGIBLE: Final = 1e-6

_Arrays = dict[str, NDArray[Any]]


def write_glb(
    path: Path,
    motion: Motion,
    body: Body,
    *,
    prompt: str = "",
    max_influences: int | None = None,
    palette: Float[Tensor, "parts 3"] | None = None,
) -> None:
    """The moving body as a `.glb` file, whole or not at all; the arguments are `glb_bytes`'s."""
    data = glb_bytes(motion, body, prompt=prompt, max_influences=max_influences, palette=palette)
    write_atomically(path, lambda part: part.write_bytes(data))


def glb_bytes(
    motion: Motion,
    body: Body,
    *,
    prompt: str = "",
    max_influences: int | None = None,
    palette: Float[Tensor, "parts 3"] | None = None,
) -> bytes:
    """A GLB with the body's mesh, all its bones, and the motion as one animation.

    The same content always gives the same bytes. A file with SMPL-X holds its mesh, which its
    licence lets nobody pass on.

    Raises ValueError for a batch, numbers that are not finite, and hands on a body without fingers.

    Args:
        motion: One clip, without a batch. Joints that it leaves out stay at rest.
        body: Anny, SMPL-X, or any `SkinnedBody` that knows its mesh.
        prompt: Names the animation.
        max_influences: How many bones may move a vertex, the heaviest; their weights are scaled to
            sum to 1. None keeps all: on Anny up to six, in two sets of four. Choose 4 for programs
            that read the first set alone and do not scale it.
        palette: sRGB colours by `PART_NAMES`; those of the default look unless given.
    """
    rig = rig_of(body)
    _check(motion, rig, max_influences)
    colours = (part_palette() if palette is None else palette)[body.parts.cpu()]
    attributes = _surface(rig, body.faces.cpu(), colours)
    attributes |= _influences(rig.weights.numpy(), max_influences or len(rig.names))
    arrays = {"indices": body.faces.cpu().numpy().astype("<u4").reshape(-1)}
    arrays |= attributes | {"inverse binds": _inverse_binds(rig)} | _keys(motion, rig)
    accessors, views, binary = _packed(arrays, tuple(attributes))
    place = {name: index for index, name in enumerate(arrays)}  # of its accessor
    release = version("motiondistill")
    about = {"prompt": prompt, "fps": motion.fps, "version": release, "body": body.name}
    content = {
        "asset": {"version": "2.0", "generator": f"motiondistill {release}", "extras": about},
        **_scene(rig, body.name, place, tuple(attributes)),
        "animations": [{"name": prompt or "motion", **_animation(rig, place)}],
        "accessors": accessors,
        "bufferViews": views,
        "buffers": [{"byteLength": len(binary)}],
    }
    return _container(content, binary)


def _check(motion: Motion, rig: Rig, max_influences: int | None) -> None:
    if motion.translation.ndim != 2 or motion.num_frames < 1:
        raise ValueError(
            "`motion` must be one clip of at least one frame, got a translation of shape "
            f"{tuple(motion.translation.shape)}; write the clips of a batch one by one."
        )
    if not 0 < motion.fps < float("inf"):
        raise ValueError(f"`motion.fps` must be positive, got {motion.fps}; tell its frame rate.")
    moved = {name: getattr(motion, name) for name in ("rotations", "translation", "hands", "jaw")}
    for name, tensor in moved.items():
        if tensor is not None and not tensor.isfinite().all():
            raise ValueError(f"`motion.{name}` must be finite, got nan or inf; mend the motion.")
    if is_detailed(motion) and len(rig.names) == NUM_JOINTS:
        raise ValueError(
            "`motion` must have neither hands nor a jaw on a body without fingers, got them; set "
            "both to None."
        )
    if max_influences is not None and max_influences < 1:
        raise ValueError(
            f"`max_influences` must be at least 1, got {max_influences}; 4 is what all programs "
            "read."
        )


def _surface(
    rig: Rig, faces: Int[Tensor, "triangles 3"], srgb: Float[Tensor, "vertices 3"]
) -> _Arrays:
    """Positions, normals and colours, which glTF wants linear (IEC 61966-2-1)."""
    linear = torch.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    tensors = {
        "POSITION": rig.vertices,
        "NORMAL": vertex_normals(rig.vertices, faces),
        "COLOR_0": linear,
    }
    return {name: tensor.detach().numpy().astype("<f4") for name, tensor in tensors.items()}


def _influences(weights: Float[np.ndarray, "vertices bones"], most: int) -> _Arrays:
    """JOINTS_n and WEIGHTS_n, as many sets as are needed, the heaviest bones first."""
    weights = np.where(weights > _NEGLIGIBLE, weights, 0.0)
    count = min(most, int((weights > 0).sum(1).max()))
    bones = np.argsort(-weights, axis=1, kind="stable")[:, :count]
    kept = np.take_along_axis(weights, bones, 1)
    kept /= kept.sum(1, keepdims=True)
    bones = np.where(kept > 0, bones, 0)  # as the specification wants it
    more = ((0, 0), (0, -count % _PER_SET))
    bones, kept = np.pad(bones, more).astype("u1"), np.pad(kept, more).astype("<f4")
    sets: _Arrays = {}
    for number in range(bones.shape[1] // _PER_SET):
        columns = slice(_PER_SET * number, _PER_SET * (number + 1))
        sets[f"JOINTS_{number}"] = bones[:, columns]
        sets[f"WEIGHTS_{number}"] = kept[:, columns]
    return sets


def _inverse_binds(rig: Rig) -> Float[np.ndarray, "bones 4 4"]:
    """From the mesh to each bone, transposed: glTF's matrices are stored by columns."""
    matrices = np.tile(np.eye(4), (len(rig.names), 1, 1))
    matrices[:, :3] = rig.bone_from_mesh.numpy()
    return matrices.transpose(0, 2, 1).astype("<f4")


def _keys(motion: Motion, rig: Rig) -> _Arrays:
    """The times and what is at them: the pelvis' place, and a turn for every joint that moves."""
    turns = detailed_rotations(motion) if is_detailed(motion) else motion.rotations
    quaternions = np.roll(to_quaternion(turns.detach().cpu().double()).numpy(), -1, -1)
    # The straight way between neighbours must be the short one, also for simple readers.
    turned = (quaternions[1:] * quaternions[:-1]).sum(-1, keepdims=True) < 0
    quaternions[1:] *= np.where(np.cumsum(turned, 0) % 2 == 1, -1.0, 1.0)
    place = rig.rest_joints[0] + motion.translation.detach().cpu().double()
    keys: _Arrays = {
        "times": (np.arange(motion.num_frames) / motion.fps).astype("<f4"),
        "translation": place.numpy().astype("<f4"),
    }
    for bone in range(turns.shape[1]):
        keys[f"rotation {bone}"] = quaternions[:, bone].astype("<f4")
    return keys


def _scene(
    rig: Rig, name: str, place: dict[str, int], attributes: tuple[str, ...]
) -> dict[str, Any]:
    """Bones, and beside them the mesh, whose place is theirs alone."""
    root = len(rig.names)
    primitive = {
        "attributes": {attribute: place[attribute] for attribute in attributes},
        "indices": place["indices"],
        "material": 0,
    }
    skin = {"inverseBindMatrices": place["inverse binds"], "joints": [*range(root)], "skeleton": 0}
    paint = {"metallicFactor": 0.0, "roughnessFactor": 0.9}
    return {
        "scene": 0,
        "scenes": [{"nodes": [0, root]}],
        "nodes": [*_bones(rig), {"name": name, "mesh": 0, "skin": 0}],
        "meshes": [{"name": name, "primitives": [primitive]}],
        "skins": [{"name": name, **skin}],
        "materials": [{"name": "parts", "pbrMetallicRoughness": paint}],
    }


def _animation(rig: Rig, place: dict[str, int]) -> dict[str, Any]:
    """Samplers and channels of what `_keys` made."""
    targets = {"translation": {"node": 0, "path": "translation"}} | {
        f"rotation {bone}": {"node": bone, "path": "rotation"} for bone in range(len(rig.names))
    }
    moved = [name for name in targets if name in place]
    return {
        "samplers": [
            {"input": place["times"], "output": place[name], "interpolation": "LINEAR"}
            for name in moved
        ],
        "channels": [
            {"sampler": number, "target": targets[name]} for number, name in enumerate(moved)
        ],
    }


def _bones(rig: Rig) -> list[dict[str, Any]]:
    """A node for every bone, in the T-pose."""
    nodes = []
    for bone, (name, parent) in enumerate(zip(rig.names, rig.parents, strict=True)):
        offset = rig.rest_joints[bone] - (rig.rest_joints[parent] if bone else 0)
        node: dict[str, Any] = {"name": name, "translation": offset.tolist()}
        children = [child for child, above in enumerate(rig.parents) if above == bone]
        nodes.append(node | ({"children": children} if children else {}))
    return nodes


def _packed(
    arrays: _Arrays, attributes: tuple[str, ...]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], bytes]:
    """Accessors, their views, and the bytes; every size is a multiple of four."""
    accessors: list[dict[str, Any]] = []
    views: list[dict[str, Any]] = []
    start = 0
    for index, (name, array) in enumerate(arrays.items()):
        view = {"buffer": 0, "byteOffset": start, "byteLength": array.nbytes}
        if name in attributes or name == "indices":
            view["target"] = _VERTICES if name in attributes else _INDICES
        accessor: dict[str, Any] = {
            "bufferView": index,
            "componentType": _COMPONENTS[array.dtype.char],
            "count": len(array),
            "type": _KINDS[array.shape[1:]],
        }
        if name in ("POSITION", "times"):
            for bound, found in (("min", array.min(0)), ("max", array.max(0))):
                accessor[bound] = np.atleast_1d(found).tolist()
        accessors.append(accessor)
        views.append(view)
        start += array.nbytes
    return accessors, views, b"".join(array.tobytes() for array in arrays.values())


def _container(content: dict[str, Any], binary: bytes) -> bytes:
    """Header, JSON and binary chunk (glTF 2.0, section 4)."""
    text = json.dumps(content, separators=(",", ":"), allow_nan=False).encode()
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text
    chunks += struct.pack("<I4s", len(binary), b"BIN\0") + binary
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks
