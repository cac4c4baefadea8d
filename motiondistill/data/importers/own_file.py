"""Our own motion files, such as runs leave."""

from pathlib import Path

from motiondistill.data.importers.clip import CapturedClip, label_hint, subject_hint
from motiondistill.data.labels import action_in
from motiondistill.motion.motion_file import RUN_MOTION, check_motion, load_motion


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

    Folders of any motion are called `runs`, or `wave-run`: "run" in a folder's name tells nothing.
    """
    named = label_hint(path, root)
    in_folders = action_in(path.stem) is None
    if prompt and (action_in(named) is None or (in_folders and action_in(named) == "run")):
        return prompt
    return named
