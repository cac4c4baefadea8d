"""`comparison.json` and `comparison.csv`: the figures of probes side by side, as plain values."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from motiondistill.atomic import write_text
from motiondistill.probing.summary import DEFINITIONS
from motiondistill.report.probe_words import Figures

JSON: Final = "comparison.json"
CSV: Final = "comparison.csv"
_COLUMNS: Final = (
    *("prior", "probe", "kind", "primary", "recordings"),
    *("auc", "low", "high"),
    *("null", "null_low", "null_high"),
    *("above_null", "above_null_low", "above_null_high"),
    "verdict",
)
_DEFINED: Final = {
    "prior": "whom the probe asked, with its folder where several are called alike",
    "probe": "its folder, as it was named",
    "kind": "of pairs",
    "primary": "whether both sides of a pair are equally complex",
    "low": "lower end of the interval of auc; null_low and above_null_low are those of the others",
    "high": "its upper end; null_high and above_null_high are those of the others",
}


def figure_rows(
    probes: Mapping[str, Figures], names: Mapping[str, str]
) -> list[dict[str, str | float | None]]:
    """A row of each probe and kind of pairs that it asked; None where there is no figure."""
    return [
        {"prior": names[folder], "probe": folder, "kind": kind, "primary": figures["primary"]}
        | {"recordings": figures["all"]["recordings"]}
        | _ends("auc", "", figures["all"])
        | _ends("null", "null_", figures["all"])
        | _ends("above_null", "above_null_", figures["all"])
        | {"verdict": figures["all"]["verdict"]}
        for folder, found in probes.items()
        for kind, figures in found["pairs"]["kinds"].items()
    ]


def write_figures(
    folder: Path, rows: Sequence[Mapping[str, str | float | None]], different: Sequence[str]
) -> None:
    """Both files; `different` is what was not asked alike."""
    told = {"not_asked_alike": [*different], "definitions": _DEFINED | DEFINITIONS, "figures": rows}
    text = json.dumps(told, indent=1, ensure_ascii=False, allow_nan=False)
    write_text(folder / JSON, text + "\n")
    lines = io.StringIO()
    writer = csv.DictWriter(lines, _COLUMNS)
    writer.writeheader()
    writer.writerows(rows)
    write_text(folder / CSV, lines.getvalue())


def _ends(name: str, prefix: str, figures: Figures) -> dict[str, Any]:
    found = figures[name] or dict.fromkeys(("value", "low", "high"))
    return {name: found["value"], f"{prefix}low": found["low"], f"{prefix}high": found["high"]}
