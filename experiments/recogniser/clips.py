"""Real clips for the action recogniser: windows with labels.

A clip's label comes from the manifest. Where the label covers more than the action (a run-up before
a kick), a window must also show the action by a measurable event; the rules are `SHOWS`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from recogniser.groups import independent_groups, subject
from recogniser.rules import ANKLES, SHOWS
from torch import Tensor

from motiondistill.data.joints import JOINTS_FPS, JointClip, read_joint_clips
from motiondistill.data.recordings import SOURCE_LABELS, motion_of, neutral_poses
from motiondistill.data.windows import looped
from motiondistill.kinematics import forward_kinematics
from motiondistill.metrics.recogniser import FRAMES, RATE

SPAN = (FRAMES - 1) / RATE  # seconds of a window
STRIDE = 0.25  # seconds between two windows of a clip
# The manifest's classes in which each action is looked for; standing also where others pause.
LABELS = SOURCE_LABELS | {
    "stand": ("idle", "kick", "sit", "dance", "mixed:playground"),
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
# Never used. Whoever directs the traffic there is one of CMU's unknown subjects, so no test could
# use these two clips, and points and beckons rather than waves. The others are of no action's
# class: steps are walked; too little happens.
UNFIT = frozenset(
    (
        *("train_directing_traffic_1", "train_directing_traffic_4"),
        *("13_35", "13_36", "13_37", "13_38", "14_21", "14_22", "14_23"),
        *("Head_Nod", "Rest_Pose", "T-Pose", "Dizzy", "Levitate_Idle", "Sword_Idle"),
        "Two-hand_Blast",
    )
)
# Of their class by name only: monsters' and sneaking gaits, a jumped spin kick, boxing with hooks
# and dodges, directing the traffic, a fighter on guard who idles, the falling pose of a game's
# jump, a cartoon's run. They teach and count like all others; a second figure leaves them out.
ODD = frozenset(
    (
        *("zombie", "zombie_walk", "stealthy_walk", "spinkick", "13_18", "13_26"),
        *("Fighting_Idle", "Jump_Loop", "Run_Anime"),
    )
)
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
    odd: bool = False
    """Whether it is of its class by name only; it teaches and counts all the same."""


def on_our_skeleton(
    clips: Sequence[JointClip], rest: Float[Tensor, "joints 3"]
) -> list[tuple[JointClip, Joints, Joints | None]]:
    """Each clip retargeted, and its loop where it is shorter than a window and has one."""
    neutral = neutral_poses(clips)
    wanted = {label for labels in LABELS.values() for label in labels} | {*OTHER_LABELS}
    result = []
    for clip in clips:
        if clip.label not in wanted or clip.name in UNFIT:
            continue
        motion = motion_of(clip, neutral, rest)
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
                origin, odd = group[subject(clip)], clip.name in ODD
                found.append(Recording(clip.full_name, origin, action, shown, starts, cycles, odd))
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
    floor = joints[:, ANKLES, 1].amin(1).quantile(0.1)
    return tuple(start for start in starts if rule(window_at(joints, start), float(floor)))


def _posed(rotations: Tensor, translation: Tensor, rest: Float[Tensor, "joints 3"]) -> Joints:
    _, joints = forward_kinematics(rotations, rest)
    return joints + translation[:, None]
