"""By what is the right motion told from wrong ones, once motions are fitted to samples?

    python experiments/candidates.py --mocap FOLDER [--groups runs/embedded_prior]

Of three samples of one prompt some are right and some wrong, as the recogniser says. A rule scores
the motions that are fitted to them, without knowing the action: by evidence (how much the prompt
helps the prior to denoise the motion's videos), by misfit (what is left of the fit's error), or by
both. The groups are those of `embedded_prior.py`, and made where they are missing.
Writes results/candidates.md.
"""

import argparse
import dataclasses
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Final

import torch
from comparison.pages import table, write
from embedded_prior import GROUPS
from jaxtyping import Float
from prior_evidence.groups import SAMPLES, Group, Kind
from prior_evidence.judged import judge, rate
from prior_evidence.samples import Sampling, sampling_of, stored_group
from rich.progress import track
from this_machine import this_machine
from torch import Tensor

from motiondistill.bookkeeping.store import origin
from motiondistill.data.captions import ACTIONS
from motiondistill.data.frequencies import RARE_CLIPS
from motiondistill.engine.candidates import evidence, standard_scores
from motiondistill.engine.fitting import fit_errors
from motiondistill.engine.starts import Problem, start_azimuths
from motiondistill.metrics.recogniser import load_recogniser
from motiondistill.structures import Motion

PAGE_FILE: Final = Path("results/candidates.md")
SEED: Final = 0
ASKED: Final[tuple[Kind, ...]] = ("trained", "held out")

PAGE: Final = """# Which candidate goes on

A run samples videos, fits a motion to each, and refines one. Which? Here three motions are fitted
to three samples of one prompt, and the [recogniser](recogniser.md) says which are right. "Chosen":
how often the one with the highest score is right; by chance it would be the share of right ones.
"Pairs": of a right and a wrong motion of one prompt, how often the right one has the higher score.
"Speed": the mean speed of the chosen ones' joints, over that of all; a rule that likes statues
would be far below 1.

{summary}

Common actions; intervals are Wilson's, for 95 of 100. Evidence sees the motion alone, from four
sides; misfit is what no body can follow of the video. `motiondistill.engine.candidates.choose`
subtracts the standard scores; that rule was chosen on these very groups, and its intervals overlap
with those of the others. Rare actions, of which few are ever right: {rare}.

What each view's samples give: {views}.

Command: `python experiments/candidates.py --mocap FOLDER`; seed {seed}; commit {commit};
{machine}, torch {torch}.

## Actions

Right ones of all, and of those that each rule chooses.

{actions}
"""


@dataclass(frozen=True)
class Scored:
    """Three candidates for one prompt, and what can be said of each."""

    group: Group
    right: tuple[bool, ...]
    evidence: Float[Tensor, " candidates"]
    misfit: Float[Tensor, " candidates"]
    speed: Float[Tensor, " candidates"]
    """Of the joints, the mean, metres a second."""


Rule = Callable[[Scored], Float[Tensor, " candidates"]]
RULES: Final[dict[str, Rule]] = {
    "evidence": lambda scored: scored.evidence,
    "misfit": lambda scored: -scored.misfit,
    "both": lambda scored: standard_scores(scored.evidence) - standard_scores(scored.misfit),
}


@torch.no_grad()
def scored(problem: Problem, group: Group, right: Sequence[bool]) -> Scored:
    """The group's candidates, seen as a run sees its own."""
    asked, motion = dataclasses.replace(problem, prompt=group.prompt), group.motion
    alone = [
        Motion(turns, place, motion.fps)
        for turns, place in zip(motion.rotations, motion.translation, strict=True)
    ]
    video = problem.scene(problem.body(motion), problem.cameras(start_azimuths(SAMPLES)))
    return Scored(
        group,
        tuple(right),
        torch.tensor([evidence(asked, each) for each in alone]),
        fit_errors(video, group.videos, 1.0),
        (group.joints.diff(dim=1) * motion.fps).norm(dim=-1).mean((1, 2)),
    )


def chosen(rule: Rule, groups: Iterable[Scored]) -> list[bool]:
    """Whether the candidate with the highest score is right."""
    return [each.right[int(rule(each).argmax())] for each in groups]


def pairs(rule: Rule, groups: Iterable[Scored]) -> list[bool]:
    """Of every right and wrong candidate for one prompt, whether the right one scores higher."""
    return [
        bool(scores[good] > scores[bad])
        for each in groups
        for scores in [rule(each)]
        for good, is_right in enumerate(each.right)
        for bad, other in enumerate(each.right)
        if is_right and not other
    ]


def pace(rule: Rule, groups: Iterable[Scored]) -> float:
    """Mean joint speed of the chosen ones, over that of all."""
    both = [(each.speed[int(rule(each).argmax())], each.speed.mean()) for each in groups]
    return (sum(one for one, _ in both) / sum(all_of for _, all_of in both)).item()


def write_page(groups: Sequence[Scored]) -> None:
    """What each rule would have chosen."""
    common = [each for each in groups if each.group.action not in RARE_CLIPS]
    rare = [each for each in groups if each.group.action in RARE_CLIPS]
    every = [hit for each in common for hit in each.right]
    rows = [("any", rate(every), "", "")]
    rows += [
        (name, rate(chosen(rule, common)), rate(pairs(rule, common)), f"{pace(rule, common):.2f}")
        for name, rule in RULES.items()
    ]
    actions = []
    for action in dict.fromkeys(each.group.action for each in groups):
        these = [each for each in groups if each.group.action == action]
        hits = [hit for each in these for hit in each.right]
        counts = [sum(chosen(rule, these)) for rule in RULES.values()]
        told = (f"{count} of {len(these)}" for count in counts)
        actions.append((action, f"{sum(hits)} of {len(hits)}", *told))
    few = [sum(chosen(rule, rare)) for rule in RULES.values()]
    views = [mean(each.right[view] for each in common) for view in range(SAMPLES)]
    about = origin("")
    text = PAGE.format(
        summary=table(("score", "chosen", "pairs", "speed"), rows),
        rare=", ".join(
            [f"{sum(sum(each.right) for each in rare)} of {SAMPLES * len(rare)} right"]
            + [f"{name} {count} of {len(rare)}" for name, count in zip(RULES, few, strict=True)]
        ),
        views=", ".join(
            f"{name} {share:.0%}".replace("%", " %")
            for name, share in zip(("front", "front left", "front right"), views, strict=True)
        ),
        seed=SEED,
        commit=about["commit"],
        machine=this_machine(),
        torch=about["torch"],
        actions=table(("action", "candidates", *RULES), actions),
    )
    write(PAGE_FILE, text)


def groups_of(folder: Path, sampling: Sampling) -> list[Group]:
    """Those of both kinds of captions, of every action."""
    keys = [
        (kind, action, place)
        for action in ACTIONS
        for kind in ASKED
        for place in range(GROUPS[kind])
    ]
    return [
        stored_group(folder, "embedded", sampling, key) for key in track(keys, description="groups")
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    """Reads or makes the groups, scores them, and writes the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--mocap", type=Path, required=True)
    parser.add_argument("--groups", type=Path, default=Path("runs/embedded_prior"))
    options = parser.parse_args(arguments)
    sampling, recogniser = sampling_of("embedded", SEED, options.mocap), load_recogniser()
    found = [
        scored(sampling.problem, group, [each.right for each in judge([group], recogniser)])
        for group in track(groups_of(options.groups, sampling), description="scores")
    ]
    write_page(found)


if __name__ == "__main__":
    main()
