"""The results page of the embedded prior: tables, contact sheets, curves."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import torch
from PIL import Image
from this_machine import this_machine
from torch import Tensor

from motiondistill.atomic import write_atomically, write_text
from motiondistill.bookkeeping.store import origin
from motiondistill.data.frequencies import RARE_CLIPS
from motiondistill.engine.starts import Problem, start_azimuths
from motiondistill.metrics.recogniser import load_recogniser
from motiondistill.prompts import slug
from motiondistill.report.labels import label
from motiondistill.report.media import strip_frames, to_bytes
from prior_evidence.curves import draw_curves
from prior_evidence.groups import KINDS, Group, Kind
from prior_evidence.judged import Judged, judge, mistakes, rate

RESULTS: Final = Path("results")
AIM: Final = 0.9
AIMED_AT: Final[tuple[Kind, ...]] = ("trained", "held out")
SHEETS: Final = "embedded_prior"
CARD: Final = "motiondistill/priors/embedded/README.md"
TOLD: Final = (
    *("clips", "steps", "batch", "rate", "seed", "draws", "emphasis", "codec_steps"),
    *("width", "layers", "threads"),
)
_TILE: Final = 64

PAGE = """# What the embedded prior knows

For every action and wording, clips were sampled from the front, the front left and the front right;
a motion was fitted to each through the renderer (as the start `sampled` does), and the
[recogniser](recogniser.md), which learned from motion capture and never saw a sample, named it.
"True clips" are rendered motions of the training's kind that went through the same fit, and "true
motions" such motions as they are: the fit from a single view loses what lies between these two
rows, and the prior what lies between true clips and samples. (The recogniser learned from the same
recordings and forms of motion, never from fits.) Chance is 1 of {actions}. The prior learned from
renders of motion capture and parametric motions: this is no evidence about video models trained on
the web.

{summary}

Intervals are Wilson's, for 95 of 100. "Asked side": of recognised actions that one limb does, how
often the asked one. The aim is {aim:.0f} % of common actions, with trained captions and with unseen
templates around seen verbs: **it is {verdict}**.
[What was tried, and what is left](embedded_prior_tried.md).

Command: `python {command}`; seed {seed}; commit {commit};
{machine}, threads: {threads}, torch {torch}.

## Actions

{table}

{curves}## All samples with trained captions

The worst actions first, and of each the failures first. Left: eight frames of the sample; right:
the motion fitted to it, from the same side, and as what it was recognised.

{sheets}
"""


def write_page(
    groups: Sequence[Group], problem: Problem, training: Path | None, command: str
) -> None:
    """results/embedded_prior.md with its pictures."""
    judged = judge(groups, load_recogniser())
    actions = sorted({each.group.action for each in judged}, key=lambda name: _order(judged, name))
    about = origin("")
    folder = RESULTS / SHEETS
    folder.mkdir(parents=True, exist_ok=True)
    text = PAGE.format(
        actions=len(actions),
        summary="\n".join(_summary(judged)),
        aim=100 * AIM,
        verdict="met" if all(_share(judged, kind) >= AIM for kind in AIMED_AT) else "missed",
        command=command,
        seed=problem.seed,
        commit=about["commit"],
        machine=this_machine(),
        threads=torch.get_num_threads(),
        torch=about["torch"],
        table="\n".join(_table(judged, actions)),
        curves=_curves(training, folder),
        sheets="\n\n".join(
            _sheet(problem, _of(judged, "trained", action), folder) for action in actions
        ),
    )
    page = RESULTS / "embedded_prior.md"
    write_text(page, text)


def _of(judged: Sequence[Judged], kind: Kind, action: str) -> list[Judged]:
    return [each for each in judged if (each.group.kind, each.group.action) == (kind, action)]


def _share(judged: Sequence[Judged], kind: Kind) -> float:
    """How much of common actions is recognised."""
    hits = [
        each.right
        for each in judged
        if each.group.kind == kind and each.group.action not in RARE_CLIPS
    ]
    return sum(hits) / max(len(hits), 1)


def _order(judged: Sequence[Judged], action: str) -> tuple[float, str]:
    """Failures first, equals by name."""
    hits = [each.right for each in _of(judged, "trained", action)]
    return sum(hits) / len(hits), action


def _summary(judged: Sequence[Judged]) -> list[str]:
    lines = [
        "| clips | common actions | among the first three | asked side | rare actions |",
        "|---|---|---|---|---|",
    ]
    names = {
        "trained": "samples, trained captions",
        "held out": "samples, unseen templates around seen verbs",
        "unseen": "samples, unseen verbs",
        "truth": "true clips",
        "motion": "true motions",
    }
    for kind in KINDS:
        these = [each for each in judged if each.group.kind == kind]
        rare = [each for each in these if each.group.action in RARE_CLIPS]
        common = [each for each in these if each.group.action not in RARE_CLIPS]
        sides = [each.right_side for each in common if each.right_side is not None]
        cells = (
            f"**{rate([each.right for each in common])}**",
            rate([each.among_three for each in common]),
            rate(sides),
            rate([each.right for each in rare]),
        )
        lines.append(f"| {names[kind]} | {' | '.join(cells)} |")
    return lines


def _table(judged: Sequence[Judged], actions: Sequence[str]) -> list[str]:
    lines = [
        "| action | clips | trained | held out | unseen | true clips | true motions | taken for |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for action in actions:
        counts = []
        for kind in KINDS:
            hits = [each.right for each in _of(judged, kind, action)]
            counts.append(f"{sum(hits)} of {len(hits)}" if hits else "none")
        seen = str(RARE_CLIPS[action]) if action in RARE_CLIPS else "common"
        wrong = mistakes(_of(judged, "trained", action))
        lines.append(f"| {action} | {seen} | {' | '.join(counts)} | {wrong} |")
    return lines


def _curves(training: Path | None, folder: Path) -> str:
    if training is None or not draw_curves(training, folder / "curves.png"):
        return ""
    arguments = json.loads((training / "arguments.json").read_text(encoding="utf-8"))
    told = " ".join(
        f"--{name.replace('_', '-')} {value}"
        for name, value in arguments.items()
        if name in TOLD and value is not None
    )
    stages = "The last stage; those before it, and what its code set by itself, are in the"
    return (
        f"## Training\n\n{stages} [card](../{CARD}).\n\n`train_embedded_prior.py {told}`\n\n"
        f"![Errors over the steps]({SHEETS}/curves.png)\n\n"
    )


def _sheet(problem: Problem, judged: Sequence[Judged], folder: Path) -> str:
    action = judged[0].group.action
    rows = [_row(problem, each) for each in sorted(judged, key=lambda each: each.right)]
    name = f"{slug(action)}.png"
    image = Image.fromarray(to_bytes(torch.cat(rows, -2)[None])[0].numpy())
    # 256 colours show it as well, and take a third of the room.
    few = image.quantize(256)
    write_atomically(folder / name, lambda part: few.save(part, format="PNG", optimize=True))
    right = sum(each.right for each in judged)
    return f"{action}, {right} of {len(judged)}:\n\n![]({SHEETS}/{name})"


@torch.no_grad()
def _row(problem: Problem, judged: Judged) -> Tensor:
    """The sample's frames, and those of its fit from the same side, in one row [3 H W]."""
    group, index = judged.group, judged.index
    azimuth = start_azimuths(len(group.videos))[index : index + 1]
    motion = group.motion.map(lambda tensor: tensor[index])
    fit = problem.scene(problem.body(motion), problem.cameras(azimuth))[0]
    chosen = strip_frames(len(fit))
    words = f"{judged.found.action} {judged.found.probabilities[judged.found.action]:.0%}"
    seen, shown = (torch.cat(list(video[chosen]), -1) for video in (group.videos[index], fit))
    return torch.cat([seen, label(shown[None], words)[0]], -1)
