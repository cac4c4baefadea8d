"""Features and classes of motions by our own action recogniser, in place of a trained evaluator.

It was trained to tell actions, without texts: there is no text encoder. Features are the hidden
units of its networks, and texts are actions. Figures made with it are named `*_own` and carry the
hash of its weights.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill.metrics.recogniser import (
    ACTIONS,
    FRAMES,
    RATE,
    SHIPPED,
    Recogniser,
    load_recogniser,
)

WINDOW_SECONDS: Final = FRAMES / RATE
"""Windows of a motion follow one another without overlap."""
_HASH_LETTERS: Final = 12


@final
@dataclass(frozen=True)
class OwnEvaluator:
    """What embeds motions, and the weights that do."""

    recogniser: Recogniser
    sha256: str
    """The first 12 letters of the weights file's hash."""

    @property
    def name(self) -> str:
        """What to call it beside every figure."""
        return f"own recogniser, sha256 {self.sha256}"

    @torch.no_grad()
    def features(
        self, joints: Float[Tensor, "frames joints 3"], fps: float
    ) -> Float[Tensor, "windows features"]:
        """96 hidden units for each window of 2 s; a motion shorter than 2 s is one window."""
        seconds = (len(joints) - 1) / fps
        # A last window that would hold its last pose for over one frame is left out.
        count = max(1, int((seconds + 1 / RATE) / WINDOW_SECONDS + 1e-6))
        starts = WINDOW_SECONDS * torch.arange(count)
        return self.recogniser.network.hidden(self.recogniser.windows(joints, fps, starts))

    @torch.no_grad()
    def probabilities(
        self, joints: Float[Tensor, "frames joints 3"], fps: float
    ) -> Float[Tensor, " actions"]:
        """Of all actions, for the motion as a whole."""
        return self.recogniser(joints, fps)


def load_own_evaluator(file: Path = SHIPPED) -> OwnEvaluator:
    """The evaluator with the weights in `file`; raises the errors of `load_recogniser`."""
    recogniser = load_recogniser(file)
    return OwnEvaluator(recogniser, hashlib.sha256(file.read_bytes()).hexdigest()[:_HASH_LETTERS])


def as_text(action: str) -> Float[Tensor, " actions"]:
    """What stands for a text that asks for this action: the one-hot vector.

    Raises ValueError for an action that the recogniser does not know.
    """
    if action not in ACTIONS:
        raise ValueError(f"`action` must be one of {', '.join(ACTIONS)}; got {action!r}.")
    return torch.nn.functional.one_hot(torch.tensor(ACTIONS.index(action)), len(ACTIONS)).float()
