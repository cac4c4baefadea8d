"""Clips and the motions that were fitted to them, as files: what a diagnosis looks at."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, final

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill.atomic import write_text
from motiondistill.engine.fitting import fit_errors
from motiondistill.engine.starts import Problem, start_azimuths
from motiondistill.motion.motion_file import save_motion
from motiondistill.report.media import save_strip
from motiondistill.structures import Motion

METRICS: Final = "metrics.json"
"""Written last: where it is, all is."""
STRIP: Final = "strip.png"
DEFINITIONS: Final = {
    "misfit": "squared error of the fitted motion's video, without a blur: a mean over its numbers "
    "in [0, 1], times 100",
    "before": "as what the motion was recognised that the clip shows, before anything was fitted",
}


@final
@dataclass(frozen=True)
class Seen:
    """Clips of one prompt, seen from `start_azimuths`."""

    names: Sequence[str]
    videos: Float[Tensor, "samples frames 3 height width"]
    before: Sequence[str | None]
    """The actions of the motions that they show, as far as these are known."""


@torch.no_grad()
def write_fits(folder: Path, problem: Problem, seen: Seen, motion: Motion, seconds: float) -> None:
    """Each clip's motion (.npz), a strip in which it stands below its clip, and the figures.

    `motion` is a batch of one for each clip; `seconds` is how long the fit took.
    """
    folder.mkdir(parents=True, exist_ok=True)
    mesh = problem.body(motion)
    shown = problem.scene(mesh, problem.cameras(start_azimuths(len(seen.videos))))
    misfits = fit_errors(shown, seen.videos, 1.0).tolist()
    clips = []
    for place, (name, before) in enumerate(zip(seen.names, seen.before, strict=True)):
        file = f"motion_{place + 1}.npz"
        save_motion(
            folder / file,
            _of_batch(motion, place),
            mesh.joints[place],
            prompt=problem.prompt,
            seed=problem.seed,
            body=problem.body.name,
            shape=problem.body.shape,
            expression=problem.body.expression,
        )
        clips.append({"name": name, "motion": file, "before": before, "misfit": misfits[place]})
    save_strip(folder / STRIP, torch.stack([seen.videos, shown], 1).flatten(0, 1))
    told = {"prompt": problem.prompt, "seed": problem.seed, "clips": clips, "seconds": seconds}
    _write(folder, told | {"definitions": DEFINITIONS})


def write_nothing(folder: Path, prompt: str, why: str) -> None:
    """That there are no clips of the prompt to be looked at, and why."""
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder, {"prompt": prompt, "left_out": why})


def _write(folder: Path, told: Mapping[str, Any]) -> None:
    text = json.dumps({"finished": True, **told}, indent=2, ensure_ascii=False) + "\n"
    write_text(folder / METRICS, text)


def _of_batch(motion: Motion, place: int) -> Motion:
    return motion.map(lambda tensor: tensor[place])
