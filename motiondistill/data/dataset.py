"""Captioned motions to learn from: windows of motion capture mixed with parametric motions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill.cameras import facing_forward
from motiondistill.data.captions import ACTIONS, SIDED_ACTIONS, random_caption
from motiondistill.data.choreography import SIDES
from motiondistill.data.draws import index, uniform
from motiondistill.data.joints import JOINTS_FPS, JointClip, read_joint_clips
from motiondistill.data.parametric import PARAMETRIC_ACTIONS, parametric_motion
from motiondistill.data.retarget import neutral_pose, retarget
from motiondistill.data.signs import left_strides, side_shown, stays_on_floor
from motiondistill.data.windows import hold_in_place, looped, mirrored, resample
from motiondistill.structures import Motion

# In which classes of the manifest each action is looked for.
SOURCE_LABELS: Final[dict[str, tuple[str, ...]]] = {
    "walk": ("walk",),
    "run": ("run",),
    "jump": ("jump", "hop"),
    "jumping jacks": ("jumping_jacks", "mixed:exercise"),
    "wave": ("wave",),
    "squat": ("mixed:exercise",),
    "kick": ("kick",),
    "punch": ("punch",),
    "bow": ("bow",),
    "stand": ("idle",),
}
# Clips whose manner would teach their class something wrong (monsters' gaits, uneven ground, loose
# boxing), or whose root height drifts.
_UNFIT = frozenset("zombie zombie_walk stealthy_walk 03_01 03_02 spinkick Run_Anime 13_18".split())
# Sources that share one skeleton, and so one neutral pose.
_SKELETONS = {"amp": "dm"}
# How often a sample comes from motion capture where there are windows of the action. Few windows
# are drawn rarely, and so are those that start anywhere in their action: see `draws.start_phase`.
MOCAP_SHARE: Final[dict[str, float]] = {
    "walk": 0.6,
    "run": 0.6,
    "jump": 0.15,
    "jumping jacks": 0.1,
    "wave": 0.1,
    "squat": 0.1,
    "kick": 0.15,
    "punch": 0.15,
    "bow": 0.1,
    "stand": 0.2,
}
_STRIDE_SECONDS = 0.25
# Windows of these start where the left foot is furthest ahead, and their mirror images would not.
_GAITS = ("walk", "run")


@dataclass(frozen=True)
class Window:
    """A short motion that shows an action, facing the front and held in place."""

    motion: Motion
    action: str
    side: str
    """The limb that acts; "right" means nothing where the action has no side."""
    clip: str
    """Source and name of the clip, or "parametric"."""


def mocap_windows(
    folder: Path, rest_joints: Float[Tensor, "joints 3"], fps: float, frames: int
) -> list[Window]:
    """All windows of the motion capture in `folder` that clearly show one of the actions."""
    clips = read_joint_clips(folder)
    by_skeleton: dict[str, list[Float[Tensor, "_ joints 3"]]] = {}
    for clip in clips:
        by_skeleton.setdefault(_skeleton(clip), []).append(clip.joints)
    neutral = {skeleton: neutral_pose(joints) for skeleton, joints in by_skeleton.items()}
    windows: list[Window] = []
    for clip in clips:
        actions = [action for action, labels in SOURCE_LABELS.items() if clip.label in labels]
        if actions and clip.name not in _UNFIT:
            motion = retarget(clip.joints, JOINTS_FPS, neutral[_skeleton(clip)], rest_joints)
            windows += _windows_of(clip, motion, actions, rest_joints, fps, frames)
    return windows


@dataclass(frozen=True)
class ActionDataset:
    """An endless set of captioned motions; every draw is the generator's."""

    windows: Mapping[str, Sequence[Sequence[Window]]]
    """For each action, the windows of each clip."""
    rest_joints: Float[Tensor, "joints 3"]
    fps: float
    frames: int

    @property
    def actions(self) -> tuple[str, ...]:
        """The actions that can be sampled: those with windows or a parametric form."""
        return tuple(
            name for name in ACTIONS if self.windows.get(name) or name in PARAMETRIC_ACTIONS
        )

    def sample_action(self, generator: torch.Generator) -> str:
        """An action; all are equally likely."""
        return self.actions[index(generator, len(self.actions))]

    def sample_clip(self, action: str, generator: torch.Generator) -> Window:
        """A motion of the action, its side drawn; clips count alike however long they are."""
        if action not in self.actions:
            raise ValueError(f"`action` must be one of {', '.join(self.actions)}; got {action!r}.")
        clips = self.windows.get(action, ())
        share = MOCAP_SHARE.get(action, 0.0) if action in PARAMETRIC_ACTIONS else 1.0
        side = SIDES[index(generator, 2)]
        if not clips or uniform(generator, 0.0, 1.0) >= share:
            motion = parametric_motion(
                action, side, generator, self.rest_joints, self.fps, self.frames
            )
            return Window(hold_in_place(motion), action, side, "parametric")
        clip = clips[index(generator, len(clips))]
        window = clip[index(generator, len(clip))]
        sided = action in SIDED_ACTIONS
        flip = side != window.side if sided else side == "left" and action not in _GAITS
        return Window(mirrored(window.motion) if flip else window.motion, action, side, window.clip)

    def sample(self, generator: torch.Generator) -> tuple[Window, str]:
        """A motion of a random action and a random caption of it."""
        window = self.sample_clip(self.sample_action(generator), generator)
        return window, random_caption(window.action, window.side, generator)


def action_dataset(
    windows: Sequence[Window], rest_joints: Float[Tensor, "joints 3"], fps: float, frames: int
) -> ActionDataset:
    """The data set of these windows (none at all is fine) and of the parametric motions."""
    by_action: dict[str, dict[str, list[Window]]] = {}
    for window in windows:
        by_action.setdefault(window.action, {}).setdefault(window.clip, []).append(window)
    grouped = {action: tuple(clips.values()) for action, clips in by_action.items()}
    return ActionDataset(grouped, rest_joints, fps, frames)


def _skeleton(clip: JointClip) -> str:
    return _SKELETONS.get(clip.source, clip.source)


def _windows_of(
    clip: JointClip,
    motion: Motion,
    actions: Sequence[str],
    rest_joints: Float[Tensor, "joints 3"],
    fps: float,
    frames: int,
) -> list[Window]:
    duration = (frames - 1) / fps
    seconds = (motion.num_frames - 1) / motion.fps
    whole = motion if seconds >= duration else looped(motion, duration + 1.0)
    if whole is None:
        return []
    last = (whole.num_frames - 1) / whole.fps - duration
    starts = [step * _STRIDE_SECONDS for step in range(int(last / _STRIDE_SECONDS) + 1)]
    if actions[0] in _GAITS:
        starts = [start for start in left_strides(whole, rest_joints) if start <= last]
    windows = []
    for start in starts:
        cut = resample(whole, start, fps, frames)
        travel = (cut.translation[-1] - cut.translation[0])[[0, 2]].norm()
        window = hold_in_place(facing_forward(cut))
        if not stays_on_floor(window, rest_joints):
            continue
        for action in actions:
            side = side_shown(action, window, float(travel) / duration, rest_joints)
            if side is not None:
                windows.append(Window(window, action, side, f"{clip.source}/{clip.name}"))
    return windows
