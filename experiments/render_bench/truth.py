"""The derivative of the loss by finite differences of point-sampled images.

Nothing of what is judged takes part: no antialiasing, no blending, no derivative. Every pixel is
the mean of many point samples, and visibility is that of the rasteriser's depth test.
"""

from typing import Final

import torch
from jaxtyping import Float
from render_bench.scenes import NUM_PARAMETERS, moved
from torch import Tensor

from motiondistill.body.skinning import SkinnedBody
from motiondistill.render.appearance import part_palette
from motiondistill.render.background import Solid
from motiondistill.render.cpu import CpuRasterizer
from motiondistill.structures import Camera, Motion

STEP: Final = 0.004
"""Metres and radians. Large enough for its sweep to cross many samples, small for a body."""

_Box = tuple[int, int, int, int]


@torch.no_grad()
def derivative_by_pose(
    body: SkinnedBody,
    motion: Motion,
    camera: Camera,
    weights: Float[Tensor, "frames 3 size size"],
    finer: int,
) -> Float[Tensor, "frames parameters"]:
    """The derivative of `(weights * video).sum()` by the parameters of `scenes.moved`.

    `motion` is one clip [F ...]; every pixel is the mean of `finer` squared samples.
    """
    upwards = weights.flip(-2)
    frames = len(weights)
    box = _box_around(_clip_positions(body, motion, camera), camera.size[0])
    columns = []
    for index in range(NUM_PARAMETERS):
        step = torch.zeros(frames, NUM_PARAMETERS)
        step[:, index] = STEP
        ahead, behind = (
            _losses(body, moved(motion, sign * step), camera, upwards, box, finer)
            for sign in (1, -1)
        )
        columns.append((ahead - behind) / (2 * STEP))
    return torch.stack(columns, -1)


def _losses(
    body: SkinnedBody,
    motion: Motion,
    camera: Camera,
    weights: Tensor,
    box: _Box,
    finer: int,
) -> Float[Tensor, " frames"]:
    """The loss of every frame, up to what the background adds to all."""
    bottom, top, left, right = box
    rasterizer, size = CpuRasterizer(), camera.size[0]
    positions = _zoomed(_clip_positions(body, motion, camera), box, size)
    colours = part_palette()[body.parts] - torch.tensor(Solid().colour)
    result = []
    for index in range(0, len(positions), torch.get_num_threads()):
        chosen = slice(index, index + torch.get_num_threads())
        samples = ((top - bottom) * finer, (right - left) * finer)
        rast = rasterizer.rasterize(positions[chosen], body.faces, samples)
        image = rasterizer.interpolate(colours[None], rast, body.faces).permute(0, 3, 1, 2)
        image = torch.nn.functional.avg_pool2d(image, finer).double()
        result.append((image * weights[chosen, :, bottom:top, left:right]).sum((1, 2, 3)))
    return torch.cat(result)


def _clip_positions(
    body: SkinnedBody, motion: Motion, camera: Camera
) -> Float[Tensor, "frames vertices 4"]:
    vertices = body(motion).vertices
    homogeneous = torch.cat([vertices, torch.ones_like(vertices[..., :1])], -1)
    return homogeneous @ camera.clip_from_world()[0].transpose(-1, -2)


def _box_around(positions: Float[Tensor, "frames vertices 4"], size: int) -> _Box:
    """Rows and columns of pixels (row 0 at the bottom) that the body stays within."""
    pixels = (positions[..., :2] / positions[..., 3:] + 1) * (size / 2)
    low = (pixels.amin((0, 1)).floor() - 1).clamp(0, size).int().tolist()
    high = (pixels.amax((0, 1)).ceil() + 1).clamp(0, size).int().tolist()
    return low[1], high[1], low[0], high[0]


def _zoomed(
    positions: Float[Tensor, "frames vertices 4"], box: _Box, size: int
) -> Float[Tensor, "frames vertices 4"]:
    """As a camera sees them whose image is only the box: the samples stay where they were."""
    bottom, top, left, right = box
    x, y, z, w = positions.unbind(-1)
    x = (x - ((left + right) / size - 1) * w) * (size / (right - left))
    y = (y - ((bottom + top) / size - 1) * w) * (size / (top - bottom))
    return torch.stack([x, y, z, w], -1)
