"""The motions that a probe looks at: parametric ones, or a folder's, for the prompts they show."""

import logging
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Final, Literal, final

from jaxtyping import Float
from torch import Tensor

from motiondistill.cameras import facing_forward
from motiondistill.data.captions import SIDED_ACTIONS
from motiondistill.data.collection import (
    Entry,
    WindowSettings,
    all_dropped,
    mirror_image,
    read_collection,
    recorded_entries,
)
from motiondistill.data.dropped import Dropped, in_words
from motiondistill.data.labels import action_in
from motiondistill.data.parametric import PARAMETRIC_ACTIONS, parametric_motion
from motiondistill.data.splits import Split
from motiondistill.data.windows import hold_in_place
from motiondistill.probing.pairs import side_named
from motiondistill.probing.study import Clip
from motiondistill.randomness import seeded
from motiondistill.structures import Motion

PromptSet = Literal["paper", "actions"]


@final
@dataclass(frozen=True)
class Take:
    """A motion that somebody performed, or nobody."""

    name: str
    recording: str
    motion: Motion


@final
@dataclass(frozen=True)
class Source:
    """Where motions come from."""

    takes: Callable[[str, str, int], Sequence[Take]]
    """An action, a side and how many are wanted: takes, perhaps fewer."""
    dropped: Sequence[Dropped] = ()
    """What the source has besides, but does not give."""


_log = logging.getLogger(__name__)
_USUAL_SIDE: Final = "right"


def prompt_file(name: PromptSet) -> Path:
    """The file of a prompt set that comes with the package."""
    return Path(str(files("motiondistill.probing") / "prompts" / f"{name}.txt"))


def clips_of(
    prompts: Sequence[str], source: Source, count: int
) -> tuple[list[Clip], dict[str, str]]:
    """Up to `count` clips of each prompt, and why prompts have none.

    What a prompt shows follows from the action and the side that it names.
    """
    clips: list[Clip] = []
    left_out: dict[str, str] = {}
    for prompt in prompts:
        action = action_in(prompt)
        if action is None:
            left_out[prompt] = "names none of the known actions, or several"
            continue
        found = source.takes(action, side_named(prompt) or _USUAL_SIDE, count)
        if not found:
            lost = in_words([each for each in source.dropped if each.action == action])
            but = f"; left out: {lost}" if lost else ""
            left_out[prompt] = f"no motion shows the action {action!r}{but}"
        for take in found:
            motion = facing_forward(take.motion)
            clips.append(Clip(f"{prompt}: {take.name}", prompt, take.recording, motion))
    return clips, left_out


def parametric_source(
    rest_joints: Float[Tensor, "joints 3"], fps: float, frames: int, seed: int
) -> Source:
    """Motions of the actions that have a parametric form, each of another manner and tempo."""

    def motions(action: str, side: str, count: int) -> list[Take]:
        if action not in PARAMETRIC_ACTIONS:
            return []
        found = []
        for place in range(count):
            manner = f"parametric {action} {side}"
            generator = seeded(seed, place, f"probe {manner}")
            motion = parametric_motion(action, side, generator, rest_joints, fps, frames)
            name = f"parametric {place + 1}"
            found.append(Take(name, f"{manner} {place + 1}", hold_in_place(motion)))
        return found

    return Source(motions)


def folder_source(
    folder: Path,
    rest_joints: Float[Tensor, "joints 3"],
    fps: float,
    frames: int,
    *,
    key: str = "folder",
) -> Source:
    """The windows that `dataset build` would make of the folder; at first one of each recording.

    Of an action with sides, windows of the other side are mirrored. What is left out is logged.
    Raises FileNotFoundError or ValueError, which calls the folder `key`, for folders without
    motions of a known action.
    """
    recordings = read_collection(folder, key=key)
    settings = WindowSettings(fps, frames, mirror=False, parametric=0)
    # Nobody learns from them here: which side of a split they would be on means nothing.
    sides: list[Split] = ["test"] * len(recordings.known)
    by_action: dict[str, list[list[Entry]]] = defaultdict(list)
    cuttings = list(recorded_entries(recordings, sides, rest_joints, settings))
    for cutting in cuttings:
        for action in dict.fromkeys(entry.window.action for entry in cutting.entries):
            by_action[action].append([e for e in cutting.entries if e.window.action == action])
    dropped = all_dropped(recordings, cuttings)
    if dropped:
        _log.info("left out of %s: %s", folder, in_words(dropped))

    def motions(action: str, side: str, count: int) -> list[Take]:
        found = []
        for number, entry in _in_turns(by_action.get(action, []))[:count]:
            window = entry.window
            if action in SIDED_ACTIONS and window.side != side:
                window = mirror_image(entry).window
            name = f"{window.clip} ({number})" if number > 1 else window.clip
            found.append(Take(name, window.clip, window.motion))
        return found

    return Source(motions, dropped)


def _in_turns(groups: Sequence[Sequence[Entry]]) -> list[tuple[int, Entry]]:
    """The middle of each group, then a next one of each: entries with their turn, from 1."""
    turned = [[*group[len(group) // 2 :], *group[: len(group) // 2]] for group in groups]
    most = max(map(len, turned), default=0)
    return [
        (turn + 1, group[turn]) for turn in range(most) for group in turned if turn < len(group)
    ]
