"""Does the embedded prior know the actions? Its samples, fitted to the body and recognised.

    python experiments/embedded_prior.py [--prior embedded] [--mocap FOLDER] [--training FOLDER]
        [--out runs/embedded_prior] [--seed 0] [--only ACTION ...]

For every action and wording, videos are sampled from three frontal views, a motion is fitted to
each through the renderer, and the recogniser (trained on motion capture, never on samples) names
it. The same is done with rendered true clips: what fit and recogniser lose by themselves; `--mocap`
gives them the actions that only motion capture has. Groups that are done are not done again. Writes
results/embedded_prior.md; `--training` adds the curves of the training in that folder, and `--only`
writes no page.
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from prior_evidence.groups import KINDS, TRUE, Group, Kind
from prior_evidence.page import write_page
from prior_evidence.samples import Sampling, sampling_of, stored_group
from rich.progress import track

from motiondistill.data import captions

# Of each kind for each action; sides come by turns.
GROUPS: Final[dict[Kind, int]] = {"trained": 2, "held out": 2, "unseen": 1, "truth": 1, "motion": 1}


def carry_out(
    options: argparse.Namespace, sampling: Sampling, actions: Sequence[str]
) -> Iterator[Group]:
    """All groups of these actions, made unless they lie in `options.out`.

    Raises ValueError for groups there of another prior or seed.
    """
    keys = [
        (kind, action, place)
        for action in actions
        for kind in KINDS
        for place in range(GROUPS[kind])
        if kind not in TRUE or action in sampling.dataset.actions
    ]
    for key in track(keys, description="groups"):
        yield stored_group(options.out, options.prior, sampling, key)


def main() -> None:
    """All groups, then the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--prior", default="embedded")
    parser.add_argument("--mocap", type=Path)
    parser.add_argument("--training", type=Path)
    parser.add_argument("--out", type=Path, default=Path("runs/embedded_prior"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", choices=captions.ACTIONS)
    options = parser.parse_args()
    sampling = sampling_of(options.prior, options.seed, options.mocap)
    options.out.mkdir(parents=True, exist_ok=True)
    actions = options.only or list(captions.ACTIONS)
    groups = list(carry_out(options, sampling, actions))
    if not options.only:
        command = f"experiments/embedded_prior.py --prior {options.prior} --mocap FOLDER"
        write_page(groups, sampling.problem, options.training, command)


if __name__ == "__main__":
    main()
