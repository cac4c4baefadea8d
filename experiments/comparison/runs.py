"""Runs of `motiondistill optimize`, each in a folder of its own: made once, and then read."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from comparison.asked import SIDE
from motiondistill.atomic import write_atomically
from motiondistill.cli import main as motiondistill
from motiondistill.data.captions import canonical_caption
from motiondistill.motion.motion_file import MotionFile, load_motion
from motiondistill.prompts import slug
from motiondistill.report.results import RESULTS
from motiondistill.resuming import CONFIG, stored_config

DISTILLED_ALONE: Final = ("init.start=neutral", "score.num_steps=450", "score.learning_rate=4e-3")
"""The settings of `neutral_start`: no samples of the prior, and more updates by its score."""

ASKED: Final = "asked.json"
"""In a finished run's folder: prompt and settings, told apart faster than configurations."""


@dataclass(frozen=True)
class Variant:
    """One way to make motions: what it is called, and what differs from the defaults."""

    name: str
    settings: tuple[str, ...] = ()
    """As on the command line: `key=value`."""


@dataclass(frozen=True)
class Run:
    """A finished run."""

    variant: Variant
    action: str
    """What was asked for."""
    seed: int
    folder: Path

    @property
    def prompt(self) -> str:
        """In the words that stand for the action."""
        return prompt_of(self.action)

    @property
    def seconds(self) -> float:
        """What the run took, without loading and without the videos at its end."""
        metrics: dict[str, Any] = json.loads((self.folder / "metrics.json").read_text())
        return float(metrics["seconds"])

    def result(self) -> MotionFile:
        """The motion, with its joints."""
        return load_motion(self.folder / "motion.npz")


def prompt_of(action: str) -> str:
    """The canonical caption, with the right limb where one acts."""
    return canonical_caption(action, SIDE)


def carry_out(
    variants: Iterable[Variant],
    actions: Sequence[str],
    seeds: Sequence[int],
    out: Path,
    more: Sequence[str] = (),
) -> list[Run]:
    """A run of every variant, action and seed, made unless it lies finished in `out`.

    `more` is set for all of them, after what the variants set. Raises as `optimized`.
    """
    runs = []
    for variant in variants:
        for action in actions:
            for seed in seeds:
                prompt = prompt_of(action)
                folder = out / slug(variant.name) / f"{slug(prompt)}-{seed}"
                settings = (f"run.seed={seed}", *variant.settings, *more)
                optimized(prompt, folder, settings)
                runs.append(Run(variant, action, seed, folder))
    return runs


def optimized(prompt: str, folder: Path, settings: Sequence[str]) -> None:
    """Leaves a finished run in the folder; one that was interrupted goes on.

    Raises ValueError for a run there that was made with other settings, and SystemExit where
    optimising fails.
    """
    asked = json.dumps([prompt, *settings])
    if _steps_done(folder) >= 0 and _asked(folder) == asked:
        return
    arguments = ["optimize", prompt, "--out", str(folder)]
    if (folder / CONFIG).is_file():
        wanted = stored_config(folder, prompt, None, list(settings))
        unfinished = _steps_done(folder) < wanted.init.updates + wanted.score.num_steps
        code = motiondistill([*arguments, "--resume", *settings]) if unfinished else 0
    else:
        code = motiondistill([*arguments, *settings])
    if code:
        raise SystemExit(code)
    write_atomically(folder / ASKED, lambda part: part.write_text(asked, encoding="utf-8"))


def _asked(folder: Path) -> str:
    """What the finished run in the folder was asked for, as `optimized` left it."""
    file = folder / ASKED
    return file.read_text(encoding="utf-8") if file.is_file() else ""


def _steps_done(folder: Path) -> int:
    """Updates behind the results in the folder; -1 where one of them is missing."""
    if not all((folder / name).is_file() for name in RESULTS):
        return -1
    return int(json.loads((folder / "metrics.json").read_text())["steps"])
