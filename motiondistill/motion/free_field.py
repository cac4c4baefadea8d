"""The baseline without a network: every frame has numbers of its own."""

from typing import final

from jaxtyping import Float
from torch import Tensor, nn

from motiondistill.motion.field import MotionField
from motiondistill.motion.pose_space import PoseSpace
from motiondistill.motion.stances import UPRIGHT, Stance
from motiondistill.motion.timeline import even_times
from motiondistill.structures import Motion


@final
class FreeField(MotionField):
    """A motion by a row of numbers for each of `num_frames` frames.

    Between frames the numbers are interpolated along straight lines, so every pose keeps the
    constraint; a loop's last frame leads to its first. No frame knows of another but by
    regularisers.
    """

    def __init__(
        self,
        num_frames: int,
        *,
        space: PoseSpace | None = None,
        stance: Stance = UPRIGHT,
        loop: bool = False,
    ) -> None:
        super().__init__()
        self.space = space or PoseSpace()
        self.loop = loop
        self.numbers = nn.Parameter(self.space.first(stance).repeat(num_frames, 1))

    def at(self, time: Float[Tensor, " frames"], fps: float) -> Motion:
        """See `MotionField`; before the first and after the last frame these stay."""
        return self.space(_interpolated(self.numbers, time, loop=self.loop), fps)

    def forward(self, num_frames: int, fps: float) -> Motion:
        """The motion at `num_frames` equally spaced times, the first and last included."""
        return self.at(even_times(num_frames, loop=self.loop), fps)


def _interpolated(
    rows: Float[Tensor, "rows numbers"], time: Float[Tensor, " frames"], *, loop: bool
) -> Float[Tensor, "frames numbers"]:
    """The rows, evenly spaced over normalised time, at these times along straight lines."""
    count = len(rows)
    position = time.to(rows) * (count if loop else count - 1)
    if not loop:
        position = position.clamp(0, count - 1)
    first = position.floor()
    part = (position - first)[:, None]
    index = first.long()
    if loop:
        before, after = rows[index % count], rows[(index + 1) % count]
    else:
        before, after = rows[index], rows[(index + 1).clamp(max=count - 1)]
    return before + part * (after - before)
