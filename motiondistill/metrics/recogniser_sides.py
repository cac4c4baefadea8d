"""On which side an action is done: a rule for each action, none for those that have no side."""

from typing import Final, Literal

from jaxtyping import Float
from torch import Tensor

from motiondistill.structures import JOINT_INDEX

Side = Literal["left", "right"]
_Joints = Float[Tensor, "frames joints 3"]

SIDED_ACTIONS: Final = ("wave", "kick", "punch", "drink", "throw")


def acting_side(action: str, joints: _Joints, fps: float) -> Side:
    """The side whose limb does the action, for one of `SIDED_ACTIONS`.

    Left and right are compared by one number, so a mirrored motion has the other side.
    """
    if action not in SIDED_ACTIONS:
        raise ValueError(f"`action` must be one of {', '.join(SIDED_ACTIONS)}; got {action!r}.")
    left, right = (_effort(action, joints, side, fps) for side in ("left", "right"))
    return "left" if left > right else "right"


def _effort(action: str, joints: _Joints, side: str, fps: float) -> float:
    """How much this side's limb does what the action is about."""
    shoulder, wrist, hip, ankle = (
        joints[:, JOINT_INDEX[f"{side}_{name}"]] for name in ("shoulder", "wrist", "hip", "ankle")
    )
    match action:
        case "wave":
            return float((wrist - shoulder)[:, 1].mean())
        case "kick":
            return _peak_speed(ankle - hip, fps)
        case "punch":
            # The other fist also flies when the trunk turns, but its arm does not stretch.
            reach = (wrist - shoulder).norm(dim=-1)
            return float(reach.max() - reach.min())
        case "drink":
            head = joints[:, JOINT_INDEX["head"]]
            return -float((wrist - head).norm(dim=-1).min())
        case _:
            return _peak_speed(wrist - shoulder, fps)


def _peak_speed(positions: Float[Tensor, "frames 3"], fps: float) -> float:
    return float((positions.diff(dim=0) * fps).norm(dim=-1).max()) if len(positions) > 1 else 0.0
