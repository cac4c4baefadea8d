"""What is shown of a motion: colours, maps, depth, parts or tracks, to look at and to compute with.

Each is a function that makes pictures of some frames. What is computed with is exact: nothing of it
is blended, as the edges of pictures for the eye are.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import torch
from jaxtyping import Float, Int, Shaped, UInt8
from torch import Tensor

from motiondistill.render import motion_map as motion_maps
from motiondistill.render.appearance import part_palette
from motiondistill.render.clothing import from_hsv
from motiondistill.render.outputs import depth, part_mask
from motiondistill.render.rasterizer import Rasterizer
from motiondistill.render.scene import Scene
from motiondistill.render.skeleton_map import skeleton_map
from motiondistill.render.tracklets import Tracklets, tracklets
from motiondistill.structures import PART_NAMES, Camera, Mesh, Motion

# Brightness of the body's farthest point in pictures of depth; the nearest has 1.
_FARTHEST: Final = 0.25
# Hues this far round the circle from one point to the next never come near each other.
_GOLDEN: Final = 0.618
# Half the side of a track's mark, as a share of the picture's shorter side.
_MARK: Final = 1 / 200


@dataclass(frozen=True)
class Drawn:
    """Pictures of some frames from one camera."""

    video: Float[Tensor, "frames 3 height width"]
    """To look at, sRGB in [0, 1]."""
    data: Mapping[str, Shaped[Tensor, "frames ..."]] = field(default_factory=dict)
    """To compute with, by name."""


@dataclass(frozen=True)
class Picture:
    """A way to show a motion, frame by frame."""

    draw: Callable[[Mesh, Motion, Camera], Drawn]
    """Takes a mesh [F V 3], the motion that it was posed with, and a camera's poses [F 4 4]."""
    meaning: Mapping[str, Any] = field(default_factory=dict)
    """What a reader of the data has to know: units, names."""


def colours(scene: Scene) -> Picture:
    """The scene as it looks."""
    return Picture(lambda mesh, _, camera: Drawn(scene(mesh, camera)))


def motion_map(rest: Mesh, rasterizer: Rasterizer) -> Picture:
    """Motion maps: see `render.motion_map`; `rest` is the body in the T-pose. As data, 8 bits."""
    parts = motion_maps.smpl_parts(rest)

    def draw(mesh: Mesh, _: Motion, camera: Camera) -> Drawn:
        video = motion_maps.motion_map(mesh, camera, parts, rasterizer)
        return Drawn(video, {"motion_map": _to_bytes(video)})

    return Picture(draw, {"part_names": motion_maps.SMPL_PARTS})


def skeleton() -> Picture:
    """Skeleton maps of 18 points; see `render.skeleton_map`. As data, 8 bits."""

    def draw(mesh: Mesh, motion: Motion, camera: Camera) -> Drawn:
        video = skeleton_map(mesh, motion, camera)
        return Drawn(video, {"skeleton_map": _to_bytes(video)})

    return Picture(draw)


def distances(scene: Scene, nearest: float, farthest: float) -> Picture:
    """Depth along the camera's axis: as data in metres, infinite where nothing is seen.

    To look at, white is `nearest` and dark grey is `farthest` (metres, of the body in the whole
    clip: no frame has a scale of its own); what is beyond fades to black at infinity.
    """

    def draw(mesh: Mesh, _: Motion, camera: Camera) -> Drawn:
        metres = depth(scene.draw(mesh, camera))
        share = (farthest - metres) / max(farthest - nearest, 1e-6)
        near = _FARTHEST + (1 - _FARTHEST) * share
        grey = torch.where(metres < farthest, near, _FARTHEST * farthest / metres).clamp(0, 1)
        return Drawn(grey[:, None].expand(-1, 3, -1, -1), {"depth": metres})

    return Picture(draw, {"units": "metres along the camera's axis"})


def parts(scene: Scene) -> Picture:
    """Body parts: as data their indices in `PART_NAMES`, -1 elsewhere; to look at, flat colours."""
    palette = torch.cat([part_palette(), torch.ones(1, 3)])  # -1 is the last: white

    def draw(mesh: Mesh, _: Motion, camera: Camera) -> Drawn:
        mask = part_mask(scene.draw(mesh, camera))
        return Drawn(palette[mask].permute(0, 3, 1, 2), {"parts": mask.to(torch.int8)})

    return Picture(draw, {"part_names": PART_NAMES})


def tracks(scene: Scene, vertices: Int[Tensor, " points"]) -> Picture:
    """The places of these vertices in every frame, pixels, and whether each is seen.

    To look at, those that are seen are marked in the scene, each in a colour of its own.
    """
    hues = (torch.arange(len(vertices)) * _GOLDEN % 1).tolist()
    palette = torch.stack([from_hsv(hue, 1.0, 1.0) for hue in hues])

    def draw(mesh: Mesh, _: Motion, camera: Camera) -> Drawn:
        found = tracklets(mesh, camera, vertices, scene.rasterizer)
        video = scene(mesh, camera)
        _mark(video, found, palette)
        return Drawn(video, {"pixels": found.pixels, "visible": found.visible})

    return Picture(draw, {"units": "pixels from the left and the top edge", "vertices": vertices})


def _mark(
    video: Float[Tensor, "frames 3 height width"],
    found: Tracklets,
    palette: Float[Tensor, "points 3"],
) -> None:
    """Squares in the points' colours with a black edge, in place."""
    height, width = video.shape[-2:]
    inner = max(1, round(_MARK * min(height, width)))
    frame, point = found.visible.nonzero(as_tuple=True)
    place = found.pixels[frame, point].long()
    for half, colour in ((inner + 1, torch.zeros_like(palette)), (inner, palette)):
        steps = torch.arange(-half, half + 1)
        row = (place[:, 1, None, None] + steps[:, None]).clamp(0, height - 1)
        column = (place[:, 0, None, None] + steps).clamp(0, width - 1)
        video.permute(0, 2, 3, 1)[frame[:, None, None], row, column] = colour[point][:, None, None]


def _to_bytes(
    video: Float[Tensor, "frames 3 height width"],
) -> UInt8[Tensor, "frames height width 3"]:
    return (video * 255).round().to(torch.uint8).permute(0, 2, 3, 1)
