"""PoseField: a human motion as a small network of time."""

from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from motiondistill.motion.encodings import Encoding, FourierEncoding
from motiondistill.motion.field import MotionField
from motiondistill.motion.pose_space import PoseSpace
from motiondistill.motion.stances import UPRIGHT, Stance
from motiondistill.motion.timeline import even_times
from motiondistill.structures import Motion


@final
class PoseField(MotionField):
    """Motion as a function of normalised time.

    Positional encoding, two hidden layers, bounded pose and root. The last layer starts at zero, so
    a new field is the start of its pose space (neutral, facing +Z) in its stance, motionless.
    """

    def __init__(
        self,
        *,
        encoding: Encoding | None = None,
        width: int = 128,
        space: PoseSpace | None = None,
        stance: Stance = UPRIGHT,
        loop: bool = False,
        generator: torch.Generator,
    ) -> None:
        """Set up with four octaves of Fourier features unless told otherwise.

        For a `loop`, the encoding must be one of period 1.
        """
        super().__init__()
        self.encoding = encoding or FourierEncoding(4, loop=loop)
        self.space = space or PoseSpace()
        self.loop = loop
        self.layers = nn.Sequential(
            nn.Linear(self.encoding.size, width),
            nn.SiLU(),
            nn.Linear(width, width),
            nn.SiLU(),
            nn.Linear(width, self.space.size),
        )
        for index in (0, 2):
            weight = self.layers.get_parameter(f"{index}.weight")
            nn.init.kaiming_uniform_(weight, a=5**0.5, generator=generator)
            nn.init.uniform_(
                self.layers.get_parameter(f"{index}.bias"), -0.5, 0.5, generator=generator
            )
        nn.init.zeros_(self.layers.get_parameter("4.weight"))
        with torch.no_grad():
            self.layers.get_parameter("4.bias").copy_(self.space.first(stance))

    def at(self, time: Float[Tensor, " frames"], fps: float) -> Motion:
        """See `MotionField`."""
        time = time.to(self.layers.get_parameter("0.weight"))
        return self.space(self.layers(self.encoding(time)), fps)

    def forward(self, num_frames: int, fps: float) -> Motion:
        """The motion at `num_frames` equally spaced times, the first and last included."""
        return self.at(even_times(num_frames, loop=self.loop), fps)
