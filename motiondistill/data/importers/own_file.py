"""Our own motion files, such as runs leave."""

from pathlib import Path
from typing import Final

from motiondistill.data.importers.clip import (
    CapturedClip,
    bare_words,
    folders,
    label_hint,
    subject_hint,
)
from motiondistill.data.labels import action_in
from motiondistill.motion.motion_file import RUN_MOTION, check_motion, load_motion

# What folders of any motion are called, too.
_RUNS: Final = frozenset(("run", "runs"))


def read_own(path: Path, *, root: Path | None = None) -> list[CapturedClip]:
    """The clip in a motion file; a run's is called after the run's folder, which is no subject.

    Its prompt is its label where neither file nor folders name an action.
    """
    file = load_motion(path)
    check_motion(path, file)
    place = path.absolute().parent if path.name == RUN_MOTION else path.absolute()
    return [
        CapturedClip(
            name=place.name if path.name == RUN_MOTION else path.stem,
            source=f"motiondistill-{file.body}",
            subject=subject_hint(place, None if root is None else root.absolute()),
            label=_label(path, root, file.prompt),
            joints=file.joints,
            fps=file.motion.fps,
            motion=file.motion,
        )
    ]


def _label(path: Path, root: Path | None, prompt: str) -> str:
    """The names' words if they tell one action, else the prompt if there is one.

    Folders `run` and `running` tell the action. Any motion may be in `runs`, `wave-run` or `run_2`;
    and in `run-final` one whose prompt names an action.
    """
    named = label_hint(path, root)
    action = action_in(named)
    if action is None:
        return prompt or named
    if not prompt or action != "run" or bare_words(path.stem) == named:
        return named
    folder = next(name for name in folders(path.absolute(), root) if bare_words(name) == named)
    words = named.split()
    doubted = words[-1:] if action_in(prompt) is None else words
    return named if folder.lower() == "run" or _RUNS.isdisjoint(doubted) else prompt
