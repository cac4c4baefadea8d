"""Animations of skinned glTF files."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from motiondistill.data.importers.clip import CapturedClip, label_hint, subject_hint
from motiondistill.data.importers.gltf_file import GltfFile, load_glb
from motiondistill.data.importers.joint_names import to_joints
from motiondistill.data.importers.placement import guess_unit
from motiondistill.data.importers.shared_t_pose import to_motion
from motiondistill.data.importers.skeleton import AnimatedSkeleton, from_quaternion
from motiondistill.kinematics import forward_kinematics
from motiondistill.structures import Motion

SAMPLED_FPS: Final = 30.0
_REST: Final = {
    "translation": (0.0, 0.0, 0.0),
    "rotation": (0.0, 0.0, 0.0, 1.0),
    "scale": (1.0, 1.0, 1.0),
}
# A share of a frame: times in single precision may end a little early.
_ALMOST: Final = 0.01
# Gaps between even keys differ by no more than this share of them.
_UNEVEN: Final = 0.01
# Quaternions nearer than this (cosine of half the angle) are mixed on a straight line.
_NEARLY_ALIKE: Final = 0.9995


def read_gltf(
    path: Path, *, root: Path | None = None, fps: float | None = SAMPLED_FPS
) -> list[CapturedClip]:
    """All animations in a `.glb`, sampled at `fps`; clips are named after their animations.

    Without `fps`, they are sampled at the rate of their keys, or at 30 where those are not even.
    glTF is +Y up, in metres by its specification; a file whose legs have no human length is taken
    to have another unit. Files with our own skeleton, such as we write, give back their motion, and
    their metres are metres.
    """
    with _naming(path):
        skeletons = animations(load_glb(path), fps)
        own = [to_motion(skeleton) for _, skeleton in skeletons]
        joints = [
            to_joints(skeleton) if found is None else _joints(*found)
            for (_, skeleton), found in zip(skeletons, own, strict=True)
        ]
        unit = guess_unit(joints) if None in own else 1.0
    return [
        CapturedClip(
            name=name,
            source=f"gltf-{skeleton.key}",
            subject=subject_hint(path, root),
            label=label_hint(path, root, name),
            joints=unit * positions,
            fps=skeleton.fps,
            motion=None if found is None else found[0],
        )
        for (name, skeleton), positions, found in zip(skeletons, joints, own, strict=True)
    ]


def own_motion(path: Path) -> tuple[Motion, Float[Tensor, "joints 3"]] | None:
    """The one motion of a `.glb` with our own skeleton, and this in the T-pose on its floor.

    At the rate of its keys. None for files with other skeletons or several animations.
    """
    with _naming(path):
        skeletons = animations(load_glb(path), None)
    return to_motion(skeletons[0][1]) if len(skeletons) == 1 else None


@contextlib.contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Within its `with`, errors about the content name the file."""
    try:
        yield
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path} must be a .glb file of glTF 2.0: {error!r} is amiss.") from error
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _joints(
    motion: Motion, rest_joints: Float[Tensor, "joints 3"]
) -> Float[Tensor, "frames joints 3"]:
    _, positions = forward_kinematics(motion.rotations, rest_joints)
    return positions + motion.translation[:, None]


def animations(file: GltfFile, fps: float | None) -> list[tuple[str, AnimatedSkeleton]]:
    """The file's animations by name, with all of its nodes; `fps` is as for `read_gltf`.

    Samplers are interpolated as they say: STEP, LINEAR (rotations on the shorter arc) or
    CUBICSPLINE.
    """
    nodes = file.items("nodes")
    if not file.items("animations"):
        raise ValueError("the file must have animations, got none; export it with animations.")
    order = list(_parents_first(nodes))
    place_of = {node: place for place, (node, _) in enumerate(order)}
    names = tuple(str(nodes[node].get("name", f"node{node}")) for node, _ in order)
    parents = tuple(place_of.get(parent, -1) for _, parent in order)
    found = []
    for number, animation in enumerate(file.items("animations")):
        channels = _channels(file, animation)
        end = max((float(times[-1]) for times, *_ in channels.values()), default=0.0)
        rate = fps or _rate_of_keys([times for times, *_ in channels.values()])
        times = np.arange(int(end * rate + _ALMOST) + 1) / rate
        local = [_local(node, nodes[node], channels, times) for node, _ in order]
        world: list[Tensor] = []
        for parent, matrix in zip(parents, local, strict=True):
            world.append(matrix if parent < 0 else world[parent] @ matrix)
        positions = torch.stack(world, 1)[..., :3, 3].float()
        rest = torch.stack([_local(n, nodes[n], {}, times[:1])[0, :3, 3] for n, _ in order])
        name = str(animation.get("name", f"animation{number}"))
        turns = torch.stack(local, 1)[..., :3, :3].float()
        found.append((name, AnimatedSkeleton(names, parents, rest.float(), positions, rate, turns)))
    return found


def _rate_of_keys(keys: list[NDArray[np.float64]]) -> float:
    """Keys a second of the channel with the most, if they are even; else `SAMPLED_FPS`."""
    times = max(keys, key=len, default=np.zeros(0))
    gaps = np.diff(times)
    if len(gaps) == 0 or not gaps.mean() > 0 or np.ptp(gaps) > _UNEVEN * gaps.mean():
        return SAMPLED_FPS
    # Times are in single precision, which tells 29.97 from 30, and not much more.
    return round(float(1 / gaps.mean()), 4)


_Channels = dict[tuple[int, str], tuple[NDArray[np.float64], NDArray[np.float64], str]]


def _channels(file: GltfFile, animation: dict[str, Any]) -> _Channels:
    """Times, values and interpolation for every node and path that the animation moves."""
    channels: _Channels = {}
    for channel in animation["channels"]:
        target = channel["target"]
        if target["path"] not in _REST or "node" not in target:
            continue  # weights of morph targets move no joint
        sampler = animation["samplers"][channel["sampler"]]
        times, values = file.numbers(sampler["input"]), file.numbers(sampler["output"])
        kind = sampler.get("interpolation", "LINEAR")
        width = len(_REST[target["path"]])
        keys = 3 * len(times) if kind == "CUBICSPLINE" else len(times)
        if values.shape != (keys, width) or times.ndim != 1 or (np.diff(times) < 0).any():
            raise ValueError(
                f"a sampler of {target['path']} must have rising times and {keys} rows of {width}; "
                f"got {values.shape}."
            )
        channels[target["node"], target["path"]] = times, values, kind
    return channels


def sampled(
    times: Float[np.ndarray, " keys"],
    values: Float[np.ndarray, "rows width"],
    kind: str,
    wanted: Float[np.ndarray, " samples"],
) -> Float[np.ndarray, "samples width"]:
    """A sampler's values at these times (glTF 2.0, appendix C); the ends are held.

    Values of width 4 are quaternions.
    """
    last = max(len(times) - 2, 0)
    first = np.clip(np.searchsorted(times, wanted, side="right") - 1, 0, last)
    second = np.minimum(first + 1, len(times) - 1)
    step = times[second] - times[first]
    part = np.clip((wanted - times[first]) / np.where(step > 0, step, 1), 0, 1)[:, None]
    match kind:
        case "STEP":
            kept: NDArray[np.float64] = values[np.where(part[:, 0] >= 1, second, first)]
            return kept
        case "LINEAR" if values.shape[1] == 4:
            return _slerp(values[first], values[second], part)
        case "LINEAR":
            line: NDArray[np.float64] = (1 - part) * values[first] + part * values[second]
            return line
        case "CUBICSPLINE":
            keys = values.reshape(len(times), 3, -1)  # tangent in, value, tangent out
            span = step[:, None]
            squared, cubed = part**2, part**3
            curve: NDArray[np.float64] = (
                (2 * cubed - 3 * squared + 1) * keys[first, 1]
                + (cubed - 2 * squared + part) * span * keys[first, 2]
                + (3 * squared - 2 * cubed) * keys[second, 1]
                + (cubed - squared) * span * keys[second, 0]
            )
            return curve
        case _:
            raise ValueError(
                f"`interpolation` must be STEP, LINEAR or CUBICSPLINE, got {kind!r}; export anew."
            )


def _slerp(
    start: Float[np.ndarray, "samples 4"],
    end: Float[np.ndarray, "samples 4"],
    part: Float[np.ndarray, "samples 1"],
) -> Float[np.ndarray, "samples 4"]:
    start = start / np.linalg.norm(start, axis=1, keepdims=True)
    end = end / np.linalg.norm(end, axis=1, keepdims=True)
    cosine = (start * end).sum(1, keepdims=True)
    end, cosine = np.where(cosine < 0, -end, end), np.abs(cosine)
    angle = np.arccos(np.minimum(cosine, 1.0))
    straight = cosine > _NEARLY_ALIKE
    sine = np.where(straight, 1.0, np.sin(angle))
    first = np.where(straight, 1 - part, np.sin((1 - part) * angle) / sine)
    second = np.where(straight, part, np.sin(part * angle) / sine)
    mixed: NDArray[np.float64] = first * start + second * end
    return mixed


def _local(
    node: int,
    about: dict[str, Any],
    channels: _Channels,
    wanted: NDArray[np.float64],
) -> Float[Tensor, "frames 4 4"]:
    """Matrices from a node to its parent."""
    moved = {path for path in _REST if (node, path) in channels}
    if "matrix" in about and not moved:
        matrix = torch.tensor(about["matrix"], dtype=torch.float64).view(4, 4).T
        return matrix.expand(len(wanted), 4, 4)
    parts = {}
    for path, rest in _REST.items():
        if path in moved:
            values = sampled(*channels[node, path], wanted)
        else:
            values = np.tile(np.array(about.get(path, rest), dtype=np.float64), (len(wanted), 1))
        parts[path] = torch.from_numpy(values)
    matrix = torch.eye(4, dtype=torch.float64).repeat(len(wanted), 1, 1)
    matrix[:, :3, :3] = from_quaternion(parts["rotation"]) * parts["scale"][:, None]
    matrix[:, :3, 3] = parts["translation"]
    return matrix


def _parents_first(nodes: list[dict[str, Any]]) -> Iterator[tuple[int, int]]:
    """Every node with its parent (-1 for none), the parent first."""
    parents = {
        child: node for node, about in enumerate(nodes) for child in about.get("children", [])
    }
    waiting = [(node, -1) for node in range(len(nodes)) if node not in parents]
    seen = 0
    while waiting:
        node, parent = waiting.pop(0)
        seen += 1
        yield node, parent
        waiting += [
            (child, node) for child in nodes[node].get("children", []) if parents[child] == node
        ]
    if seen < len(nodes):
        raise ValueError("`nodes` must form trees, got a circle; the file is damaged.")
