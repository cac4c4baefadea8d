"""The part of the processes beside the first, where `torchrun` started several."""

from functools import partial

from motiondistill.bookkeeping import store
from motiondistill.building import objects
from motiondistill.commands.outcomes import INTERRUPTED
from motiondistill.commands.session import compute_repeatably
from motiondistill.engine import parallel
from motiondistill.engine.optimize import initial_state, optimize
from motiondistill.engine.starts import new_field


def follow() -> int:
    """Takes part in the run that the first process leads; writes and shows nothing."""
    settings, prompt, saved = parallel.shared(None)
    compute_repeatably(settings.run.threads)
    problem, knobs = objects.make_problem(settings, prompt), objects.make_settings(settings)
    if saved is None:
        state = initial_state(problem, knobs)
    else:
        state = store.restore(saved, partial(new_field, problem))
    store.take_part(optimize(problem, knobs, state))
    return 0 if state.step == knobs.num_steps else INTERRUPTED
