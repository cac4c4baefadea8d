"""Priors that judge a motion: what each is shown and asked, and how much its word counts."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol, final, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from motiondistill.engine.learning_rates import warm_cosine
from motiondistill.engine.profile import timed
from motiondistill.engine.settings import DistillSettings
from motiondistill.priors.base import Prior
from motiondistill.priors.guidance import Guidance, Prompts
from motiondistill.prompts import Wording
from motiondistill.score.levels import linear
from motiondistill.score.loss import Shaping
from motiondistill.score.query import Objective
from motiondistill.score.view_negatives import negative_prompts
from motiondistill.score.weightings import Weighting, variance
from motiondistill.structures import Motion

MAIN: Final = "score"
"""The name of the problem's own prior among the critics."""


@runtime_checkable  # for the type checks of the tests
class Levels(Protocol):
    """Noise levels of an update."""

    def __call__(
        self, progress: float, count: int, *, generator: torch.Generator
    ) -> Float[Tensor, " count"]:
        """Sigmas for so many clips."""
        ...


@final
@dataclass(frozen=True)
class Method:
    """What the names in `DistillSettings` mean."""

    objective: Objective
    levels: Levels
    weighting: Weighting = variance
    shaping: Shaping | None = None
    reference: Callable[[Motion, Motion], Motion] | None = None
    """From the motion now and at the stage's begin, the one to compare with; None for none."""
    rate: Callable[[float], float] = warm_cosine
    """The factor of the learning rate when a share of the stage is done."""
    adapts: bool = False
    """Whether the objective wants the prior adapted to the clips."""


@final
@dataclass(frozen=True)
class Critic:
    """A prior that judges, what it is asked, and how much its word counts.

    What it takes for one clip is a row: a view of the motion or, for a critic of images, one frame
    of a view. The rows of a view follow each other.
    """

    name: str
    """Of its term in the loss, and of what it draws."""
    prior: Prior
    knobs: DistillSettings
    method: Method
    """What the knobs name. Of further critics, `weight`, views, parts, updates and their rate are
    not looked at: those are the problem's own prior's."""
    negative_prompt: str = ""
    """What guidance pushes away from, seen from the same side; empty is no text at all."""
    prompt: str | None = None
    """What it is told of the motion; None is what all are told."""
    weight: float = 1.0
    images: int | None = None
    """Frames of each view that it sees, each as a clip by itself; None is the whole clip."""
    wording: Wording = field(default_factory=Wording)
    """How both prompts tell the side."""

    def named(self, figure: str) -> str:
        """The name of one of its figures among those of all critics."""
        return figure if self.name == MAIN else f"{self.name}_{figure}"

    @property
    def rows_per_view(self) -> int:
        """How many clips a view is."""
        return self.images or 1

    def rows(self, views: slice) -> slice:
        """The rows of these views."""
        return slice(views.start * self.rows_per_view, views.stop * self.rows_per_view)


@final
@dataclass(frozen=True)
class Draws:
    """What chance decides for one critic at an update, of all views or of some."""

    sigma: Float[Tensor, " rows"]
    """Levels that its prior knows."""
    noise: Float[Tensor, "rows C f h w"]
    """Standard normal."""
    frames: Int[Tensor, "views images"] | None = None
    """Which of each view's frames it sees; None is the whole clip."""

    def shown(
        self, video: Float[Tensor, "views frames 3 height width"]
    ) -> Float[Tensor, "rows seen 3 height width"]:
        """What of these views' video the critic sees: the video itself, or clips of one frame."""
        if self.frames is None:
            return video
        first = torch.arange(len(video))[:, None] * video.shape[1]
        return video.flatten(0, 1)[(first + self.frames).flatten()][:, None]

    def part(self, views: slice, rows: slice) -> "Draws":
        """Those of some views, whose rows are these."""
        frames = None if self.frames is None else self.frames[views]
        return Draws(self.sigma[rows], self.noise[rows], frames)


def draw(
    critic: Critic,
    progress: float,
    views: int,
    size: tuple[int, int, int],
    generator: torch.Generator,
) -> Draws:
    """Frames, levels and noise for so many views of clips of this size (frames, height, width).

    `progress` is how much of the stage, from 0 to 1, is behind it. The frames of each view are a
    subset of its own, without repetition.
    """
    frames = None
    if critic.images is not None:
        orders = [torch.randperm(size[0], generator=generator) for _ in range(views)]
        frames, size = torch.stack(orders)[:, : critic.images], (1, *size[1:])
    rows = views * critic.rows_per_view
    sigma = critic.prior.snap(critic.method.levels(progress, rows, generator=generator))
    # Drawn on the CPU, so that a run on another device sees the same noise.
    noise = torch.randn((rows, *critic.prior.latent_shape(*size)), generator=generator)
    return Draws(sigma, noise, frames)


def guidance_at(knobs: DistillSettings, progress: float) -> Guidance:
    """The guidance when `progress` of the stage, from 0 to 1, is behind it."""
    last = knobs.last_guidance_scale
    scale = knobs.guidance_scale
    if last is not None:
        scale = linear(progress, scale, last)
    return Guidance(scale, knobs.guidance_base, knobs.guidance_rescale)


@timed("embed")
def prompts_for(critic: Critic, prompt: str, azimuths: Float[Tensor, " views"]) -> Prompts:
    """The prompt as seen from these sides, and all that guidance may push away from, row by row.

    Azimuths are radians against the heading.
    """
    sides = azimuths.repeat_interleave(critic.rows_per_view).tolist()
    wording, embed = critic.wording, critic.prior.embed
    positive = embed([wording.positive(prompt, azimuth) for azimuth in sides])
    negative = embed([wording.negative(critic.negative_prompt, azimuth) for azimuth in sides])
    empty = embed([""] * len(sides))
    if not critic.knobs.avoid_other_views:
        return Prompts(positive, negative, empty)
    words, weights = negative_prompts(prompt, sides, wording.filled)
    others = tuple(embed(row) for row in words)
    return Prompts(positive, negative, empty, others, torch.tensor(weights))
