"""Whether the score's gradient leads a perturbed motion back to the real one."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, final

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill.engine.critics import Critic, Method, prompts_for
from motiondistill.engine.settings import DistillSettings
from motiondistill.priors.guidance import Guidance, Prompts
from motiondistill.probing import changes
from motiondistill.probing.settings import GradientSettings
from motiondistill.probing.statistic import common_noise
from motiondistill.probing.study import Clip, Study
from motiondistill.randomness import seeded
from motiondistill.score.levels import log_snr, tau_of
from motiondistill.score.loss import score_gradient
from motiondistill.score.query import Query, Reference
from motiondistill.structures import NUM_JOINTS, Motion

Tangents = Float[Tensor, "draws frames joints 3"]
CLEAR: Final = 1e9
_SCALE_FREE: Final = ("csd",)
"""Objectives whose gradient's direction no guidance scale changes."""


@final
@dataclass(frozen=True)
class Slopes:
    """How gradients are asked for."""

    knobs: DistillSettings
    method: Method
    settings: GradientSettings
    negative_prompt: str

    @property
    def scale_matters(self) -> bool:
        """Whether the guidance scale changes more than the gradient's length."""
        return self.knobs.objective not in _SCALE_FREE

    @property
    def scales(self) -> tuple[float, ...]:
        """The guidance scales that make a difference."""
        scales = self.settings.guidance_scales
        return scales if self.scale_matters else scales[:1]


@final
@dataclass(frozen=True)
class SlopeRow:
    """How the gradients of some draws of noise lead from one perturbed motion back."""

    prompt: str
    clip: str
    recording: str
    level: float
    """As a flow time."""
    log_snr: float
    view: float
    """Azimuth against the heading, radians."""
    guidance: float
    cosine: float
    """Of what single draws ask for with the way to the real motion, the mean over draws."""
    mean_cosine: float
    """The same of the mean of all draws."""
    signal_to_noise: float
    """`|mean|^2 / variance` of a single draw; see `signal_to_noise`."""


def slope_rows(study: Study, slopes: Slopes, clip: Clip) -> Iterator[SlopeRow]:
    """What the prior asks of the clip's motion with noise on its poses, for all levels and views.

    The pose space is the tangent space of all joints' rotations, the pelvis' among them, in every
    frame. The reference is the clip's own motion, frame by frame: a shift in time is not a way
    back, and the pelvis' place is right already.
    """
    settings = slopes.settings
    vectors = changes.pose_noise(
        clip.motion.num_frames,
        NUM_JOINTS,
        size=settings.noise,
        waves=settings.waves,
        generator=seeded(study.seed, 0, f"probe pose noise of {clip.name}"),
    )
    perturbed = changes.turned_by(clip.motion, vectors)
    way = changes.towards(perturbed, clip.motion)
    for view, azimuth in enumerate(study.azimuths):
        look = _look(study, slopes, clip.prompt, perturbed, azimuth)
        for level, sigma in enumerate(study.sigmas):
            noise = _noise(study, settings.draws, look.latents, f"{view} {level} of {clip.name}")
            for scale in slopes.scales:
                steps = look.steps(_residuals(study, slopes, look, sigma, noise, scale))
                yield SlopeRow(
                    clip.prompt,
                    clip.name,
                    clip.recording,
                    float(tau_of(sigma)),
                    float(log_snr(sigma)),
                    float(azimuth),
                    scale,
                    float(cosine(steps, way).mean()),
                    float(cosine(steps.mean(0, keepdim=True), way)),
                    signal_to_noise(steps),
                )


def cosine(steps: Tangents, way: Float[Tensor, "frames joints 3"]) -> Float[Tensor, " draws"]:
    """Of each step with the way, over all frames and joints; 0 for no step at all."""
    flat, straight = steps.double().flatten(1), way.double().flatten()
    lengths = (flat.norm(dim=1) * straight.norm()).clamp(min=math.ulp(0.0) ** 0.5)
    found: Tensor = (flat @ straight) / lengths
    return found


def signal_to_noise(steps: Tangents) -> float:
    """`|E g|^2 / E |g - E g|^2` of draws of a gradient g, without bias in the numerator.

    The mean of n draws is longer than the true one, by the n-th part of the variance, which is
    taken off: of noise alone the figure is 0 on average, and may be below. At most `CLEAR`, which
    stands for draws that do not differ, and 0 where all are zero.
    """
    flat = steps.double().flatten(1)
    mean, count = flat.mean(0), len(flat)
    variance = float((flat - mean).square().sum() / (count - 1))
    power = float(mean.square().sum()) - variance / count
    if power > CLEAR * variance:
        return CLEAR
    return power / variance if variance else 0.0


def _critic(study: Study, slopes: Slopes) -> Critic:
    return Critic(
        "probe",
        study.prior,
        slopes.knobs,
        slopes.method,
        slopes.negative_prompt,
        wording=study.wording,
    )


def _noise(
    study: Study, draws: int, latents: Float[Tensor, "1 C f h w"], purpose: str
) -> Float[Tensor, "draws C f h w"]:
    shape, native = (*latents.shape[1:],), study.prior.format
    each = [
        common_noise(native, shape, seeded(study.seed, draw, f"probe gradient noise {purpose}"))
        for draw in range(draws)
    ]
    return torch.stack(each).to(latents)


@final
@dataclass(frozen=True)
class _Look:
    """A perturbed motion as the prior sees it from one side, and what is said of it."""

    pose: Float[Tensor, "frames joints 3"]
    """Zero: the tangent vectors that the latents depend on."""
    latents: Float[Tensor, "1 C f h w"]
    prompts: Prompts
    reference: Reference | None

    def steps(self, asked: Float[Tensor, "draws C f h w"]) -> Tangents:
        """The negative gradient of each draw in pose space: through renderer and encoder."""
        size = self.latents.numel()
        found = [
            torch.autograd.grad(self.latents, self.pose, one[None] / size, retain_graph=True)[0]
            for one in asked
        ]
        return -torch.stack(found)


def _look(
    study: Study, slopes: Slopes, prompt: str, motion: Motion, azimuth: Float[Tensor, ""]
) -> _Look:
    critic, side = _critic(study, slopes), azimuth[None]

    def seen(shown: Motion) -> Float[Tensor, "1 C f h w"]:
        return study.prior.encode(study.scene(study.body(shown), study.cameras(side)))

    pose = torch.zeros(*motion.rotations.shape[:2], 3, requires_grad=True)
    reference = None
    if slopes.method.reference is not None:
        with torch.no_grad():
            theirs = seen(slopes.method.reference(motion, motion))
        words = prompts_for(critic, slopes.knobs.reference_prompt, side)
        reference = Reference(theirs, words)
    latents = seen(changes.turned_by(motion, pose))
    return _Look(pose, latents, prompts_for(critic, prompt, side), reference)


def _residuals(
    study: Study,
    slopes: Slopes,
    look: _Look,
    sigma: Float[Tensor, ""],
    noise: Float[Tensor, "draws C f h w"],
    scale: float,
) -> Float[Tensor, "draws C f h w"]:
    """What the objective asks of the latents under each draw, weighed as in `optimize`."""
    draws, knobs, method = len(noise), slopes.knobs, slopes.method
    reference = look.reference
    if reference is not None:
        theirs = reference.latents.expand(noise.shape)
        reference = Reference(theirs, _repeated(reference.prompts, draws))
    query = Query(
        study.prior,
        look.latents.detach().expand(noise.shape),
        _repeated(look.prompts, draws),
        sigma.expand(draws),
        noise,
        Guidance(scale, knobs.guidance_base, knobs.guidance_rescale),
        reference,
    )
    residual = method.objective(query)
    return score_gradient(residual, query.sigma, method.weighting, method.shaping)


def _repeated(prompts: Prompts, times: int) -> Prompts:
    return Prompts(
        prompts.positive.repeat(times),
        prompts.negative.repeat(times),
        prompts.empty.repeat(times),
        tuple(each.repeat(times) for each in prompts.perpendicular),
        None if prompts.weights is None else prompts.weights.repeat(1, times),
    )
