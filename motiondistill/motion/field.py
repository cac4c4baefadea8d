"""What every field is: what stands for a motion while it is optimised."""

import abc
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from motiondistill.motion.stances import Stance
from motiondistill.structures import Motion


class MotionField(nn.Module, abc.ABC):
    """A motion as a function of normalised time, with parameters to optimise.

    `timeline` tells what normalised time is. A loop's motion at 1 is that at 0.
    """

    loop: bool

    @abc.abstractmethod
    def at(self, time: Float[Tensor, " frames"], fps: float) -> Motion:
        """The motion at these normalised times, which are 1 / `fps` seconds apart.

        Differentiable in the parameters. The times may be any; `fps` is only passed on.
        """

    @abc.abstractmethod
    def forward(self, num_frames: int, fps: float) -> Motion:
        """The whole motion in `num_frames` frames, evenly spaced as `timeline.even_times` are."""


@runtime_checkable
class FieldMaker(Protocol):
    """Makes new fields, all of one kind and for motions of one length."""

    def __call__(self, *, stance: Stance, generator: torch.Generator) -> MotionField:
        """A field at its start, motionless, in this stance."""
