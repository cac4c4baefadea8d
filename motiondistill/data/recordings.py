"""Recorded clips, from a folder in our form or of foreign files, and what they show."""

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from jaxtyping import Float
from torch import Tensor

from motiondistill.data.dropped import Dropped
from motiondistill.data.importers import CapturedClip, look_through
from motiondistill.data.joints import (
    JOINTS_FPS,
    JointClip,
    has_manifest,
    pieces,
    whole_joint_clips,
)
from motiondistill.data.labels import action_in
from motiondistill.data.retarget import NeutralPose, neutral_pose, retarget, retarget_rotations
from motiondistill.structures import Motion

# In which classes of the manifest each action is looked for.
SOURCE_LABELS: Final[dict[str, tuple[str, ...]]] = {
    "walk": ("walk",),
    "run": ("run",),
    "jump": ("jump", "hop"),
    "jumping jacks": ("jumping_jacks", "mixed:exercise"),
    "wave": ("wave",),
    "squat": ("squat", "mixed:exercise"),
    "kick": ("kick",),
    "punch": ("punch",),
    "bow": ("bow",),
    "stand": ("idle",),
    "dance": ("dance",),
    "sit": ("sit",),
    "drink": ("drink",),
    "cartwheel": ("cartwheel",),
    "crawl": ("crawl",),
    "backflip": ("backflip",),
    "roll": ("roll",),
    "throw": ("throw",),
}
# Clips whose manner would teach their class something wrong (monsters' gaits, uneven ground, loose
# boxing, a fall), whose root height drifts, or that another source holds as well.
_UNFIT: Final = frozenset(
    (
        *("ad/zombie", "dm/zombie_walk", "dm/stealthy_walk", "dm/spinkick", "m2m/Backflip"),
        *("cmu/03_01", "cmu/03_02", "cmu/13_18", "m2m/Run_Anime", "amp/backflip"),
    )
)
# Sources that share one skeleton, and so one neutral pose.
_SKELETONS: Final = {"amp": "dm"}


@dataclass(frozen=True)
class Whole:
    """All that is in a folder."""

    clips: tuple[JointClip, ...]
    """Its clips, sound or not."""
    dropped: tuple[Dropped, ...]
    """Those that are none of them, since they stand on no floor."""
    others: str
    """How many files that are no motion there are of each ending; empty where there are none."""


def read_recordings(folder: Path) -> list[JointClip]:
    """The sound pieces of all clips in a folder with `manifest.csv`, or of motion files.

    Raises FileNotFoundError or ValueError that says what the folder must hold.
    """
    return [piece for clip in read_whole(folder).clips for piece in pieces(clip)]


def read_whole(folder: Path, *, key: str = "folder") -> Whole:
    """The same clips whole, and what is left out; errors call the folder `key`."""
    if has_manifest(folder):
        found, without = whole_joint_clips(folder)
        told = [
            dataclasses.replace(each, action=action)
            for each in without
            for action in _named(each.label) or ("",)
        ]
        return Whole(tuple(found), tuple(told), "")
    clips, others = look_through(folder, key=key)
    named = (
        JointClip(
            name=name,
            source=clip.source,
            label=clip.label,
            joints=clip.joints,
            subject=_subject(clip),
            motion=clip.motion,
        )
        for clip, name in zip(clips, _names(clips), strict=True)
    )
    return Whole(tuple(named), (), others)


def actions_of(clip: JointClip) -> tuple[str, ...]:
    """The actions that the clip may show by its class or by its words; none if they say nothing."""
    return () if is_unfit(clip) else _named(clip.label)


def is_unfit(clip: JointClip) -> bool:
    """Whether the clip is known to show its class wrongly, or to be a copy."""
    return clip.full_name in _UNFIT


def neutral_poses(clips: Sequence[JointClip]) -> dict[str, NeutralPose]:
    """The neutral pose of every skeleton among the clips."""
    by_skeleton: dict[str, list[Float[Tensor, "_ joints 3"]]] = {}
    for clip in clips:
        by_skeleton.setdefault(_skeleton(clip), []).append(clip.joints)
    return {skeleton: neutral_pose(joints) for skeleton, joints in by_skeleton.items()}


def motion_of(
    clip: JointClip,
    neutral: Mapping[str, NeutralPose],
    rest_joints: Float[Tensor, "joints 3"],
) -> Motion:
    """The clip's motion on our skeleton, by its exact rotations where the source has them."""
    if clip.motion is not None:
        return retarget_rotations(clip.motion, clip.joints, rest_joints)
    return retarget(clip.joints, JOINTS_FPS, neutral[_skeleton(clip)], rest_joints)


def _named(label: str) -> tuple[str, ...]:
    """The actions that a class or other words tell."""
    known = tuple(action for action, labels in SOURCE_LABELS.items() if label in labels)
    named = None if known else action_in(label)
    return known if named is None else (named,)


def _names(clips: Sequence[CapturedClip]) -> list[str]:
    """A name for each clip that no other one of its source has.

    Files of one name in several folders are told apart by these, and by numbers where even the
    folders are the same.
    """
    shared = Counter((clip.source, clip.name) for clip in clips)
    names: list[str] = []
    taken: Counter[tuple[str, str]] = Counter()
    for clip in clips:
        folders = clip.subject if shared[clip.source, clip.name] > 1 else ""
        name = f"{folders}/{clip.name}" if folders else clip.name
        taken[clip.source, name] += 1
        number = taken[clip.source, name]
        names.append(name if number == 1 else f"{name} ({number})")
    return names


def _subject(clip: CapturedClip) -> str:
    """Who moved, without folders that name an action: who is in `anna/walk` is Anna."""
    return "/".join(part for part in clip.subject.split("/") if action_in(part) is None)


def _skeleton(clip: JointClip) -> str:
    return _SKELETONS.get(clip.source, clip.source)
