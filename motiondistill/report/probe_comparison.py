"""`comparison.html`: several probes side by side, their figures as JSON and CSV beside it."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from motiondistill.atomic import write_text
from motiondistill.config import flat
from motiondistill.probing.summary import DEFINITIONS
from motiondistill.report.comparison_files import CSV, JSON, figure_rows, write_figures
from motiondistill.report.documents import document, text
from motiondistill.report.elements import chips, section, table, warning
from motiondistill.report.heat_image import write_png
from motiondistill.report.heat_map import UNSURE, Blank, Cell, HeatMap, as_html
from motiondistill.report.links import downloads, link
from motiondistill.report.probe_maps import BRACKETS, COLOURS, KEY, decided, key_of, pair_cell
from motiondistill.report.probe_page import PAGE
from motiondistill.report.probe_words import (
    NO_COPIES,
    NO_INTERVAL,
    Figures,
    definitions,
    interval_words,
    pair_words,
    unasked,
    word,
)

COMPARISON: Final = "comparison.html"
_IMAGE: Final = "comparison.png"
_PREFERRED: Final = (
    "Share of pairs whose natural side is preferred, over all levels and views, and its interval "
    f"of 95 %. The copies are each prior's own. {COLOURS}"
)
_ABOVE: Final = (
    "The same minus that of the copies with random weights: what is knowledge, and not the "
    f"network. Pale and {UNSURE}: undecided, as its interval holds 0, or there is none. {BRACKETS}"
)
_FILES: Final = {
    CSV: "the figures of both maps, a line for each prior and kind of pairs",
    JSON: "the same with definitions, and what was not asked alike",
    _IMAGE: "both maps as an image",
}
_DIFFERENT: Final = (
    "Not asked alike: {names} differ, so figures are not those of the same questions."
)
_OTHERWISE: Final = (
    *("prior.model", "prior.revision", "prior.weights"),
    *("prior.device", "prior.text_device", "prior.dtype", "prior.vae_dtype", "prior.text_dtype"),
    *("prior.batch_size", "prior.compile", "prior.allow_pickle"),
    *("run.threads", "probe.null_copies"),
)
"""What may differ where the same is asked: who answers, by which means, beside how many copies."""
_SAME_GRADIENT: Final = {"checkpointed": "graph", "two_pass": "graph"}
"""Of `prior.encode`; that of `latent` is another."""
_MOTIONS, _UNTOLD = "--motions", "--motions (not told by all)"


def write_comparison(folder: Path, probes: Mapping[str, Figures]) -> Path:
    """Writes the page, its image and its figures; `probes` are summaries by their folders."""
    names, different = _names(probes), _different(probes)
    maps = [
        _map(probes, names, word("auc").capitalize(), _PREFERRED, pair_cell),
        _map(probes, names, word("above_null").capitalize(), _ABOVE, _above_null),
    ]
    numbers = [each for each in maps if any(isinstance(c, Cell) for row in each.cells for c in row)]
    heading = "What priors know about motion"
    write_png(folder / _IMAGE, numbers, heading)
    write_figures(folder, figure_rows(probes, names), different)
    sections = [
        section("Knowledge", "".join(map(as_html, numbers))),
        section("Gradients", _gradients(probes, names)),
        section("How it is measured", definitions(DEFINITIONS)),
        section("Files", downloads(folder, _FILES) + _pages(folder, names)),
    ]
    page = document(
        "probe.html",
        (),
        {
            "title": f"{len(probes)} probes · motiondistill",
            "heading": heading,
            "chips": chips({"probes": str(len(probes))}),
            "warning": warning(_DIFFERENT.format(names=", ".join(different)) if different else ""),
            "sections": "\n".join(sections),
            "footer": "Made by motiondistill.",
        },
    )
    path = folder / COMPARISON
    write_text(path, page)
    return path


def _pages(folder: Path, names: Mapping[str, str]) -> str:
    """Links to the probes' own pages."""
    pages = {_folder(probe) / PAGE: name for probe, name in names.items()}
    links = [link(folder, page, name) for page, name in pages.items() if page.is_file()]
    return f'<p class="note">Pages of the probes: {", ".join(links)}.</p>' if links else ""


def _folder(probe: str) -> Path:
    """Of a probe that may be told by its file."""
    path = Path(probe)
    return path.parent if path.is_file() else path


def _names(probes: Mapping[str, Figures]) -> dict[str, str]:
    """What each probe is called: its prior, and where several have the same, the folder."""
    models = {
        probe: found["prior"]["model"]
        + (" (random)" if found["prior"]["weights"] == "random" else "")
        for probe, found in probes.items()
    }
    names = {}
    for probe, model in models.items():
        others = [each for each, its in models.items() if its == model and each != probe]
        names[probe] = f"{model}, {_tail(probe, others)}" if others else model
    return names


def _tail(probe: str, others: Sequence[str]) -> str:
    """The shortest end of its folder's path that no other has; all of it if one is the same."""
    own, *rest = (Path(os.path.abspath(_folder(each))).parts for each in (probe, *others))
    apart = (
        count
        for count in range(1, len(own))
        if all(own[-count:] != parts[-count:] for parts in rest)
    )
    return str(Path(*own[-next(apart, len(own)) :]))


def _map(
    probes: Mapping[str, Figures],
    names: Mapping[str, str],
    title: str,
    sentence: str,
    cell: Callable[[str, Figures], Cell | Blank],
) -> HeatMap:
    """A row for each kind of pairs that any probe asked, a column for each probe."""
    asked = [found["pairs"]["kinds"] for found in probes.values()]
    kinds = {kind: figures for own in asked for kind, figures in own.items()}
    cells = [
        [cell(kind, own[kind]["all"]) if kind in own else Blank(unasked(kind)) for own in asked]
        for kind in kinds
    ]
    rows = [pair_words(kind, figures) for kind, figures in kinds.items()]
    columns = [names[folder] for folder in probes]
    key = KEY if cell is _above_null else key_of(each for own in asked for each in own.values())
    return HeatMap(title, sentence, rows, columns, cells, key=key)


def _above_null(kind: str, figures: Figures) -> Cell | Blank:
    found = figures["above_null"]
    if found is None:
        return Blank(NO_COPIES)
    words = interval_words(found) or NO_INTERVAL
    return Cell(found["value"], words, decided(figures), middle=0.0)


def _gradients(probes: Mapping[str, Figures], names: Mapping[str, str]) -> str:
    lines = []
    for folder, found in probes.items():
        gradients = found["gradients"]
        chosen = None if gradients is None else gradients["suggestion"]
        if chosen is None:
            why = "left out" if gradients is None else "none leads back for certain"
            lines.append([text(names[folder]), "-", "-", why])
            continue
        scale = chosen["guidance_scale"]
        guided = "" if scale is None else f", guidance {scale:g}"
        levels = f"{chosen['first_level']:.2f} to {chosen['last_level']:.2f}{guided}"
        lines.append(
            [
                text(names[folder]),
                text(gradients["objective"]),
                f"{chosen['cosine']:.3f}",
                text(levels),
            ]
        )
    heads = ("prior", "objective", "cosine", "levels suggested")
    return table("facts", heads, lines, numbers=(2,))


def _different(probes: Mapping[str, Figures]) -> list[str]:
    """What was not asked alike."""
    first, *others = (_asked(each["config"]) for each in probes.values())
    # A file of another version may lack a key.
    keys = [key for each in (first, *others) for key in each]
    found = [
        key
        for key in dict.fromkeys(keys)
        if any(each.get(key) != first.get(key) for each in others)
    ]
    clips, *more = (each["clips"] for each in probes.values())
    named = ["motions and prompts"] if any(each != clips for each in more) else []
    return [*named, *_sources(probes), *found]


def _asked(config: Mapping[str, Any]) -> dict[str, Any]:
    """The settings by which a prior is asked, by their keys."""
    told = {key: value for key, value in flat(config) if key not in _OTHERWISE}
    encode = told.get("prior.encode")
    return told if encode is None else told | {"prior.encode": _SAME_GRADIENT.get(encode, encode)}


def _sources(probes: Mapping[str, Figures]) -> list[str]:
    """Whether motions came from other places: equal names may be of other motions."""
    about = [each.get("about", {}) for each in probes.values()]
    told = {each["motions"] for each in about if "motions" in each}
    if len(told) > 1:
        return [_MOTIONS]
    return [_UNTOLD] if told and any("motions" not in each for each in about) else []
