"""Runs of `motiondistill optimize`, each in a folder of its own: made once, and then read."""

import itertools
import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from comparison.asked import SIDE
from motiondistill.atomic import write_text
from motiondistill.bookkeeping.resuming import CONFIG, stored_config
from motiondistill.cli import main as motiondistill
from motiondistill.data.captions import canonical_caption
from motiondistill.motion.motion_file import MotionFile, load_motion
from motiondistill.prompts import slug
from motiondistill.report.results import RESULTS
from motiondistill.schema.jobs import OptimizeConfig

DISTILLED_ALONE: Final = ("init.start=neutral", "score.num_steps=450", "score.learning_rate=4e-3")
"""The settings of `neutral_start`: no samples of the prior, and more updates by its score."""

ASKED: Final = "asked.json"
"""In a finished run's folder: prompt and settings, told apart faster than configurations."""


NOT_DISTILLED: Final = "score.num_steps=0"


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


def planned(
    variants: Iterable[Variant],
    actions: Sequence[str],
    seeds: Sequence[int],
    out: Path,
    more: Sequence[str] = (),
) -> dict[Run, tuple[str, ...]]:
    """A run of every variant, action and seed in a folder of its own in `out`; and its settings.

    `more` is set for all of them, after what the variants set.
    """
    runs = {}
    for variant, action, seed in itertools.product(variants, actions, seeds):
        folder = out / slug(variant.name) / f"{slug(prompt_of(action))}-{seed}"
        runs[Run(variant, action, seed, folder)] = (f"run.seed={seed}", *variant.settings, *more)
    return runs


def carry_out(runs: Mapping[Run, Sequence[str]], starts: Path | None = None) -> list[Run]:
    """Makes all that is planned, unless it lies finished in its folder.

    Variants that differ only in how they distill begin with the same start, kept in the folder
    `starts`; without one, each makes its own. Raises as `optimized`.
    """
    for run, settings in runs.items():
        alike = not before_distilling(run.variant.settings)
        if starts is not None and alike and not run.folder.exists():
            begin(run, settings, starts / run.folder.name)
        optimized(run.prompt, run.folder, settings)
    return list(runs)


def before_distilling(settings: Iterable[str]) -> list[str]:
    """Of settings, those that matter before the distillation."""
    return [setting for setting in settings if not setting.startswith(("score.", "image_prior."))]


def begin(run: Run, settings: Sequence[str], start: Path) -> None:
    """Leaves the start, made if it is missing, in the run's folder, as if the run had made it.

    Motions are fitted to the same samples whatever is distilled then; so variants that differ only
    in that share a start, to the bit, and its seconds are counted for each.
    """
    optimized(run.prompt, start, (*before_distilling(settings), NOT_DISTILLED))
    part = run.folder.with_name(f"{run.folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    shutil.copytree(start, part, ignore=shutil.ignore_patterns(ASKED))
    part.rename(run.folder)


def optimized(prompt: str, folder: Path, settings: Sequence[str]) -> None:
    """Leaves a finished run in the folder; one that was interrupted goes on.

    Raises ValueError for a run there that was made with other settings, and SystemExit where
    optimising fails.
    """
    if finished(prompt, folder, settings):
        return
    arguments = ["optimize", prompt, "--out", str(folder)]
    if (folder / CONFIG).is_file():
        given = [f"score.num_steps={OptimizeConfig().score.num_steps}", *settings]
        wanted = stored_config(folder, prompt, None, given)
        unfinished = _steps_done(folder) < wanted.init.updates + wanted.score.num_steps
        code = motiondistill([*arguments, "--resume", *given]) if unfinished else 0
    else:
        code = motiondistill([*arguments, *settings])
    if code:
        raise SystemExit(code)
    asked = _asked(prompt, settings)
    write_text(folder / ASKED, asked)


def finished(prompt: str, folder: Path, settings: Sequence[str]) -> bool:
    """Whether a run in the folder was finished with just this."""
    file = folder / ASKED
    if _steps_done(folder) < 0 or not file.is_file():
        return False
    return file.read_text(encoding="utf-8") == _asked(prompt, settings)


def _asked(prompt: str, settings: Sequence[str]) -> str:
    return json.dumps([prompt, *settings])


def _steps_done(folder: Path) -> int:
    """Updates behind the results in the folder; -1 where one of them is missing."""
    if not all((folder / name).is_file() for name in RESULTS):
        return -1
    return int(json.loads((folder / "metrics.json").read_text())["steps"])
