"""Directions between joints, and orientations made of them. Where a joint is NaN, so are they."""

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill import rotations
from motiondistill.structures import JOINT_INDEX as J

_UP = torch.tensor([0.0, 1.0, 0.0])


def unit(vector: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3"]:
    """The vector at length one."""
    return torch.nn.functional.normalize(vector, dim=-1)


def turned(
    rotation: Float[Tensor, "*#batch 3 3"], vector: Float[Tensor, "*#batch 3"]
) -> Float[Tensor, "*result 3"]:
    """The rotated vector."""
    return (rotation @ vector[..., None]).squeeze(-1)


def between(
    joints: Float[Tensor, "frames joints 3"], start: str, end: str
) -> Float[Tensor, "frames 3"]:
    """Unit direction from one joint to another."""
    return unit(joints[:, J[end]] - joints[:, J[start]])


def both(
    joints: Float[Tensor, "frames joints 3"], start: str, end: str
) -> Float[Tensor, "frames 2 3"]:
    """Unit directions between two joints of the left and of the right side."""
    return torch.stack(
        [between(joints, f"{side}_{start}", f"{side}_{end}") for side in ("left", "right")], 1
    )


def middle(joints: Float[Tensor, "frames joints 3"], name: str) -> Float[Tensor, "frames 3"]:
    """Halfway between the left and the right joint of this name."""
    return (joints[:, J[f"left_{name}"]] + joints[:, J[f"right_{name}"]]) / 2


def facing(
    left: Float[Tensor, "*batch 3"], up: Float[Tensor, "*batch 3"]
) -> Float[Tensor, "*batch 3 3"]:
    """World orientations whose +Y is `up` and whose +X is as near `left` as possible."""
    y = unit(up)
    x = unit(left - (left * y).sum(-1, keepdim=True) * y)
    return torch.stack([x, y, torch.cross(x, y, dim=-1)], -1)


def level(
    left: Float[Tensor, "*batch 3"], up: Float[Tensor, "*batch 3"]
) -> Float[Tensor, "*batch 3 3"]:
    """World orientations whose +X is `left` and whose +Y is as near `up` as possible."""
    x = unit(left)
    y = unit(up - (up * x).sum(-1, keepdim=True) * x)
    return torch.stack([x, y, torch.cross(x, y, dim=-1)], -1)


def pitch(
    left: Float[Tensor, "frames 3"], direction: Float[Tensor, "frames 3"]
) -> Float[Tensor, " frames"]:
    """Angle from the vertical, positive when it leans forwards."""
    forward = unit(torch.cross(left, _UP.to(left).expand_as(left), dim=-1))
    return torch.atan2((direction * forward).sum(-1), direction[:, 1])


def about_x(angle: float) -> Float[Tensor, "3 3"]:
    """The rotation about +X, which turns +Y towards +Z: what is upright leans forwards."""
    return rotations.from_axis_angle(torch.tensor([angle, 0.0, 0.0]))


def median(values: Float[Tensor, " frames"]) -> float:
    """Median of the finite values, zero where there is none."""
    finite = values[~values.isnan()]
    return float(finite.median()) if len(finite) else 0.0


def leg_length(joints: Float[Tensor, "frames joints 3"]) -> float:
    """From hip over knee to ankle, the median of both sides and all frames."""
    chains = [
        [J[f"{side}_{name}"] for name in ("hip", "knee", "ankle")] for side in ("left", "right")
    ]
    return float(joints[:, chains].diff(dim=2).norm(dim=-1).sum(-1).median())
