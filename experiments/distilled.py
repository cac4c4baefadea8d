"""How good are distilled motions? Ten common prompts and the rare ones, by the default alone.

    python experiments/distilled.py --mocap FOLDER [--out runs/distilled] [--seeds 3 4 5]
        [--evidence runs/embedded_prior] [--only WEIGHTS] [--set key=value ...]

No run knows more of its action than the prompt. Its motion is recognised or not, and its physical
figures are set against those of real clips of the action at the same frame rate (`--mocap`).
Controls: each motion held against the next prompt, and the same runs with random denoiser weights,
of the first seed alone. How long a run takes is told by three that have the machine to themselves.
The default was chosen on other seeds (`objectives.py`). For what is not recognised the reason is
told by a rule; the groups of `embedded_prior.py` that it needs lie in `--evidence` or are made.
Finished runs are not run again; `--set` is for all of them.

Writes results/distilled.md. `--only` writes no page: `pretrained` and `random` are for two
processes side by side, each on its own core (OMP_NUM_THREADS=1), `timed` for one by itself, before
the call that does.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from comparison.asked import RARE, REPORTED
from comparison.distilled_page import Findings, write_page
from comparison.judged import judge
from comparison.pages import command_of
from comparison.real_clips import real_clips
from comparison.reasons import reasons
from comparison.runs import Run, Variant, carry_out, planned
from prior_evidence.samples import sampling_of

from motiondistill.metrics.recogniser import load_recogniser

VARIANTS: Final = {
    "pretrained": Variant("pretrained"),
    "random": Variant("random", ("prior.weights=random",)),
    "timed": Variant("timed"),
}
TIMED: Final = ("walk", "jumping jacks", "sit")
# Of the samples that the reasons ask for: that of `embedded_prior.py`.
EVIDENCE_SEED: Final = 0


def runs_of(weights: str, options: argparse.Namespace) -> list[Run]:
    """All prompts with trained weights; of the others common ones, with the first seed."""
    trained = weights == "pretrained"
    asked = {"pretrained": (*REPORTED, *RARE), "random": REPORTED, "timed": TIMED}[weights]
    actions = tuple(action for action in asked if action in options.actions)
    seeds = options.seeds if trained else options.seeds[:1]
    return carry_out(planned([VARIANTS[weights]], actions, seeds, options.out, options.more))


def main(arguments: Sequence[str] | None = None) -> None:
    """All runs, what is found of them, then the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    every = (*REPORTED, *RARE)
    parser.add_argument("--mocap", type=Path)
    parser.add_argument("--out", type=Path, default=Path("runs/distilled"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[3, 4, 5])
    parser.add_argument("--evidence", type=Path, default=Path("runs/embedded_prior"))
    parser.add_argument("--only", choices=tuple(VARIANTS))
    parser.add_argument("--actions", nargs="+", choices=every, default=every)
    parser.add_argument("--set", dest="more", metavar="key=value", nargs="+", default=[])
    options = parser.parse_args(arguments)
    wanted = [options.only] if options.only else list(VARIANTS)
    runs = {weights: runs_of(weights, options) for weights in wanted}
    if options.only:
        return
    sampling, recogniser = sampling_of("embedded", EVIDENCE_SEED, options.mocap), load_recogniser()
    body = sampling.problem.body
    trained = judge(runs["pretrained"], body, recogniser)
    failed = dict.fromkeys(each.run.action for each in trained if not each.right)
    actions = dict.fromkeys(each.run.action for each in trained)
    findings = Findings(
        trained,
        judge(runs["random"], body, recogniser),
        {action: real_clips(sampling.dataset, action, body) for action in actions},
        runs["timed"],
        reasons(list(failed), options.evidence, "embedded", sampling, recogniser),
    )
    mocap = " --mocap FOLDER" if options.mocap else ""
    chosen = () if tuple(options.actions) == every else options.actions
    write_page(findings, command_of(f"distilled.py{mocap}", options.more, {"actions": chosen}))


if __name__ == "__main__":
    main()
