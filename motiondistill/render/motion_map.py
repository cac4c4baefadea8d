"""Bodies as motion maps: surface normals and body parts in one image, from which both come back.

Zhao et al. 2026 (CoMoVi), section 3.2: blue is the normal's x, green its y, and red one of two
levels of the part, by the sign of z. The paper gives part r the levels r and r + 1 of a list of 2R;
taken literally, neighbouring parts would share a level, so here they are 2 r and 2 r + 1. It leaves
open in which axes normals are; here they are the world's, where the sign of z tells something: in
the camera's axes nearly all that is seen faces the camera.
"""

import dataclasses
from dataclasses import dataclass
from typing import Final

import torch
from jaxtyping import Float, Int
from torch import Tensor

from motiondistill.render.appearance import Appearance
from motiondistill.render.outputs import part_mask
from motiondistill.render.rasterizer import Rasterizer
from motiondistill.render.shading import Light, vertex_normals
from motiondistill.render.view import View, draw
from motiondistill.structures import FACE_PART, JOINT_INDEX, JOINT_NAMES, Camera, Mesh

SMPL_PARTS: Final = (*JOINT_NAMES, "left_hand", "right_hand")
"""SMPL's 24 body parts: our 22 joints, and the fingers apart from the palms at the wrists."""

_LEVELS = 2 * len(SMPL_PARTS)
# How far from the wrist the fingers begin, as a share of the way to the farthest fingertip.
_KNUCKLES = 0.5
# x^2 + y^2 is at most 1 for a unit normal and 2 where the image is black: nothing is seen there.
_NOTHING = 1.5


def smpl_parts(rest: Mesh) -> Int[Tensor, " vertices"]:
    """For every vertex, its index in `SMPL_PARTS`.

    The face belongs to the head. Our skeleton has no joint beyond the wrists, so fingers are told
    from palms by their distance from the wrist.

    Args:
        rest: The body in the T-pose with its hands flat; the first frame is looked at.
    """
    head = JOINT_INDEX["head"]
    parts = torch.where(rest.parts == FACE_PART, head, rest.parts)
    vertices = rest.vertices.flatten(0, -3)[0]
    joints = rest.joints.flatten(0, -3)[0]
    for side in ("left", "right"):
        wrist = JOINT_INDEX[f"{side}_wrist"]
        distance = (vertices - joints[wrist]).norm(dim=-1)
        hand = parts == wrist
        knuckles = _KNUCKLES * torch.where(hand, distance, 0.0).max()
        fingers = SMPL_PARTS.index(f"{side}_hand")
        parts = torch.where(hand & (distance > knuckles), fingers, parts)
    return parts


def encode(
    normals: Float[Tensor, "*batch 3 height width"], parts: Int[Tensor, "*batch height width"]
) -> Float[Tensor, "*batch 3 height width"]:
    """Images in [0, 1] of unit normals and indices in `SMPL_PARTS`, black where the index is -1.

    Red is `(2 part + [z < 0]) / 47`, green `(y + 1) / 2` and blue `(x + 1) / 2`. Differentiable in
    the normals' x and y.
    """
    x, y, z = normals.unbind(-3)
    red = (2 * parts + (z < 0)).to(normals) / (_LEVELS - 1)
    image = torch.stack([red, (y + 1) / 2, (x + 1) / 2], -3)
    return torch.where(parts[..., None, :, :] >= 0, image, torch.zeros_like(image))


def decode(
    image: Float[Tensor, "*batch 3 height width"],
) -> tuple[Float[Tensor, "*batch 3 height width"], Int[Tensor, "*batch height width"]]:
    """The unit normals and the indices in `SMPL_PARTS` of motion maps; zero and -1 where black.

    `z = +-sqrt(1 - x^2 - y^2)` (Eq. 1). Red is rounded to the nearest level, so that images of 8
    bits lose no part. Their normals are within 0.11 rad: that is at z = 0, elsewhere much closer.
    Not differentiable.
    """
    red, green, blue = image.unbind(-3)
    level = (red * (_LEVELS - 1)).round().long().clamp(0, _LEVELS - 1)
    x, y = 2 * blue - 1, 2 * green - 1
    squared = x.square() + y.square()
    z = (1 - squared).clamp(min=0).sqrt() * (1 - 2 * (level % 2))
    seen = squared < _NOTHING
    normals = torch.nn.functional.normalize(torch.stack([x, y, z], -3), dim=-3)
    return torch.where(seen[..., None, :, :], normals, 0.0), torch.where(seen, level // 2, -1)


def motion_map(
    mesh: Mesh, camera: Camera, parts: Int[Tensor, " vertices"], rasterizer: Rasterizer
) -> Float[Tensor, "*leading 3 height width"]:
    """Videos [*B F 3 H W] of the body alone as motion maps, unlit and without blended edges.

    Clips and cameras broadcast as in `Scene`. Every pixel shows the surface at its centre: blending
    would invent parts. So gradients reach the vertices through the normals' x and y, but not
    through silhouettes.

    Args:
        mesh: The posed body.
        camera: Who looks.
        parts: For every vertex, its index in `SMPL_PARTS`; see `smpl_parts`.
        rasterizer: Draws.
    """
    return _map_of(draw(rasterizer, mesh, camera), parts)


@dataclass(frozen=True)
class MotionMap(Appearance):
    """The motion map on a body in a scene: unlit, with ground and background around it.

    Within the body it is `motion_map`. A scene blends silhouettes, so here gradients reach the
    vertices through them, too; blended pixels do not decode.
    """

    parts: Int[Tensor, " vertices"]
    """For every vertex, its index in `SMPL_PARTS`; see `smpl_parts`."""

    def __call__(
        self, view: View, light: Light, floor: Float[Tensor, "3"]
    ) -> Float[Tensor, "images height width 3"]:
        """See `Appearance.__call__`; the light does not matter."""
        image = _map_of(view, self.parts).flatten(0, -4).permute(0, 2, 3, 1).flip(1)
        return torch.where(view.sees_ground(), floor, image)


def _map_of(
    view: View, parts: Int[Tensor, " vertices"]
) -> Float[Tensor, "*leading 3 height width"]:
    """What the view sees of the body as a motion map, row 0 at the top; black elsewhere."""
    at_vertices = vertex_normals(view.mesh.vertices, view.mesh.faces)
    mixed = view.interpolate(at_vertices, torch.zeros(3).to(at_vertices))
    normals = view.upright(torch.nn.functional.normalize(mixed, dim=-1))
    coded = dataclasses.replace(view.mesh, parts=parts.to(view.mesh.parts))
    return encode(normals, part_mask(dataclasses.replace(view, mesh=coded)))
