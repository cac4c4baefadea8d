"""The paper's field: a network of frame numbers, as its authors' code has it."""

from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from motiondistill.motion.encodings import LEGACY_FREQUENCIES, legacy
from motiondistill.motion.field import MotionField
from motiondistill.motion.pose_space import PoseSpace
from motiondistill.motion.stances import UPRIGHT, Stance
from motiondistill.motion.timeline import even_times
from motiondistill.structures import Motion

_WIDTH = 32


@final
class LegacyField(MotionField):
    """A motion as a function of the frame number, which is not normalised: see `encodings.legacy`.

    Two hidden layers of 32 with ReLU, LayerNorm after the second, and a last layer that starts at
    zero. What comes out are offsets in the tangent, where the paper's are 6D numbers. Between whole
    frame numbers nothing was learned, so at other rates than that of `num_frames` the motion jumps.
    """

    loop = False

    def __init__(
        self,
        num_frames: int,
        *,
        space: PoseSpace | None = None,
        stance: Stance = UPRIGHT,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.num_frames = num_frames
        self.space = space or PoseSpace()
        self.layers = nn.Sequential(
            nn.Linear(2 * len(LEGACY_FREQUENCIES), _WIDTH),
            nn.ReLU(),
            nn.Linear(_WIDTH, _WIDTH),
            nn.LayerNorm(_WIDTH),
            nn.ReLU(),
            nn.Linear(_WIDTH, self.space.size),
        )
        for index in (0, 2):
            weight = self.layers.get_parameter(f"{index}.weight")
            nn.init.kaiming_uniform_(weight, a=5**0.5, generator=generator)
            bound = weight.shape[1] ** -0.5
            bias = self.layers.get_parameter(f"{index}.bias")
            nn.init.uniform_(bias, -bound, bound, generator=generator)
        nn.init.zeros_(self.layers.get_parameter("5.weight"))
        with torch.no_grad():
            self.layers.get_parameter("5.bias").copy_(self.space.first(stance))

    def at(self, time: Float[Tensor, " frames"], fps: float) -> Motion:
        """See `MotionField`."""
        time = time.to(self.layers.get_parameter("0.weight"))
        # Times of whole frames come with a rounding error, which 32 radians a frame would amplify.
        frame = time * (self.num_frames - 1)
        frame = torch.where((frame - frame.round()).abs() < 1e-4, frame.round(), frame)
        return self.space(self.layers(legacy(frame)), fps)

    def forward(self, num_frames: int, fps: float) -> Motion:
        """The motion at `num_frames` equally spaced times, the first and last included."""
        return self.at(even_times(num_frames), fps)
