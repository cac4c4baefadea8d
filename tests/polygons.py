"""Convex polygons and what is known of them in closed form: areas, intersections, mean colours.

Points are [V 2] in [-1, 1]^2, counter-clockwise.
"""

import math

import torch
from torch import Tensor

WINDOW = torch.tensor([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])


def regular(corners: int, radius: float, turn: float) -> Tensor:
    angle = torch.arange(corners) / corners * 2 * math.pi + turn
    return radius * torch.stack([angle.cos(), angle.sin()], -1)


def fan(corners: int, first: int = 0) -> Tensor:
    """Its triangles."""
    return torch.tensor([[0, i, i + 1] for i in range(1, corners - 1)]) + first


def area(polygon: Tensor) -> Tensor:
    """The shoelace formula."""
    x, y = polygon.unbind(-1)
    return (x * y.roll(-1) - x.roll(-1) * y).sum() / 2


def intersection(subject: Tensor, window: Tensor) -> Tensor:
    """The part inside another polygon (Sutherland & Hodgman 1974), differentiable."""
    for start, end in zip(window, window.roll(-1, 0), strict=True):
        edge = end - start
        side = edge[0] * (subject[:, 1] - start[1]) - edge[1] * (subject[:, 0] - start[0])
        subject = cut(subject, side)
    return subject


def cut(points: Tensor, side: Tensor) -> Tensor:
    """The part of a polygon in any dimension where `side`, known at its points, is positive."""
    kept = []
    for i in range(len(points)):
        if side[i - 1] * side[i] < 0:
            share = side[i - 1] / (side[i - 1] - side[i])
            kept.append(points[i - 1] + share * (points[i] - points[i - 1]))
        if side[i] >= 0:
            kept.append(points[i])
    return torch.stack(kept) if kept else points[:0]


def shifts(pixels: int) -> Tensor:
    """64 displacements, evenly spread over one of so many pixels in a row: [64 1 2]."""
    steps = ((torch.arange(8) + 0.5) / 8 - 0.5) * 2 / pixels
    return torch.cartesian_prod(steps, steps)[:, None]
