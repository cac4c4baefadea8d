"""What a window must show to count as an action: rules on joints, for labels that cover more.

Each takes a window [frames joints 3] at `JOINTS_FPS` in metres, and the height of the clip's ankles
when they stand. The thresholds are for our own skeleton.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill.data.joints import JOINTS_FPS
from motiondistill.structures import JOINT_INDEX as J

Joints = Float[Tensor, "frames joints 3"]

ANKLES = [J["left_ankle"], J["right_ankle"]]
_WRISTS = [J["left_wrist"], J["right_wrist"]]
_SHOULDERS = [J["left_shoulder"], J["right_shoulder"]]
_HIPS = [J["left_hip"], J["right_hip"]]
_INSIDE = slice(5, -5)  # events lie at least a sixth of a second inside


def _jumps(joints: Joints, floor: float) -> bool:
    """Both feet are off the floor."""
    return bool((joints[_INSIDE, ANKLES, 1].amin(1) - floor).max() > 0.1)


def _opens_and_closes(joints: Joints, floor: float) -> bool:
    """Both hands above the head and both below the shoulders, and the feet part."""
    above = joints[:, _WRISTS, 1] - joints[:, [J["head"]], 1]
    apart = (joints[:, ANKLES[0]] - joints[:, ANKLES[1]]).norm(dim=-1)
    return bool(above.amin(1).max() > 0 and above.amax(1).min() < -0.2) and _range(apart) > 0.2


def _waves(joints: Joints, floor: float) -> bool:
    """One hand is up most of the time and moves about its elbow; the other one is down."""
    up = (joints[:, _WRISTS, 1] - joints[:, _SHOULDERS, 1] > -0.12).float().mean(0)
    elbows = [J["left_elbow"], J["right_elbow"]]
    moves = (joints[:, _WRISTS] - joints[:, elbows]).std(0).norm(dim=-1) > 0.04
    return any(bool(up[i] > 0.5 and moves[i] and up[1 - i] < 0.4) for i in range(2))


def _squats(joints: Joints, floor: float) -> bool:
    """The pelvis falls while the feet stay."""
    lifted = joints[:, ANKLES, 1].amax(1)
    return _range(joints[:, 0, 1]) > 0.25 and _range(lifted) < 0.12


def _kicks(joints: Joints, floor: float) -> bool:
    return _peak_speed(joints[:, ANKLES] - joints[:, _HIPS]) > 5.0


def _punches(joints: Joints, floor: float) -> bool:
    """An arm stretches."""
    reach = (joints[:, _WRISTS] - joints[:, _SHOULDERS]).norm(dim=-1)[_INSIDE]
    return bool((reach.amax(0) - reach.amin(0)).max() > 0.2)


def _dances(joints: Joints, floor: float) -> bool:
    """Dancers also stand and wait."""
    return not _stands(joints, floor)


def _bows(joints: Joints, floor: float) -> bool:
    return bool(_uprightness(joints).min() < 0.8)


def _stands(joints: Joints, floor: float) -> bool:
    """Straight legs, hanging arms, and no joint moves far or fast."""
    moving = (joints - joints.mean(0)).norm(dim=-1).max()
    speed = joints.diff(dim=0).norm(dim=-1).mean() * JOINTS_FPS
    legs = (joints[:, _HIPS, 1] - joints[:, ANKLES, 1]).min()
    hands = (joints[:, _WRISTS, 1] - joints[:, [J["spine2"]], 1]).max()
    return bool(moving < 0.2 and speed < 0.2 and legs > 0.6 and hands < 0.1)


def _sits(joints: Joints, floor: float) -> bool:
    """The thighs are far from hanging for half of the time."""
    thighs = joints[:, [J["left_knee"], J["right_knee"]]] - joints[:, _HIPS]
    down = -torch.nn.functional.normalize(thighs, dim=-1)[..., 1].mean(1)
    return bool(down.median() < 0.7)


def _drinks(joints: Joints, floor: float) -> bool:
    """A hand is near the head for a quarter of the time."""
    near = (joints[:, _WRISTS] - joints[:, [J["head"]]]).norm(dim=-1) < 0.3
    return bool(near.float().mean(0).max() > 0.25)


def _turns_over(joints: Joints, floor: float) -> bool:
    return bool(_uprightness(joints)[_INSIDE].min() < -0.3)


def _throws(joints: Joints, floor: float) -> bool:
    return _peak_speed(joints[:, _WRISTS] - joints[:, _SHOULDERS]) > 5.0


def _uprightness(joints: Joints) -> Float[Tensor, " frames"]:
    """Cosine of the angle between the trunk and the vertical."""
    trunk = joints[:, _SHOULDERS].mean(1) - joints[:, _HIPS].mean(1)
    return torch.nn.functional.normalize(trunk, dim=-1)[:, 1]


def _peak_speed(limbs: Float[Tensor, "frames limbs 3"]) -> float:
    """The highest speed of any limb's end inside the window, m/s."""
    return float((limbs.diff(dim=0) * JOINTS_FPS).norm(dim=-1)[_INSIDE].max())


def _range(values: Float[Tensor, " frames"]) -> float:
    return float(values.max() - values.min())


SHOWS: dict[str, Callable[[Joints, float], bool]] = {
    "jump": _jumps,
    "jumping jacks": _opens_and_closes,
    "wave": _waves,
    "squat": _squats,
    "kick": _kicks,
    "punch": _punches,
    "bow": _bows,
    "stand": _stands,
    "dance": _dances,
    "sit": _sits,
    "drink": _drinks,
    "cartwheel": _turns_over,
    "backflip": _turns_over,
    "roll": _turns_over,
    "throw": _throws,
}
