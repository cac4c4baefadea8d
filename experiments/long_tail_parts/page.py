"""The page of `long_tail.py`: figures by count, correlations, verdicts, and what motions show."""

from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from typing import Final

import torch
from comparison.judged import words_of
from comparison.pages import origin, table, write
from comparison.runs import prompt_of
from jaxtyping import Float
from PIL import Image
from prior_evidence.judged import Judged, rate
from torch import Tensor

from long_tail_parts.design import ACTIONS, CLIPS, COUNTS, FILLERS, Model
from long_tail_parts.figures import (
    COMMON,
    HALF,
    Cell,
    at_count,
    gain,
    rank_correlation,
    within_actions,
)
from long_tail_parts.measures import PROBED, SHORTER, Findings
from long_tail_parts.plot import draw_plot
from long_tail_parts.training import Schooling
from long_tail_parts.verdict import RULE, estimate, prediction, verdict
from motiondistill.atomic import write_atomically
from motiondistill.engine.starts import Problem, start_azimuths
from motiondistill.prompts import slug
from motiondistill.report.labels import label
from motiondistill.report.latent_grid import Block, grid, row_of_strip
from motiondistill.report.media import strip_frames, to_bytes
from motiondistill.report.results import STRIP_VIEWS

PAGE_FILE: Final = Path("results/long_tail.md")
# Of a run's strip: from the front left, where bent knees and raised arms are seen alike.
_VIEW: Final = 1

PAGE: Final = """# What becomes of rare actions

{models} small text-to-video priors that differ in how often they saw an action: {actions}; the rest
of what they saw is the same few fillers. In each of {squares} Latin squares five models show every
action {counts} times, and none shows two actions equally often. {verdict}

{prediction}

{rule}

That the prior is the reason follows from the design before all: body, renderer, start, objective,
seeds and prompts are the same for all models, and the same action that fails with one succeeds with
another. Samples are a second witness, and a weak one here: they are seen from one side and judged
after a fit.

{summary}

"Probe": of pairs of held-out clips, the share in which an action's words explain its own clip
better than one of another action, by forward passes alone (`motiondistill probe`, kind "other
clip"). What the model knows of the other words has no part in it, but how familiar the clips are
may have: what a model without knowledge comes to is the row of 0 clips, not one half. "Samples":
recognised after a body was fitted to them. "Distilled": recognised of `motiondistill optimize`,
which starts, as it does by default, from a body fitted to samples of its own: samples and distilled
motions share how they can fail, so that their agreement is no surprise, and the probe shares
nothing with either. "Probability": what the recogniser gives the action, the mean over distilled
motions. The [recogniser](recogniser.md) saw none of these motions, but others of the same
parametric form beside motion capture.
Means over models and actions, of {shown} samples and {motions} distilled motions a cell; intervals
(95 %, Student's) are of other such cells, in the last row of other models (jackknife), and exact
bounds stand where all agree. The fit alone: {truth} of rendered true clips are recognised after it.

{by_seed}{plot}## Does the cheap probe tell what will distil well?

{correlations}

Spearman's rank correlation over {cells} cells; "within actions" is the mean over the actions of
that over an action's cells, so that easy actions add nothing. Intervals are of other models
(jackknife), as if the five of a seed, which share a base, were independent.

## How the models were made

All share the embedded prior's autoencoder and text encoder, which saw all of these actions: words
have a meaning to start from, as in models that take their text encoder from elsewhere, and only the
denoiser (width {width}, {layers} layers) does not know what they look like. A base for each seed
learned {base_steps} steps on {clips} clips of fillers ({fillers}) alone; every model went on from
it for {steps} steps of {batch} clips, on a set of {clips}: its counts of clips, filled up by
fillers, of which a model that saw less of the actions saw more. Every clip is drawn equally often,
so counts are shares of the draws, too. A larger count holds the clips of a smaller one, and steps,
rates and the weights of errors are the same for all. Seeds of the trainings: {seeds}. All motions
are parametric: this is no evidence about video models trained on the web.

{about}
`probe` with `{probed}`; `optimize` with `{shorter}`, and what the command sets.

## Models

Probe, recognised samples, and recognised distilled motions of each action, by its count.

{rows}

## Samples

The first sample of the first seed's models, by count, with what its fit was recognised as.

{samples}

## Distilled motions

Of the first seed's models, by count, from the front left, with what each was recognised as: a
recogniser names an action or does not, and frames show how much of it is there.

{distilled}
"""


def write_page(
    findings: Findings,
    truth: Sequence[bool],
    problem: Problem,
    schooling: Schooling,
    command: str,
) -> None:
    """The page with its plot and its sheets.

    `truth` says which true clips were recognised after the fit, `problem` how clips are seen, and
    `command` what made them.
    """
    cells, folder = findings.cells, PAGE_FILE.with_suffix("")
    models = list(dict.fromkeys(cell.model for cell in cells))
    seeds = list(dict.fromkeys(model.seed for model in models))
    folder.mkdir(parents=True, exist_ok=True)
    plot = f"![By count]({folder.name}/counts.png)\n\n"
    text = PAGE.format(
        models=len(models),
        actions=", ".join(ACTIONS),
        squares=len(seeds),
        seeds=", ".join(map(str, seeds)),
        counts=", ".join(map(str, COUNTS)),
        verdict=verdict(cells, truth),
        prediction=prediction(cells),
        rule=RULE,
        summary=summary(cells),
        shown=len(next(iter(findings.samples.values()))),
        motions=len(next(iter(findings.distilled.values()))),
        truth=rate(truth),
        by_seed=by_seed(findings),
        plot=plot if draw_plot(cells, folder / "counts.png") else "",
        correlations=correlations(cells),
        cells=len(cells),
        **vars(schooling),
        fillers=", ".join(FILLERS),
        about=origin(findings.runs, command),
        probed=" ".join(PROBED),
        shorter=" ".join(SHORTER),
        rows=by_model(cells, models),
        samples="\n\n".join(_sheet(problem, findings, action, folder) for action in ACTIONS),
        distilled="\n\n".join(_distilled(findings, action, folder) for action in ACTIONS),
    )
    write(PAGE_FILE, text)


def summary(cells: Sequence[Cell]) -> str:
    """A row for each count, and the gain of common over rare."""
    rows = [
        (
            str(count),
            f"{count / CLIPS:.1%}".replace("%", " %"),
            *(estimate(at_count(cells, count, name)) for name in ("probe", "sampled", "distilled")),
            estimate(at_count(cells, count, "probability")),
        )
        for count in COUNTS
    ]
    gains = [
        estimate(gain(cells, name), signed=True)
        for name in ("probe", "sampled", "distilled", "probability")
    ]
    rows.append(("common - rare", "", *gains))
    return table(("clips", "of all draws", "probe", "samples", "distilled", "probability"), rows)


def by_seed(findings: Findings) -> str:
    """How much hangs on the seed of the distillations; nothing where there is but one."""
    right: dict[int, list[bool]] = {}
    for (model, action), motions in findings.distilled.items():
        if model.count(action) in COMMON:
            for each in motions:
                right.setdefault(each.run.seed, []).append(each.found.action == action)
    if len(right) < 2:
        return ""
    shares = {seed: mean(found) for seed, found in right.items()}
    told = ", ".join(f"{share:.2f} of seed {seed}" for seed, share in shares.items())
    apart = len({share >= HALF for share in shares.values()}) > 1
    hangs = "; the half that the rule asks for lies between them" if apart else ""
    return f"Recognised of common actions by the seed of the distillations: {told}{hangs}.\n\n"


def correlations(cells: Sequence[Cell]) -> str:
    """A row for each two measures."""
    names = {
        "probe": "probe",
        "sampled": "recognised samples",
        "distilled": "recognised distilled",
        "probability": "probability of distilled",
        "count": "clips",
    }
    rows = [
        (
            f"{names[first]}, {names[second]}",
            estimate(rank_correlation(cells, first, second)),
            estimate(within_actions(cells, first, second)),
        )
        for first, second in (
            ("probe", "distilled"),
            ("probe", "probability"),
            ("probe", "sampled"),
            ("sampled", "distilled"),
            ("count", "probe"),
            ("count", "sampled"),
            ("count", "distilled"),
        )
    ]
    return table(("of", "all cells", "within actions"), rows)


def by_model(cells: Sequence[Cell], models: Sequence[Model]) -> str:
    """A row for each model."""
    rows = []
    for model in models:
        told = [
            f"{cell.count}: {cell.probe:.2f}, {cell.sampled:.2f}, {cell.distilled:.2f}"
            for cell in cells
            if cell.model == model
        ]
        rows.append((model.name, *told))
    return table(("model", *ACTIONS), rows)


def _sheet(problem: Problem, findings: Findings, action: str, folder: Path) -> str:
    """One image of an action: a row for each count."""
    rows = [
        _row(problem, findings.samples[model, action][0], model.count(action))
        for model in _by_count(findings, action)
    ]
    return _drawn(torch.cat(rows, -2), action, folder / f"{slug(action)}.png")


def _distilled(findings: Findings, action: str, folder: Path) -> str:
    """One image of an action: a row for each count and run."""
    rows = [
        (
            f"{model.count(action)} clips\nseed {each.run.seed}: seen as {words_of(each.found)}",
            row_of_strip(each.run.folder / "strip.png", _VIEW, len(STRIP_VIEWS)),
        )
        for model in _by_count(findings, action)
        for each in findings.distilled[model, action]
    ]
    image = grid([Block(prompt_of(action), rows)])
    return _drawn(image, action, folder / f"distilled-{slug(action)}.png")


def _drawn(image: Float[Tensor, "3 rows columns"], action: str, file: Path) -> str:
    """Writes the image with 256 colours, and tells of which action it is."""
    small = Image.fromarray(to_bytes(image[None])[0].numpy()).quantize(256)
    write_atomically(file, lambda part: small.save(part, format="PNG", optimize=True))
    return f"{action}:\n\n![]({file.parent.name}/{file.name})"


def _by_count(findings: Findings, action: str) -> list[Model]:
    """The first seed's models, those that saw the action least first."""
    models = dict.fromkeys(cell.model for cell in findings.cells)
    seed = next(iter(models)).seed
    return sorted(
        (model for model in models if model.seed == seed), key=lambda model: model.count(action)
    )


@torch.no_grad()
def _row(problem: Problem, judged: Judged, count: int) -> Float[Tensor, "3 rows columns"]:
    """Frames of a sample, and of its fit from the same side."""
    group, index = judged.group, judged.index
    motion = group.motion.map(lambda tensor: tensor[index])
    azimuth = start_azimuths(len(group.videos))[index : index + 1]
    fit = problem.scene(problem.body(motion), problem.cameras(azimuth))[0]
    chosen = strip_frames(len(fit))
    seen, shown = (torch.cat(list(video[chosen]), -1) for video in (group.videos[index], fit))
    words = (f"{count} clips", judged.found.action)
    both = [label(part[None], text)[0] for part, text in zip((seen, shown), words, strict=True)]
    return torch.cat(both, -1)
