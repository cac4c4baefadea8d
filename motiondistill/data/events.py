"""When an action has its moment, so that all windows of an action can show it at the same time."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill.data.choreography import SIDES
from motiondistill.data.grounding import lowest_sole
from motiondistill.kinematics import forward_kinematics
from motiondistill.structures import JOINT_INDEX as J
from motiondistill.structures import Motion

# Tempos and shifts (seconds) at which the few clips of a rare action are shown.
_TEMPOS: Final = (0.85, 0.89, 0.93, 0.97, 1.0, 1.04, 1.08, 1.12, 1.16)
_SHIFTS: Final = (-0.08, -0.06, -0.04, -0.02, 0.0, 0.02, 0.04, 0.06, 0.08)


@dataclass(frozen=True)
class Cut:
    """Where a window begins in its clip, seconds, and how fast the clip is played in it."""

    start: float
    tempo: float = 1.0


@dataclass(frozen=True)
class _Timing:
    share: float
    """The share of the window at which the event lies."""
    least: float
    """What the event's signal (see `_signal`, metres) must exceed."""
    reach: float
    """An event is the highest value within this many seconds on either side."""
    rare: bool
    """Whether its windows come at all tempos and shifts."""


TIMINGS: Final[dict[str, _Timing]] = {
    "walk": _Timing(0.0, 0.15, 0.25, rare=False),
    "run": _Timing(0.0, 0.15, 0.25, rare=False),
    "jump": _Timing(0.5, 0.12, 0.4, rare=False),
    "kick": _Timing(0.53, 0.3, 0.5, rare=False),
    "bow": _Timing(0.5, 0.15, 0.7, rare=True),
    "cartwheel": _Timing(0.5, 0.1, 0.5, rare=True),
    "backflip": _Timing(0.55, 0.1, 0.5, rare=True),
    "roll": _Timing(0.45, 0.05, 0.5, rare=True),
    "crawl": _Timing(0.0, 0.1, 0.3, rare=True),
    "throw": _Timing(0.53, 0.3, 0.5, rare=True),
}
"""Actions with an event. Gaits have one each cycle, and their windows start with it."""


def event_cuts(
    action: str,
    motion: Motion,
    duration: float,
    rest_joints: Float[Tensor, "joints 3"],
    *,
    vary: bool = True,
) -> list[Cut]:
    """The windows of `duration` seconds that show an event of the action at its fixed time.

    `vary` shows the events of rare actions at several tempos and, within a tenth of a second, at
    several times. Windows of the rare actions may begin before the clip and end after it by a
    quarter of their length; those of others lie within the clip.
    """
    timing = TIMINGS[action]
    signal = _signal(action, motion, rest_joints)
    events = peaks(signal, motion.fps, timing.reach, timing.least)
    end = (motion.num_frames - 1) / motion.fps
    slack = duration / 4 if timing.rare and timing.share else 0.0
    grid: Iterable[tuple[float, float]] = ((1.0, 0.0),)
    if timing.rare and vary:
        grid = product(_TEMPOS, _SHIFTS)
    cuts = [
        Cut(event + (shift - timing.share * duration) * tempo, tempo)
        for event in events
        for tempo, shift in grid
    ]
    return [
        cut
        for cut in cuts
        if cut.start >= -slack and cut.start + duration * cut.tempo <= end + slack
    ]


def peaks(signal: Float[Tensor, " frames"], fps: float, reach: float, least: float) -> list[float]:
    """Seconds at which the signal exceeds `least` and all its values within `reach` seconds."""
    frames = max(1, round(reach * fps))
    highest = torch.nn.functional.max_pool1d(signal[None], 2 * frames + 1, 1, frames)[0]
    found = (signal == highest) & (signal > least)
    # At the ends the highest of what is seen may be a flank.
    found[0] = found[-1] = False
    return [float(frame) / fps for frame in found.nonzero()[:, 0]]


def _signal(
    action: str, motion: Motion, rest_joints: Float[Tensor, "joints 3"]
) -> Float[Tensor, " frames"]:
    """What is highest at the action's event, metres."""
    _, joints = forward_kinematics(motion.rotations, rest_joints)
    ahead = torch.nn.functional.normalize(
        motion.rotations[:, 0, :, 2] * torch.tensor([1.0, 0.0, 1.0]), dim=-1
    )

    def along(start: str, end: str) -> Float[Tensor, " frames"]:
        return ((joints[:, J[end]] - joints[:, J[start]]) * ahead).sum(-1)

    match action:
        case "walk" | "run":
            return along("right_ankle", "left_ankle")
        case "crawl":
            spine = joints[:, J["neck"]] - joints[:, 0]
            lead = joints[:, J["left_wrist"]] - joints[:, J["right_wrist"]]
            return (lead * torch.nn.functional.normalize(spine, dim=-1)).sum(-1)
        case "jump":
            return lowest_sole(motion.rotations, rest_joints) + motion.translation[:, 1]
        case "kick":
            return torch.stack([along(f"{side}_hip", f"{side}_ankle") for side in SIDES]).amax(0)
        case "throw":
            reach = [along(f"{side}_shoulder", f"{side}_wrist") for side in SIDES]
            return torch.stack(reach).amax(0)
        case "bow":
            return along("pelvis", "neck")
        case "cartwheel" | "backflip" | "roll":
            return joints[:, 0, 1] - joints[:, J["head"], 1]
        case _:
            raise ValueError(f"`action` must be one of {', '.join(TIMINGS)}; got {action!r}.")
