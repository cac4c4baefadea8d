"""Windows cut from one clip of motion capture: those that clearly show one of its actions."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill.cameras import heading
from motiondistill.data.events import TIMINGS, Cut, event_cuts
from motiondistill.data.grounding import lowest_point
from motiondistill.data.joints import JointClip
from motiondistill.data.signs import side_shown, stays_on_floor
from motiondistill.data.windows import hold_in_place, looped, mirrored, resample, turned
from motiondistill.kinematics import forward_kinematics
from motiondistill.structures import JOINT_INDEX as J
from motiondistill.structures import Motion

_STRIDE_SECONDS = 0.25
# Actions in which feet do not carry the body all the time.
_OFF_THE_FEET = frozenset(("cartwheel", "backflip", "roll", "crawl"))
# Why a window is none.
_OFF_THE_FLOOR = "feet that do not keep to the floor"
_UNLIKE = "does not look like its action"
# A cartwheel faces the front while it is upside down, in the frames this near the middle.
_UPSIDE_DOWN_FRAMES = 1


@dataclass(frozen=True)
class Window:
    """A short motion that shows an action, facing the front and held in place."""

    motion: Motion
    action: str
    side: str
    """The limb that acts; "right" means nothing where the action has no side."""
    clip: str
    """Source and name of the clip, or "parametric"."""


def windows_of(
    clip: JointClip,
    motion: Motion,
    actions: Sequence[str],
    rest_joints: Float[Tensor, "joints 3"],
    fps: float,
    frames: int,
    *,
    vary: bool = True,
) -> list[Window]:
    """All windows of `frames` frames at `fps` in which the clip's motion shows one of `actions`.

    Those of actions with an event (`events.TIMINGS`) show it at the same time; others start every
    quarter of a second. `vary` shows the events of rare actions at several tempos. A short clip is
    repeated where it has a loop.
    """
    windows = []
    for action in actions:
        found, _ = windows_or_why(clip, motion, action, rest_joints, fps, frames, vary=vary)
        windows += found
    return windows


def windows_or_why(
    clip: JointClip,
    motion: Motion,
    action: str,
    rest_joints: Float[Tensor, "joints 3"],
    fps: float,
    frames: int,
    *,
    vary: bool = True,
) -> tuple[list[Window], str]:
    """The windows of one action, see `windows_of`; where there are none, why."""
    duration = (frames - 1) / fps
    seconds = (motion.num_frames - 1) / motion.fps
    once = action in TIMINGS and TIMINGS[action].share > 0
    whole = motion if once or seconds >= duration else looped(motion, duration + 2.0)
    if whole is None:
        return [], f"shorter than a window of {duration:.3g} s, and no loop"
    if action == "crawl":
        whole = _grounded(whole, rest_joints)
    cuts = _cuts(action, whole, duration, rest_joints, vary)
    tried = [_window(clip, whole, cut, action, (fps, frames), rest_joints) for cut in cuts]
    windows = [window for window in tried if isinstance(window, Window)]
    if windows:
        return windows, ""
    if not cuts:
        return [], f"no {action} that a window of {duration:.3g} s fits round"
    return [], _UNLIKE if _UNLIKE in tried else _OFF_THE_FLOOR


def _cuts(
    action: str,
    whole: Motion,
    duration: float,
    rest_joints: Float[Tensor, "joints 3"],
    vary: bool,
) -> list[Cut]:
    if action in TIMINGS:
        return event_cuts(action, whole, duration, rest_joints, vary=vary)
    last = (whole.num_frames - 1) / whole.fps - duration
    return [Cut(step * _STRIDE_SECONDS) for step in range(int(last / _STRIDE_SECONDS) + 1)]


def _window(
    clip: JointClip,
    whole: Motion,
    cut: Cut,
    action: str,
    timing: tuple[float, int],
    rest_joints: Float[Tensor, "joints 3"],
) -> Window | str:
    """The window if it shows the action, or why it is none; `timing` holds its rate and frames."""
    fps, frames = timing
    played = replace(whole, fps=whole.fps * cut.tempo)
    part = resample(played, cut.start / cut.tempo, fps, frames)
    travel = (part.translation[-1] - part.translation[0])[[0, 2]].norm()
    motion = hold_in_place(turned(part, -_facing(part, action, rest_joints)))
    if action in _OFF_THE_FEET:
        motion = _centred(motion, rest_joints)
    elif not stays_on_floor(motion, rest_joints):
        return _OFF_THE_FLOOR
    speed = float(travel) * fps / (frames - 1)
    side = side_shown(action, motion, speed, rest_joints)
    if side is None:
        return _UNLIKE
    if action == "cartwheel" and side == "left":  # all go the same way round
        motion, side = mirrored(motion), "right"
    return Window(motion, action, side, clip.full_name)


def _facing(
    motion: Motion, action: str, rest_joints: Float[Tensor, "joints 3"]
) -> Float[Tensor, ""]:
    """The azimuth that the window's subject faces, radians; means little upside down."""
    match action:
        case "backflip" | "roll":
            return heading(motion.frames(slice(0, 1)))
        case "cartwheel":
            middle = motion.num_frames // 2
            near = slice(middle - _UPSIDE_DOWN_FRAMES, middle + _UPSIDE_DOWN_FRAMES + 1)
            return heading(motion.frames(near))
        case "crawl":
            _, joints = forward_kinematics(motion.rotations, rest_joints)
            spine = (joints[:, J["neck"]] - joints[:, 0]).mean(0)
            return torch.atan2(spine[0], spine[2])
        case _:
            return heading(motion)


def _centred(motion: Motion, rest_joints: Float[Tensor, "joints 3"]) -> Motion:
    """The motion with the middle of its body, not the pelvis, over the origin on average."""
    _, joints = forward_kinematics(motion.rotations, rest_joints)
    middle = (joints.mean(1) + motion.translation).mean(0) * torch.tensor([1.0, 0.0, 1.0])
    return replace(motion, translation=motion.translation - middle)


def _grounded(motion: Motion, rest_joints: Float[Tensor, "joints 3"]) -> Motion:
    """The motion at the height at which its lowest part lies on the floor.

    No foot of it stands flat, so no foot tells where the floor is.
    """
    low = (lowest_point(motion.rotations, rest_joints) + motion.translation[:, 1]).quantile(0.1)
    return replace(motion, translation=motion.translation - low * torch.tensor([0.0, 1.0, 0.0]))
