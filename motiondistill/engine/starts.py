"""Where an optimisation starts: videos sampled from the prior, to which motions are fitted."""

import logging
import math
from dataclasses import dataclass, field
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from motiondistill.body.base import Body
from motiondistill.cameras import Orbit
from motiondistill.engine.critics import Critic
from motiondistill.engine.profile import timed
from motiondistill.motion.field import FieldMaker, MotionField
from motiondistill.motion.pose_field import PoseField
from motiondistill.motion.stances import UPRIGHT, Stance
from motiondistill.motion.timeline import Timeline
from motiondistill.priors.base import Prior
from motiondistill.priors.sampling import sample
from motiondistill.prompts import VIEW_NAMES, Wording
from motiondistill.randomness import seeded
from motiondistill.regularizers.weights import References
from motiondistill.render.randomization import Change
from motiondistill.render.scene import Scene
from motiondistill.structures import Motion

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Problem:
    """What a motion is wanted for: a prompt, the prior that judges, and how the body is seen."""

    prompt: str
    prior: Prior
    body: Body
    scene: Scene
    cameras: Orbit
    num_frames: int
    """Of the motion, at the prior's rate."""
    seed: int
    negative_prompt: str = ""
    """What guidance pushes away from, seen from the same side; empty is no text at all."""
    wording: Wording = field(default_factory=Wording)
    """How both prompts tell the side."""
    changes: tuple[Change, ...] = ()
    """What is drawn anew of the scene at every update of the distillation."""
    references: References = field(default_factory=References)
    """What regularisers compare the motion with."""
    new_field: FieldMaker = PoseField
    """What stands for the motion."""
    window: int | None = None
    """Frames that the prior sees at once; None is the whole motion."""
    loop: bool = False
    """Whether the first frame follows the last; the fields must be such."""
    output_fps: float | None = None
    """Frames a second of the result; None is the prior's rate."""
    critics: tuple[Critic, ...] = ()
    """Further priors that judge while distilling."""
    answer_known: str = ""
    """What the motion was told of the answer, in words for the results; empty is nothing."""
    reference: Motion | None = None
    """What a reference start fits: as long as the motion, at the prior's rate."""

    @property
    def timeline(self) -> Timeline:
        """How long the motion lasts, at the prior's rate."""
        return Timeline(self.num_frames, self.prior.format.fps, self.loop)

    def place(self, index: int) -> str:
        """Which update of which run it is, for errors."""
        return f"step {index} of seed {self.seed}"

    @property
    def clip_frames(self) -> int:
        """How many frames the prior sees at once."""
        return self.num_frames if self.window is None else self.window


@dataclass(frozen=True)
class FitSettings:
    """Knobs of the start."""

    # Videos drawn from the prior, and motions fitted to them; the best is kept.
    num_samples: int = 4
    # Steps of the prior's sampler.
    sampling_steps: int = 25
    # Guidance while sampling.
    guidance_scale: float = 4.0
    # Updates of the fit; 0 leaves it out, as `neutral` does.
    num_steps: int = 300
    # Motions that are fitted to each video, from other stances (arms low, sideways, up). The one
    # nearest to its video is kept after two fifths of the updates.
    num_stances: int = 3
    # Adam's, at its highest.
    learning_rate: float = 6e-3
    # Weight of 1 - cos of the pelvis' lean at the first update of a fit to videos; it falls to a
    # hundredth within 60 % of the updates. `regularize.tilt` stays beside it.
    upright: float = 2.0
    # Likewise of the deviation from usual poses, those of `field.statistics`, by dimension; left
    # out where there are none.
    usual_poses: float = 0.3
    # `sampled`: motions are fitted to videos sampled from the prior. `neutral`: nothing is fitted,
    # the motion stands still. `reference`: it is fitted to `init.motion`.
    start: Literal["sampled", "neutral", "reference"] = "sampled"
    # Motion file or run folder of `reference`. Of a longer motion the beginning is taken, and a
    # shorter one stays in its last pose; both are held in place, as the camera travels along.
    motion: str | None = None

    def __post_init__(self) -> None:
        if self.start == "reference" and self.num_steps == 0:
            raise ValueError(
                "`init.num_steps` must be above 0 with init.start=reference, got 0; leave it out, "
                "or start without a fit by init.start=neutral."
            )

    @property
    def guided(self) -> bool:
        """Whether it needs to know usual poses."""
        return self.start == "sampled" and self.num_steps > 0 and self.usual_poses > 0

    @property
    def updates(self) -> int:
        """How many there are before the distillation."""
        return 0 if self.start == "neutral" else self.num_steps


# In these views neither arm is hidden and front and back cannot be confused.
_START_VIEWS = (0, 1, 7)


@timed("field")
def motion_of(problem: Problem, field: nn.Module) -> Motion:
    """The field's motion at the problem's length and the prior's frame rate."""
    motion: Motion = field(problem.num_frames, problem.prior.format.fps)
    return motion


@timed("field")
def clip_of(problem: Problem, field: nn.Module, step: int | None = None) -> Motion:
    """What the prior sees of the field's motion: all of it, or a window of it.

    The window is the one drawn for this step, or the first one without a step. A loop's may start
    at any frame, even if it is as long as the loop.
    """
    if problem.window is None and not (problem.loop and step is not None):
        return motion_of(problem, field)
    assert isinstance(field, MotionField)
    timeline, count = problem.timeline, problem.clip_frames
    if step is None:
        times = timeline.window(count, 0)
    else:
        times = timeline.random_window(count, seeded(problem.seed, step, "window"))
    return field.at(times, timeline.fps)


def new_field(problem: Problem, index: int, stance: Stance = UPRIGHT) -> MotionField:
    """Candidate `index` before its first update."""
    return problem.new_field(stance=stance, generator=seeded(problem.seed, index, "field"))


def start_azimuths(num_samples: int) -> Float[Tensor, " samples"]:
    """The known azimuths that samples are drawn for, radians: frontal views in turn."""
    index = [_START_VIEWS[k % len(_START_VIEWS)] for k in range(num_samples)]
    return torch.tensor(index) * (2 * math.pi / len(VIEW_NAMES))


def sample_targets(
    problem: Problem, settings: FitSettings
) -> Float[Tensor, "samples frames 3 height width"]:
    """Videos of the prompt sampled from the prior, one for each of `start_azimuths`."""
    azimuths = start_azimuths(settings.num_samples).tolist()
    _log.info("sampling %d videos from the prior", settings.num_samples)
    latents = sample(
        problem.prior,
        [problem.wording.positive(problem.prompt, azimuth) for azimuth in azimuths],
        generator=seeded(problem.seed, 0, "start"),
        num_steps=settings.sampling_steps,
        guidance_scale=settings.guidance_scale,
        negative_prompts=[
            problem.wording.negative(problem.negative_prompt, azimuth) for azimuth in azimuths
        ],
        size=(problem.clip_frames, *problem.cameras.size),
    )
    with torch.no_grad():
        return problem.prior.decode(latents)
