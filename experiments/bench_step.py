"""Does a step of the distillation cost more than its parts?

    python experiments/bench_step.py [--rounds 15] [--threads 2] [--out results/bench_step.md]

Every part is measured alone, forward and, where a gradient passes, backward, on what a real step
holds; then a whole step. Parts and steps take turns, so that both see the same machine, and
their medians are compared. `--quick` is a tiny run that only shows that all of it works.
"""

import argparse
import dataclasses
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from this_machine import this_machine
from torch import Tensor

from motiondistill import config
from motiondistill.atomic import write_text
from motiondistill.bookkeeping.store import origin
from motiondistill.building.objects import make_problem, make_settings
from motiondistill.engine.critics import prompts_for
from motiondistill.engine.distillation import critics_of
from motiondistill.engine.gradients import clip
from motiondistill.engine.optimize import initial_state, optimize
from motiondistill.engine.stages import Settings
from motiondistill.engine.starts import Problem, clip_of
from motiondistill.regularizers.weights import penalties
from motiondistill.schema.jobs import OptimizeConfig
from motiondistill.score.query import Query
from motiondistill.structures import Motion

PROMPT = "a person is walking"
BOUND = 1.15
WARM = 2
"""Rounds before those that count: compilations and caches."""
QUICK = ["prior.model=gaussian", "run.frames=4", "camera.size=[16,16]", "score.views=2"]

PAGE = """# What a step costs

A step of score distillation against its parts, each measured alone, forward and backward, in turns
with the steps in one process: medians of {rounds} rounds, milliseconds, with the quartiles.

Command: `python experiments/bench_step.py --rounds {rounds} --threads {threads}`; commit {commit};
{machine}, torch {torch}. {views} views of {frames} frames at {height} x {width} pixels.

| part | ms | quartiles |
|---|---|---|
{rows}

A step takes **{ratio:.3f}** times the sum of its parts; at most {bound} was asked for: {verdict}.
"""


def parts(problem: Problem, settings: Settings) -> dict[str, Callable[[], object]]:
    """The parts of a step and, as `step`, all of it; each call does the work once."""
    state, asked = initial_state(problem, settings), []
    objective = settings.method.objective

    def watched(query: Query) -> Tensor:
        asked.append(query)
        return objective(query)

    spied = dataclasses.replace(settings.method, objective=watched)
    seen = next(optimize(problem, dataclasses.replace(settings, method=spied), state))
    query, field = asked[0], state.fields[0]
    motion = grown(clip_of(problem, field, 0))
    mesh = problem.body(motion)
    mesh = dataclasses.replace(mesh, vertices=leaf(mesh.vertices), joints=leaf(mesh.joints))
    views = settings.distill.views
    azimuths = torch.arange(views) * (2 * torch.pi / views)
    video, steps = leaf(seen.video), optimize(problem, settings, state)
    critic = critics_of(problem, settings.distill, settings.method)[0]

    def regularise() -> None:
        terms = penalties(motion, mesh, settings.regularize, problem.references)
        torch.stack(list(terms.values())).sum().backward()

    def optimise() -> None:
        clip(state.fields, settings.distill.max_norm)
        state.optimizer.step()

    return {
        "field": lambda: backward(*tensors(clip_of(problem, field, 0))),
        "body": lambda: backward(problem.body(motion).vertices),
        "render": lambda: backward(problem.scene(mesh, problem.cameras(azimuths))),
        "encode": lambda: backward(problem.prior.encode(video)),
        "embed": lambda: prompts_for(critic, problem.prompt, azimuths),
        "denoise": lambda: objective(query),
        "regularise": regularise,
        "optimise": optimise,
        "step": lambda: next(steps),
    }


def leaf(tensor: Tensor) -> Tensor:
    return tensor.detach().requires_grad_()


def grown(motion: Motion) -> Motion:
    """The same motion as the beginning of a graph."""
    return motion.map(leaf)


def tensors(motion: Motion) -> list[Tensor]:
    return [motion.rotations, motion.translation]


def backward(*given: Tensor) -> None:
    """The backward pass of what has a gradient, from ones."""
    torch.autograd.backward(given, [torch.ones_like(tensor) for tensor in given])


def measure(todo: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Milliseconds of each, in turns."""
    found: dict[str, list[float]] = {name: [] for name in todo}
    for index in range(WARM + rounds):
        for name, work in todo.items():
            began = time.perf_counter()
            work()
            if index >= WARM:
                found[name].append(1000 * (time.perf_counter() - began))
    return found


def page(found: dict[str, list[float]], about: dict[str, object]) -> str:
    """The results as a page."""
    medians = {name: statistics.median(each) for name, each in found.items()}
    whole = medians["step"]
    total = sum(medians.values()) - whole
    rows = [f"| {name} | {medians[name]:.1f} | {quartiles(found[name])} |" for name in found]
    rows.insert(-1, f"| all parts | {total:.1f} | |")
    ratio = whole / total
    verdict = "it is kept" if ratio <= BOUND else "it is missed"
    return PAGE.format(rows="\n".join(rows), ratio=ratio, bound=BOUND, verdict=verdict, **about)


def quartiles(each: Sequence[float]) -> str:
    low, _, high = statistics.quantiles(each, n=4)
    return f"{low:.1f} to {high:.1f}"


def main() -> None:
    """All rounds, then the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.use_deterministic_algorithms(True)  # as a run does
    rounds = 2 if options.quick else options.rounds
    given = ["init.num_steps=0", f"score.num_steps={WARM + rounds + 1}"]
    chosen = config.load(OptimizeConfig, None, given + (QUICK if options.quick else []))
    problem, settings = make_problem(chosen, PROMPT), make_settings(chosen)
    found = measure(parts(problem, settings), rounds)
    height, width = problem.cameras.size
    about: dict[str, object] = {
        "rounds": rounds,
        "threads": options.threads,
        "commit": origin("")["commit"],
        "machine": this_machine(),
        "torch": torch.__version__,
        "views": settings.distill.views,
        "frames": problem.clip_frames,
        "height": height,
        "width": width,
    }
    text = page(found, about)
    out = options.out or (None if options.quick else Path("results/bench_step.md"))
    if out is None:
        print(text)
    else:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_text(out, text)


if __name__ == "__main__":
    main()
