"""What the study says of its claim, in sentences that follow from the figures."""

from collections.abc import Sequence
from typing import Final

from long_tail_parts.figures import (
    COMMON,
    HALF,
    RARE,
    Cell,
    failures,
    gain,
    mean_over,
    rank_correlation,
    spearman,
    values_of,
    within_actions,
)
from motiondistill.probing.intervals import Estimate

CLAIM: Final = "common actions work, rare ones fail because of the video model"
RULE: Final = f"""The rule, set before the figures were there. The claim is **not supported** unless
more distilled motions are recognised at counts of {" and ".join(map(str, COMMON))} (common) than of
{" and ".join(map(str, RARE))} (rare), the interval of the difference above zero; below zero it is
**contradicted**. It is **supported** if at least half of the common and less than half of the rare
are recognised, and if the model is why: its own samples show the difference, too, at least half of
the cells whose distillation fails (less than half recognised) have samples that fail, and at least
half of rendered true clips are recognised after the same fit. Else it is **partly supported**."""


def verdict(cells: Sequence[Cell], truth: Sequence[bool]) -> str:
    """The sentence on the claim; `truth` says which true clips were recognised after the fit."""
    apart = gain(cells, "distilled")
    told = f'"{CLAIM[0].upper()}{CLAIM[1:]}" is'
    shown = (
        f"common minus rare is {estimate(apart, signed=True)} for distilled motions and "
        f"{estimate(gain(cells, 'sampled'), signed=True)} for samples"
    )
    if apart.high is not None and apart.high < 0:
        return f"{told} **contradicted**: {shown}."
    if not _above(apart):
        return f"{told} **not supported**: {shown}."
    doubts = [*_level_doubts(cells), *_model_doubts(cells, truth)]
    if doubts:
        return f"{told} **partly supported**: {shown}, but {'; '.join(doubts)}. {_witness(cells)}"
    return f"{told} **supported**: {shown}. {_witness(cells)}"


def prediction(cells: Sequence[Cell]) -> str:
    """The sentence on whether the probe tells what will distil well."""
    found = rank_correlation(cells, "probe", "distilled")
    within = within_actions(cells, "probe", "distilled")
    shown = f"rank correlation {estimate(found)}, within actions {estimate(within)}"
    if found.low is None:
        return (
            "Whether the forward probe tells which prompts distil well **cannot be asked**: all "
            "distil alike, or all are probed alike."
        )
    if _above(found) and _above(within):
        told = f"The forward probe **tells** which prompts distil well: {shown}."
        return f"{told} {_among_common(cells)}"
    if _above(found):
        return (
            "The forward probe tells which prompts distil well **only across actions**, if at all: "
            f"{shown}."
        )
    if _above(within):
        return (
            "The forward probe tells which models distil an action well, but **not across "
            f"actions**: {shown}."
        )
    return f"The forward probe **does not tell** which prompts distil well: {shown}."


def estimate(found: Estimate, *, signed: bool = False) -> str:
    """A value with its interval, as `0.62 (0.40 to 0.81)`."""
    form = "+.2f" if signed else ".2f"
    if found.low is None or found.high is None:
        return f"{found.value:{form}}"
    return f"{found.value:{form}} ({found.low:{form}} to {found.high:{form}})"


def _level_doubts(cells: Sequence[Cell]) -> list[str]:
    """Where common actions do not work, or rare ones do."""
    common, rare = (mean_over(cells, counts, "distilled") for counts in (COMMON, RARE))
    if common.value >= HALF > rare.value:
        return []
    return [
        f"the share recognised of common ones is {estimate(common)}, of rare {estimate(rare)}, "
        "where half should lie between them"
    ]


def _model_doubts(cells: Sequence[Cell], truth: Sequence[bool]) -> list[str]:
    """What speaks against the model as the reason."""
    doubts, (same, failed) = [], failures(cells)
    if not _above(gain(cells, "sampled")):
        doubts.append("samples do not show the difference")
    if 2 * same < failed:
        doubts.append(
            f"only {same} of {failed} cells whose distillation fails have failing samples"
        )
    if 2 * sum(truth) < len(truth):
        doubts.append("true clips are lost by the fit")
    return doubts


def _witness(cells: Sequence[Cell]) -> str:
    """How often samples fail where the distillation does, and where it does not."""
    (same, failed), (also, succeeded) = failures(cells), failures(cells, succeeding=True)
    if not failed:
        return "No cell's distillation fails."
    told = f"Samples mostly fail in {same} of the {failed} cells whose distillation fails"
    if not succeeded:
        return f"{told}; it succeeds in none."
    told += f", and in {also} of the {succeeded} whose distillation succeeds"
    if also * failed >= same * succeeded:
        return f"{told}: they do not tell the two apart."
    return f"{told}."


def _among_common(cells: Sequence[Cell]) -> str:
    """What is left of the prediction where a probe may know all and distillation begins to work."""
    common = [cell for cell in cells if cell.count in COMMON]
    left = float(spearman(values_of(common, "probe"), values_of(common, "distilled")))
    counts = " or ".join(map(str, COMMON))
    return f"Among the {len(common)} cells of {counts} clips alone it is {left:.2f}."


def _above(found: Estimate) -> bool:
    return found.low is not None and found.low > 0
