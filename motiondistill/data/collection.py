"""A set of windows made from a folder of motions: cut, mirrored, split; and parametric ones."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from jaxtyping import Float
from torch import Tensor

from motiondistill.data.captions import SIDED_ACTIONS
from motiondistill.data.choreography import SIDES
from motiondistill.data.cuts import Window, windows_of
from motiondistill.data.duplicates import duplicates, movement
from motiondistill.data.joints import JointClip
from motiondistill.data.parametric import PARAMETRIC_ACTIONS, parametric_motion
from motiondistill.data.recordings import actions_of, motion_of, neutral_poses, read_recordings
from motiondistill.data.splits import Split, SplitSettings, held_out, joined
from motiondistill.data.windows import hold_in_place, mirrored
from motiondistill.randomness import seeded

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
    unknown: tuple[JointClip, ...]
    """Those whose words name none of our actions, or several."""


def read_collection(folder: Path) -> Recordings:
    """The clips of the folder, sorted by whether their words say what is done.

    Raises FileNotFoundError or ValueError where there is no clip of any action.
    """
    every = tuple(read_recordings(folder))
    known = tuple(clip for clip in every if actions_of(clip))
    unknown = tuple(clip for clip in every if not actions_of(clip))
    if not known:
        labels = ", ".join(sorted({clip.label for clip in unknown})[:8]) or "no clip at all"
        raise ValueError(
            f"`FOLDER` must hold motions that name one of our actions, got {folder} with {labels}; "
            "name the files or their folders after actions, such as walk_01.bvh, or add a "
            "manifest.csv."
        )
    return Recordings(every, known, unknown)


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
) -> Iterator[list[Entry]]:
    """The windows of each known clip in turn, with their mirror images."""
    neutral = neutral_poses(recordings.every)
    for clip, side in zip(recordings.known, sides, strict=True):
        windows = windows_of(
            clip,
            motion_of(clip, neutral, rest_joints),
            actions_of(clip),
            rest_joints,
            settings.fps,
            settings.frames,
            vary=False,
        )
        entries = []
        for window in windows:
            entry = Entry(window, side, clip.source, clip.subject, clip.label, mirrored=False)
            entries += [entry, mirror_image(entry)] if settings.mirror else [entry]
        yield entries


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


def _key(clip: JointClip, settings: SplitSettings) -> str:
    """What the clip shares with those that must stand on its side."""
    if settings.by == "source":
        return clip.source
    who = f"subject {clip.subject}" if clip.subject else f"class {clip.label}"
    return f"{clip.source}/{who}"
