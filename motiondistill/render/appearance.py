"""What the body's surface looks like: part colours, a texture image, or its normals."""

import abc
from dataclasses import dataclass, field

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from motiondistill.render.rasterizer import gather, scatter
from motiondistill.render.rays import pixel_rays
from motiondistill.render.shading import Light, vertex_normals
from motiondistill.render.view import View
from motiondistill.structures import PART_NAMES, Mesh

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


class Appearance(abc.ABC):
    """How the body's surface is coloured."""

    @abc.abstractmethod
    def __call__(
        self, view: View, light: Light, floor: Float[Tensor, "3"]
    ) -> Float[Tensor, "images height width 3"]:
        """The lit body, `floor` on the ground, and zero where neither is seen.

        Row 0 is at the bottom. Differentiable in the body's vertices.
        """


@dataclass(frozen=True)
class PartColours(Appearance):
    """One colour for each part of the body, lit at the vertices."""

    palette: Float[Tensor, "parts 3"] = field(default_factory=part_palette)

    def __call__(
        self, view: View, light: Light, floor: Float[Tensor, "3"]
    ) -> Float[Tensor, "images height width 3"]:
        """See `Appearance.__call__`."""
        mesh = view.mesh
        colours = self.palette.to(mesh.vertices)[mesh.parts]
        return view.interpolate(colours * light.brightness(mesh)[..., None], floor)


def plain(colour: tuple[float, float, float]) -> PartColours:
    """The same colour all over."""
    return PartColours(torch.tensor(colour).expand(len(PART_NAMES), 3))


@dataclass(frozen=True)
class NormalMap(Appearance):
    """Normals as colours, unlit: `(n + 1) / 2` of the unit normal as the camera sees it.

    Red is its share to the right of the image, green upwards, and blue towards the camera, as in
    the usual normal maps: a surface that faces the camera is (0.5, 0.5, 1).
    """

    def __call__(
        self, view: View, light: Light, floor: Float[Tensor, "3"]
    ) -> Float[Tensor, "images height width 3"]:
        """See `Appearance.__call__`; the light does not matter."""
        normals = vertex_normals(view.mesh.vertices, view.mesh.faces)
        rays = pixel_rays(view.clip_from_world, view.size)
        axes = functional.normalize(torch.stack([rays.across, rays.up, -rays.forward], -1), dim=-2)
        seen = view.interpolate(normals @ axes, torch.zeros_like(floor))
        image = (functional.normalize(seen, dim=-1) + view.sees_body()) / 2
        return torch.where(view.sees_ground(), floor, image)


@dataclass(frozen=True)
class Textured(Appearance):
    """An image laid around the body by its texture coordinates.

    Sampled from a pyramid of ever smaller copies, so that a fine texture on a small body neither
    flickers nor hides its gradient in noise (Williams 1983, Pyramidal Parametrics). The level is
    chosen triangle by triangle and carries no gradient; the place in the image does.
    """

    levels: tuple[Float[Tensor, "_ _ 3"], ...]
    """The image in sRGB, from fine to coarse, row 0 at the bottom; see `textured`."""

    def __call__(
        self, view: View, light: Light, floor: Float[Tensor, "3"]
    ) -> Float[Tensor, "images height width 3"]:
        """See `Appearance.__call__`. Raises `ValueError` for a body without texture coordinates."""
        mesh, body = view.mesh, view.sees_body()
        uv, uv_faces = _texture_coordinates(mesh)
        pixel = body.flatten().nonzero().squeeze(1)
        places = gather(_at_pixels(view, uv, uv_faces).reshape(-1, 2), pixel).T
        brightness = view.interpolate(light.brightness(mesh)[..., None], floor[:1])
        detail = _detail(view, uv[uv_faces], *self.levels[0].shape[:2])[pixel]
        detail = detail.clamp(0, len(self.levels) - 1)
        colours = floor.new_zeros(len(pixel), 3)
        for index, level in enumerate(self.levels):
            share = (1 - (detail - index).abs()).clamp(min=0)
            if share.any():
                colours = colours + share[:, None] * _look_up(view, level, places)
        lit = colours.T * gather(brightness.reshape(-1, 1), pixel)
        image = scatter(lit, pixel, body.numel())
        return torch.where(view.sees_ground(), floor, image.view(*body.shape[:-1], 3))


def textured(image: Float[Tensor, "3 rows columns"]) -> Textured:
    """The appearance of an image (sRGB in [0, 1], row 0 at the top)."""
    levels = [image[None]]
    while max(levels[-1].shape[-2:]) > 1:
        rows, columns = (max(1, side // 2) for side in levels[-1].shape[-2:])
        levels.append(functional.interpolate(levels[-1], (rows, columns), mode="area"))
    return Textured(tuple(level[0].flip(1).permute(1, 2, 0) for level in levels))


def _texture_coordinates(
    mesh: Mesh,
) -> tuple[Float[Tensor, "texcoords 2"], Int[Tensor, "triangles 3"]]:
    if mesh.uv is None or mesh.uv_faces is None:
        raise ValueError(
            "`appearance` must do without texture coordinates for a body that has none, got a "
            "texture; choose part colours or another resolution of the body."
        )
    return mesh.uv.to(mesh.vertices), mesh.uv_faces


def _at_pixels(
    view: View, uv: Float[Tensor, "texcoords 2"], uv_faces: Int[Tensor, "triangles 3"]
) -> Float[Tensor, "images height width 2"]:
    """Texture coordinates at every pixel of the body."""
    ground = torch.zeros_like(uv_faces[: len(view.faces) - len(uv_faces)])
    return view.rasterizer.interpolate(uv[None], view.rast, torch.cat([uv_faces, ground]))


def _look_up(
    view: View, texture: Float[Tensor, "rows columns 3"], places: Float[Tensor, "pixels 2"]
) -> Float[Tensor, "pixels 3"]:
    """The texture's colours at the seen pixels alone, which it takes for an image of one row."""
    row = view.rasterizer.texture(texture.to(places)[None], places[None, None], "clamp")
    return row[0, 0]


@torch.no_grad()
def _detail(
    view: View, corners: Float[Tensor, "triangles 3 2"], rows: int, columns: int
) -> Float[Tensor, " pixels"]:
    """The level at which a texel is as large as the pixel, by the areas of the seen triangle."""
    points = view.positions[:, view.mesh.faces]
    height, width = view.size
    pixels = torch.tensor([width / 2, height / 2]).to(corners)
    on_screen = _doubled_area(points[..., :2] / points[..., 3:] * pixels)
    in_texture = _doubled_area(corners * torch.tensor([columns, rows]).to(corners))
    level = (in_texture / on_screen).log2() / 2
    triangle = view.rast[..., 3].long().clamp(1, len(corners)) - 1
    first = torch.arange(len(points), device=triangle.device) * len(corners)
    return level.flatten()[(triangle + first[:, None, None]).flatten()]


def _doubled_area(corners: Float[Tensor, "*batch 3 2"]) -> Float[Tensor, "*batch"]:
    (ax, ay), (bx, by) = (
        (corners[..., index, :] - corners[..., 0, :]).unbind(-1) for index in (1, 2)
    )
    return (ax * by - ay * bx).abs().clamp(min=torch.finfo(ax.dtype).tiny)
