"""Made-up summaries of probes, whose figures are known."""

from collections.abc import Mapping, Sequence
from typing import Any

from motiondistill.probing.pairs import BY_NAME
from motiondistill.probing.suggestion import RULE
from motiondistill.probing.summary import DEFINITIONS

WALK, WAVE = "a person walks", "a person waves"
SURE = 0.01


def estimate(value: float, reach: float | None = SURE) -> dict[str, float | None]:
    """With an interval that reaches this far to either side, or with none."""
    ends = (None, None) if reach is None else (value - reach, value + reach)
    return {"value": value, "low": ends[0], "high": ends[1]}


def figures(auc: float, null: float | None, verdict: str | None) -> dict[str, Any]:
    """Of pairs of one kind."""
    both: dict[str, Any] = {"null": None, "above_null": None}
    if null is not None:
        both = {"null": estimate(null), "above_null": estimate(auc - null)}
    return {
        "auc": estimate(auc),
        "unpaired": estimate(auc, None),
        **both,
        "recordings": 4,
        "verdict": verdict,
    }


def kind(name: str, *by_level: Mapping[str, Any], prompts: Sequence[str] = ()) -> dict[str, Any]:
    """Figures at noise levels 0.1, 0.2, ...; elsewhere the first of them stand."""
    levels = [{"level": place / 10} | each for place, each in enumerate(by_level, 1)]
    views = [{"view": 0.0, **by_level[0]}]
    known = BY_NAME[name]
    return {
        "axis": known.axis,
        "primary": known.primary,
        "question": known.question,
        "all": by_level[0],
        "by_level": levels,
        "by_view": views,
        "by_level_and_view": [{"view": 0.0, **each} for each in levels],
        "by_prompt": [{"prompt": prompt, **by_level[0]} for prompt in prompts],
    }


def summary(kinds: Mapping[str, Any], gradients: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Of a probe of these kinds of pairs, in which walks and waves were shown."""
    levels = max(len(each["by_level"]) for each in kinds.values())
    copies = any(each["all"]["null"] for each in kinds.values())
    return {
        "motiondistill": "0",
        "prior": {"model": "x", "weights": "given"},
        "finished": True,
        "clips_wanted": 2,
        "clips": [{"name": words, "prompt": words, "recording": words} for words in (WALK, WAVE)],
        "left_out": {},
        "definitions": DEFINITIONS,
        "levels": [{"level": place / 10} for place in range(1, levels + 1)],
        "views": [{"view": 0.0, "name": "front"}],
        "pairs": {"kinds": dict(kinds)},
        "gradients": gradients,
        "config": {"probe": {"draws": 1, "null_copies": 2 * copies}, "run": {"seed": 0}},
    }


def gradients(*values: float) -> dict[str, Any]:
    """Cosines at noise levels 0.1, 0.2, ..., with intervals that are points."""
    rows = [
        {
            "guidance": 1.0,
            "level": place / 10,
            "view": 0.0,
            "cosine": found,
            "signal_to_noise": found,
        }
        for place, found in enumerate((estimate(value, 0.0) for value in values), 1)
    ]
    told = {"objective": "csd", "rule": RULE, "suggestion": None}
    return {"by_level": rows, "by_level_and_view": rows, **told}
