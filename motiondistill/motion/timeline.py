"""Times of a motion: its frames at any rate, and the windows of it that a prior sees.

A field is a function of normalised time. 0 is the first frame, and 1 the last one. In a loop, 1 is
the first frame again, one frame after the last.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

# Seconds times a rate may miss a whole number of frames by this much.
_ROUNDING = 1e-6


def even_times(num_frames: int, *, loop: bool = False) -> Float[Tensor, " frames"]:
    """Normalised times of `num_frames` frames that divide the motion evenly.

    The first and the last are 0 and 1; a loop leaves out 1, which is its first frame again.
    """
    return torch.arange(num_frames) / num_frames if loop else torch.linspace(0, 1, num_frames)


@dataclass(frozen=True)
class Timeline:
    """How long a motion lasts."""

    num_frames: int
    """At `fps`."""
    fps: float
    loop: bool = False

    @property
    def seconds(self) -> float:
        """From time 0 to time 1: to the last frame or, in a loop, to the first one's return."""
        return (self.num_frames if self.loop else self.num_frames - 1) / self.fps

    def times(self) -> Float[Tensor, " frames"]:
        """Normalised times of all frames."""
        return even_times(self.num_frames, loop=self.loop)

    def at(self, seconds: Float[Tensor, " times"]) -> Float[Tensor, " times"]:
        """Normalised times of any moments, seconds from the first frame; a loop goes round.

        Raises ValueError for moments before the first frame or after the last.
        """
        time = seconds / self.seconds
        if self.loop:
            return time % 1.0
        if not bool(((time >= -_ROUNDING) & (time <= 1 + _ROUNDING)).all()):
            low, high = float(seconds.min()), float(seconds.max())
            raise ValueError(
                f"`seconds` must be from 0 to {self.seconds:g}, got {low:g} to {high:g}; ask "
                "for moments within the motion."
            )
        return time.clamp(0, 1)

    def resampled(self, fps: float) -> tuple[Float[Tensor, " frames"], float]:
        """Normalised times of the same motion's frames at another rate, and their exact rate.

        The first frame stays, and frames that would come after the last are left out. A loop closes
        only with a whole number of frames, so its rate is the nearest that has one.
        """
        if fps == self.fps:
            return self.times(), self.fps
        if self.loop:
            count = max(1, round(self.seconds * fps))
            return even_times(count, loop=True), count / self.seconds
        count = math.floor(self.seconds * fps + _ROUNDING) + 1
        return self.at(torch.arange(count) / fps), fps

    def window(self, num_frames: int, start: int) -> Float[Tensor, " frames"]:
        """Normalised times of `num_frames` consecutive frames from frame `start` on.

        A loop goes round, as often as it takes. Raises ValueError for a window that is not inside
        the motion.
        """
        if self.loop:
            return (start + torch.arange(num_frames)) % self.num_frames / self.num_frames
        if not 0 <= start <= self.num_frames - num_frames:
            raise ValueError(
                f"`start` must leave {num_frames} of {self.num_frames} frames, got {start}; "
                "shorten the window."
            )
        return self.times()[start : start + num_frames]

    def random_window(
        self, num_frames: int, generator: torch.Generator
    ) -> Float[Tensor, " frames"]:
        """Normalised times of a window at a random place.

        A loop's starts at any frame. Else no frame is seen less often than those of the middle:
        the window is drawn with its ends beyond the motion's, and then pushed inside.
        """
        if self.loop:
            low, high = 0, self.num_frames - 1
        else:
            low, high = 1 - num_frames, self.num_frames - 1
        start = int(torch.randint(low, high + 1, (), generator=generator))
        if not self.loop:
            start = min(max(start, 0), self.num_frames - num_frames)
        return self.window(num_frames, start)
