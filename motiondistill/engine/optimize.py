"""The main job: from a prompt to a motion.

Motions are fitted to samples of a prior, and the best is refined by score distillation.
"""

from collections.abc import Iterator

from torch import nn

from motiondistill.engine import parallel
from motiondistill.engine.candidates import choose
from motiondistill.engine.distillation import judge, target_step
from motiondistill.engine.fitting import fit, fit_reference, fit_state
from motiondistill.engine.gradients import watch
from motiondistill.engine.profile import timed
from motiondistill.engine.stages import (
    Settings,
    Stage,
    State,
    Step,
    record,
    total,
    whole_motions,
    whole_penalties,
)
from motiondistill.engine.starts import (
    Problem,
    clip_of,
    motion_of,
    new_field,
    sample_targets,
)


def initial_state(problem: Problem, settings: Settings) -> State:
    """The state before the first update.

    Fields at the neutral stance and, for a sampled start, sampled videos. Raises ValueError for a
    start that needs what the problem does not have.
    """
    if settings.fit.guided and problem.references.statistics is None:
        raise ValueError(
            "`problem.references.statistics` must be given for a fit with "
            f"usual_poses={settings.fit.usual_poses:g}, got None; give them, or set usual_poses=0."
        )
    if settings.fit.updates and settings.fit.start == "sampled":
        return fit_state(problem, sample_targets(problem, settings.fit), settings.fit.num_stances)
    if settings.fit.start == "reference" and problem.reference is None:
        raise ValueError(
            "`problem.reference` must be a motion for a reference start, got None; give one, or "
            "choose another start."
        )
    stage: Stage = "fit" if settings.fit.updates else "distill"
    return State(stage, nn.ModuleList([new_field(problem, 0)]), None)


def optimize(problem: Problem, settings: Settings, state: State) -> Iterator[Step]:
    """Fits motions to the sampled videos, or one to the reference, and refines the best.

    Yields after every update.
    """
    if state.stage == "fit":
        fitted = fit_reference if settings.fit.start == "reference" else fit
        yield from fitted(problem, settings, state)
        best: int = parallel.shared(choose(problem, state))
        state.begin_distilling(state.fields[best])
    yield from distill(problem, settings, state)


def distill(problem: Problem, settings: Settings, state: State) -> Iterator[Step]:
    """Refines the motion by score distillation over views of the full circle.

    Yields after every update.
    """
    knobs, begin = settings.distill, settings.fit.updates
    for index in range(state.step, settings.num_steps):
        motion = clip_of(problem, state.fields[0], target_step(knobs, index, begin))
        with timed("body"):
            mesh = problem.body(motion)
        verdict = judge(
            problem, knobs, settings.method, state.memories, motion, mesh, index=index, begin=begin
        )
        whole = whole_motions(problem, state.fields, motion)
        costs = whole_penalties(problem, settings, whole, mesh if whole is motion else None)
        terms = verdict.terms | costs
        loss = total(problem, index, terms)
        rate = knobs.learning_rate * settings.method.rate((index - begin) / knobs.num_steps)
        seen = watch(
            problem.place(index), **verdict.watched, vertices=mesh.vertices, pose=motion.rotations
        )
        seen.sizes.update(verdict.sizes)
        state.update(loss, rate, seen, knobs.max_norm)
        state.memories = verdict.settled()
        motion = motion_of(problem, state.fields[0])
        yield record(
            index, "distill", loss, terms, motion, verdict.video, verdict, gradients=seen.sizes
        )
