"""One update of score distillation: the clip is looked at, and priors say what they ask for."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill.cameras import heading, view_azimuths
from motiondistill.critics import MAIN, Critic, Draws, draw, guidance_at, prompts_for
from motiondistill.critics import Levels as Levels
from motiondistill.critics import Method as Method
from motiondistill.distill_memory import Held, Memory
from motiondistill.distill_settings import DistillSettings as DistillSettings
from motiondistill.priors.guidance import Guidance
from motiondistill.priors.lora import initial_lora, with_lora
from motiondistill.randomness import seeded
from motiondistill.render.randomization import randomized
from motiondistill.render.scene import Scene
from motiondistill.score.adaptation import Adaptation, adaptation_loss
from motiondistill.score.levels import log_snr, windowed
from motiondistill.score.loss import root_mean_square, score_gradient, score_loss
from motiondistill.score.query import Query, Reference
from motiondistill.starts import Problem
from motiondistill.structures import Camera, Mesh, Motion

# The flow times at which an adapted prior learns.
_LEARNED = (0.02, 0.98)


@final
@dataclass(frozen=True)
class Verdict:
    """What the critics say of a motion."""

    terms: dict[str, Float[Tensor, ""]]
    """One for each critic: its gradient is what is asked for; the value means nothing."""
    video: Float[Tensor, "views frames 3 height width"]
    target: Float[Tensor, "views C f h w"] | None
    """The latents that the problem's own prior asks for, before weight and shaping."""
    figures: dict[str, Float[Tensor, ""]]
    """To be recorded: the levels' mean log-SNR, the gradient's size, the guidance's scale, ..."""


@final
@dataclass(frozen=True)
class Look:
    """From where, and in which scene, the views of an update are seen."""

    scene: Scene
    cameras: Camera
    azimuths: Float[Tensor, " views"]
    """Of the cameras against the heading, radians."""

    def __call__(self, mesh: Mesh) -> Float[Tensor, "views frames 3 height width"]:
        """The mesh as it is seen."""
        return self.scene(mesh, self.cameras)


@final
@dataclass(frozen=True)
class Case:
    """What one critic is asked at an update."""

    critic: Critic
    memory: Memory
    prompt: str
    guidance: Guidance
    draws: Draws
    reference: Mesh | None
    """To compare with, for objectives that do."""
    lesson: Draws | None
    """At which levels its adaptation learns the clips, if it has one."""


@final
@dataclass(frozen=True)
class Answer:
    """What one critic says; a row for each clip that it took."""

    loss: Float[Tensor, ""]
    gradient: Float[Tensor, "rows C f h w"]
    """What the latents are to change by, before it is divided by their number and weighted."""
    target: Float[Tensor, "rows C f h w"]
    lesson_loss: Float[Tensor, ""] | None
    """How well its adaptation knows the clips."""


def critics_of(problem: Problem, knobs: DistillSettings, method: Method) -> list[Critic]:
    """Who judges: the problem's own prior, unless it counts nothing, and the others."""
    main = Critic(MAIN, problem.prior, knobs, method, problem.negative_prompt, weight=knobs.weight)
    return [critic for critic in (main, *problem.critics) if critic.weight]


def judge(
    problem: Problem,
    knobs: DistillSettings,
    method: Method,
    memories: list[Memory],
    motion: Motion,
    mesh: Mesh,
    *,
    index: int,
    begin: int,
) -> Verdict:
    """What the critics ask of the motion and its mesh at the update `index`; the first is `begin`.

    Each has a memory, in their order; those that are missing are added. All look at the same views,
    and all draws are those of the update in which the target was asked for.
    """
    critics = critics_of(problem, knobs, method)
    memories += [Memory() for _ in critics[len(memories) :]]
    step = target_step(knobs, index, begin)
    if step == index:
        for memory in memories:
            memory.held = None
    generator = seeded(problem.seed, step, "distill")
    azimuths = view_azimuths(knobs.views, jitter=knobs.azimuth_jitter, generator=generator)
    facing = heading(motion) if memories[0].held is None else memories[0].held.heading
    progress = (step - begin) / knobs.num_steps
    cases = []
    for critic, memory in zip(critics, memories, strict=True):
        own = generator if critic.name == MAIN else seeded(problem.seed, step, critic.name)
        cases.append(_case(problem, critic, memory, motion, own, step=step, progress=progress))
    look = _look(problem, azimuths, facing, step)
    video = look(mesh)
    answers = [_answer(case, look, video) for case in cases]
    return _verdict(cases, answers, video, facing)


def target_step(knobs: DistillSettings, index: int, begin: int) -> int:
    """The update in which the target of the update `index` was asked for."""
    return index - (index - begin) % knobs.updates_per_target


def _look(
    problem: Problem, azimuths: Float[Tensor, " views"], facing: Float[Tensor, ""], step: int
) -> Look:
    scene = randomized(problem.scene, problem.changes, seeded(problem.seed, step, "scene"))
    cameras = problem.cameras.varied(azimuths + facing, seeded(problem.seed, step, "camera"))
    return Look(scene, cameras, azimuths)


def _case(
    problem: Problem,
    critic: Critic,
    memory: Memory,
    motion: Motion,
    generator: torch.Generator,
    *,
    step: int,
    progress: float,
) -> Case:
    size = (motion.num_frames, *problem.cameras.size)
    draws = draw(critic, progress, critic.knobs.views, size, generator)
    reference = lesson = None
    if memory.held is None and critic.method.reference is not None:
        memory.start = memory.start or motion.detach()
        with torch.no_grad():
            reference = problem.body(critic.method.reference(motion.detach(), memory.start))
    if memory.held is None and critic.method.adapts:
        _prepare(critic, memory, seeded(problem.seed, 0, _stream(critic, "lora")))
        lesson = _lesson(critic, draws, seeded(problem.seed, step, _stream(critic, "adaptation")))
    prompt = problem.prompt if critic.prompt is None else critic.prompt
    guidance = guidance_at(critic.knobs, progress)
    return Case(critic, memory, prompt, guidance, draws, reference, lesson)


def _stream(critic: Critic, purpose: str) -> str:
    return purpose if critic.name == MAIN else f"{critic.name} {purpose}"


def _prepare(critic: Critic, memory: Memory, generator: torch.Generator) -> None:
    """The prior with what it has learned of the clips so far; at first the prior itself."""
    if memory.adapted is None:
        fresh = initial_lora(critic.prior, critic.knobs.lora_rank, generator)
        if memory.adaptation is None:
            memory.adaptation = Adaptation(fresh)
        memory.adaptation.to(fresh[0].device)
        parameters = list(memory.adaptation.parameters)
        memory.adapted = with_lora(critic.prior, critic.knobs.lora_rank, parameters)


def _lesson(critic: Critic, draws: Draws, generator: torch.Generator) -> Draws:
    """Levels and noise of their own, for the adapted prior to learn the same clips."""
    low, high = _LEARNED
    sigma = windowed(0.0, len(draws.sigma), first=high, last=low, generator=generator)
    noise = torch.randn(draws.noise.shape, generator=generator)
    return Draws(critic.prior.snap(sigma), noise)


def _answer(case: Case, look: Look, video: Float[Tensor, "views frames 3 height width"]) -> Answer:
    """What the critic asks of the views in this video."""
    critic, draws, held = case.critic, case.draws, case.memory.held
    latents = critic.prior.encode(draws.shown(video))
    lesson_loss = None
    if held is None:
        query = _query(case, look, latents.detach())
        residual = critic.method.objective(query)
        lesson_loss = _learn(case, query)
    else:
        residual = latents.detach() - held.target
    gradient = score_gradient(residual, draws.sigma, critic.method.weighting, critic.method.shaping)
    loss = critic.weight * score_loss(latents, gradient)
    return Answer(loss, gradient, latents.detach() - residual, lesson_loss)


def _query(case: Case, look: Look, latents: Float[Tensor, "rows C f h w"]) -> Query:
    critic, draws = case.critic, case.draws
    reference = None
    if case.reference is not None:
        # Seen by the same cameras in the same scene.
        with torch.no_grad():
            theirs = critic.prior.encode(draws.shown(look(case.reference)))
        words = prompts_for(critic, critic.knobs.reference_prompt, look.azimuths)
        reference = Reference(theirs, words)
    return Query(
        critic.prior,
        latents,
        prompts_for(critic, case.prompt, look.azimuths),
        draws.sigma,
        draws.noise.to(latents),
        case.guidance,
        reference,
        None if case.lesson is None else case.memory.adapted,
    )


def _learn(case: Case, query: Query) -> Float[Tensor, ""] | None:
    """Lets the adapted prior, if there is one, learn the clips; its loss."""
    if case.lesson is None:
        return None
    adapted, adaptation = case.memory.adapted, case.memory.adaptation
    assert adapted is not None and adaptation is not None
    sigma, noise = case.lesson.sigma, case.lesson.noise.to(query.latents)
    loss = adaptation_loss(adapted, query.latents, query.prompts.positive, sigma, noise)
    adaptation.update(loss, case.critic.knobs.lora_learning_rate)
    return loss.detach()


def _verdict(
    cases: Sequence[Case],
    answers: Sequence[Answer],
    video: Float[Tensor, "views frames 3 height width"],
    facing: Float[Tensor, ""],
) -> Verdict:
    """The answers of all critics in one, remembered where later updates share the targets."""
    terms, figures, target = {}, {}, None
    for case, answer in zip(cases, answers, strict=True):
        name, memory = case.critic.name, case.memory
        if memory.held is None and case.critic.knobs.updates_per_target > 1:
            memory.held = Held(answer.target, facing)
        terms[name] = answer.loss
        found = {} if answer.lesson_loss is None else {"adaptation_loss": answer.lesson_loss}
        found["log_snr"] = log_snr(case.draws.sigma).mean()
        found["score_gradient"] = root_mean_square(answer.gradient)
        found["guidance_scale"] = torch.tensor(case.guidance.scale)
        if name == MAIN:
            target, figures = answer.target, found | figures
        else:
            figures |= {f"{name}_{key}": value for key, value in found.items()}
    return Verdict(terms, video, target, figures)
