"""What does the embedded prior know about motion, asked without optimising anything?

    python experiments/probe_embedded.py [--mocap FOLDER] [--out runs/probe_embedded]
        [--set key=value ...]

Runs `motiondistill probe` on the shipped list of actions, with the motions of a folder of motion
capture or, without one, the bundled parametric ones. A probe that was interrupted goes on. `--set`
is for the probe, such as probe.motions=1. Writes results/probe_embedded.md.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from comparison.pages import command_of, table, write
from this_machine import this_machine

from motiondistill.bookkeeping.probe_files import read_summary
from motiondistill.cli import main as motiondistill
from motiondistill.data.frequencies import RARE_CLIPS
from motiondistill.data.labels import action_in
from motiondistill.report.probe_table import lines
from motiondistill.report.probe_words import VERDICTS, interval_words, level_words, pair_words

PAGE_FILE: Final = Path("results/probe_embedded.md")

PAGE: Final = """# What the embedded prior knows about motion

No motion was optimised. Every pair holds a natural clip and one that is wrong in one way, and the
prior is asked which of them the words help it to denoise, under the same noise. AUC is how often
that is the natural one: 0.5 is chance, and only what lies above copies of the network with random
weights is knowledge. Pairs in brackets are not equally complex, and say little by themselves. The
prior learned these actions from renders; this tests the probe as much as the prior.

{kinds}

Intervals (95 %) are Student's, by the jackknife over recordings, of {motions} motions and {prompts}
prompts; those of the difference have room for one more copy than the {copies} that were asked.

{about}

## By noise level

{levels}

## By prompt

Rare actions last, with how many clips of them the prior was trained on.

{by_prompt}

## Gradients

How straight the score's gradient leads from a perturbed motion back to the real one (cosine: 1 is
straight there, 0 anywhere), and how much of it all draws of noise share.

{gradients}

{suggestion}

Left out: {left_out}.
"""


def words(estimate: Mapping[str, Any] | None) -> str:
    """A figure with its interval."""
    if estimate is None:
        return ""
    ends = interval_words(estimate)
    return f"{estimate['value']:.2f}" + (f" ({ends})" if ends else "")


def kinds_table(kinds: Mapping[str, Any]) -> str:
    """A row for each kind of pairs."""
    rows = []
    for name, figures in kinds.items():
        found = figures["all"]
        rows.append(
            (
                pair_words(name, figures),
                figures["question"],
                words(found["auc"]),
                words(found["null"]),
                words(found["above_null"]),
                VERDICTS[found["verdict"]][1],
            )
        )
    return table(("pairs", "question", "AUC", "random weights", "difference", "verdict"), rows)


def levels_table(summary: Mapping[str, Any]) -> str:
    """AUC of each kind by noise level."""
    levels = [each["level"] for each in summary["levels"]]
    rows = []
    for name, figures in summary["pairs"]["kinds"].items():
        by_level = {each["level"]: words(each["auc"]) for each in figures["by_level"]}
        rows.append((name, *(by_level.get(level, "") for level in levels)))
    return table(("pairs", *map(level_words, levels)), rows)


def prompts_table(kinds: Mapping[str, Any]) -> str:
    """AUC of each equally complex kind by prompt, common ones first."""
    primary = {name: figures for name, figures in kinds.items() if figures["primary"]}
    found: dict[str, dict[str, str]] = {}
    for name, figures in primary.items():
        for each in figures["by_prompt"]:
            found.setdefault(each["prompt"], {})[name] = f"{each['auc']['value']:.2f}"
    clips = {prompt: RARE_CLIPS.get(action_in(prompt) or "") for prompt in found}
    ordered = sorted(found, key=lambda prompt: -(clips[prompt] or 10**6))
    rows = [
        (prompt, str(clips[prompt] or "common"), *(found[prompt].get(name, "") for name in primary))
        for prompt in ordered
    ]
    return table(("prompt", "clips trained on", *primary), rows)


def gradients_table(found: Mapping[str, Any] | None) -> str:
    """Cosine and signal by guidance and level."""
    if found is None:
        return "Left out."
    rows = [
        (
            f"{each['guidance']:g}",
            level_words(each["level"]),
            words(each["cosine"]),
            words(each["mean_cosine"]),
            words(each["signal_to_noise"]),
        )
        for each in found["by_level"]
    ]
    head = ("guidance", "noise", "cosine of one draw", "of the mean", "signal over noise")
    return table(head, rows)


def main(arguments: Sequence[str] | None = None) -> None:
    """The probe, then the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--mocap", type=Path)
    parser.add_argument("--out", type=Path, default=Path("runs/probe_embedded"))
    parser.add_argument("--set", dest="more", metavar="key=value", nargs="+", default=[])
    options = parser.parse_args(arguments)
    motions = ["--motions", str(options.mocap)] if options.mocap else []
    code = motiondistill(["probe", "--out", str(options.out), *motions, *options.more])
    if code:
        raise SystemExit(code)
    summary = read_summary("--out", options.out)
    kinds, about = summary["pairs"]["kinds"], summary["about"]
    told = lines(summary)
    mocap = " --mocap FOLDER" if options.mocap else ""
    text = PAGE.format(
        kinds=kinds_table(kinds),
        motions=len(summary["clips"]),
        prompts=len({clip["prompt"] for clip in summary["clips"]}),
        copies=summary["config"]["probe"]["null_copies"],
        about=f"Command: `python {command_of(f'probe_embedded.py{mocap}', options.more)}`; seed "
        f"{summary['config']['run']['seed']};\ncommit {about['commit']};\n{this_machine()}, torch "
        f"{about['torch']}.",
        levels=levels_table(summary),
        by_prompt=prompts_table(kinds),
        gradients=gradients_table(summary["gradients"]),
        suggestion=f"The {told[-1]}." if summary["gradients"] else "",
        left_out=", ".join(summary["left_out"]) or "none",
    )
    write(PAGE_FILE, text)


if __name__ == "__main__":
    main()
