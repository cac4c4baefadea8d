"""Action recogniser: which action a motion shows, from joint positions alone.

Small networks (`recogniser_weights/README.md` is their card) that never saw a generated motion.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

import torch
from jaxtyping import Float
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from motiondistill.metrics.recogniser_descriptors import NUM_DESCRIPTORS, describe
from motiondistill.metrics.recogniser_features import TRACKED, Joints, pose_features, resampled
from motiondistill.metrics.recogniser_sides import SIDED_ACTIONS, Side, acting_side
from motiondistill.structures import JOINT_INDEX, NUM_JOINTS

ACTIONS: Final = (
    *("walk", "run", "jump", "jumping jacks", "wave", "squat", "kick", "punch"),
    *("raise both arms", "bow", "stand", "dance", "sit", "drink"),
    *("cartwheel", "crawl", "backflip", "roll", "throw"),
)
"""What the recogniser can answer, in the order of its probabilities."""
RATE: Final = 8.0
FRAMES: Final = 16
# Windows of a longer motion start at most this far apart, seconds.
_STRIDE: Final = 1.0
_WIDTH: Final = 48
_HIDDEN_MEMBERS: Final = 2
# Descriptors lie this many standard deviations from their mean at most: what lies further was
# never seen, and must not decide alone.
_FURTHEST: Final = 4.0
_LEAST_SCALE: Final = 5e-3
SHIPPED: Final = Path(__file__).parent / "recogniser_weights" / "model.safetensors"
"""The weights that come with the package."""


@dataclass(frozen=True)
class Recognition:
    """What a motion was recognised as."""

    action: str
    side: Side | None
    """The limb that acts, by a rule; None for actions without a side."""
    probabilities: dict[str, float]
    """Of all actions, the most likely first."""

    def among(self, count: int) -> tuple[str, ...]:
        """The `count` most likely actions."""
        return tuple(self.probabilities)[:count]


@final
class ActionNetwork(nn.Module):
    """The mean of a linear classifier and small networks with one hidden layer, of descriptors."""

    mean: Float[Tensor, " descriptors"]
    scale: Float[Tensor, " descriptors"]

    def __init__(self, dropout: float = 0.0) -> None:
        super().__init__()
        # One output more, for motions that are none of the actions: it only serves training.
        outputs = len(ACTIONS) + 1
        self.register_buffer("mean", torch.zeros(NUM_DESCRIPTORS))
        self.register_buffer("scale", torch.ones(NUM_DESCRIPTORS))
        self.linear = nn.Linear(NUM_DESCRIPTORS, outputs)
        self.first = nn.ModuleList(
            nn.Linear(NUM_DESCRIPTORS, _WIDTH) for _ in range(_HIDDEN_MEMBERS)
        )
        self.last = nn.ModuleList(nn.Linear(_WIDTH, outputs) for _ in range(_HIDDEN_MEMBERS))
        self.dropout, self.hidden_dropout = nn.Dropout(dropout), nn.Dropout(2 * dropout)

    def forward(self, inputs: Float[Tensor, "batch descriptors"]) -> Float[Tensor, "batch _"]:
        """Logits of `ACTIONS` and of "something else"."""
        return self.members(inputs).mean(0)

    def members(self, inputs: Float[Tensor, "batch descriptors"]) -> Float[Tensor, "_ batch _"]:
        """The logits of each member: their mean is what they agree on."""
        seen = self._seen(inputs)
        found = [self.linear(self.dropout(seen))]
        for first, last in zip(self.first, self.last, strict=True):
            hidden = nn.functional.gelu(first(self.dropout(seen)))
            found.append(last(self.hidden_dropout(hidden)))
        return torch.stack(found)

    def hidden(self, inputs: Float[Tensor, "batch descriptors"]) -> Float[Tensor, "batch _"]:
        """The hidden units of all networks, side by side: features of a window."""
        seen = self._seen(inputs)
        return torch.cat([nn.functional.gelu(first(seen)) for first in self.first], -1)

    def adjust(self, inputs: Float[Tensor, "windows descriptors"]) -> None:
        """Takes mean and spread of the descriptors from these windows."""
        self.mean.copy_(inputs.mean(0))
        # A descriptor that hardly changes must not blow up rounding errors.
        self.scale.copy_(inputs.std(0).clamp(min=_LEAST_SCALE))

    def _seen(self, inputs: Float[Tensor, "batch descriptors"]) -> Float[Tensor, "batch _"]:
        return ((inputs - self.mean) / self.scale).clamp(-_FURTHEST, _FURTHEST)


@final
class Recogniser:
    """Recognises actions; the same for a motion and its mirror image."""

    def __init__(self, network: ActionNetwork) -> None:
        self.network = network.eval().requires_grad_(False)

    def __call__(self, joints: Joints, fps: float) -> Float[Tensor, "*batch actions"]:
        """Probabilities of `ACTIONS` for joints in metres, +Y up, at `fps` frames a second.

        Two seconds are looked at, at 8 frames a second: of a longer motion, the mean over windows;
        a shorter one holds its last pose. Of the 22 joints 14 are read; the others may be NaN.
        """
        _check(joints, fps)
        duration, span = (joints.shape[-3] - 1) / fps, (FRAMES - 1) / RATE
        rest = max(duration - span, 0.0)
        count = 1 + -int(-(rest - 1e-6) // _STRIDE) if rest > 1e-6 else 1
        starts = torch.linspace(0.0, rest, count)
        windows = self.windows(joints, fps, starts)
        logits = self.network(windows.flatten(0, -2)).reshape(*windows.shape[:-1], -1)
        return torch.as_tensor(logits[..., :-1].softmax(-1).mean(-2))

    def windows(
        self, joints: Joints, fps: float, starts: Float[Tensor, " windows"]
    ) -> Float[Tensor, "*batch windows descriptors"]:
        """Descriptors of the two seconds from each of these starts on, in seconds."""
        _check(joints, fps)
        return describe(pose_features(resampled(joints.float(), fps, starts, RATE, FRAMES)))

    def recognise(self, joints: Float[Tensor, "frames joints 3"], fps: float) -> Recognition:
        """The most likely action of one motion, its side, and all probabilities."""
        values = self(joints, fps).tolist()
        ranked = sorted(zip(ACTIONS, values, strict=True), key=lambda pair: -pair[1])
        action = ranked[0][0]
        side = acting_side(action, joints, fps) if action in SIDED_ACTIONS else None
        return Recognition(action, side, dict(ranked))


def load_recogniser(file: Path = SHIPPED) -> Recogniser:
    """The recogniser with the weights in `file`, the shipped ones unless told otherwise."""
    network = ActionNetwork()
    try:
        weights = {name: tensor.float() for name, tensor in load_file(file).items()}
    except SafetensorError as error:
        raise ValueError(
            f"`{file}` must be a complete safetensors file ({error}); copy it anew."
        ) from error
    if {name: tensor.shape for name, tensor in weights.items()} != {
        name: tensor.shape for name, tensor in network.state_dict().items()
    }:
        raise ValueError(
            f"`{file}` must hold the weights of an ActionNetwork, got other ones; give those of "
            "experiments/train_recogniser.py."
        )
    network.load_state_dict(weights)
    return Recogniser(network)


def _check(joints: Joints, fps: float) -> None:
    if not 0 < fps < math.inf:
        raise ValueError(f"`fps` must be positive, got {fps}; give frames a second.")
    if joints.ndim < 3 or joints.shape[-2:] != (NUM_JOINTS, 3):
        raise ValueError(
            f"`joints` must have shape (..., frames, {NUM_JOINTS}, 3), got {tuple(joints.shape)}; "
            "give the joints of a motion on our skeleton."
        )
    if joints.shape[-3] < 2:
        raise ValueError(
            f"`joints` must hold at least 2 frames, got {joints.shape[-3]}; give a motion."
        )
    read = joints[..., [JOINT_INDEX[name] for name in TRACKED], :]
    if not read.isfinite().all():
        bad = [name for name in TRACKED if not joints[..., JOINT_INDEX[name], :].isfinite().all()]
        raise ValueError(
            f"`joints` must be finite where the recogniser reads them, got others for "
            f"{', '.join(bad)}; give these joints."
        )
