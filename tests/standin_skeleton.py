"""A T-pose skeleton of a person of about 1.7 m, so that tests of motions need no body."""

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill.structures import JOINT_NAMES

_MIDDLE = {
    "pelvis": (0.0, 0.92, 0.0),
    "spine1": (0.0, 1.03, -0.02),
    "spine2": (0.0, 1.16, -0.01),
    "spine3": (0.0, 1.22, -0.01),
    "neck": (0.0, 1.43, -0.02),
    "head": (0.0, 1.52, 0.01),
}
_SIDES = {
    "hip": (0.07, 0.84, 0.0),
    "knee": (0.09, 0.46, 0.01),
    "ankle": (0.09, 0.07, -0.02),
    "foot": (0.11, 0.02, 0.1),
    "collar": (0.07, 1.35, -0.02),
    "shoulder": (0.18, 1.38, -0.02),
    "elbow": (0.44, 1.38, -0.02),
    "wrist": (0.69, 1.38, -0.02),
}


def rest_joints() -> Float[Tensor, "joints 3"]:
    """T-pose joints, metres, the soles on the floor y = 0."""
    rows = []
    for name in JOINT_NAMES:
        side, _, part = name.partition("_")
        if part in _SIDES:
            x, y, z = _SIDES[part]
            rows.append((x if side == "left" else -x, y, z))
        else:
            rows.append(_MIDDLE[name])
    return torch.tensor(rows)
