"""`motiondistill optimize`: a motion from a prompt."""

import argparse
import dataclasses
import shlex

from motiondistill import build, config, resuming, runs
from motiondistill.commands import optimize_batch
from motiondistill.commands.one_run import answer_known, conduct, saved_state
from motiondistill.commands.outcomes import INTERRUPTED, USER_ERRORS
from motiondistill.commands.session import checked_prompt, compute_repeatably, terminal
from motiondistill.report.results import RESULTS
from motiondistill.schema import OptimizeConfig


def run(options: argparse.Namespace) -> int:
    """Carries out the run, or goes on with it; 0, or 130 after Ctrl-C."""
    if options.prompts is not None or options.seeds is not None:
        return optimize_batch.run(options)
    prompt, folder, saved = checked_prompt(options.prompt), options.out, None
    if options.resume:
        settings = resuming.stored_config(folder, prompt, options.config, options.overrides)
    else:
        settings = config.load(OptimizeConfig, options.config, options.overrides)
        folder = runs.new_folder(folder, prompt)
    with terminal() as console:
        if options.resume:
            saved = saved_state(folder)
        try:
            threads = compute_repeatably(settings.run.threads)
            settings = dataclasses.replace(settings, prior=build.pinned(settings.prior))
            problem = build.make_problem(settings, prompt)
        except USER_ERRORS:
            if not options.resume:
                folder.rmdir()  # nothing has been written yet
            raise
        settings = runs.resolved(settings, problem, threads)
        runs.write_config(folder, settings, runs.origin(prompt) | answer_known(problem))
        metrics = conduct(problem, settings, folder, saved, console)
    print(f"\n{folder}")
    for name in RESULTS:
        print(f"  {folder / name}")
    if not metrics["finished"]:
        words, out = shlex.quote(prompt), shlex.quote(str(folder))
        print(f"To go on: motiondistill optimize {words} --out {out} --resume")
    return 0 if metrics["finished"] else INTERRUPTED
