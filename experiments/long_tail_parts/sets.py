"""Training sets that differ only in how often an action occurs."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import torch
from embedded_training import clips
from embedded_training.clips import FPS, FRAMES, SIZE
from embedded_training.encoded import Encoded, encode_shards, read_encoded

from long_tail_parts.design import ACTIONS, COUNTS, FILLERS, Model
from motiondistill.body.base import Body
from motiondistill.data.choreography import SIDES
from motiondistill.data.cuts import Window
from motiondistill.data.dataset import action_dataset
from motiondistill.prompts import slug
from motiondistill.randomness import seeded

VALIDATION_SEED: Final = 999_983
VALIDATION_CLIPS: Final = 4
"""Of each action, unseen by all models."""
CODEC: Final = "that of the embedded prior"

Pools = Mapping[str, Encoded]
"""Of each action, all clips that a seed's sets may hold."""


def pool_sizes(total: int) -> dict[str, int]:
    """How many clips of each action the sets of a seed, `total` clips each, may need."""
    fillers = -(-total // len(FILLERS))
    return dict.fromkeys(ACTIONS, min(total, max(COUNTS))) | dict.fromkeys(FILLERS, fillers)


def make_pools(folder: Path, sizes: Mapping[str, int], seed: int, codec: Any, body: Body) -> Pools:
    """The clips of each action, rendered and encoded unless they lie in the folder.

    All motions are parametric. Raises ValueError for files of another plan.
    """
    dataset = action_dataset([], body.rest_joints, FPS, FRAMES)
    pools = {}
    for action, count in sizes.items():
        plan = clips.Plan(count, seed, SIZE, f"parametric: {action}")

        def motion(index: int, action: str = action) -> Window:
            generator = seeded(seed, index, f"long tail clip of {action}")
            return dataset.sample_clip(action, generator, SIDES[index % len(SIDES)])

        place, every = folder / slug(action), slice(None)
        for _ in clips.render_shards(place / "clips", plan, motion, body, share=every):
            pass
        rendered = clips.read_clips(place / "clips", plan)
        for _ in encode_shards(place / "latents", rendered, codec, origin=CODEC, share=every):
            pass
        pools[action] = read_encoded(place / "latents")
    return pools


def training_set(pools: Pools, model: Model | None, total: int) -> Encoded:
    """The first clips of each action's pool as the model's counts say, filled up to `total`.

    So a larger count only adds clips. Fillers come in turns; None is the set of fillers alone.
    """
    counts = {} if model is None else dict(zip(ACTIONS, model.counts, strict=True))
    rest = total - sum(counts.values())
    for place, action in enumerate(FILLERS):
        counts[action] = len(range(place, rest, len(FILLERS)))
    return joined([first(pools[action], count) for action, count in counts.items()])


def first(clips: Encoded, count: int) -> Encoded:
    """The first clips; raises ValueError for more than there are."""
    if count > len(clips):
        raise ValueError(f"`count` must be at most {len(clips)}, got {count}; make a larger pool.")
    return Encoded(clips.latents[:count], clips.labels[:count], clips.views[:count])


def joined(parts: Sequence[Encoded]) -> Encoded:
    """All clips, one part after the other."""
    return Encoded(
        torch.cat([part.latents for part in parts]),
        tuple(label for part in parts for label in part.labels),
        tuple(view for part in parts for view in part.views),
    )
