"""Where actions move, errors count for more: thin arms weigh against still grounds."""

from collections import defaultdict
from collections.abc import Mapping
from typing import TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

from embedded_training.encoded import Encoded

Emphasis: TypeAlias = Mapping[tuple[tuple[str, str], int], Float[Tensor, "h w"]]
"""For action and side, and the index of a view: what errors weigh at each place, 1 on average."""


def emphasis(clips: Encoded, strength: float) -> Emphasis:
    """Weights `(1 + strength m) / (1 + strength)`, m the movement at a place; 0 weighs all alike.

    The movement is the latents' standard deviation over time, averaged over channels and over all
    clips of an action from a view, and 1 on average. It is what the words tell, and not what a clip
    does: so the best estimate is as before, and only what it costs to miss it differs.
    """
    sums: dict[tuple[tuple[str, str], int], Tensor] = defaultdict(lambda: torch.zeros(()))
    for clip, label, view in zip(clips.latents, clips.labels, clips.views, strict=True):
        sums[label, view] = sums[label, view] + clip.std(1).mean(0)
    return {key: (1 + strength * m / m.mean()) / (1 + strength) for key, m in sums.items()}
