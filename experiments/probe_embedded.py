"""What does the embedded prior know about motion, asked without optimising anything?

    python experiments/probe_embedded.py [--mocap FOLDER] [--beside PRIOR ...]
        [--out runs/probe_embedded] [--set key=value ...]

Runs `motiondistill probe` on the shipped list of actions with the bundled parametric motions, then
with those of a folder of motion capture. With `--beside`, the embedded prior and others are asked
more briefly about one parametric motion of each prompt. Probes that were interrupted go on,
finished ones are not asked again. `--set` is for all probes, such as probe.draws=1. Writes
results/probe_embedded.md.
"""

import argparse
import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from comparison.pages import command_of, picture, table, write
from this_machine import this_machine

from motiondistill.bookkeeping.probe_files import read_figures
from motiondistill.cli import main as motiondistill
from motiondistill.data.frequencies import RARE_CLIPS
from motiondistill.data.labels import action_in
from motiondistill.prompts import slug
from motiondistill.report.comparison_files import JSON
from motiondistill.report.media import read_image
from motiondistill.report.probe_table import lines
from motiondistill.report.probe_words import (
    VERDICTS,
    interval_words,
    level_words,
    pair_words,
    word,
)

PAGE_FILE: Final = Path("results/probe_embedded.md")

PAGE: Final = """# What the embedded prior knows about motion

No motion was optimised. Every pair holds a natural clip and one that is wrong in one way, and the
prior is asked which of them the words help it to denoise, under the same noise. "Preferred" is how
often that is the natural one: 0.5 is chance, and only what lies above copies of the network with
random weights is knowledge. Pairs in brackets are not equally complex, and say little by
themselves. The prior learned these actions from renders, of parametric motions as of recordings:
this tests the probe as much as the prior.

Intervals (95 %) are Student's, by the jackknife over recordings; those of the difference have room
for one more copy than were asked.

{sections}"""

SECTION: Final = """## {title}

{motions} motions of {prompts} prompts, {copies} copies with random weights. Prompts left out, since
no motion here shows them: {left_out}.

{kinds}
{note}
Command: `python {command}`; seed {seed};
commit {commit};
{machine}, torch {torch}.

### By noise level

What is above random weights stands in bold.

{levels}

### By prompt

Rare actions last, with how many clips of them the prior was trained on.

{by_prompt}

### Gradients

How straight the score's gradient leads from a perturbed motion back to the real one (cosine: 1 is
straight there, 0 anywhere), and how much of it all draws of noise share.

{gradients}

{suggestion}
"""

BESIDE: Final = """## Beside other priors

The same questions about one parametric motion of each prompt, by `{brief}`.
What differs otherwise: {different}. A prior of images sees frames one by one, so that pairs which
differ in their order alone must be chance for it: a check of the probe itself.

![Both maps](probe_embedded/comparison.png)
"""
BRIEF: Final = ("probe.motions=1", "probe.null_copies=2", "gradient.draws=0")
SEEN: Final = """
The prior learned from most of these recordings.
"""
NO_NETWORK: Final = "gaussian"
"""Known in closed form: there are no copies of it with random weights."""


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
    keys = ("pairs", "question", "auc", "null", "above_null", "verdict")
    return table([word(key) for key in keys], rows)


def told(figures: Mapping[str, Any]) -> str:
    """How often the natural side is preferred, in bold where that is above random weights."""
    shown = words(figures["auc"])
    return f"**{shown}**" if figures["verdict"] == "above" else shown


def levels_table(summary: Mapping[str, Any]) -> str:
    """How often each kind is preferred, by noise level."""
    levels = [each["level"] for each in summary["levels"]]
    rows = []
    for name, figures in summary["pairs"]["kinds"].items():
        by_level = {each["level"]: told(each) for each in figures["by_level"]}
        cells = (by_level.get(level, "") for level in levels)
        rows.append((pair_words(name, figures), *cells))
    return table(("pairs", *map(level_words, levels)), rows)


def prompts_table(kinds: Mapping[str, Any]) -> str:
    """How often each equally complex kind is preferred, by prompt, common ones first."""
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


def section(title: str, summary: Mapping[str, Any], command: str, note: str = "") -> str:
    """All figures of one probe; `note` says what is to be known of its motions."""
    kinds, about = summary["pairs"]["kinds"], summary["about"]
    return SECTION.format(
        title=title,
        motions=len(summary["clips"]),
        prompts=len({clip["prompt"] for clip in summary["clips"]}),
        copies=summary["config"]["probe"]["null_copies"],
        left_out=len(summary["left_out"]),
        kinds=kinds_table(kinds),
        note=note,
        command=command,
        seed=summary["config"]["run"]["seed"],
        commit=about["commit"],
        machine=this_machine(),
        torch=about["torch"],
        levels=levels_table(summary),
        by_prompt=prompts_table(kinds),
        gradients=gradients_table(summary["gradients"]),
        suggestion=f"The {lines(summary)[-1]}." if summary["gradients"] else "",
    )


def beside(folders: Sequence[Path]) -> str:
    """The comparison of these probes, whose image is kept beside the page."""
    shown = PAGE_FILE.with_suffix("") / "comparison.png"
    with tempfile.TemporaryDirectory() as place:
        out = Path(place) / "comparison"
        asked(["--compare", *map(str, folders), "--out", str(out)])
        picture(read_image(out / shown.name), shown)
        different = json.loads((out / JSON).read_text(encoding="utf-8"))["not_asked_alike"]
    return BESIDE.format(brief=" ".join(BRIEF), different=", ".join(different) or "nothing")


def asked(words: Sequence[str]) -> None:
    """Runs `motiondistill probe`; raises SystemExit where it fails or was stopped."""
    code = motiondistill(["probe", *words])
    if code:
        raise SystemExit(code)


def parse(words: Sequence[str] | None) -> argparse.Namespace:
    """The arguments of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--mocap", type=Path)
    parser.add_argument("--beside", nargs="+", default=[], metavar="PRIOR")
    parser.add_argument("--out", type=Path, default=Path("runs/probe_embedded"))
    parser.add_argument("--set", dest="more", metavar="key=value", nargs="+", default=[])
    return parser.parse_args(words)


def main(arguments: Sequence[str] | None = None) -> None:
    """The probes, then the page."""
    options = parse(arguments)
    chosen = {"mocap": ["FOLDER"] if options.mocap else [], "beside": options.beside}
    command = command_of("probe_embedded.py", options.more, chosen)
    parametric, recordings = options.out / "parametric", options.out / "recordings"
    asked(["--out", str(parametric), *options.more])
    sections = [section("Parametric motions", read_figures("--out", parametric), command)]
    if options.mocap:
        asked(["--out", str(recordings), "--motions", str(options.mocap), *options.more])
        sections.append(section("Recordings", read_figures("--out", recordings), command, SEEN))
    if options.beside:
        places = {
            prior: options.out / "beside" / slug(prior) for prior in ("embedded", *options.beside)
        }
        for prior, folder in places.items():
            copies = ["probe.null_copies=0"] if prior == NO_NETWORK else []
            words = [f"prior.model={prior}", *options.more, *BRIEF, *copies]
            asked(["--out", str(folder), *words])
        sections.append(beside([*places.values()]))
    write(PAGE_FILE, PAGE.format(sections="\n".join(sections)))


if __name__ == "__main__":
    main()
