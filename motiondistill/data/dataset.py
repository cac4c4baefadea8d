"""Captioned motions to learn from: windows of motion capture mixed with parametric motions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill.data.captions import ACTIONS, SIDED_ACTIONS, random_caption
from motiondistill.data.choreography import SIDES
from motiondistill.data.cuts import Window, windows_of
from motiondistill.data.draws import index, uniform
from motiondistill.data.frequencies import RARE_CLIPS, training_plan
from motiondistill.data.joints import read_joint_clips
from motiondistill.data.parametric import PARAMETRIC_ACTIONS, parametric_motion
from motiondistill.data.recordings import actions_of, motion_of, neutral_poses
from motiondistill.data.windows import hold_in_place, mirrored
from motiondistill.randomness import seeded

# How often a sample comes from motion capture where there are windows of the action. Few windows
# are drawn rarely, and so are those that start anywhere in their action: see `draws.start_phase`.
# Nought where the recordings are too unlike one another, or too faint at 64 pixels, for a class to
# be learned: their windows serve to test what recognises actions.
MOCAP_SHARE: Final[dict[str, float]] = {
    "walk": 0.6,
    "run": 0.6,
    "jump": 0.3,
    "jumping jacks": 0.0,
    "wave": 0.0,
    "squat": 0.0,
    "kick": 0.15,
    "punch": 0.1,
    "bow": 0.25,
    "stand": 0.2,
    "dance": 0.0,
    "sit": 0.0,
    "drink": 0.0,
    "throw": 0.25,
}
# Their mirror images would not start with the left foot or hand ahead, or turn the other way round.
_ONE_WAY = frozenset(("walk", "run", "crawl", "cartwheel"))


def mocap_windows(
    folder: Path, rest_joints: Float[Tensor, "joints 3"], fps: float, frames: int
) -> list[Window]:
    """All windows of the motion capture in `folder` that clearly show one of the actions."""
    clips = read_joint_clips(folder)
    neutral = neutral_poses(clips)
    return [
        window
        for clip in clips
        for actions in (actions_of(clip),)
        if actions
        for window in windows_of(
            clip, motion_of(clip, neutral, rest_joints), actions, rest_joints, fps, frames
        )
    ]


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

    def sample_clip(
        self, action: str, generator: torch.Generator, side: str | None = None
    ) -> Window:
        """A motion of the action; clips count alike however long they are.

        The side is drawn where none is given.
        """
        if action not in self.actions:
            raise ValueError(f"`action` must be one of {', '.join(self.actions)}; got {action!r}.")
        clips = self.windows.get(action, ())
        share = MOCAP_SHARE.get(action, 0.0) if action in PARAMETRIC_ACTIONS else 1.0
        side = side or SIDES[index(generator, 2)]
        if not clips or uniform(generator, 0.0, 1.0) >= share:
            motion = parametric_motion(
                action, side, generator, self.rest_joints, self.fps, self.frames
            )
            return Window(hold_in_place(motion), action, side, "parametric")
        clip = clips[index(generator, len(clips))]
        return _shown(clip[index(generator, len(clip))], side)

    def training_clip(self, index: int, count: int, seed: int) -> Window:
        """Clip `index` of the training set of `count` clips that belongs to `seed`.

        The same whatever was asked before: a set can be made in any order, by parts, again. How
        often each action comes is `frequencies.training_counts`. Clips of a rare action are all
        different as long as it has windows enough.
        """
        if not 0 <= index < count:
            raise ValueError(
                f"`index` must be from 0 to `count` - 1 = {count - 1}, got {index}; "
                "ask for a larger set."
            )
        plan = training_plan(self.actions, count, seed)[index]
        generator = seeded(seed, plan.place, f"training clip of {plan.action}")
        if plan.action not in RARE_CLIPS or plan.action in PARAMETRIC_ACTIONS:
            return self.sample_clip(plan.action, generator, plan.side)
        windows = [window for clip in self.windows[plan.action] for window in clip]
        order = torch.randperm(len(windows), generator=seeded(seed, 0, plan.action))
        return _shown(windows[int(order[plan.place % len(windows)])], plan.side)

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


def _shown(window: Window, side: str) -> Window:
    """The window or its mirror image: as the side asks, or where that means nothing, for variety.

    An action without a side is mirrored for "left", unless its windows all go one way.
    """
    sided = window.action in SIDED_ACTIONS
    flip = side != window.side if sided else side == "left" and window.action not in _ONE_WAY
    motion = mirrored(window.motion) if flip else window.motion
    return Window(motion, window.action, side, window.clip)
