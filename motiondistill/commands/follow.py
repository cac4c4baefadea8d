"""The part of the processes beside the first, where `torchrun` started several."""

from functools import partial

from motiondistill import build, parallel, runs
from motiondistill.commands.outcomes import INTERRUPTED
from motiondistill.commands.session import compute_repeatably
from motiondistill.optimize import initial_state, optimize
from motiondistill.starts import new_field


def follow() -> int:
    """Takes part in the run that the first process leads; writes and shows nothing."""
    settings, prompt, saved = parallel.shared(None)
    compute_repeatably(settings.run.threads)
    problem, knobs = build.make_problem(settings, prompt), build.make_settings(settings)
    if saved is None:
        state = initial_state(problem, knobs)
    else:
        state = runs.restore(saved, partial(new_field, problem))
    runs.take_part(optimize(problem, knobs, state))
    return 0 if state.step == knobs.num_steps else INTERRUPTED
