"""Finer images, and the mean over their pixels: what a pixel is too coarse to tell apart.

Antialiasing is exact on straight silhouettes. Where a pixel holds more than one, at tips and where
an outline goes on behind another, its error is about a pixel's worth: it halves with every doubling
of the resolution. So does, for a box filter, that of the image averaged from it, and of its
gradient.
"""

import dataclasses

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill.structures import Camera


def finer(camera: Camera, factor: int) -> Camera:
    """The same cameras with images `factor` times as high and as wide."""
    height, width = camera.size
    return dataclasses.replace(camera, size=(height * factor, width * factor))


def shrink(
    video: Float[Tensor, "*views channels height width"], factor: int
) -> Float[Tensor, "*views channels rows columns"]:
    """The mean of every square of `factor` x `factor` pixels; both sides must divide by it."""
    if factor < 1 or video.shape[-2] % factor or video.shape[-1] % factor:
        raise ValueError(
            f"`factor` must be positive and divide the video's height and width, got {factor} for "
            f"{video.shape[-2]} x {video.shape[-1]} pixels; draw it with `finer` cameras."
        )
    if factor == 1:
        return video
    flat = video.reshape(-1, *video.shape[-3:])
    small = torch.nn.functional.avg_pool2d(flat, factor)
    return small.reshape(*video.shape[:-2], *small.shape[-2:])
