"""`comparison.html`: several probes side by side."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from motiondistill.atomic import write_text
from motiondistill.config import flat
from motiondistill.report.documents import document, text
from motiondistill.report.elements import chips, section, table, warning
from motiondistill.report.heat_map import Cell, HeatMap, as_html, write_png
from motiondistill.report.probe_maps import COLOURS, interval_words, pair_cell

COMPARISON: Final = "comparison.html"
_IMAGE: Final = "comparison.png"
_PREFERRED: Final = (
    "How often the natural clip is preferred, over all levels and views. The copies are each "
    f"prior's own. {COLOURS}"
)
_ABOVE: Final = (
    "The same minus that of the copies with random weights: what is knowledge, and not the network."
)
_DIFFERENT: Final = (
    "Not asked alike: {names} differ, so figures are not those of the same questions."
)
_OTHERWISE: Final = ("prior", "run.threads", "probe.null_copies")
"""What may differ where the same is asked: who answers, and beside how many copies."""


def write_comparison(folder: Path, probes: Mapping[str, Mapping[str, Any]]) -> Path:
    """Writes the page and its image; `probes` are summaries by the names of their folders."""
    names = _names(probes)
    maps = [
        _map(probes, names, "Preferred", _PREFERRED, pair_cell),
        _map(probes, names, "Above random weights", _ABOVE, _above_null),
    ]
    maps = [each for each in maps if any(cell for row in each.cells for cell in row)]
    write_png(folder / _IMAGE, maps)
    sections = [
        section("Knowledge", "".join(map(as_html, maps))),
        section("Gradients", _gradients(probes, names)),
    ]
    different = _different(probes)
    page = document(
        "probe.html",
        (),
        {
            "title": f"{len(probes)} probes · motiondistill",
            "heading": "What priors know about motion",
            "chips": chips({"probes": str(len(probes))}),
            "warning": warning(_DIFFERENT.format(names=", ".join(different)) if different else ""),
            "sections": "\n".join(sections),
            "footer": "Made by motiondistill.",
        },
    )
    path = folder / COMPARISON
    write_text(path, page)
    return path


def _names(probes: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """What each probe is called: its prior, and the folder where two have the same."""
    models = {
        folder: found["prior"]["model"]
        + (" (random)" if found["prior"]["weights"] == "random" else "")
        for folder, found in probes.items()
    }
    shared = list(models.values())
    return {
        folder: f"{model}, {Path(folder).name}" if shared.count(model) > 1 else model
        for folder, model in models.items()
    }


def _map(
    probes: Mapping[str, Mapping[str, Any]],
    names: Mapping[str, str],
    title: str,
    sentence: str,
    cell: Callable[[Mapping[str, Any]], Cell | None],
) -> HeatMap:
    """A row for each kind of pairs that any probe asked, a column for each probe."""
    kinds = dict.fromkeys(kind for found in probes.values() for kind in found["pairs"]["kinds"])
    asked = [found["pairs"]["kinds"] for found in probes.values()]
    cells = [[cell(own[kind]["all"]) if kind in own else None for own in asked] for kind in kinds]
    columns = [names[folder] for folder in probes]
    return HeatMap(title, sentence, list(kinds), columns, cells)


def _above_null(figures: Mapping[str, Any]) -> Cell | None:
    found = figures["above_null"]
    if found is None:
        return None
    return Cell(found["value"], interval_words(found), figures["verdict"] != "holds", middle=0.0)


def _gradients(probes: Mapping[str, Mapping[str, Any]], names: Mapping[str, str]) -> str:
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
    heads = ("prior", "objective", "mean cosine", "noise levels suggested")
    return table("facts", heads, lines, numbers=(2,))


def _different(probes: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """What was not asked alike."""
    first, *others = (dict(flat(each["config"])) for each in probes.values())
    # A file of another version may lack a key.
    keys = [key for each in (first, *others) for key in each]
    found = [
        key
        for key in dict.fromkeys(keys)
        if not any(key == free or key.startswith(f"{free}.") for free in _OTHERWISE)
        and any(each.get(key) != first.get(key) for each in others)
    ]
    clips, *more = (each["clips"] for each in probes.values())
    return ["motions and prompts", *found] if any(each != clips for each in more) else found
