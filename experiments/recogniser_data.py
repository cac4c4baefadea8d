"""Real clips for the action recogniser: windows with labels.

A clip's label comes from the manifest. Where the label covers more than the action (a run-up before
a kick), a window must also show the action by a measurable event; the rules are `SHOWS`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from recogniser_groups import independent_groups, subject
from torch import Tensor

from motiondistill.data.joints import JOINTS_FPS, JointClip, read_joint_clips
from motiondistill.data.retarget import neutral_pose, retarget
from motiondistill.data.windows import looped
from motiondistill.kinematics import forward_kinematics
from motiondistill.metrics.recogniser import FRAMES, RATE
from motiondistill.structures import JOINT_INDEX as J

SPAN = (FRAMES - 1) / RATE  # seconds of a window
STRIDE = 0.25  # seconds between two windows of a clip
# The manifest's classes in which each action is looked for.
LABELS = {
    "walk": ("walk",),
    "run": ("run",),
    "jump": ("jump", "hop"),
    "jumping jacks": ("jumping_jacks", "mixed:exercise"),
    "wave": ("wave",),
    "squat": ("mixed:exercise",),
    "kick": ("kick",),
    "punch": ("punch",),
    "bow": ("bow",),
    "stand": ("idle", "kick", "sit", "dance", "mixed:playground"),
    "dance": ("dance",),
    "sit": ("sit",),
    "drink": ("drink",),
    "cartwheel": ("cartwheel",),
    "crawl": ("crawl",),
    "backflip": ("backflip",),
    "roll": ("roll",),
    "throw": ("throw",),
}
# Played again and again where a clip is shorter than a window; others hold their first and last
# pose.
CYCLIC = ("walk", "run", "jumping jacks", "dance", "crawl", "wave", "sit")
# What else people do: it teaches where the actions end. No clip of it may show one of them.
OTHER_LABELS = (
    *("laugh", "wash", "sword", "pick_up", "dab", "victory", "other", "push", "swim", "kneel"),
    *("crouch", "get_up", "spin", "fall", "pushup", "sideflip", "climb"),
)
OTHER = "something else"
# Monsters' gaits are walks by name only; the fighter's idle pose is on guard; the falling pose of a
# game's jump never leaves the ground; whoever directs the traffic points and beckons, and does not
# wave; steps are walked.
UNFIT = frozenset(
    (
        *("zombie", "zombie_walk", "Fighting_Idle", "Jump_Loop", "13_26"),
        *("train_directing_traffic_1", "train_directing_traffic_4"),
        *("13_35", "13_36", "13_37", "13_38", "14_21", "14_22", "14_23"),
        *("Head_Nod", "Rest_Pose", "T-Pose", "Dizzy", "Levitate_Idle", "Sword_Idle", "Two-hand_Blast"),
    )
)
# Sources that share one skeleton, and so one neutral pose.
_SKELETONS = {"amp": "dm"}
_LOOP_SECONDS = 4.0
_MIN_SECONDS = 0.8  # of a clip that holds its ends

Joints = Float[Tensor, "frames joints 3"]


@dataclass(frozen=True)
class Recording:
    """A clip on our own skeleton, its feet on the floor, at `JOINTS_FPS`."""

    name: str
    """Source and clip; pieces of one clip share it."""
    group: str
    """Who recorded it; groups are independent of one another."""
    action: str
    joints: Joints
    starts: tuple[float, ...]
    """Seconds at which windows that show the action start; may be negative."""
    cycles: bool
    """Whether any phase of the joints may start a window."""


def on_our_skeleton(
    clips: Sequence[JointClip], rest: Float[Tensor, "joints 3"]
) -> list[tuple[JointClip, Joints, Joints | None]]:
    """Each clip retargeted, and its loop where it is shorter than a window and has one."""
    by_skeleton: dict[str, list[Joints]] = {}
    for clip in clips:
        by_skeleton.setdefault(_skeleton(clip), []).append(clip.joints)
    neutral = {name: neutral_pose(joints) for name, joints in by_skeleton.items()}
    wanted = {label for labels in LABELS.values() for label in labels} | {*OTHER_LABELS}
    result = []
    for clip in clips:
        if clip.label not in wanted or clip.name in UNFIT:
            continue
        motion = retarget(clip.joints, JOINTS_FPS, neutral[_skeleton(clip)], rest)
        short = motion.num_frames < SPAN * JOINTS_FPS + 1
        loop = looped(motion, _LOOP_SECONDS) if short else None
        posed = [
            None if one is None else _posed(one.rotations, one.translation, rest)
            for one in (motion, loop)
        ]
        assert posed[0] is not None
        result.append((clip, posed[0], posed[1]))
    return result


def recordings(folder: Path, rest: Float[Tensor, "joints 3"]) -> list[Recording]:
    """All clips of the folder that show one of the actions, a recording for each action."""
    clips = read_joint_clips(folder)
    group = independent_groups(clips)
    found = []
    for clip, joints, loop in on_our_skeleton(clips, rest):
        for action, labels in {**LABELS, OTHER: OTHER_LABELS}.items():
            if clip.label not in labels:
                continue
            cycles = action in CYCLIC
            if cycles and loop is None and len(joints) < SPAN * JOINTS_FPS + 1:
                continue
            shown = loop if cycles and loop is not None else joints
            starts = _starts(action, clip, shown, holds=not cycles)
            if starts:
                name = f"{clip.source}/{clip.name}"
                found.append(Recording(name, group[subject(clip)], action, shown, starts, cycles))
    return found


def window_at(joints: Joints, start: float) -> Joints:
    """The frames of a window at `JOINTS_FPS`; before and after the clip its ends are held."""
    first = round(start * JOINTS_FPS)
    chosen = torch.arange(first, first + round(SPAN * JOINTS_FPS) + 1)
    return joints[chosen.clamp(0, len(joints) - 1)]


def _starts(action: str, clip: JointClip, joints: Joints, *, holds: bool) -> tuple[float, ...]:
    duration = (len(joints) - 1) / JOINTS_FPS
    if duration < _MIN_SECONDS:
        return ()
    low, high = sorted((0.0, duration - SPAN))
    if not holds and high <= 0:
        return ()
    count = int((high - low) / STRIDE) + 1
    starts = [low + index * STRIDE for index in range(count)]
    rule = SHOWS.get(action)
    if rule is None or (action == "stand" and clip.label == "idle"):
        return tuple(starts)
    floor = joints[:, _ANKLES, 1].amin(1).quantile(0.1)
    return tuple(start for start in starts if rule(window_at(joints, start), float(floor)))


def _skeleton(clip: JointClip) -> str:
    return _SKELETONS.get(clip.source, clip.source)


def _posed(rotations: Tensor, translation: Tensor, rest: Float[Tensor, "joints 3"]) -> Joints:
    _, joints = forward_kinematics(rotations, rest)
    return joints + translation[:, None]

# --- what a window of each action must show; [frames joints 3] at JOINTS_FPS, metres

_ANKLES = [J["left_ankle"], J["right_ankle"]]
_WRISTS = [J["left_wrist"], J["right_wrist"]]
_SHOULDERS = [J["left_shoulder"], J["right_shoulder"]]
_HIPS = [J["left_hip"], J["right_hip"]]
_INSIDE = slice(5, -5)  # events lie at least a sixth of a second inside


def _jumps(joints: Joints, floor: float) -> bool:
    """Both feet are off the floor."""
    return bool((joints[_INSIDE, _ANKLES, 1].amin(1) - floor).max() > 0.1)


def _opens_and_closes(joints: Joints, floor: float) -> bool:
    """Both hands above the head and both below the shoulders, and the feet part."""
    above = joints[:, _WRISTS, 1] - joints[:, [J["head"]], 1]
    apart = (joints[:, _ANKLES[0]] - joints[:, _ANKLES[1]]).norm(dim=-1)
    return bool(above.amin(1).max() > 0 and above.amax(1).min() < -0.2) and _range(apart) > 0.2


def _waves(joints: Joints, floor: float) -> bool:
    """One hand is up most of the time and moves about its elbow; the other one is down."""
    up = (joints[:, _WRISTS, 1] - joints[:, _SHOULDERS, 1] > -0.12).float().mean(0)
    elbows = [J["left_elbow"], J["right_elbow"]]
    moves = (joints[:, _WRISTS] - joints[:, elbows]).std(0).norm(dim=-1) > 0.04
    return any(bool(up[i] > 0.5 and moves[i] and up[1 - i] < 0.4) for i in range(2))


def _squats(joints: Joints, floor: float) -> bool:
    """The pelvis falls while the feet stay."""
    lifted = joints[:, _ANKLES, 1].amax(1)
    return _range(joints[:, 0, 1]) > 0.25 and _range(lifted) < 0.12


def _kicks(joints: Joints, floor: float) -> bool:
    return _peak_speed(joints[:, _ANKLES] - joints[:, _HIPS]) > 5.0


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
    legs = (joints[:, _HIPS, 1] - joints[:, _ANKLES, 1]).min()
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
