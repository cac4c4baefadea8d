"""Motions with the arms of one clip and the legs of another, so that neither is learned by heart.

Few people were recorded at each action: how a walker held the arms, or how someone who waves stood
meanwhile, says nothing of the action.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import torch
from recogniser.clips import OTHER
from torch import Tensor
from torch.nn.functional import normalize

from motiondistill.metrics.recogniser import ACTIONS
from motiondistill.metrics.recogniser_features import PoseFeatures

CLASSES: Final = (*ACTIONS, OTHER)
_LEGS, _ARMS = (0, 1, 4, 5), (2, 3, 6, 7)
_BY_ARMS: Final = ("wave", "punch", "drink", "throw")
# Of these the arms are not the point, nor are they a dancer's.
_PLAIN_ARMS: Final = tuple(
    name for name in CLASSES if name not in (*_BY_ARMS, "jumping jacks", "raise both arms", "dance")
)


@dataclass(frozen=True)
class _Mix:
    """Which motions take the limbs of which others."""

    takers: tuple[str, ...]
    limbs: Literal["arms", "legs"]
    givers: tuple[str, ...]
    between: tuple[float, float]
    """Of a number from 0 to 1, drawn for each motion."""


_MIXES: Final = (
    _Mix(_BY_ARMS, "legs", (*_BY_ARMS, "stand"), (0.0, 0.5)),
    _Mix(("walk", "run", "kick", "sit", "crawl"), "arms", _PLAIN_ARMS, (0.0, 0.4)),
    # Whoever moves half of the body like a dancer dances.
    _Mix(("dance",), "legs", CLASSES, (0.0, 0.2)),
    _Mix(("dance",), "arms", CLASSES, (0.2, 0.4)),
)
# These may hold their arms anyhow: stretched ahead, on the hips, behind the head.
_ANY_ARMS: Final = ("walk", "run", "kick", "sit", "jump", "squat")
_HELD: Final = (0.85, 1.0)
# Upper arms of a mirrored pair point about here, with this spread; x is outwards.
_ARM_MEAN, _ARM_SPREAD = (0.2, -0.3, 0.4), (0.6, 0.7, 0.8)
_FOREARM_MEAN, _FOREARM_SPREAD = (0.0, 0.2, 0.3), 0.6


def mixed(features: PoseFeatures, labels: Tensor, generator: torch.Generator) -> PoseFeatures:
    """Some motions with the limbs of others, or with arms held still; labels stay true."""
    directions, root = features.directions.clone(), features.root.clone()
    chance = torch.rand(len(labels), generator=generator)
    for mix in _MIXES:
        takers = _which(labels, mix.takers, chance, mix.between)
        givers = _which(labels, mix.givers, chance, (0.0, 1.0))
        if not len(takers):
            continue
        givers = givers[torch.randint(len(givers), (len(takers),), generator=generator)]
        for bone in _ARMS if mix.limbs == "arms" else _LEGS:
            directions[takers, :, bone] = features.directions[givers, :, bone]
        if mix.limbs == "legs":
            root[takers] = features.root[givers]
    holders = _which(labels, _ANY_ARMS, chance, _HELD)
    held = _held_arms(len(holders), generator)
    for place, bone in enumerate(_ARMS):
        directions[holders, :, bone] = held[:, None, place]
    return PoseFeatures(directions, root)


def _held_arms(count: int, generator: torch.Generator) -> Tensor:
    """Directions [count, 4, 3] of arms and forearms, left and right."""
    bones = []
    for side in (1.0, -1.0):
        outwards = torch.tensor([side, 1.0, 1.0])
        noise = torch.randn(2, count, 3, generator=generator)
        upper = torch.tensor(_ARM_MEAN) + torch.tensor(_ARM_SPREAD) * noise[0]
        upper = normalize(upper * outwards, dim=-1)
        fore = upper + torch.tensor(_FOREARM_MEAN) + _FOREARM_SPREAD * noise[1]
        bones += [upper, normalize(fore, dim=-1)]
    return torch.stack(bones, 1)


def _which(
    labels: Tensor, names: Sequence[str], chance: Tensor, between: tuple[float, float]
) -> Tensor:
    """Places of the motions that show one of the actions and drew a number in this range."""
    low, high = between
    shown = torch.isin(labels, torch.tensor([CLASSES.index(name) for name in names]))
    return (shown & (chance >= low) & (chance < high)).nonzero()[:, 0]
