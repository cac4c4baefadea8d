"""What do an action's pose statistics, which the paper starts from and keeps to, give away?

    python experiments/leak.py [--out runs/leak] [--seeds 0 1 2] [--actions ACTION ...]
        [--set key=value ...]

The paper gives a run the mean pose of the very action that it is to find, and keeps the joints
within three standard deviations of it. Here each motion starts without samples of the prior, and
three things are varied apart: what the field knows (nothing of the action, the statistics of all
actions together, those of the action), and what moves it (nothing at all, a prior with random
weights, the embedded prior). Finished runs are not run again; `--set` is for all of them.
Writes results/leak.md.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from comparison.asked import RARE, REPORTED
from comparison.judged import FIGURES, Judged, in_cells, judge, medians
from comparison.pages import command_of, origin, sheet, table, write
from comparison.runs import DISTILLED_ALONE, Run, Variant, carry_out, planned
from prior_evidence.judged import rate

from motiondistill.building.objects import make_body
from motiondistill.metrics.recogniser import load_recogniser
from motiondistill.motion.statistics import known_actions
from motiondistill.prompts import slug
from motiondistill.schema.look import BodyConfig

PAGE_FILE: Final = Path("results/leak.md")
NOTHING: Final = "no optimisation"
MOVED_BY: Final[dict[str, tuple[str, ...]]] = {
    NOTHING: ("init.start=neutral", "score.num_steps=0"),
    "random weights": (*DISTILLED_ALONE, "prior.weights=random"),
    "embedded prior": DISTILLED_ALONE,
}
_AROUND_THE_MEAN: Final = ("field.start=mean", "field.constraint=soft")
KNOWS: Final[dict[str, tuple[str, ...]]] = {
    "nothing": (),
    "all actions": _AROUND_THE_MEAN,
    "the action": (*_AROUND_THE_MEAN, "field.statistics=action"),
}

PAGE: Final = """# What the action's pose statistics give away

The paper starts from the mean pose of the very action that is to be found, and keeps each joint
within three standard deviations of it, both from recordings of that action. A motion may then be
recognised for what it was told. Rows: what moves the motion; columns: what its field knows. No run
starts from samples of the prior. Without optimisation the motion is a pose that stays.

{summary}

Recognised by the [recogniser](recogniser.md) as the action that was asked for; intervals are
Wilson's, for 95 of 100. What the last column has more than the first is due to the statistics; what
the last row has more than the others, to the prior.

{about}

## Actions

{actions}

## Physical figures

{figures}

## All motions

From the front, failures first, each with what it was asked for and what it was recognised as.

{sheets}
"""


def variants(action: str) -> list[Variant]:
    """All nine for this action."""
    return [
        Variant(
            f"{mover}, knows {known}",
            (*moving, *knowing, *([f"field.action={action}"] if known == "the action" else [])),
        )
        for mover, moving in MOVED_BY.items()
        for known, knowing in KNOWS.items()
    ]


def told_actions() -> tuple[str, ...]:
    """Reported and rare actions that have statistics of their own."""
    return tuple(action for action in (*REPORTED, *RARE) if action in known_actions())


def runs_of(
    actions: Sequence[str], seeds: Sequence[int], out: Path, more: Sequence[str]
) -> list[Run]:
    """Every cell of the table; where nothing is optimised, all seeds are alike, and one will do."""
    return [
        run
        for action in actions
        for variant in variants(action)
        for run in carry_out(
            planned(
                [variant],
                [action],
                seeds[:1] if variant.name.startswith(NOTHING) else seeds,
                out,
                more,
            )
        )
    ]


def cell(judged: Sequence[Judged], mover: str, known: str) -> list[Judged]:
    """The motions of one cell."""
    return [each for each in judged if each.run.variant.name == f"{mover}, knows {known}"]


def write_page(judged: Sequence[Judged], actions: Sequence[str], command: str) -> None:
    """The page with a sheet for each cell."""
    folder, blocks, counts, figures = PAGE_FILE.with_suffix(""), [], [], []
    for mover in MOVED_BY:
        for known in KNOWS:
            these = cell(judged, mover, known)
            name = f"{mover}, knows {known}"
            file = folder / f"{slug(name)}.png"
            sheet(these, file, lambda each: f"{each.run.action}: {each.words}")
            blocks.append(f"{name}:\n\n![]({folder.name}/{file.name})")
            own = [[each.right for each in these if each.run.action == a] for a in actions]
            counts.append((name, *(f"{sum(hits)} of {len(hits)}" for hits in own)))
            figures.append((name, *in_cells(medians([each.plausible for each in these]))))
    summary = [
        (mover, *(rate([each.right for each in cell(judged, mover, known)]) for known in KNOWS))
        for mover in MOVED_BY
    ]
    text = PAGE.format(
        summary=table(("moved by", *(f"knows {known}" for known in KNOWS)), summary),
        about=origin([each.run for each in judged], command),
        actions=table(("motions", *actions), counts),
        figures=table(("motions", *FIGURES), figures),
        sheets="\n\n".join(blocks),
    )
    write(PAGE_FILE, text)


def main(arguments: Sequence[str] | None = None) -> None:
    """All runs, then the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("runs/leak"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--actions", nargs="+", choices=told_actions(), default=told_actions())
    parser.add_argument("--set", dest="more", metavar="key=value", nargs="+", default=[])
    options = parser.parse_args(arguments)
    runs = runs_of(options.actions, options.seeds, options.out, options.more)
    judged = judge(runs, make_body(BodyConfig()), load_recogniser())
    usual = parser.parse_args([])
    chosen = {
        name: vars(options)[name]
        for name in ("seeds", "actions")
        if vars(options)[name] != vars(usual)[name]
    }
    write_page(judged, options.actions, command_of("leak.py", options.more, chosen))


if __name__ == "__main__":
    main()
