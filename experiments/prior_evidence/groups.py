"""A group of samples of one prompt, with the motions that were fitted to them, on disk."""

from dataclasses import dataclass
from typing import Final, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill.checkpoints import Tree
from motiondistill.structures import Motion

SAMPLES: Final = 3
"""Of a group, seen from the front, the front left and the front right."""

Kind = Literal["trained", "held out", "unseen", "truth", "motion"]
"""Trained captions; trained verbs in templates that never were; verbs that never were; and, instead
of samples, rendered clips such as the prior was trained on, and their motions without any fit."""
KINDS: Final[tuple[Kind, ...]] = ("trained", "held out", "unseen", "truth", "motion")
TRUE: Final[tuple[Kind, ...]] = ("truth", "motion")


@dataclass(frozen=True)
class Group:
    """What was asked for, what the prior drew, and the motions that show it."""

    kind: Kind
    action: str
    side: str
    prompt: str
    videos: Float[Tensor, "samples frames 3 height width"]
    motion: Motion
    joints: Float[Tensor, "samples frames joints 3"]


def packed(group: Group) -> Tree:
    """What is kept of a group on disk, videos in bytes."""
    motion = group.motion
    return {
        "asked": [group.kind, group.action, group.side, group.prompt],
        "videos": (group.videos.clamp(0, 1) * 255).round().to(torch.uint8),
        "motion": [motion.rotations, motion.translation, motion.fps],
        "joints": group.joints,
    }


def unpacked(kept: Tree) -> Group:
    """The group of which `packed` gave this."""
    kind, action, side, prompt = kept["asked"]
    videos = kept["videos"].float() / 255
    return Group(kind, action, side, prompt, videos, Motion(*kept["motion"]), kept["joints"])
