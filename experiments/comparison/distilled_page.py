"""The page of `distilled.py`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Final

from prior_evidence.judged import mistakes, rate

from comparison.asked import RARE, REPORTED
from comparison.judged import FIGURES, Judged, in_cells, medians
from comparison.pages import origin, sheet, strips, table, write
from comparison.real_clips import LEAST_PENETRATION, RealClips, meets, shares
from comparison.reasons import RULE
from comparison.runs import Run, prompt_of
from motiondistill.data.frequencies import RARE_CLIPS
from motiondistill.metrics.owners import Owner
from motiondistill.metrics.signatures import SIGNATURES
from motiondistill.prompts import slug

PAGE_FILE: Final = Path("results/distilled.md")
MOST_MINUTES: Final = 3.0
README_IMAGE: Final = PAGE_FILE.with_suffix("") / "readme.png"
SHOWN: Final = ("walk", "jumping jacks", "wave", "squat")
"""Of these the README shows the first seed, whatever became of it."""

PAGE: Final = """# Distilled motions

One prompt in, one motion out, by the default settings, which know nothing of the action but the
prompt. The [recogniser](recogniser.md) learned from motion capture and never saw a generated
motion. The embedded prior learned these actions from rendered motions: this is evidence about the
method, and none about video models trained on the web.

{summary}

Intervals are Wilson's, for 95 of 100. "The next prompt" holds each common motion against the action
of the prompt below it in the table, so none is run twice. Rare actions count apart: the prior saw
128 clips of them or fewer. Minutes were taken while other work ran beside, on one core each; the
runs one by one had all cores, and they are what the bar is for.

{about}

## How plausible

Medians of all common motions, and of real clips; how many motions are like the real clips of their
own action: sliding, penetration and jerk at most twice their median, joint speed from half to
twice. Sliding is that over a floor that moves evenly below, as clips are held in place. A median
penetration below {least:g} mm counts as {least:g} mm.

{plausible}

{stand_ins}

## Prompts

{prompts}

## All motions

From the front, failures first, each with what it was recognised as, and failures with the reason.
{rule}

{sheets}
"""


@dataclass(frozen=True)
class Findings:
    """All that the page tells."""

    trained: Sequence[Judged]
    random: Sequence[Judged]
    real: Mapping[str, RealClips | None]
    """By action."""
    timed: Sequence[Run]
    """Made with the machine to themselves."""
    reasons: Mapping[str, Owner]
    """Of the actions with a motion that is not recognised."""


def write_page(findings: Findings, command: str) -> None:
    """The page with a sheet for each prompt, and for each prompt with random weights."""
    every = (*findings.trained, *findings.random)
    absent = [
        action for action, clips in findings.real.items() if clips is None or not clips.recorded
    ]
    text = PAGE.format(
        summary=_summary(findings),
        about=origin([*(each.run for each in every), *findings.timed], command),
        least=1e3 * LEAST_PENETRATION,
        plausible=_plausible(findings),
        stand_ins=f"No recordings of: {', '.join(absent)}; parametric motions stand in for them, "
        "where there are any."
        if absent
        else "Every action has recordings.",
        prompts=_prompts(findings),
        rule=RULE,
        sheets=_sheets(findings),
    )
    write(PAGE_FILE, text)
    shown = [_of(findings.trained, [action])[:1] for action in SHOWN]
    strips([each.run for these in shown for each in these], README_IMAGE)


def following(actions: Sequence[str]) -> dict[str, str]:
    """For each action the next one: a permutation that leaves none where it was, of two or more."""
    return dict(zip(actions, [*actions[1:], *actions[:1]], strict=True))


def signed(judged: Sequence[Judged], prompt_for: Callable[[str], str]) -> list[bool]:
    """Which motions bear the signature of `prompt_for` their own prompt, of those that have one."""
    return [
        all(check.passed for check in SIGNATURES[prompt_for(each.run.prompt)](joints))
        for each in judged
        if each.run.prompt in SIGNATURES
        for joints in (each.run.result().joints,)
    ]


def _of(judged: Sequence[Judged], actions: Sequence[str]) -> list[Judged]:
    """The motions of these actions, in their order."""
    return [each for action in actions for each in judged if each.run.action == action]


def _summary(findings: Findings) -> str:
    common, rare = _of(findings.trained, REPORTED), _of(findings.trained, RARE)
    actions = list(dict.fromkeys(each.run.action for each in common))
    other, next_prompt = following(actions), following(list(SIGNATURES))

    def row(name: str, judged: Sequence[Judged], signs: Sequence[bool] | None) -> tuple[str, ...]:
        return (
            name,
            rate([each.right for each in judged]),
            rate([each.among_three for each in judged]),
            f"{sum(signs)} of {len(signs)}" if signs is not None else "",
            _minutes([each.run for each in judged]),
        )

    permuted = (
        "control: the next prompt",
        rate([each.found.action == other[each.run.action] for each in common]),
        rate([other[each.run.action] in each.found.among(3) for each in common]),
        f"{sum(signed(common, next_prompt.__getitem__))} of {len(signed(common, str))}",
        "",
    )
    rows = [
        row("**common prompts**", common, signed(common, str)),
        permuted,
        row(
            "control: random weights",
            _of(findings.random, REPORTED),
            signed(findings.random, str),
        ),
        row("rare prompts", rare, None),
        (f"{len(findings.timed)} runs, one by one", "", "", "", _minutes(findings.timed)),
        ("bar", "80 %", "95 %", "9 of 12", f"{MOST_MINUTES:g}"),
    ]
    head = ("motions", "recognised", "among three", "bear their signature", "minutes: mean, most")
    return table(head, rows)


def _minutes(runs: Sequence[Run]) -> str:
    minutes = [run.seconds / 60 for run in runs]
    return f"{mean(minutes):.1f}, {max(minutes):.1f}" if minutes else "none"


def _plausible(findings: Findings) -> str:
    common = _of(findings.trained, REPORTED)
    clips = [findings.real[action] for action in dict.fromkeys(each.run.action for each in common)]
    rows = [
        ("distilled", *in_cells(medians([each.plausible for each in common]))),
        ("real clips", *in_cells(medians([clip.figures for clip in clips if clip is not None]))),
        ("like the real ones of their action", *_like(common, findings.real)),
        ("random weights", *in_cells(medians([each.plausible for each in findings.random]))),
    ]
    return table(("motions", *FIGURES), rows)


def _like(judged: Sequence[Judged], real: Mapping[str, RealClips | None]) -> tuple[str, ...]:
    """How many motions meet each bar of their action's real clips."""
    passed = [
        meets(each.plausible, clips.figures)
        for each in judged
        for clips in (real[each.run.action],)
        if clips is not None
    ]
    return shares(passed) if passed else ("none",) * len(FIGURES)


def _prompts(findings: Findings) -> str:
    """A row for each prompt; its medians beside those of real clips."""
    rows = []
    for action, clips in findings.real.items():
        these = _of(findings.trained, [action])
        own = in_cells(medians([each.plausible for each in these]))
        beside = in_cells(clips.figures) if clips else ("none",) * len(own)
        rows.append(
            (
                prompt_of(action),
                str(RARE_CLIPS.get(action, "common")),
                f"{sum(each.right for each in these)} of {len(these)}",
                f"{sum(each.among_three for each in these)} of {len(these)}",
                mistakes(these),
                findings.reasons.get(action, ""),
                *(f"{mine} ({real})" for mine, real in zip(own, beside, strict=True)),
            )
        )
    told = tuple(f"{name} (real)" for name in FIGURES)
    head = ("prompt", "clips trained on", "recognised", "among three", "taken for", "reason")
    return table((*head, *told), rows)


def _sheets(findings: Findings) -> str:
    """All strips: prompts with the most failures first, then random weights."""
    folder, blocks = PAGE_FILE.with_suffix(""), []

    def with_reason(each: Judged) -> str:
        return each.words if each.right else f"{each.words}: {findings.reasons[each.run.action]}"

    for name, judged in (("", findings.trained), ("random weights, ", findings.random)):
        actions = dict.fromkeys(each.run.action for each in judged)
        for action in sorted(actions, key=lambda a: mean(e.right for e in _of(judged, [a]))):
            these = _of(judged, [action])
            file = folder / f"{slug(name + action)}.png"
            sheet(these, file, None if name else with_reason)
            hits = sum(each.right for each in these)
            head = f"{name}{prompt_of(action)}, {hits} of {len(these)}:"
            blocks.append(f"{head}\n\n![]({folder.name}/{file.name})")
    return "\n\n".join(blocks)
