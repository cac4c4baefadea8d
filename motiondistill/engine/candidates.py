"""Which of several fitted motions goes on: what the prior and the pictures say of each."""

import logging
import math
from collections.abc import Sequence
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill.cameras import heading
from motiondistill.engine.fitting import fit_errors, views_to_fit
from motiondistill.engine.profile import timed
from motiondistill.engine.stages import State
from motiondistill.engine.starts import Problem, clip_of
from motiondistill.priors.base import Prior
from motiondistill.randomness import seeded
from motiondistill.score.objectives import prompt_evidence
from motiondistill.structures import Motion

_LEVELS: Final = (0.75, 0.85, 0.92)  # flow times: the levels at which what moves is decided
_VIEWS: Final = 4
_TIE: Final = 1e-3  # more of the misfit; of two candidates, both have scores of one

_log = logging.getLogger(__name__)


@timed("choose")
def choose(problem: Problem, state: State) -> int:
    """Which candidate has the greatest evidence and the least misfit, in standard scores.

    Either tells right motions from wrong ones, and both together better: a video that no body can
    follow, with torn limbs or a limb too many, leaves a misfit (results/candidates.md). Where the
    two disagree on two candidates, misfit decides. Processors may round differently: what several
    processes go on with must be shared. Raises FloatingPointError for what is no number.
    """
    if len(state.fields) == 1:
        return 0
    _log.info("choosing among %d candidates", len(state.fields))
    motions = [clip_of(problem, field).detach() for field in state.fields]
    gains = torch.tensor([evidence(problem, motion) for motion in motions])
    misfit = misfits(problem, state)
    scores = standard_scores(gains) - (1 + _TIE) * standard_scores(misfit)
    told = zip(gains, misfit, strict=True)
    listed = ", ".join(f"{gain:.2g} ({error:.2f})" for gain, error in told)
    if not bool(scores.isfinite().all()):
        raise FloatingPointError(
            f"Evidence (and misfit) of all candidates must be finite, got {listed} at "
            f"{problem.place(state.step)}; lower init.learning_rate or init.guidance_scale."
        )
    best = int(scores.argmax())
    _log.info("kept candidate %d of those with evidence (and misfit) %s", best, listed)
    return best


def standard_scores(values: Float[Tensor, " candidates"]) -> Float[Tensor, " candidates"]:
    """How many standard deviations each lies above the mean; zero where all are alike."""
    deviations = values - values.mean()
    spread = deviations.square().mean().sqrt()
    return torch.zeros_like(values) if spread == 0 else deviations / spread


@torch.no_grad()
def misfits(problem: Problem, state: State) -> Float[Tensor, " candidates"]:
    """What is left of the fit's error for each candidate, without any blur."""
    _, cameras, targets = views_to_fit(problem, state)
    motion = Motion.stack([clip_of(problem, field) for field in state.fields])
    return fit_errors(problem.scene(problem.body(motion), cameras), targets, 1.0)


@torch.no_grad()
def evidence(problem: Problem, motion: Motion) -> float:
    """How much the prompt helps the prior to denoise this motion.

    Averaged over views of the full circle and over noise levels; see `evidence_of_clips`.
    """
    steps = torch.arange(_VIEWS)
    azimuths = steps * (2 * math.pi / _VIEWS)
    video = problem.scene(problem.body(motion), problem.cameras(azimuths + heading(motion)))
    words, sides = problem.wording, azimuths.tolist()
    return evidence_of_clips(
        problem.prior,
        problem.prior.encode(video),
        [words.positive(problem.prompt, azimuth) for azimuth in sides],
        [words.negative(problem.negative_prompt, azimuth) for azimuth in sides],
        problem.seed,
    )


@torch.no_grad()
def evidence_of_clips(
    prior: Prior,
    latents: Float[Tensor, "views C f h w"],
    prompts: Sequence[str],
    without: Sequence[str],
    seed: int,
) -> float:
    """How much the prompts help the prior to denoise these latents, against the others.

    A mean over views, which have a prompt each, and over noise levels.
    """
    conditioning, unconditional = prior.embed(prompts), prior.embed(without)
    total = 0.0
    for index, tau in enumerate(_LEVELS):
        gain = prompt_evidence(
            prior,
            latents,
            conditioning,
            unconditional,
            sigma=torch.full((len(prompts),), tau / (1 - tau)),
            # The same noise for every candidate.
            generator=seeded(seed, index, "evidence"),
        )
        total += gain.mean().item()
    return total / len(_LEVELS)
