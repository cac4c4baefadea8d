"""Into our world: which axis of a file is up, how long its unit is, which frames are no motion."""

import math
from collections.abc import Sequence
from typing import Final, Literal, assert_never

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill.data.body_pose import bone_directions
from motiondistill.structures import JOINT_INDEX as J

Up = Literal["y", "z"]

# Metres. CMU's own unit is 1/0.45 inch.
UNITS: Final = {
    "m": 1.0,
    "dm": 0.1,
    "CMU": 0.0254 / 0.45,
    "inch": 0.0254,
    "foot": 0.3048,
    "cm": 0.01,
    "mm": 0.001,
}
# From hip to ankle, metres. Where no unit makes a leg that long, the leg is made `_LEG`.
_SHORTEST_LEG, _LEG, _LONGEST_LEG = 0.62, 0.82, 1.05
# An inserted pose is left within this time, seconds, by limbs that turn this far, radians.
_LEAVING: Final = 1 / 12
_TURN: Final = 0.4
# How far from level and straight the arms of a T-pose may be.
_T_POSE: Final = math.cos(math.radians(20))


def upright(joints: Float[Tensor, "*batch 3"], up: Up) -> Float[Tensor, "*batch 3"]:
    """The points with +Y up: a z-up file's +Z becomes +Y, and its -Y becomes +Z."""
    match up:
        case "y":
            return joints
        case "z":
            x, y, z = joints.unbind(-1)
            return torch.stack([x, z, -y], -1)
        case _:
            assert_never(up)


def guess_up(clips: Sequence[Float[Tensor, "_ joints 3"]]) -> Up:
    """The axis along which heads are above feet, over all frames of all clips.

    Whoever only lies or crawls cannot be told apart: y then, unless z is clearly longer.
    """
    spans = torch.cat([_rise(clip) for clip in clips]).median(0).values.tolist()
    return "z" if spans[2] > max(1.5 * spans[1], 0.0) else "y"


def guess_unit(clips: Sequence[Float[Tensor, "_ joints 3"]]) -> float:
    """Metres per unit: the unit of `UNITS` that makes the legs most like an adult's.

    If none does, the one that makes them 0.82 m long.
    """
    length = float(torch.cat([_leg_lengths(clip) for clip in clips]).median())
    if not length > 0:
        raise ValueError(
            "`unit` cannot be guessed from legs of no length; the file shows no human in motion."
        )
    fitting = [u for u in UNITS.values() if _SHORTEST_LEG <= u * length <= _LONGEST_LEG]
    if not fitting:
        return _LEG / length
    return min(fitting, key=lambda unit: abs(math.log(unit * length / _LEG)))


def inserted_frames(joints: Float[Tensor, "frames joints 3"], fps: float) -> int:
    """How many frames at the start belong to a T-pose that was put before the motion.

    Converters do so to keep the skeleton's rest pose. The first frame is a T-pose and a twelfth of
    a second later it is left behind; a subject who stands in a T-pose takes longer.
    """
    count = math.ceil(_LEAVING * fps)
    if len(joints) <= count + 1:
        return 0
    limbs = bone_directions(joints[[0, count]])
    lateral = joints[0, J["left_shoulder"]] - joints[0, J["right_shoulder"]]
    lateral = torch.nn.functional.normalize(lateral, dim=-1)
    level = (limbs[0, :2] * torch.stack([lateral, -lateral])[:, None]).sum(-1)
    turn = (limbs[0] * limbs[1]).sum(-1).clamp(-1, 1).acos().max()
    return count if float(level.min()) > _T_POSE and float(turn) > _TURN else 0


def _leg_lengths(joints: Float[Tensor, "frames joints 3"]) -> Float[Tensor, "frames 2"]:
    chains = [
        [J[f"{side}_{name}"] for name in ("hip", "knee", "ankle")] for side in ("left", "right")
    ]
    lengths: Tensor = joints[:, chains].diff(dim=2).norm(dim=-1)
    return lengths.sum(-1)


def _rise(joints: Float[Tensor, "frames joints 3"]) -> Float[Tensor, "frames 3"]:
    """From the ankles to the shoulders."""
    ends = [
        joints[:, [J[f"left_{name}"], J[f"right_{name}"]]].mean(1) for name in ("ankle", "shoulder")
    ]
    return ends[1] - ends[0]
