"""OpenPose's key points and colours by name."""

import torch
from torch import Tensor

from motiondistill.render.skeleton_map import COLOURS, KEY_POINTS

POINT = {name: index for index, name in enumerate(KEY_POINTS)}


def colour(name: str) -> Tensor:
    """A key point's own, sRGB in [0, 1], (3,)."""
    return torch.tensor(COLOURS[POINT[name]]) / 255
