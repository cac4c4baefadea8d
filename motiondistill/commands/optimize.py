"""`motiondistill optimize`: a motion from a prompt."""

import argparse
import shlex

from motiondistill.bookkeeping import resuming, store
from motiondistill.bookkeeping.probed_levels import load_with_record, with_probed_levels
from motiondistill.building import objects
from motiondistill.building.critics import pinned_priors
from motiondistill.commands import optimize_batch
from motiondistill.commands.follow import follow
from motiondistill.commands.one_run import answer_known, conduct, saved_state
from motiondistill.commands.outcomes import INTERRUPTED, USER_ERRORS
from motiondistill.commands.session import checked_prompt, compute_repeatably, terminal
from motiondistill.engine import parallel
from motiondistill.report.results import RESULTS
from motiondistill.report.run_page import REPORT
from motiondistill.schema.jobs import OptimizeConfig


def run(options: argparse.Namespace) -> int:
    """Carries out the run, or goes on with it; 0, or 130 after Ctrl-C.

    Where `torchrun` started several processes, the first leads.
    """
    with parallel.joined():
        if options.prompts is not None or options.seeds is not None:
            _check_alone()
            return optimize_batch.run(options)
        return follow() if parallel.rank() else _lead(options)


def _check_alone() -> None:
    if parallel.size() > 1:
        raise ValueError(
            "`--prompts` and `--seeds` must be left out where several processes share the views, "
            f"got {parallel.size()} processes; start one without torchrun, or give one PROMPT."
        )


def _lead(options: argparse.Namespace) -> int:
    prompt, folder, saved = checked_prompt(options.prompt), options.out, None
    if options.resume:
        settings = resuming.stored_config(folder, prompt, options.config, options.overrides)
    else:
        settings = load_with_record(OptimizeConfig, options.config, options.overrides)
        folder = store.new_folder(folder, prompt)
    with terminal() as console:
        if options.resume:
            saved = saved_state(folder)
        try:
            threads = compute_repeatably(settings.run.threads)
            settings = pinned_priors(with_probed_levels(settings))
            parallel.shared((settings, prompt, saved))
            problem = objects.make_problem(settings, prompt)
        except USER_ERRORS:
            if not options.resume:
                folder.rmdir()  # nothing has been written yet
            raise
        settings = store.resolved(settings, problem, threads)
        store.write_config(folder, settings, store.origin(prompt) | answer_known(problem))
        metrics = conduct(problem, settings, folder, saved, console)
    print(f"\n{folder}")
    for name in (*RESULTS, REPORT):
        if (folder / name).is_file():
            print(f"  {folder / name}")
    if not metrics["finished"]:
        words, out = shlex.quote(prompt), shlex.quote(str(folder))
        print(f"To go on: motiondistill optimize {words} --out {out} --resume")
    return 0 if metrics["finished"] else INTERRUPTED
