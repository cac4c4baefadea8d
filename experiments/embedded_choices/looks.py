"""The appearances that are compared for the embedded prior, and a clip's doubles."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from motiondistill import rotations
from motiondistill.body.base import Body
from motiondistill.render.appearance import Appearance, PartColours, part_palette
from motiondistill.render.motion_map import SMPL_PARTS, MotionMap, smpl_parts
from motiondistill.render.scene import Scene
from motiondistill.render.shading import Light, vertex_normals
from motiondistill.render.view import View
from motiondistill.structures import JOINT_INDEX, NUM_JOINTS, PART_NAMES, Mesh, Motion

BACK = (0.30, 0.06, 0.10)


@dataclass(frozen=True)
class Coloured(Appearance):
    """Part colours by labels of its own, so that labels can be finer, or exchanged."""

    parts: Int[Tensor, " vertices"]
    colours: PartColours

    def __call__(
        self, view: View, light: Light, floor: Float[Tensor, "3"]
    ) -> Float[Tensor, "images height width 3"]:
        """See `Appearance.__call__`."""
        mesh = dataclasses.replace(view.mesh, parts=self.parts)
        return self.colours(dataclasses.replace(view, mesh=mesh), light, floor)


@dataclass(frozen=True)
class SoftMap(Appearance):
    """A motion map made to be fitted: red is interpolated, and does not tell the sign of z."""

    levels: Float[Tensor, " vertices"]
    """Red of every vertex."""

    def __call__(
        self, view: View, light: Light, floor: Float[Tensor, "3"]
    ) -> Float[Tensor, "images height width 3"]:
        """See `Appearance.__call__`; the light does not matter."""
        normals = vertex_normals(view.mesh.vertices, view.mesh.faces)
        x, y, _ = (normals / 2 + 0.5).unbind(-1)
        return view.interpolate(torch.stack([self.levels.expand_as(x), y, x], -1), floor)


def looks(body: Body, *, exchanged: bool = False) -> dict[str, Appearance]:
    """The appearances to compare; `exchanged` gives every left part its right part's colour."""
    rest = body(Motion(rotations.identity(1, NUM_JOINTS), torch.zeros(1, 3), 1.0))
    parts, fine = rest.parts, smpl_parts(rest)
    if exchanged:
        parts, fine = mirror_of(PART_NAMES)[parts], mirror_of(SMPL_PARTS)[fine]
    behind = vertex_normals(rest.vertices, rest.faces)[0, :, 2] < 0
    trunk = [JOINT_INDEX[name] for name in ("pelvis", "spine1", "spine2", "spine3")]
    back = torch.where(behind & torch.isin(parts, torch.tensor(trunk)), len(PART_NAMES), parts)
    palette = torch.cat([part_palette(), torch.tensor([BACK])])
    # Left parts first, then those of the middle, then right ones: red tells the sides apart.
    order = sorted(range(len(SMPL_PARTS)), key=lambda part: side_of(SMPL_PARTS[part]))
    rank = torch.tensor(order).argsort()
    return {
        "part colours": Coloured(parts, PartColours()),
        "part colours, dark back": Coloured(back, PartColours(palette)),
        "motion map": MotionMap(fine),
        "soft map by sides": SoftMap(rank[fine] / (len(SMPL_PARTS) - 1)),
    }


def side_of(part: str) -> int:
    """-1 for a left part, 1 for a right one, 0 in the middle."""
    return int(part.startswith("right")) - int(part.startswith("left"))


def mirror_of(names: tuple[str, ...]) -> Int[Tensor, " parts"]:
    """For every part, the one on the other side."""
    swap = {"left": "right", "right": "left"}
    other = ["_".join(swap.get(word, word) for word in name.split("_")) for name in names]
    return torch.tensor([names.index(name) for name in other])


def reflected(mesh: Mesh, azimuth: Float[Tensor, " clips"]) -> Mesh:
    """Clips [B F V 3] with near and far exchanged, for cameras at these azimuths.

    Reflected at the upright plane through the axis that faces the camera, with the triangles turned
    over. From afar its outline is the same: front and back are exchanged, and left and right with
    them. The appearance must exchange left and right once more to make it a person.
    """
    towards = torch.stack([azimuth.sin(), torch.zeros_like(azimuth), azimuth.cos()], -1)
    towards = towards[:, None, None]
    depth = (mesh.vertices * towards).sum(-1, keepdim=True)
    return dataclasses.replace(
        mesh, vertices=mesh.vertices - 2 * depth * towards, faces=mesh.faces.flip(-1)
    )


@torch.no_grad()
def painted(
    scene: Scene, view: View, looks: Mapping[str, Appearance]
) -> dict[str, UInt8[Tensor, "*views 3 height width"]]:
    """The view's bytes in every appearance."""
    images = {
        name: dataclasses.replace(scene, appearance=look).paint(view)
        for name, look in looks.items()
    }
    return {name: (image.clamp(0, 1) * 255).round().byte() for name, image in images.items()}
