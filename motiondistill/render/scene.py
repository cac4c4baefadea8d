"""The rendered scene: a part-coloured, softly lit body on a ground plane, plain background."""

from dataclasses import dataclass, field

import torch
from jaxtyping import Float, Int
from torch import Tensor

from motiondistill.render.rasterizer import Rasterizer
from motiondistill.structures import PART_NAMES, Camera, Mesh

# sRGB. Left and right limbs differ in hue, and upper from lower limbs in lightness: a limb in front
# of another part of the same colour would carry no gradient, and a video model could not tell left
# from right. All contrast with the ground.
_PALETTE = {
    "pelvis": (0.30, 0.30, 0.36),
    "spine": (0.78, 0.24, 0.26),
    "neck": (0.88, 0.68, 0.54),
    "head": (0.25, 0.16, 0.12),
    "face": (0.95, 0.76, 0.62),
    "left_collar": (0.78, 0.24, 0.26),
    "left_shoulder": (0.95, 0.62, 0.10),
    "left_elbow": (1.00, 0.80, 0.32),
    "left_wrist": (0.72, 0.42, 0.05),
    "left_hip": (0.12, 0.30, 0.80),
    "left_knee": (0.35, 0.58, 0.98),
    "left_ankle": (0.05, 0.12, 0.42),
    "right_collar": (0.78, 0.24, 0.26),
    "right_shoulder": (0.06, 0.55, 0.25),
    "right_elbow": (0.35, 0.80, 0.42),
    "right_wrist": (0.02, 0.32, 0.16),
    "right_hip": (0.50, 0.16, 0.66),
    "right_knee": (0.78, 0.44, 0.90),
    "right_ankle": (0.28, 0.06, 0.36),
}
_ALIASES = {"left_foot": "left_ankle", "right_foot": "right_ankle"} | {
    f"spine{level}": "spine" for level in (1, 2, 3)
}


def part_palette() -> Float[Tensor, "parts 3"]:
    """The sRGB colour of every part in `PART_NAMES`."""
    return torch.tensor([_PALETTE[_ALIASES.get(name, name)] for name in PART_NAMES])


def vertex_normals(
    vertices: Float[Tensor, "*batch vertices 3"], faces: Int[Tensor, "triangles 3"]
) -> Float[Tensor, "*batch vertices 3"]:
    """Unit normals at the vertices, the area-weighted mean of the adjacent triangles' normals."""
    corners = vertices[..., faces.flatten(), :].reshape(*vertices.shape[:-2], *faces.shape, 3)
    edges = corners[..., 1:, :] - corners[..., :1, :]
    normals = torch.cross(edges[..., 0, :], edges[..., 1, :], dim=-1)
    shared = normals[..., :, None, :].expand_as(corners).flatten(-3, -2)
    total = torch.zeros_like(vertices).index_add(-2, faces.flatten(), shared)
    return torch.nn.functional.normalize(total, dim=-1)


@dataclass(frozen=True)
class Scene:
    """What surrounds the body and how it is lit.

    The same for training the embedded prior and for distillation.
    """

    rasterizer: Rasterizer
    background: tuple[float, float, float] = (0.90, 0.93, 0.97)
    ground: tuple[float, float, float] = (0.74, 0.73, 0.70)
    ground_half_size: float = 100.0
    """Half the side of the square ground plane at y = 0, metres."""
    light: tuple[float, float, float] = (0.35, 0.80, 0.49)
    """Direction towards the light, fixed in the world."""
    ambient: float = 0.62
    palette: Float[Tensor, "parts 3"] = field(default_factory=part_palette)

    def __call__(self, mesh: Mesh, camera: Camera) -> Float[Tensor, "batch frames 3 height width"]:
        """Videos, sRGB in [0, 1].

        Leading dimensions of clips `[*B F V 3]` and cameras `[*B 4 4]` broadcast. One clip and
        several cameras give its views; as many clips as cameras give each clip from its own camera.
        """
        vertices, colours, faces = self._with_ground(mesh)
        homogeneous = torch.cat([vertices, torch.ones_like(vertices[..., :1])], -1)
        clip_from_world = camera.clip_from_world()[..., None, :, :]  # one camera for all frames
        positions = homogeneous @ clip_from_world.transpose(-1, -2)
        colours = colours.expand(*positions.shape[:-1], 3)
        batch, frames = positions.shape[-4], positions.shape[-3]
        positions, colours = positions.flatten(0, -3), colours.flatten(0, -3)
        rast = self.rasterizer.rasterize(positions, faces, camera.size)
        image = self.rasterizer.interpolate(colours, rast, faces)
        image = torch.where(rast[..., 3:] > 0, image, torch.tensor(self.background).to(image))
        image = self.rasterizer.antialias(image, rast, positions, faces)
        image = image.flip(1).permute(0, 3, 1, 2)  # row 0 of the video is the top
        return image.reshape(batch, frames, *image.shape[1:])

    def _with_ground(
        self, mesh: Mesh
    ) -> tuple[
        Float[Tensor, "*batch frames vertices 3"],
        Float[Tensor, "*batch frames vertices 3"],
        Int[Tensor, "triangles 3"],
    ]:
        """Vertices, colours and faces of the body and the ground plane's two triangles."""
        half, first = self.ground_half_size, mesh.vertices.shape[-2]
        square = torch.tensor(
            [[-half, 0, -half], [half, 0, -half], [half, 0, half], [-half, 0, half]]
        )
        halves = torch.tensor([[0, 2, 1], [0, 3, 2]]).to(mesh.faces) + first
        plane = square.to(mesh.vertices).expand(*mesh.vertices.shape[:-2], 4, 3)
        paint = torch.tensor(self.ground).to(plane).expand_as(plane)
        return (
            torch.cat([mesh.vertices, plane], -2),
            torch.cat([self._body_colours(mesh), paint], -2),
            torch.cat([mesh.faces, halves]),
        )

    def _body_colours(self, mesh: Mesh) -> Float[Tensor, "*batch frames vertices 3"]:
        """Part colours under a directional light (Lambert) and an ambient one."""
        light = torch.nn.functional.normalize(torch.tensor(self.light), dim=0).to(mesh.vertices)
        lambert = (vertex_normals(mesh.vertices, mesh.faces) @ light).clamp(min=0)
        shade = self.ambient + (1 - self.ambient) * lambert
        return self.palette.to(mesh.vertices)[mesh.parts] * shade[..., None]
