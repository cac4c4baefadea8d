"""What one critic is asked at an update of the distillation, and what it answers."""

import dataclasses
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill.engine.critics import MAIN, Critic, Draws, guidance_at, prompts_for
from motiondistill.engine.memory import Memory
from motiondistill.engine.profile import timed
from motiondistill.engine.starts import Problem
from motiondistill.priors.guidance import Guidance
from motiondistill.priors.lora import initial_lora, with_lora
from motiondistill.randomness import seeded
from motiondistill.render.scene import Scene
from motiondistill.score.adaptation import Adaptation, Lesson, adaptation_loss
from motiondistill.score.levels import windowed
from motiondistill.score.loss import score_gradient, score_loss
from motiondistill.score.query import Query, Reference
from motiondistill.structures import Camera, Mesh, Motion

# The flow times at which an adapted prior learns.
_LEARNED = (0.02, 0.98)


@final
@dataclass(frozen=True)
class Look:
    """From where, and in which scene, the views of an update are seen."""

    scene: Scene
    cameras: Camera
    azimuths: Float[Tensor, " views"]
    """Of the cameras against the heading, radians."""

    @timed("render")
    def __call__(self, mesh: Mesh) -> Float[Tensor, "views frames 3 height width"]:
        """The mesh as it is seen."""
        return self.scene(mesh, self.cameras)

    def part(self, views: slice) -> "Look":
        """Some of the views."""
        poses, fov_y = self.cameras.camera_from_world[views], self.cameras.fov_y
        fov_y = fov_y[views] if isinstance(fov_y, Tensor) else fov_y
        cameras = dataclasses.replace(self.cameras, camera_from_world=poses, fov_y=fov_y)
        return Look(self.scene, cameras, self.azimuths[views])


@final
@dataclass(frozen=True)
class Case:
    """What one critic is asked at an update, of all views or of some."""

    critic: Critic
    memory: Memory
    prompt: str
    guidance: Guidance
    draws: Draws
    target: Float[Tensor, "rows C f h w"] | None
    """The one that is kept from an earlier update; None asks for a new one."""
    reference: Mesh | None
    """To compare with, for objectives that do."""
    lesson: Draws | None
    """At which levels the critic's adaptation learns the clips, if it has one."""

    def part(self, views: slice) -> "Case":
        """The case of some of the views."""
        rows = self.critic.rows(views)
        return dataclasses.replace(
            self,
            draws=self.draws.part(views, rows),
            target=None if self.target is None else self.target[rows],
            lesson=None if self.lesson is None else self.lesson.part(views, rows),
        )


@final
@dataclass(frozen=True)
class Answer:
    """What one critic says; a row for each clip that it took."""

    loss: Float[Tensor, ""]
    latents: Float[Tensor, "rows C f h w"]
    """With their gradient history."""
    gradient: Float[Tensor, "rows C f h w"]
    """What the latents are to change by, before it is divided by their number and weighted."""
    target: Float[Tensor, "rows C f h w"]
    lesson: Lesson | None
    """What its adaptation is to learn of these clips, if it has one."""

    def detach(self) -> "Answer":
        """The same without gradient history."""
        return dataclasses.replace(self, loss=self.loss.detach(), latents=self.latents.detach())


def make_case(
    problem: Problem,
    critic: Critic,
    memory: Memory,
    motion: Motion,
    draws: Draws,
    *,
    step: int,
    progress: float,
) -> Case:
    """The critic's case of all views; `step` is the one in which the target is asked for."""
    reference = lesson = None
    if memory.held is None and critic.method.reference is not None:
        start = memory.start or motion.detach()
        memory = dataclasses.replace(memory, start=start)
        with torch.no_grad():
            reference = problem.body(critic.method.reference(motion.detach(), start))
    if memory.held is None and critic.method.adapts:
        memory = _adapting(critic, memory, seeded(problem.seed, 0, _stream(critic, "lora")))
        lesson = _lesson(critic, draws, seeded(problem.seed, step, _stream(critic, "adaptation")))
    prompt = problem.prompt if critic.prompt is None else critic.prompt
    guidance = guidance_at(critic.knobs, progress)
    target = None if memory.held is None else memory.held.target
    return Case(critic, memory, prompt, guidance, draws, target, reference, lesson)


def answer(
    case: Case,
    look: Look,
    video: Float[Tensor, "views frames 3 height width"],
    share: float = 1.0,
) -> Answer:
    """What the critic asks of the views in this video, which are this share of all.

    Nothing is learned; what there is to learn is a part of the answer.
    """
    critic, draws = case.critic, case.draws
    with timed("encode"):
        latents = critic.prior.encode(draws.shown(video))
    lesson = None
    if case.target is None:
        query = _query(case, look, latents.detach())
        with timed("denoise"):
            residual = critic.method.objective(query)
        lesson = _lesson_of(case, query, share)
    else:
        residual = latents.detach() - case.target
    gradient = score_gradient(residual, draws.sigma, critic.method.weighting, critic.method.shaping)
    loss = critic.weight * share * score_loss(latents, gradient)
    return Answer(loss, latents, gradient, latents.detach() - residual, lesson)


def _stream(critic: Critic, purpose: str) -> str:
    return purpose if critic.name == MAIN else f"{critic.name} {purpose}"


def _adapting(critic: Critic, memory: Memory, generator: torch.Generator) -> Memory:
    """The memory with the prior as it has learned the clips; at first that is the prior itself."""
    if memory.adapted is not None:
        return memory
    fresh = initial_lora(critic.prior, critic.knobs.lora_rank, generator)
    adaptation = memory.adaptation or Adaptation(fresh)
    adaptation.to(fresh[0].device)
    adapted = with_lora(critic.prior, critic.knobs.lora_rank, list(adaptation.parameters))
    return dataclasses.replace(memory, adaptation=adaptation, adapted=adapted)


def _lesson(critic: Critic, draws: Draws, generator: torch.Generator) -> Draws:
    """Levels and noise of their own, for the adapted prior to learn the same clips."""
    low, high = _LEARNED
    sigma = windowed(0.0, len(draws.sigma), first=high, last=low, generator=generator)
    noise = torch.randn(draws.noise.shape, generator=generator)
    return Draws(critic.prior.snap(sigma), noise)


def _query(case: Case, look: Look, latents: Float[Tensor, "rows C f h w"]) -> Query:
    critic, draws = case.critic, case.draws
    reference = None
    if case.reference is not None:
        # Seen by the same cameras in the same scene.
        with torch.no_grad(), timed("encode"):
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


def _lesson_of(case: Case, query: Query, share: float) -> Lesson | None:
    """What the adapted prior, if there is one, is to learn of these clips, which are this share."""
    if case.lesson is None:
        return None
    adapted, adaptation = case.memory.adapted, case.memory.adaptation
    assert adapted is not None and adaptation is not None
    sigma, noise = case.lesson.sigma, case.lesson.noise.to(query.latents)
    with timed("adapt"):
        loss = adaptation_loss(adapted, query.latents, query.prompts.positive, sigma, noise)
        return adaptation.lesson(share * loss, case.critic.knobs.lora_learning_rate)
