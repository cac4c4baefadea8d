"""Strips of samples for a fixed list of prompts and views."""

from collections.abc import Sequence
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from embedded_training.captions import full_caption, without_action
from motiondistill.data.captions import SIDED_ACTIONS
from motiondistill.priors import Prior, load_prior, sample
from motiondistill.prompts import VIEW_NAMES
from motiondistill.randomness import seeded
from motiondistill.report.labels import label
from motiondistill.report.media import enlarge, save_strip

_STEPS, _GUIDANCE = 20, 3.0
_TILE = 128
_VIDEO_VIEWS = (0, 2)


def write_video_samples(folder: Path, pipeline: Path, step: int, actions: Sequence[str]) -> None:
    """`FOLDER/step_<step>_<view>.png` for two views, with a row for every action."""
    prior = load_prior(pipeline)
    for view in _VIDEO_VIEWS:
        rows = _samples(prior, [(action, view) for action in actions])
        name = VIEW_NAMES[view].replace(" ", "_")
        _save(folder / f"step_{step:08d}_{name}.png", rows, actions)


def write_image_samples(folder: Path, pipeline: Path, step: int, actions: Sequence[str]) -> None:
    """`FOLDER/step_<step>.png` with a row for every action, and a column for every view."""
    prior = load_prior(pipeline)
    pairs = [(action, view) for action in actions for view in range(len(VIEW_NAMES))]
    rows = _samples(prior, pairs).unflatten(0, (len(actions), -1))[:, :, 0]
    _save(folder / f"step_{step:08d}.png", rows, actions)


def _samples(
    prior: Prior, pairs: Sequence[tuple[str, int]]
) -> Float[Tensor, "pairs frames 3 height width"]:
    """Samples of these actions and views, from the same noise at every training step.

    Guidance leads away from a person in the same view: away from no words at all it strengthens the
    view and freezes the motion.
    """
    sides = {action: "left" if action in SIDED_ACTIONS else "right" for action, _ in pairs}
    latents = sample(
        prior,
        [full_caption((action, sides[action]), view) for action, view in pairs],
        generator=seeded(0, 0, "samples"),
        num_steps=_STEPS,
        guidance_scale=_GUIDANCE,
        negative_prompts=[without_action(view) for _, view in pairs],
    )
    with torch.no_grad():
        return prior.decode(latents).clamp(0, 1)


def _save(
    path: Path, rows: Float[Tensor, "rows columns 3 height width"], titles: Sequence[str]
) -> None:
    """The rows large enough to read, their titles on their first pictures."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tiles = []
    for row, title in zip(rows, titles, strict=True):
        large = enlarge(row, _TILE)
        tiles.append(torch.cat([label(large[:1], title), large[1:]]))
    save_strip(path, torch.stack(tiles))
