"""The latent ablation: what a prior asks of clips that no body stands behind.

The latents of a start video, or its pixels, are the parameters, and what is asked of them is what
the distillation asks of a motion. Where this fails, the prior is to blame; where it succeeds and a
motion fails, what stands for the motion is (Janson et al. 2024, Figure 4).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, final

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill.engine.critics import Critic, Draws, draw, guidance_at, prompts_for
from motiondistill.engine.distillation import target_step, view_parts
from motiondistill.engine.profile import timed
from motiondistill.latents.spaces import LatentReference, Space
from motiondistill.latents.state import LatentState, LatentStep
from motiondistill.randomness import seeded
from motiondistill.score.levels import log_snr
from motiondistill.score.loss import root_mean_square, score_gradient, score_loss
from motiondistill.score.query import Query, Reference


@dataclass(frozen=True)
class LatentsSettings:
    """What is optimised, from where, and what is measured of it."""

    # Priors to compare, one after the other, in place of `prior.model`. On the command line
    # prior.model=[embedded,gaussian] says the same.
    models: tuple[str, ...] = ()
    # What changes: the prior's `latents`, or the video's `pixels`, which stay in [0, 1].
    space: Literal["latents", "pixels"] = "latents"
    # The video at the outset. `neutral`: the body stands still. `reference`: it does the motion
    # below. `first_frame`: it stays in the first pose of that motion.
    start: Literal["neutral", "reference", "first_frame"] = "neutral"
    # Motion file or run folder. Of a longer motion the beginning is taken, and a shorter one stays
    # in its last pose; both are held in place.
    motion: str | None = None
    # Whether the body is fitted to the first view's video, which is from the front, by the start's
    # own camera, and its action recognised.
    recognise: bool = True
    # Updates of that fit.
    fit_steps: int = 300


@final
@dataclass(frozen=True)
class LatentProblem:
    """What clips are wanted for: a prompt, the prior that judges, and the video at the outset."""

    prompt: str
    critic: Critic
    """Its knobs are those of the distillation; their views are the clips."""
    start: Float[Tensor, "views frames 3 height width"]
    azimuths: Float[Tensor, " views"]
    """From where the views are seen, radians against the heading."""
    seed: int

    @property
    def size(self) -> tuple[int, int, int]:
        """Frames, height and width of a clip."""
        _, frames, _, height, width = self.start.shape
        return frames, height, width


@final
@dataclass(frozen=True)
class LatentMethod:
    """What the names in the settings mean, beside the critic's own method."""

    space: Space
    reference: LatentReference | None = None
    """For objectives that compare."""


def initial_latents(problem: LatentProblem, method: LatentMethod) -> LatentState:
    """The state before the first update: the start video."""
    prior = problem.critic.prior
    numbers = method.space.begin(prior, problem.start)
    with torch.no_grad():
        parts = [method.space.latents(prior, view[None]) for view in numbers]
    return LatentState(numbers, torch.cat(parts))


def optimize_latents(
    problem: LatentProblem, method: LatentMethod, state: LatentState
) -> Iterator[LatentStep]:
    """Moves the clips to where the prior wants them, each by itself; yields after every update.

    All draws, and the target, are those of the update in which the target was asked for.
    """
    critic, knobs = problem.critic, problem.critic.knobs
    for index in range(state.step, knobs.num_steps):
        step = target_step(knobs, index, 0)
        generator = seeded(problem.seed, step, "latents")
        draws = draw(critic, step / knobs.num_steps, knobs.views, problem.size, generator)
        held = None if step == index else state.held
        state.optimizer.zero_grad()
        said = [_ask(problem, method, state, draws, held, rows) for rows in view_parts(knobs)]
        loss, target, gradient = (torch.cat(parts) for parts in zip(*said, strict=True))
        rate = knobs.learning_rate * critic.method.rate(index / knobs.num_steps)
        state.update(rate, f"step {index} of seed {problem.seed}")
        method.space.confine(state.numbers)
        state.held = target if knobs.updates_per_target > 1 else None
        assert state.numbers.grad is not None
        figures = {
            "log_snr": log_snr(draws.sigma).mean(),
            "score_gradient": root_mean_square(gradient),
            "guidance_scale": torch.tensor(guidance_at(knobs, step / knobs.num_steps).scale),
        }
        sizes = {"numbers": state.numbers.grad.square().mean().sqrt()}
        yield LatentStep(index, loss.mean(), {critic.name: loss.mean()}, target, figures, sizes)


def _ask(
    problem: LatentProblem,
    method: LatentMethod,
    state: LatentState,
    draws: Draws,
    held: Float[Tensor, "views C f h w"] | None,
    rows: slice,
) -> tuple[Float[Tensor, " some"], Float[Tensor, "some C f h w"], Float[Tensor, "some C f h w"]]:
    """Loss, target and gradient of the latents of these views, whose numbers get theirs."""
    critic, own = problem.critic, draws.part(rows, rows)
    with timed("encode"):
        latents = method.space.latents(critic.prior, state.numbers[rows])
    if held is None:
        query = _query(problem, method, latents.detach(), state, own, rows)
        with timed("denoise"):
            residual = critic.method.objective(query)
        target = latents.detach() - residual
    else:
        target = held[rows]
        residual = latents.detach() - target
    gradient = score_gradient(residual, own.sigma, critic.method.weighting, critic.method.shaping)
    loss = score_loss(latents, gradient)
    with timed("backward"):
        # Not divided by the number of latents: Adam's epsilon would be felt by such small numbers.
        (latents.numel() * loss).backward()  # type: ignore[no-untyped-call]
    each = loss.detach().expand(len(latents))
    return each, target, gradient


def _query(
    problem: LatentProblem,
    method: LatentMethod,
    latents: Float[Tensor, "some C f h w"],
    state: LatentState,
    draws: Draws,
    rows: slice,
) -> Query:
    critic, azimuths = problem.critic, problem.azimuths[rows]
    reference = None
    if method.reference is not None:
        words = prompts_for(critic, critic.knobs.reference_prompt, azimuths)
        theirs = method.reference(critic.prior, latents, state.start[rows])
        reference = Reference(theirs, words)
    return Query(
        critic.prior,
        latents,
        prompts_for(critic, problem.prompt, azimuths),
        draws.sigma,
        draws.noise.to(latents),
        guidance_at(critic.knobs, state.step / critic.knobs.num_steps),
        reference,
    )
