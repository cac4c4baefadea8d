"""One of the processes of `test_parallel`: a short run with its share of the views.

python tests/two_processes.py KIND PRIOR OUT
"""

import dataclasses
import sys
from pathlib import Path
from typing import Final, Literal, get_args

import torch
from small_problem import small_problem

from motiondistill.bookkeeping.store import snapshot
from motiondistill.building.method import make_method
from motiondistill.engine import parallel
from motiondistill.engine.critics import Critic
from motiondistill.engine.optimize import initial_state, optimize
from motiondistill.engine.settings import DistillSettings
from motiondistill.engine.stages import Settings
from motiondistill.engine.starts import FitSettings, Problem
from motiondistill.priors.gaussian_videos import gaussian_videos
from motiondistill.priors.loading import load_prior
from motiondistill.regularizers.weights import RegularizerWeights

Kind = Literal["neutral", "sampled", "vsd"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
KNOBS = DistillSettings(objective="sds", num_steps=3, views=4)


def run(kind: Kind, accumulate: int, folder: Path) -> dict[str, object]:
    """What the run leaves; `vsd` reads its prior from the folder."""
    knobs, still = dataclasses.replace(KNOBS, accumulate=accumulate), FitSettings(num_steps=0)
    match kind:
        case "neutral":  # a second critic, and targets that serve two updates
            knobs = dataclasses.replace(knobs, updates_per_target=2)
            problem = small_problem(gaussian_videos(), pixels=16, frames=4)
            image = Critic(
                "image_score", problem.prior, knobs, make_method(knobs), weight=0.5, images=2
            )
            return left(dataclasses.replace(problem, critics=(image,)), knobs, still)
        case "sampled":
            start = FitSettings(num_samples=2, sampling_steps=2, num_steps=4)
            return left(small_problem(gaussian_videos(), pixels=16, frames=4), knobs, start)
        case "vsd":
            knobs = dataclasses.replace(knobs, objective="vsd", num_steps=2)
            prior = load_prior(folder)
            return left(small_problem(prior, pixels=32, frames=16), knobs, still)


def left(problem: Problem, knobs: DistillSettings, start: FitSettings) -> dict[str, object]:
    """Every update's tensors, and the state at the end."""
    settings = Settings(start, knobs, RegularizerWeights(), make_method(knobs))
    state = initial_state(problem, settings)
    if state.stage == "distill":
        with torch.no_grad():  # a start that moves
            state.fields[0].layers.get_parameter("4.weight").normal_(
                0, 0.05, generator=torch.Generator().manual_seed(0)
            )
    steps = [
        {"video": step.video, "target": step.target, **step.terms, **step.figures}
        for step in optimize(problem, settings, state)
    ]
    gradient = torch.cat([part.grad.flatten() for part in state.fields.parameters()])
    return {"steps": steps, "gradient": gradient, "state": snapshot(state)}


if __name__ == "__main__":
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(1)
    with parallel.joined():
        kind, prior, out = sys.argv[1:]
        done = run(KINDS[KINDS.index(kind)], 1, Path(prior))
        torch.save(done, Path(out) / f"{parallel.rank()}.pt")
