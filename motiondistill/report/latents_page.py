"""`latents.html`: the clips of all priors and prompts, playing side by side, with their figures."""

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from itertools import groupby
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from motiondistill.atomic import write_text
from motiondistill.data.labels import action_in
from motiondistill.report.documents import document, text
from motiondistill.report.elements import chips, folded, section, table
from motiondistill.report.latent_results import DEFINITIONS, FITTED_STRIP, STRIP

PAGE: Final = "latents.html"
_FIGURES: Final = ("motion_energy", "temporal_flickering", "evidence")
_NOTE: Final = (
    "Clips without a body, moved to where each prior's score leads. A body is fitted to the first "
    "view, and what the recogniser takes it for is told; it always names one of the actions that "
    "it knows, also of a clip that shows nobody."
)


def write_page(folder: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    """Writes `PAGE` of an ablation; `rows` are the records of its summary, prior by prior.

    Videos stay in the clips' folders beside it.
    """
    priors = [(prior, [*own]) for prior, own in groupby(rows, key=lambda row: str(row["prior"]))]
    sections = [
        section("Figures", f'<p class="note">{_NOTE}</p>{_figures(rows)}{_definitions()}'),
        *(section(text(prior), _clips(folder, own)) for prior, own in priors),
    ]
    prompts = {row["prompt"] for row in rows}
    parts = {
        "title": "Clips without a body · motiondistill",
        "heading": "What priors ask of a clip",
        "chips": chips({"priors": str(len(priors)), "prompts": str(len(prompts))}),
        "warning": "",
        "sections": "\n".join(sections),
        "footer": f"Made by motiondistill {version('motiondistill')}.",
    }
    write_text(folder / PAGE, document("probe.html", (), parts))
    return folder / PAGE


def _figures(rows: Sequence[Mapping[str, Any]]) -> str:
    heads = ("prompt", "prior", "updates", *(_plain(name) for name in _FIGURES), "seen as", "asked")
    lines = [
        [
            f'<bdi dir="auto">{text(row["prompt"])}</bdi>{_state(row)}',
            text(row["prior"]),
            text(row["steps"]),
            *("-" if row[name] is None else f"{row[name]:.3g}" for name in _FIGURES),
            text(row["recognised"] or "-"),
            text(asked_in_words(row)),
        ]
        for row in rows
    ]
    return table("facts", heads, lines, numbers=(2, 3, 4, 5))


def asked_in_words(row: Mapping[str, Any]) -> str:
    """The action that the prompt names, and how probable the recogniser holds it."""
    asked = action_in(row["prompt"])
    if asked is None:
        return "no known action"
    return asked if row["score"] is None else f"{asked}: {row['score']:.0%}".replace("%", " %")


def _state(row: Mapping[str, Any]) -> str:
    """How a clip stands that is not finished."""
    if row["status"] == "finished":
        return ""
    told = ": ".join(filter(None, (row["status"], row["message"])))
    return f"<small>{text(told)}</small>"


def _clips(folder: Path, rows: Sequence[Mapping[str, Any]]) -> str:
    return f'<div class="beside clips">{"".join(_clip(folder, row) for row in rows)}</div>'


def _clip(folder: Path, row: Mapping[str, Any]) -> str:
    place = quote(str(row["folder"]))
    videos = sorted((folder / row["folder"]).glob("video_*.mp4"))
    if not videos:
        return ""
    first, *others = (f"{place}/{path.name}" for path in videos)
    strips = [
        f'<img alt="{words}" src="{place}/{name}">'
        for name, words in ((STRIP, "All views"), (FITTED_STRIP, "The fitted body"))
        if (folder / row["folder"] / name).is_file()
    ]
    more = "".join([*map(_video, others), *strips])
    seen = f"seen as {row['recognised']}" if row["recognised"] else row["status"]
    return (
        f'<figure><figcaption><bdi dir="auto">{text(row["prompt"])}</bdi>'
        f"<small>{text(seen)}</small></figcaption>{_video(first)}"
        f"{folded('Other views, and the fitted body', more) if more else ''}</figure>"
    )


def _video(source: str) -> str:
    return (
        f'<video controls loop muted playsinline preload="metadata" src="{text(source)}"></video>'
    )


def _definitions() -> str:
    names = (*_FIGURES, "recognised")
    lines = [[text(_plain(name)), text(DEFINITIONS[name])] for name in names]
    return folded("Definitions", table("facts", ("what", "is"), lines))


def _plain(name: str) -> str:
    return {"recognised": "seen as, asked"}.get(name, name.replace("_", " "))
