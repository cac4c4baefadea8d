"""Bodies of any number of triangles, made from Anny: what the rendering benchmark draws.

SMPL-X may not be shipped, so its size is reached by collapsing edges of the full Anny. Such a body
has its shape, its limbs and its skin, and as many triangles.
"""

import dataclasses
from collections import defaultdict
from pathlib import Path
from typing import Final

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray

from motiondistill import rotations
from motiondistill.body.anny import anny_body
from motiondistill.body.skinning import SkinnedBody
from motiondistill.structures import NUM_JOINTS, Motion

LOW_FACES: Final = 2_454
FULL_FACES: Final = 27_420
SMPLX_FACES: Final = 20_908

# A collapse may turn no triangle around it by more than this, as a cosine.
_LEAST_COSINE: Final = 0.2


def body_of(faces: int) -> SkinnedBody:
    """The low Anny, the full one, one with fewer triangles, or one with each cut into four."""
    if faces == LOW_FACES:
        return _bare(anny_body("low"))
    full = _bare(anny_body("full"))
    if faces <= FULL_FACES:
        return decimated(full, faces)
    if faces == 4 * FULL_FACES:
        return quartered(full)
    raise ValueError(
        f"`faces` must be at most {FULL_FACES} or four times that, got {faces}; choose another."
    )


def save_body(body: SkinnedBody, path: Path) -> None:
    """The body's tensors, for processes that measure memory: loading Anny would spoil it."""
    names = ("rest_joints", "blend", "faces", "parts")
    torch.save({name: getattr(body, name) for name in names}, path)


def load_body(path: Path) -> SkinnedBody:
    """The body of `save_body`, named after its file."""
    return SkinnedBody(name=path.stem, **torch.load(path, weights_only=True))


def decimated(body: SkinnedBody, faces: int) -> SkinnedBody:
    """The body with so many triangles: short edges collapse into one of their ends.

    The vertices that stay are those of the body, with their skin.
    """
    if faces % 2 or faces > len(body.faces):
        raise ValueError(
            f"`faces` must be even and at most {len(body.faces)}, got {faces}; choose another."
        )
    still = Motion(rotations.identity(1, NUM_JOINTS), torch.zeros(1, 3), fps=1.0)
    points, tri = body(still).vertices[0].double().numpy(), body.faces.numpy()
    while len(tri) > faces:
        smaller = _collapse_some(points, tri, (len(tri) - faces) // 2)
        if len(smaller) == len(tri):
            raise ValueError(
                f"`faces` must leave the body's shape alone, got {faces}; choose more."
            )
        tri = smaller
    kept, renamed = np.unique(tri, return_inverse=True)
    return dataclasses.replace(
        _bare(body),
        blend=body.blend[:, kept].contiguous(),
        faces=torch.from_numpy(renamed.reshape(-1, 3)),
        parts=body.parts[kept],
    )


def quartered(body: SkinnedBody) -> SkinnedBody:
    """The body with each triangle cut into four at the middles of its edges: the same surface."""
    corners = body.faces
    ends = torch.stack([corners, corners.roll(-1, 1)], -1).reshape(-1, 2).sort(1).values
    edges, which = torch.unique(ends, dim=0, return_inverse=True)
    middles = which.view(-1, 3) + len(body.parts)
    # Each corner with the middles of the two edges at it, and the three middles.
    ears = [torch.stack([corners[:, k], middles[:, k], middles[:, k - 1]], 1) for k in range(3)]
    return dataclasses.replace(
        _bare(body),
        # Skinning is linear in the blend, so its mean moves a middle with its edge.
        blend=torch.cat([body.blend, body.blend[:, edges].mean(-1)], 1),
        faces=torch.cat([*ears, middles]),
        parts=torch.cat([body.parts, body.parts[edges[:, 0]]]),
    )


def _bare(body: SkinnedBody) -> SkinnedBody:
    """The body without what follows its triangles: hands, jaw and texture."""
    return dataclasses.replace(body, detail=None, uv=None, uv_faces=None)


def _collapse_some(
    points: Float[ndarray, "vertices 3"], tri: Int[ndarray, "triangles 3"], most: int
) -> Int[ndarray, "fewer 3"]:
    """Collapses of edges that do not touch each other, the shortest first."""
    ends = np.concatenate([tri[:, [0, 1]], tri[:, [1, 2]], tri[:, [2, 0]]])
    edges = np.unique(np.sort(ends, 1), axis=0)
    neighbours, around = defaultdict(set), defaultdict(list)
    for a, b in edges.tolist():
        neighbours[a].add(b)
        neighbours[b].add(a)
    for index, corners in enumerate(tri.tolist()):
        for corner in corners:
            around[corner].append(index)
    moved = np.arange(len(points))
    touched: set[int] = set()
    for kept, gone in edges[
        np.linalg.norm(np.diff(points[edges], axis=1), axis=-1)[:, 0].argsort()
    ]:
        if most == 0:
            break
        ring = {gone, *neighbours[gone]}
        # Two common neighbours: else the surface would be pinched together there.
        apart = len(neighbours[kept] & neighbours[gone]) == 2 and not ring & touched
        if apart and _stays_upright(points, tri[around[gone]], kept, gone):
            moved[gone] = kept
            touched |= ring
            most -= 1
    tri = moved[tri]
    return tri[(tri != np.roll(tri, 1, axis=1)).all(1)]


def _stays_upright(
    points: Float[ndarray, "vertices 3"], tri: Int[ndarray, "triangles 3"], kept: int, gone: int
) -> bool:
    """Whether no triangle that remains around the vertex `gone` turns over."""
    before = tri[~(tri == kept).any(1)]
    old, new = (_normals(points[np.where(before == gone, x, before)]) for x in (gone, kept))
    size = np.linalg.norm(old, axis=1) * np.linalg.norm(new, axis=1)
    return bool(((old * new).sum(1) > _LEAST_COSINE * size).all())


def _normals(corners: Float[ndarray, "triangles 3 3"]) -> Float[ndarray, "triangles 3"]:
    return np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
