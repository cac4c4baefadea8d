"""What is measured of a model: by the probe, of its samples, and of motions distilled from it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Final

from comparison.runs import Run, Variant, carry_out, planned, prompt_of
from prior_evidence.groups import Group
from prior_evidence.judged import Judged, judge
from prior_evidence.samples import sampling_of, stored_group

from long_tail_parts.design import ACTIONS, FILLERS, Model
from long_tail_parts.figures import Cell
from motiondistill.atomic import write_text
from motiondistill.bookkeeping.probe_files import read_summary
from motiondistill.cli import main as motiondistill
from motiondistill.engine.starts import Problem
from motiondistill.metrics.recogniser import Recogniser, Recognition
from motiondistill.priors.hub import EMBEDDED

SHORTER: Final = ("score.num_steps=60",)
"""Of 150: as many motions are recognised, in half the time (`results/objectives.md`)."""
PROBED: Final = (
    "gradient.draws=0",
    "probe.null_copies=0",
    "probe.motions=6",
    "probe.views=[front,left]",
)
"""Forward passes alone; the null is measured by actions that a model never saw."""
KIND: Final = "other clip"
"""What a model knows of the other clip's words has no part in it; familiarity with clips has."""
# Of the samples; models differ in what they learned, not in the noise that they begin with.
SAMPLES_SEED: Final = 0


@dataclass(frozen=True)
class Asking:
    """How much is asked of every model."""

    groups: int = 1
    """Of three samples, for each action."""
    seeds: tuple[int, ...] = (0, 1)
    """Of the distillations."""
    more: tuple[str, ...] = ()
    """Settings of all distillations, after `SHORTER`."""


@dataclass(frozen=True)
class Distilled:
    """A run, and what its motion was recognised as."""

    run: Run
    found: Recognition


@dataclass(frozen=True)
class Findings:
    """All that was measured, of each model and action."""

    cells: list[Cell]
    samples: dict[tuple[Model, str], list[Judged]]
    distilled: dict[tuple[Model, str], list[Distilled]]

    @property
    def runs(self) -> list[Run]:
        """All distillations."""
        return [each.run for these in self.distilled.values() for each in these]


def probe(pipeline: Path, folder: Path) -> dict[str, float]:
    """Of the actions and fillers, how often words explain their own clip better than another's.

    The share of pairs of `motiondistill probe`'s kind `KIND`. The command itself knows what it has
    asked in the folder, and refuses other settings. Raises SystemExit where probing fails.
    """
    prompts = {prompt_of(action): action for action in (*ACTIONS, *FILLERS)}
    folder.parent.mkdir(parents=True, exist_ok=True)
    words = folder.with_suffix(".txt")
    write_text(words, "".join(f"{prompt}\n" for prompt in prompts))
    settings = (f"prior.model={pipeline}", *PROBED)
    code = motiondistill(["probe", "--prompts", str(words), "--out", str(folder), *settings])
    if code:
        raise SystemExit(code)
    rows = read_summary("--out", folder)["pairs"]["kinds"][KIND]["by_prompt"]
    return {prompts[row["prompt"]]: float(row["auc"]["value"]) for row in rows}


def sample_groups(pipeline: Path, folder: Path, count: int) -> dict[str, list[Group]]:
    """Groups of samples of each action with the motions fitted to them, made once."""
    folder.mkdir(parents=True, exist_ok=True)
    sampling = sampling_of(str(pipeline), SAMPLES_SEED, None)
    return {
        action: [
            stored_group(folder, str(pipeline), sampling, ("trained", action, place))
            for place in range(count)
        ]
        for action in ACTIONS
    }


def distillations(pipeline: Path, out: Path, asking: Asking) -> list[Run]:
    """A run for each action and seed, made once."""
    variant = Variant("distilled", (f"prior.model={pipeline}", *SHORTER))
    return carry_out(planned([variant], ACTIONS, asking.seeds, out, asking.more))


def find(places: Mapping[Model, Path], asking: Asking, recogniser: Recogniser) -> Findings:
    """All figures of these trained models; what is missing in their folders is made."""
    findings = Findings([], {}, {})
    for model, place in places.items():
        pipeline = place / "pipeline"
        auc = probe(pipeline, place / "probe")
        groups = sample_groups(pipeline, place / "samples-fitted", asking.groups)
        made = recognised(distillations(pipeline, place, asking), recogniser)
        for action in ACTIONS:
            samples = judge(groups[action], recogniser)
            motions = [each for each in made if each.run.action == action]
            findings.samples[model, action] = samples
            findings.distilled[model, action] = motions
            findings.cells.append(cell(model, action, auc[action], samples, motions))
    return findings


def recognised(runs: Sequence[Run], recogniser: Recogniser) -> list[Distilled]:
    """What the motions of these runs are taken for."""
    results = [(run, run.result()) for run in runs]
    return [
        Distilled(run, recogniser.recognise(result.joints, result.motion.fps))
        for run, result in results
    ]


def cell(
    model: Model, action: str, auc: float, samples: Sequence[Judged], motions: Sequence[Distilled]
) -> Cell:
    """The figures of one model and action."""
    return Cell(
        model,
        action,
        probe=auc,
        sampled=mean(each.right for each in samples),
        distilled=mean(each.found.action == action for each in motions),
        probability=mean(each.found.probabilities[action] for each in motions),
    )


def true_clips(folder: Path, recogniser: Recogniser) -> tuple[list[Judged], Problem]:
    """True clips of each action, fitted and judged as samples are; and how all of them are seen.

    No model has a part in this: the prior's format alone is asked for.
    """
    folder.mkdir(parents=True, exist_ok=True)
    sampling = sampling_of(EMBEDDED, SAMPLES_SEED, None)
    groups = [stored_group(folder, EMBEDDED, sampling, ("truth", action, 0)) for action in ACTIONS]
    return judge(groups, recogniser), sampling.problem
