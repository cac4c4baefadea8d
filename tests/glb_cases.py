"""Motions for files, and a reader of skinned glTF that is slow and plain."""

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from motiondistill import rotations
from motiondistill.body.skeleton import detailed_rotations
from motiondistill.body.skinning import Skin, SkinnedBody
from motiondistill.data.importers.gltf_file import GltfFile
from motiondistill.structures import NUM_HAND_JOINTS, NUM_JOINTS, Motion

Array = NDArray[np.float64]


def random_motion(frames: int, fps: float, detailed: bool = False, seed: int = 0) -> Motion:
    """Wild turns of every joint, no two frames alike."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        return rotations.from_axis_angle(0.5 * torch.randn(frames, *shape, 3, generator=generator))

    shift = torch.randn(frames, 3, generator=generator)
    body, hands, jaw = draw(NUM_JOINTS), draw(NUM_HAND_JOINTS), draw()
    return Motion(body, shift, fps, hands if detailed else None, jaw if detailed else None)


def with_heaviest(body: SkinnedBody, motion: Motion, most: int) -> Float[Tensor, "frames v 3"]:
    """The vertices, were each moved by only so many of its bones, in full detail."""
    assert body.detail is not None
    blend = body.detail.blend.unflatten(0, (-1, 4))
    weights = blend[:, 3]
    order = weights.sort(dim=0, descending=True, stable=True).indices
    kept = weights.scatter(0, order[most:], 0)
    share = kept / kept.sum(0) / weights.clamp(min=1e-12)
    skin = Skin(body.detail.rest_joints, (blend * share[:, None]).flatten(0, 1))
    return skin(detailed_rotations(motion), motion.translation)[0]


def posed(file: GltfFile, frame: int) -> Array:
    """The vertices of the file's skinned mesh at one of its keys (glTF 2.0, section 3.7.3)."""
    (skin,), (mesh,) = file.items("skins"), file.items("meshes")
    binds = file.numbers(skin["inverseBindMatrices"]).reshape(-1, 4, 4).transpose(0, 2, 1)
    globals_ = _globals(file, frame)
    moves = np.stack([globals_[node] for node in skin["joints"]]) @ binds
    (primitive,) = mesh["primitives"]
    attributes = {name: file.numbers(index) for name, index in primitive["attributes"].items()}
    points = np.concatenate([attributes["POSITION"], np.ones((len(attributes["POSITION"]), 1))], 1)
    result = np.zeros_like(points)
    for number in range(sum(name.startswith("JOINTS_") for name in attributes)):
        joints = attributes[f"JOINTS_{number}"].astype(int)
        weights = attributes[f"WEIGHTS_{number}"]
        for k in range(4):
            moved = np.einsum("vab,vb->va", moves[joints[:, k]], points)
            result += weights[:, k, None] * moved
    return result[:, :3]


def _globals(file: GltfFile, frame: int) -> dict[int, Array]:
    """World matrices of all nodes; parents precede children in our files."""
    nodes = [dict(node) for node in file.items("nodes")]
    (animation,) = file.items("animations")
    for channel in animation["channels"]:
        values = file.numbers(animation["samplers"][channel["sampler"]]["output"])
        nodes[channel["target"]["node"]][channel["target"]["path"]] = values[frame]
    above = {child: node for node, about in enumerate(nodes) for child in about.get("children", [])}
    result: dict[int, Array] = {}
    for index, node in enumerate(nodes):
        local = np.eye(4)
        local[:3, :3] = _turn(*node.get("rotation", (0, 0, 0, 1)))
        local[:3, 3] = node.get("translation", (0, 0, 0))
        result[index] = result[above[index]] @ local if index in above else local
    return result


def _turn(x: float, y: float, z: float, w: float) -> Array:
    """`1 + 2 w K + 2 K^2` of a unit quaternion, K the skew matrix of its vector."""
    k = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + 2 * w * k + 2 * k @ k
