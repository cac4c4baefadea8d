"""A set of windows made from a folder of motions: cut, mirrored, split; and parametric ones."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill.data.captions import SIDED_ACTIONS
from motiondistill.data.choreography import SIDES
from motiondistill.data.cuts import Window, windows_or_why
from motiondistill.data.dropped import UNFIT, UNNAMED, Dropped, in_words
from motiondistill.data.duplicates import duplicates, movement
from motiondistill.data.joints import JointClip, pieces, why_no_piece
from motiondistill.data.parametric import PARAMETRIC_ACTIONS, parametric_motion
from motiondistill.data.recordings import (
    actions_of,
    is_unfit,
    motion_of,
    neutral_poses,
    read_whole,
)
from motiondistill.data.splits import Split, SplitSettings, held_out, joined
from motiondistill.data.windows import hold_in_place, mirrored
from motiondistill.randomness import seeded
from motiondistill.structures import Motion

PARAMETRIC = "parametric"
"""Source and clip of the windows that nobody performed."""


@dataclass(frozen=True)
class WindowSettings:
    """Knobs of the windows."""

    # Frames a second.
    fps: float = 8.0
    # Length of a window; the default lasts two seconds.
    frames: int = 16
    # Whether every window comes with its mirror image as well.
    mirror: bool = True
    # Parametric motions of every action that has a form of them, for training only.
    parametric: int = 32


@dataclass(frozen=True)
class Entry:
    """A window of the set, and where it comes from."""

    window: Window
    split: Split
    source: str
    subject: str
    label: str
    """What the source says about the clip."""
    mirrored: bool
    """Whether this is the mirror image of what was recorded."""

    @property
    def parametric(self) -> bool:
        """Whether nobody performed it."""
        return self.source == PARAMETRIC


@dataclass(frozen=True)
class Recordings:
    """The clips of a folder."""

    every: tuple[JointClip, ...]
    known: tuple[JointClip, ...]
    """Those in which an action is looked for."""
    dropped: tuple[Dropped, ...]
    """Those of which nothing can be used, such as those whose words name no action."""
    others: str
    """How many files that are no motion there are of each ending; empty where there are none."""


@dataclass(frozen=True)
class Cutting:
    """What was cut from a clip, or from a sound piece of it."""

    entries: Sequence[Entry]
    """The windows, with their mirror images."""
    dropped: Sequence[Dropped]
    """Actions of which there is no window."""


def read_collection(folder: Path, *, key: str = "FOLDER") -> Recordings:
    """The clips of the folder, sorted by whether their words say what is done.

    Raises FileNotFoundError or ValueError, which calls the folder `key`, where there is no clip of
    any action.
    """
    whole = read_whole(folder, key=key)
    every = tuple(piece for clip in whole.clips for piece in pieces(clip))
    known = tuple(clip for clip in every if actions_of(clip))
    dropped = (*whole.dropped, *(each for clip in whole.clips for each in _unusable(clip)))
    if not known and any(each.action for each in dropped):
        raise ValueError(
            f"`{key}` must hold motions that can be used, got {folder} with {in_words(dropped)}; "
            "add others."
        )
    if not known:
        labels = ", ".join(sorted({each.label for each in dropped})[:8]) or "no clip at all"
        raise ValueError(
            f"`{key}` must hold motions that name one of our actions, got {folder} with {labels}; "
            "name the files or their folders after actions, such as walk_01.bvh, or add a "
            "manifest.csv."
        )
    return Recordings(every, known, dropped, whole.others)


def find_copies(clips: Sequence[JointClip]) -> Iterator[list[int]]:
    """For each clip in turn, those that hold the same recording."""
    yield from duplicates([movement(clip.joints) for clip in clips])


def split_clips(
    clips: Sequence[JointClip], copies: Sequence[Sequence[int]], settings: SplitSettings, seed: int
) -> list[Split]:
    """A side for each clip; `copies` are those that `find_copies` gave."""
    pairs = [(place, other) for place, others in enumerate(copies) for other in others]
    pairs += mirrored_pairs(clips)
    keys = [_key(clip, settings) for clip in clips]
    classes = [actions_of(clip) for clip in clips]
    return held_out(joined(keys, pairs), classes, settings.held_out, seed)


def mirrored_pairs(clips: Sequence[JointClip]) -> list[tuple[int, int]]:
    """Clips of HumanML3D and their mirror images, whose names have an M in front."""
    places = {clip.name: place for place, clip in enumerate(clips) if clip.source == "humanml3d"}
    return [
        (place, places[f"M{clip.name}"])
        for place, clip in enumerate(clips)
        if clip.source == "humanml3d" and f"M{clip.name}" in places
    ]


def recorded_entries(
    recordings: Recordings,
    sides: Sequence[Split],
    rest_joints: Float[Tensor, "joints 3"],
    settings: WindowSettings,
) -> Iterator[Cutting]:
    """The windows of each known clip in turn, with their mirror images."""
    neutral = neutral_poses(recordings.every)
    for clip, side in zip(recordings.known, sides, strict=True):
        motion = motion_of(clip, neutral, rest_joints)
        entries: list[Entry] = []
        dropped = []
        for action in actions_of(clip):
            windows, why = _windows(clip, motion, action, rest_joints, settings)
            for window in windows:
                entry = Entry(window, side, clip.source, clip.subject, clip.label, mirrored=False)
                entries += [entry, mirror_image(entry)] if settings.mirror else [entry]
            if not windows:
                dropped.append(Dropped(clip.full_name, action, why))
        yield Cutting(entries, dropped)


def all_dropped(recordings: Recordings, cuttings: Sequence[Cutting]) -> list[Dropped]:
    """All that is not used: a clip counts for an action only if no piece of it has a window."""
    shown = {(e.window.clip, e.window.action) for cutting in cuttings for e in cutting.entries}
    without = [each for cutting in cuttings for each in cutting.dropped]
    return [*recordings.dropped, *(d for d in without if (d.clip, d.action) not in shown)]


def parametric_entries(
    rest_joints: Float[Tensor, "joints 3"], settings: WindowSettings, seed: int
) -> list[Entry]:
    """The parametric motions, their sides by turns; nobody is tested with them."""
    entries = []
    for action in PARAMETRIC_ACTIONS:
        for place in range(settings.parametric):
            generator, side = seeded(seed, place, f"parametric {action}"), SIDES[place % 2]
            motion = parametric_motion(
                action, side, generator, rest_joints, settings.fps, settings.frames
            )
            window = Window(hold_in_place(motion), action, side, PARAMETRIC)
            entries.append(Entry(window, "train", PARAMETRIC, "", action, mirrored=False))
    return entries


def mirror_image(entry: Entry) -> Entry:
    """The entry in a mirror: what the right limb did, the left one does."""
    window = entry.window
    side = window.side
    if window.action in SIDED_ACTIONS:
        side = SIDES[1 - SIDES.index(side)]
    window = replace(window, motion=mirrored(window.motion), side=side)
    return replace(entry, window=window, mirrored=not entry.mirrored)


def _unusable(clip: JointClip) -> list[Dropped]:
    """Why nothing of a clip can be used, for each of its actions; empty if something can."""
    actions = actions_of(clip)
    if actions and pieces(clip):
        return []
    if actions:
        why = why_no_piece(clip)
    else:
        why = UNFIT if is_unfit(clip) else UNNAMED
    return [Dropped(clip.full_name, action, why, clip.label) for action in actions or ("",)]


def _windows(
    clip: JointClip,
    motion: Motion,
    action: str,
    rest_joints: Float[Tensor, "joints 3"],
    settings: WindowSettings,
) -> tuple[list[Window], str]:
    """See `windows_or_why`.

    A motion of a window's very length, such as a run's, may have lost a part of a frame when its
    rate was changed: its last pose is held for a frame.
    """
    fps, frames = settings.fps, settings.frames
    found = windows_or_why(clip, motion, action, rest_joints, fps, frames, vary=False)
    lost = (frames - 1) / fps - (motion.num_frames - 1) / motion.fps
    if found[0] or not 0 < lost < 1 / motion.fps:
        return found
    held = motion.frames(torch.arange(motion.num_frames + 1).clamp(max=motion.num_frames - 1))
    return windows_or_why(clip, held, action, rest_joints, fps, frames, vary=False)


def _key(clip: JointClip, settings: SplitSettings) -> str:
    """What the clip shares with those that must stand on its side."""
    if settings.by == "source":
        return clip.source
    who = f"subject {clip.subject}" if clip.subject else f"class {clip.label}"
    return f"{clip.source}/{who}"
