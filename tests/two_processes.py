"""One of the processes of `test_parallel`: a short run with its share of the views."""

import dataclasses
import sys
from pathlib import Path

import torch
from small_problem import small_problem

from motiondistill import parallel
from motiondistill.build_method import make_method
from motiondistill.critics import Critic
from motiondistill.distill_settings import DistillSettings
from motiondistill.optimize import initial_state, optimize
from motiondistill.priors.gaussian_videos import gaussian_videos
from motiondistill.regularizers.weights import RegularizerWeights
from motiondistill.runs import snapshot
from motiondistill.stages import Settings
from motiondistill.starts import FitSettings

KNOBS = DistillSettings(objective="sds", num_steps=3, views=4, updates_per_target=2)


def run(accumulate: int) -> dict[str, object]:
    """What the run leaves: every update's tensors, and the state."""
    knobs = dataclasses.replace(KNOBS, accumulate=accumulate)
    prior, method = gaussian_videos(), make_method(knobs)
    image = Critic("image_score", prior, knobs, method, weight=0.5, images=2)
    usual = small_problem(prior, pixels=16, frames=4)
    problem = dataclasses.replace(usual, critics=(image,))
    settings = Settings(FitSettings(num_steps=0), knobs, RegularizerWeights(), method)
    state = initial_state(problem, settings)
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
        torch.save(run(1), Path(sys.argv[1]) / f"{parallel.rank()}.pt")
