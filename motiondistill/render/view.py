"""The geometry pass: which surface every pixel sees. Images, depth and masks are read off it."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

from motiondistill.render.rasterizer import Rasterizer
from motiondistill.structures import Camera, Mesh


@dataclass(frozen=True)
class View:
    """What every pixel of every image sees of a body and of the ground plane it may stand on.

    The images are all clips' frames in one row. Their row 0 is at the bottom, as rasterisers have
    it; `upright` turns them into videos.
    """

    mesh: Mesh
    rasterizer: Rasterizer
    clip_from_world: Float[Tensor, "*cameras #frames 4 4"]
    leading: tuple[int, ...]
    """Clips and frames [*B F] after clips and cameras were broadcast; the images' number."""
    positions: Float[Tensor, "images points 4"]
    """In clip space: the body's vertices, then the corners of the ground, if there is one."""
    faces: Int[Tensor, "triangles 3"]
    rast: Float[Tensor, "images height width 4"]
    """See `Rasterizer.rasterize`."""

    @property
    def size(self) -> tuple[int, int]:
        """Image height and width, pixels."""
        return self.rast.shape[1], self.rast.shape[2]

    def sees_body(self) -> Bool[Tensor, "images height width 1"]:
        """Whether the pixel's centre sees the body."""
        seen = self.rast[..., 3:].detach()
        return (seen > 0) & (seen <= len(self.mesh.faces))

    def sees_ground(self) -> Bool[Tensor, "images height width 1"]:
        """Whether the pixel's centre sees the ground."""
        return self.rast[..., 3:].detach() > len(self.mesh.faces)

    def interpolate(
        self,
        attributes: Float[Tensor, "*#leading vertices attributes"],
        ground: Float[Tensor, " attributes"],
    ) -> Float[Tensor, "images height width attributes"]:
        """Attributes of the body's vertices, and `ground` on the ground; zero on empty pixels."""
        corners = self.positions.shape[1] - attributes.shape[-2]
        around = ground.expand(*attributes.shape[:-2], corners, -1)
        everywhere = torch.cat([attributes, around], -2)
        everywhere = everywhere.expand(*self.leading, *everywhere.shape[-2:])
        return self.rasterizer.interpolate(everywhere.flatten(0, -3), self.rast, self.faces)

    def per_image(self, values: Float[Tensor, "*#leading a b c"]) -> Float[Tensor, "images a b c"]:
        """Values of clips or of cameras, whose axes broadcast to `leading`, for every image."""
        return values.expand(*self.leading, *values.shape[-3:]).flatten(0, -4)

    def upright(
        self, images: Shaped[Tensor, "images height width channels"]
    ) -> Shaped[Tensor, "*leading channels height width"]:
        """As videos: clips and frames apart, channels first, row 0 at the top."""
        flipped = images.flip(1).permute(0, 3, 1, 2)
        return flipped.reshape(*self.leading, *flipped.shape[1:])


def draw(
    rasterizer: Rasterizer, mesh: Mesh, camera: Camera, *, ground_half_size: float | None = None
) -> View:
    """What the cameras see of the body, and of a square of ground at y = 0 (half its side, metres).

    Leading dimensions of clips `[*B F V 3]` and cameras `[*B #F 4 4]` broadcast. One clip and
    several cameras give its views; as many clips as cameras give each clip from its own camera. The
    surface in front is found by depth, pixel by pixel: a foot that sinks into the ground is hidden.
    A camera below the ground looks through it, rather than to see nothing else.
    """
    vertices, faces = mesh.vertices, mesh.faces
    if ground_half_size is not None:
        half, first = ground_half_size, vertices.shape[-2]
        square = torch.tensor(
            [[-half, 0, -half], [half, 0, -half], [half, 0, half], [-half, 0, half]]
        )
        halves = torch.tensor([[0, 2, 1], [0, 3, 2]]).to(faces) + first
        plane = square.to(vertices).expand(*vertices.shape[:-2], 4, 3)
        vertices, faces = torch.cat([vertices, plane], -2), torch.cat([faces, halves])
    homogeneous = torch.cat([vertices, torch.ones_like(vertices[..., :1])], -1)
    clip_from_world = camera.clip_from_world()
    positions = homogeneous @ clip_from_world.transpose(-1, -2)
    if ground_half_size is not None:
        positions = _hidden_from_below(positions, camera)
    leading = tuple(positions.shape[:-2])
    images = positions.reshape(math.prod(leading), *positions.shape[-2:])
    rast = rasterizer.rasterize(images, faces, camera.size)
    return View(mesh, rasterizer, clip_from_world, leading, images, faces, rast)


def _hidden_from_below(
    positions: Float[Tensor, "*views frames points 4"], camera: Camera
) -> Float[Tensor, "*views frames points 4"]:
    """Clip positions with the ground's corners, the last four, behind cameras that are below it."""
    pose = camera.camera_from_world.detach()
    eye_height = -(pose[..., :3, 1] * pose[..., :3, 3]).sum(-1)
    if bool((eye_height > 0).all()):
        return positions
    corner = torch.arange(positions.shape[-2], device=pose.device) >= positions.shape[-2] - 4
    hidden = (eye_height <= 0)[..., None] & corner
    behind = positions.new_tensor([0.0, 0.0, 0.0, -1.0])
    return torch.where(hidden[..., None], behind, positions)
