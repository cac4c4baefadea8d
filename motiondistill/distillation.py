"""One update of score distillation: the clip is looked at, and the prior says what it asks for."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol, final, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill.cameras import heading, view_azimuths
from motiondistill.distill_memory import Held, Memory
from motiondistill.learning_rates import warm_cosine
from motiondistill.priors.base import Prior
from motiondistill.priors.guidance import Guidance, Prompts
from motiondistill.priors.lora import initial_lora, with_lora
from motiondistill.randomness import seeded
from motiondistill.render.randomization import randomized
from motiondistill.score.adaptation import Adaptation, adaptation_loss
from motiondistill.score.levels import linear, log_snr, windowed
from motiondistill.score.loss import Shaping, root_mean_square, score_gradient, score_loss
from motiondistill.score.query import Objective, Query, Reference, draw_noise
from motiondistill.score.view_negatives import negative_prompts
from motiondistill.score.weightings import Weighting, variance
from motiondistill.starts import Problem
from motiondistill.structures import Mesh, Motion

# The flow times at which an adapted prior learns.
_LEARNED = (0.02, 0.98)


@dataclass(frozen=True)
class DistillSettings:
    """Knobs of the score-distillation stage."""

    # What a step asks of the prior. `csd`, classifier score distillation, follows the prompt alone;
    # `sds`, score distillation sampling, also pulls to the mean of what the prior holds possible,
    # and `nfsd` only to its domain. `dds` asks of the clip what it does not ask of the motion that
    # the stage began with; `moving_minus_static` what it does not ask of the clip frozen to its
    # mean pose. `multi_step` and `sdi` follow the prior's sampler, the second from noise found in
    # the clip. `vsd` compares with a copy of the prior that learns the clip; it needs peft.
    objective: Literal[
        "csd", "sds", "nfsd", "dds", "moving_minus_static", "multi_step", "sdi", "vsd"
    ] = "csd"
    # Updates.
    num_steps: int = 60
    # Views of the full circle rendered for each update.
    views: int = 4
    # Updates towards the same target, with the same views, before a new one is asked for.
    updates_per_target: int = 1
    # `csd`: the score's weight against the regularisers. Else how far the prompt's clean estimate
    # is pushed away from the base's; 1: not at all.
    guidance_scale: float = 4.0
    # To this it goes on a line during the stage; null keeps it.
    last_guidance_scale: float | None = None
    # What guidance pushes away from: the negative prompt, or the empty one, no text at all.
    guidance_base: Literal["negative", "empty"] = "negative"
    # How far the spread of the guided estimate is put back to that of the prompt's own; 1: wholly.
    guidance_rescale: float = 0.0
    # Pushes away from the views that the clip is not seen from, too (Perp-Neg).
    avoid_other_views: bool = False
    # Weight of noise levels, named by the residual that it makes: `sds` is that of the noise times
    # its variance, `uniform` of the noise, `fantasia3d` of the noise times variance and signal,
    # `x0` of the clean clip, `velocity` and `flow` of these.
    weighting: Literal["sds", "uniform", "fantasia3d", "x0", "velocity", "flow"] = "sds"
    # Factor of what the score asks for that changes in time; 1 is as it is.
    motion_amplification: float = 1.0
    # Largest root mean square of what the score asks of one view; null is any.
    max_gradient: float | None = None
    # Noise levels tau = sigma / (1 + sigma): 0.5 is as much noise as signal, and the log-SNR is
    # 2 log((1 - tau) / tau). They go from the first to the last during the stage, on a line, by
    # the square root of the progress, or so that tau's square falls evenly (`inverse_cdf`), and the
    # views spread over +-jitter around them. `uniform` draws between the two all along.
    # `timesteps` draws so that steps of Stable Diffusion's schedule are equally likely, as most
    # code does, and reads both levels as shares of its steps.
    level_path: Literal["linear", "sqrt", "inverse_cdf", "uniform", "timesteps"] = "linear"
    first_level: float = 0.9
    last_level: float = 0.6
    level_jitter: float = 0.1
    # How the views spread: one in each equal part, in opposite pairs, or each by itself.
    level_draw: Literal["stratified", "antithetic", "independent"] = "stratified"
    # Cameras stay within this angle of the centre of a named view, radians.
    azimuth_jitter: float = 0.17
    # Adam's, at its highest.
    learning_rate: float = 2e-3
    # How it goes: up and down again along a cosine, or not at all.
    learning_schedule: Literal["warm_cosine", "constant"] = "warm_cosine"
    # Largest norm of the gradient of the field's parameters; null is any.
    max_norm: float | None = 1.0
    # `dds` and `moving_minus_static`: what the clip compared with shows.
    reference_prompt: str = "a person is standing still"
    # `nfsd`: the noise level below which all of the unprompted score leads to the prior's domain.
    domain_level: float = 0.36
    # `multi_step`: steps of the sampler. `sdi`: steps to the noise.
    target_steps: int = 5
    # `sdi`: guidance on the way to the noise; null is the opposite of the other.
    inversion_guidance_scale: float | None = None
    # `sdi`: share of the noise that is drawn and not found; 1 is `sds`.
    inversion_noise: float = 0.3
    # `vsd`: rank and learning rate of what the copy learns.
    lora_rank: int = 4
    lora_learning_rate: float = 1e-4


@runtime_checkable  # for the type checks of the tests
class Levels(Protocol):
    """Noise levels of an update."""

    def __call__(
        self, progress: float, count: int, *, generator: torch.Generator
    ) -> Float[Tensor, " count"]:
        """Sigmas for so many views."""
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
class Verdict:
    """What the prior says of a motion."""

    loss: Float[Tensor, ""]
    """Its gradient is what is asked for; the value means nothing."""
    video: Float[Tensor, "views frames 3 height width"]
    target: Float[Tensor, "views C f h w"]
    """The latents that are asked for, before weight and shaping."""
    figures: dict[str, Float[Tensor, ""]]
    """To be recorded: the levels' mean log-SNR, the gradient's size, the guidance's scale, ..."""


def judge(
    problem: Problem,
    knobs: DistillSettings,
    method: Method,
    memory: Memory,
    motion: Motion,
    mesh: Mesh,
    *,
    index: int,
    begin: int,
) -> Verdict:
    """What the prior asks of the motion and its mesh at the update `index`; the first is `begin`.

    All draws are those of the update in which the target was asked for.
    """
    step = target_step(knobs, index, begin)
    if step == index:
        memory.held = None
    prior, generator = problem.prior, seeded(problem.seed, step, "distill")
    progress = (step - begin) / knobs.num_steps
    azimuths = view_azimuths(knobs.views, jitter=knobs.azimuth_jitter, generator=generator)
    sigma = prior.snap(method.levels(progress, knobs.views, generator=generator))
    facing = heading(motion) if memory.held is None else memory.held.heading
    video = _video(problem, mesh, azimuths + facing, step)
    latents = prior.encode(video)
    guidance = guidance_at(knobs, progress)
    figures: dict[str, Float[Tensor, ""]] = {}
    if memory.held is None:
        query = Query(
            prior,
            latents.detach(),
            prompts_for(problem, knobs, problem.prompt, azimuths),
            sigma,
            draw_noise(latents, generator),
            guidance,
            _reference(problem, knobs, method, memory, motion, azimuths, facing, step),
            _adapted(problem, knobs, memory) if method.adapts else None,
        )
        residual = method.objective(query)
        figures = _adapt(query, knobs, memory, seeded(problem.seed, step, "adaptation"))
        if knobs.updates_per_target > 1:
            memory.held = Held(query.latents - residual, facing)
    else:
        residual = latents.detach() - memory.held.target
    gradient = score_gradient(residual, sigma, method.weighting, method.shaping)
    figures["log_snr"] = log_snr(sigma).mean()
    figures["score_gradient"] = root_mean_square(gradient)
    figures["guidance_scale"] = torch.tensor(guidance.scale)
    target = latents.detach() - residual
    return Verdict(score_loss(latents, gradient), video, target, figures)


def target_step(knobs: DistillSettings, index: int, begin: int) -> int:
    """The update in which the target of the update `index` was asked for."""
    return index - (index - begin) % knobs.updates_per_target


def guidance_at(knobs: DistillSettings, progress: float) -> Guidance:
    """The guidance when `progress` of the stage, from 0 to 1, is behind it."""
    last = knobs.last_guidance_scale
    scale = knobs.guidance_scale
    if last is not None:
        scale = linear(progress, scale, last)
    return Guidance(scale, knobs.guidance_base, knobs.guidance_rescale)


def prompts_for(
    problem: Problem, knobs: DistillSettings, prompt: str, azimuths: Float[Tensor, " views"]
) -> Prompts:
    """The prompt as seen from these sides, and all that guidance may push away from."""
    sides, wording, embed = azimuths.tolist(), problem.wording, problem.prior.embed
    positive = embed([wording.positive(prompt, azimuth) for azimuth in sides])
    negative = embed([wording.negative(problem.negative_prompt, azimuth) for azimuth in sides])
    empty = embed([""] * len(sides))
    if not knobs.avoid_other_views:
        return Prompts(positive, negative, empty)
    words, weights = negative_prompts(prompt, sides, wording.filled)
    others = tuple(embed(row) for row in words)
    return Prompts(positive, negative, empty, others, torch.tensor(weights))


def _video(
    problem: Problem, mesh: Mesh, azimuths: Float[Tensor, " views"], step: int
) -> Float[Tensor, "views frames 3 height width"]:
    """The mesh in the scene and by the cameras of this step."""
    scene = randomized(problem.scene, problem.changes, seeded(problem.seed, step, "scene"))
    return scene(mesh, problem.cameras.varied(azimuths, seeded(problem.seed, step, "camera")))


def _reference(
    problem: Problem,
    knobs: DistillSettings,
    method: Method,
    memory: Memory,
    motion: Motion,
    azimuths: Float[Tensor, " views"],
    facing: Float[Tensor, ""],
    step: int,
) -> Reference | None:
    """The clips to compare with, seen by the same cameras in the same scene."""
    if method.reference is None:
        return None
    memory.start = memory.start or motion.detach()
    with torch.no_grad():
        mesh = problem.body(method.reference(motion.detach(), memory.start))
        latents = problem.prior.encode(_video(problem, mesh, azimuths + facing, step))
    return Reference(latents, prompts_for(problem, knobs, knobs.reference_prompt, azimuths))


def _adapted(problem: Problem, knobs: DistillSettings, memory: Memory) -> Prior:
    """The prior with what it has learned of the clips so far; at first the prior itself."""
    if memory.adapted is None:
        fresh = initial_lora(problem.prior, knobs.lora_rank, seeded(problem.seed, 0, "lora"))
        if memory.adaptation is None:
            memory.adaptation = Adaptation(fresh)
        memory.adaptation.to(fresh[0].device)
        parameters = list(memory.adaptation.parameters)
        memory.adapted = with_lora(problem.prior, knobs.lora_rank, parameters)
    return memory.adapted


def _adapt(
    query: Query, knobs: DistillSettings, memory: Memory, generator: torch.Generator
) -> dict[str, Float[Tensor, ""]]:
    """Lets the adapted prior, if there is one, learn the clips at levels of its own; its loss."""
    if query.adapted is None or memory.adaptation is None:
        return {}
    low, high = _LEARNED
    sigma = windowed(0.0, len(query.latents), first=high, last=low, generator=generator)
    sigma, noise = query.prior.snap(sigma), draw_noise(query.latents, generator)
    loss = adaptation_loss(query.adapted, query.latents, query.prompts.positive, sigma, noise)
    memory.adaptation.update(loss, knobs.lora_learning_rate)
    return {"adaptation_loss": loss.detach()}
