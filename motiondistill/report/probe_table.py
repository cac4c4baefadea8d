"""What a probe found, for the terminal."""

from collections.abc import Mapping
from typing import Any

from rich.table import Table
from rich.text import Text

from motiondistill.report.probe_words import VERDICTS, interval_words, pair_words, word


def table(summary: Mapping[str, Any]) -> Table:
    """A row for each kind of pairs."""
    result = Table(box=None, pad_edge=False)
    for key in ("pairs", "axis", "verdict"):
        result.add_column(word(key))
    for key in ("auc", "null", "above_null", "recordings"):
        result.add_column(word(key), justify="right")
    for name, figures in summary["pairs"]["kinds"].items():
        found = figures["all"]
        result.add_row(
            pair_words(name, figures),
            figures["axis"],
            Text(VERDICTS[found["verdict"]][1]),
            _words(found["auc"]),
            _words(found["null"]),
            _words(found["above_null"]),
            str(found["recordings"]),
        )
    result.caption = Text(
        "Preferred: the share of pairs whose natural side the words help more; 0.5 is chance. "
        "Names in brackets: pairs that are not equally complex, to be read beside random weights "
        "alone."
    )
    result.caption_justify = "left"
    return result


def lines(summary: Mapping[str, Any]) -> list[str]:
    """What else is to be told: prompts left out, and what gradients suggest."""
    left_out = summary["left_out"]
    told = [f"without {prompt!r}: {why}" for prompt, why in left_out.items()]
    found = summary["gradients"]
    if found is None:
        return told
    chosen = found["suggestion"]
    if chosen is None:
        return [*told, "gradients: no noise level's leads back for certain; nothing is suggested"]
    scale = chosen["guidance_scale"]
    guided = "" if scale is None else f", guidance {scale:g}"
    words = f"noise levels {chosen['first_level']:.2f} to {chosen['last_level']:.2f}{guided}"
    return [*told, f"gradients suggest {words} (mean cosine {chosen['cosine']:.3f})"]


def _words(estimate: Mapping[str, Any] | None) -> str:
    if estimate is None:
        return "-"
    ends = interval_words(estimate)
    return f"{estimate['value']:.2f}" + (f" ({ends})" if ends else "")
