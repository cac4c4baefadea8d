"""All rows of a probe in figures: what `summary.json`, the table and the page are made of."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Final

import torch

from motiondistill.probing.asking import PairRow, kinds_asked
from motiondistill.probing.intervals import Estimate, clustered_mean
from motiondistill.probing.pairs import BY_NAME
from motiondistill.probing.ranking import Ranking, grouped, ranked
from motiondistill.probing.slopes import SlopeRow
from motiondistill.probing.suggestion import RULE, suggested
from motiondistill.prompts import view_name

DEFINITIONS: Final = {
    "pairs": "a natural side beside one that is wrong in one way; those with names "
    "in brackets are not equally complex (`primary` is false)",
    "axis": "what a kind of pairs asks about",
    "level": "of noise, as a flow time: at 0.5 there is as much noise as signal",
    "view": "side from which a clip is seen",
    "statistic": "unconditional minus conditional denoising error, mean over latents, divided by "
    "the noise level's square; one draw of noise for both clips of a pair",
    "exchange": "where words are what is wrong (wrong action, wrong view, mirrored), two clips "
    "exchange theirs; either side's statistic is the mean of both clips",
    "auc": "share of pairs (motion, level, view, draw) whose natural side has the greater "
    "statistic; 0.5 is chance; ties, within 1e-6 of the error, count one half",
    "null": "the share that copies of the network with random weights prefer: their mean",
    "above_null": "the share preferred minus that of random weights",
    "unpaired": "the share preferred of all natural sides against all others at one level and view",
    "margin": "mean difference of the statistic within pairs",
    "recordings": "how many the pairs are of, as clip or as partner; intervals count them",
    "verdict": "above or below, if all of the interval of above_null lies above or below 0; "
    "undecided, if it holds 0 or there is no interval: the prior may be as random weights; null "
    "without copies",
    "interval": "95 %, Student's, with the variance by the jackknife over recordings (clips of one "
    "recording count as one, and pairs of clips against both), at least that of independent pairs; "
    "exact where all agree; for null and above_null that of one more copy with random weights; "
    "none where one recording, one pair or one copy alone tells nothing of others",
    "guidance": "scale by which the gradient was guided",
    "cosine": "of what single draws ask for, in the tangent space of all joints, with the way to "
    "the real motion; mean over draws",
    "mean_cosine": "the same of the mean over draws",
    "signal_to_noise": "squared length of the mean gradient (without bias) over the variance of a "
    "single draw, over noise",
}


def pair_summary(rows: Sequence[PairRow]) -> dict[str, Any]:
    """Every kind of pairs: altogether, by level, by view, by both, and by prompt; and by axis."""

    def by(some: Sequence[PairRow], *names: str) -> list[dict[str, Any]]:
        found = grouped(some, lambda row: tuple(getattr(row, name) for name in names))
        return [
            dict(zip(names, key, strict=True)) | as_dict(ranking)  # type: ignore[call-overload]
            for key, ranking in found.items()
        ]

    kinds = {}
    for kind in kinds_asked(rows):
        own = [row for row in rows if row.kind == kind.name]
        kinds[kind.name] = {
            "axis": kind.axis,
            "primary": kind.primary,
            "question": kind.question,
            "all": as_dict(ranked(own)),
            "by_level": by(own, "level"),
            "by_view": by(own, "view"),
            "by_level_and_view": by(own, "level", "view"),
            "by_prompt": by(own, "prompt"),
        }
    primary = [row for row in rows if BY_NAME[row.kind].primary]
    axes = grouped(primary, lambda row: BY_NAME[row.kind].axis)
    return {"kinds": kinds, "axes": {str(axis): as_dict(found) for axis, found in axes.items()}}


def slope_summary(
    rows: Sequence[SlopeRow], *, objective: str, scale_matters: bool
) -> dict[str, Any] | None:
    """Cosine and signal-to-noise by guidance, level and view, and what they suggest."""
    if not rows:
        return None

    def told(*names: str) -> list[dict[str, Any]]:
        keys = dict.fromkeys(tuple(getattr(row, name) for name in names) for row in rows)
        return [
            dict(zip(names, key, strict=True))
            | _slope_figures(
                [row for row in rows if tuple(getattr(row, name) for name in names) == key]
            )
            for key in keys
        ]

    by_level = told("guidance", "level")
    cosines: dict[float, dict[float, Estimate]] = {}
    for each in by_level:
        cosines.setdefault(each["guidance"], {})[each["level"]] = Estimate(**each["cosine"])
    found = suggested(cosines, scale_matters=scale_matters)
    return {
        "objective": objective,
        "by_level": by_level,
        "by_level_and_view": told("guidance", "level", "view"),
        "rule": RULE,
        "suggestion": None if found is None else dataclasses.asdict(found),
    }


def as_dict(ranking: Ranking) -> dict[str, Any]:
    """The ranking as plain values, with its verdict."""
    return dataclasses.asdict(ranking) | {"verdict": ranking.verdict}


def networks(rows: Sequence[PairRow]) -> Mapping[str, float]:
    """The mean of what the clips' own words explain, by network: the statistic itself."""
    names = dict.fromkeys(row.network for row in rows)
    found = {}
    for name in names:
        own = [row.preferred for row in rows if row.network == name and row.kind == "no words"]
        found[name] = sum(own) / max(len(own), 1)
    return found


def view_words(azimuth: float) -> str:
    """How a page calls a view."""
    return view_name(azimuth).removesuffix(" view")


def _slope_figures(rows: Sequence[SlopeRow]) -> dict[str, Any]:
    names = {name: place for place, name in enumerate(dict.fromkeys(r.recording for r in rows))}
    recordings = torch.tensor([names[row.recording] for row in rows])

    def mean_of(name: str) -> dict[str, float | None]:
        values = torch.tensor([getattr(row, name) for row in rows], dtype=torch.float64)
        return dataclasses.asdict(clustered_mean(values, recordings))

    figures = ("cosine", "mean_cosine", "signal_to_noise")
    return {name: mean_of(name) for name in figures} | {
        "recordings": len(names),
        "rows": len(rows),
    }
