"""How alike is the gradient of prior.encode=latent to that of the encoder itself?

    python experiments/latent_gradient.py

One score of the embedded prior is asked for three parametric motions that are moved a little, and
its gradient taken to the pixels and on to the joints' rotations: through the encoder, and back
through the decoder. Writes results/latent_gradient.md.
"""

from collections.abc import Iterator
from pathlib import Path

import torch
from this_machine import this_machine
from torch import Tensor

from motiondistill.atomic import write_text
from motiondistill.bookkeeping.store import origin
from motiondistill.building.objects import make_problem
from motiondistill.data.parametric import parametric_motion
from motiondistill.engine.starts import Problem
from motiondistill.priors.base import Codec
from motiondistill.priors.decoder_gradient import through_decoder
from motiondistill.priors.guidance import Guidance, Prompts
from motiondistill.prompts import with_view
from motiondistill.randomness import seeded
from motiondistill.schema.jobs import OptimizeConfig
from motiondistill.score.loss import score_gradient, score_loss
from motiondistill.score.objectives import csd, sds
from motiondistill.score.query import Objective, Query, draw_noise
from motiondistill.structures import Motion

ACTIONS = {
    "walk": "a person is walking",
    "jumping jacks": "a person does jumping jacks",
    "squat": "a person squats",
}
OBJECTIVES: dict[str, Objective] = {"csd": csd, "sds": sds}
AZIMUTHS = (0.3, 1.8)  # radians
LEVELS = (0.6, 0.9)  # sigma / (1 + sigma): the last and the first of a run
GUIDANCE = 4.0
SEED = 1

PAGE = """# What prior.encode=latent keeps of the gradient

The cosine between two gradients of the same score: through the encoder, and back through the
decoder (`motiondistill/priors/decoder_gradient.py`); and the second one's length in units of the
first's. At the pixels the encoder answers to much that the decoder never paints, and that no motion
can move. At the joints' rotations, which is where it counts, far more is alike, and about as much
arrives.

Command: `python experiments/latent_gradient.py`; seed {seed}; commit {commit};
{machine}, torch {torch}. Embedded prior, guidance {guidance}, two views.

| prompt | objective | level | pixels: cosine | length | rotations: cosine | length |
|---|---|---|---|---|---|---|
{rows}
"""


def gradients(
    problem: Problem, action: str, objective: str, level: float
) -> Iterator[tuple[Tensor, Tensor]]:
    """In pixels and in rotations, with each of the two encodings."""
    motion = parametric_motion(
        action, "left", seeded(SEED), problem.body.rest_joints, 8.0, problem.num_frames
    )
    rotations = motion.rotations.clone().requires_grad_()
    mesh = problem.body(Motion(rotations, motion.translation, motion.fps))
    video = problem.scene(mesh, problem.cameras(torch.tensor(AZIMUTHS)))
    texts = (ACTIONS[action], problem.negative_prompt, "")
    prompts = Prompts(
        *(problem.prior.embed([with_view(text, azimuth) for azimuth in AZIMUTHS]) for text in texts)
    )
    sigma = problem.prior.snap(torch.full((len(AZIMUTHS),), level / (1 - level)))
    codecs: tuple[Codec, ...] = (problem.prior.codec, through_decoder(problem.prior.codec))
    for codec in codecs:
        pixels = video.detach().requires_grad_()
        latents = codec.encode(pixels)
        noise = draw_noise(latents, seeded(SEED, 0, "noise"))
        query = Query(problem.prior, latents, prompts, sigma, noise, Guidance(GUIDANCE))
        score = score_loss(latents, score_gradient(OBJECTIVES[objective](query), sigma))
        (in_pixels,) = torch.autograd.grad(score, pixels)
        yield in_pixels, torch.autograd.grad(video, rotations, in_pixels, retain_graph=True)[0]


def compared(first: Tensor, second: Tensor) -> str:
    """Cosine, and ratio of lengths."""
    cosine = torch.cosine_similarity(first.flatten(), second.flatten(), dim=0)
    return f"{cosine:.2f} | {second.norm() / first.norm():.2f}"


def main() -> None:
    """All rows, then the page."""
    problem = make_problem(OptimizeConfig(), "")
    rows = []
    for action, prompt in ACTIONS.items():
        for objective in OBJECTIVES:
            for level in LEVELS:
                exact, seen = gradients(problem, action, objective, level)
                figures = " | ".join(compared(*pair) for pair in zip(exact, seen, strict=True))
                rows.append(f"| {prompt} | {objective} | {level} | {figures} |")
                print(rows[-1], flush=True)
    about = origin("")
    page = PAGE.format(
        seed=SEED,
        commit=about["commit"],
        machine=this_machine(),
        torch=about["torch"],
        guidance=GUIDANCE,
        rows="\n".join(rows),
    )
    results = Path("results/latent_gradient.md")
    write_text(results, page)


if __name__ == "__main__":
    main()
