"""`diagnosis.html`: where prompts fail, side by side, on one page that needs no other file."""

import io
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from motiondistill.atomic import write_text
from motiondistill.bookkeeping.resuming import CONFIG
from motiondistill.metrics.catalogue import CATALOGUE
from motiondistill.report.diagnosis import DIAGNOSIS, FIGURES, STAGES, Stage
from motiondistill.report.documents import data_uri, document, text
from motiondistill.report.elements import chips, folded, section, table, warning
from motiondistill.report.figure_table import NO_FIGURE
from motiondistill.report.figure_table import in_words as number
from motiondistill.report.fitted_clips import METRICS, STRIP
from motiondistill.report.latent_results import FITTED_STRIP
from motiondistill.report.links import downloads, link
from motiondistill.report.run_page import REPORT

PAGE: Final = "diagnosis.html"
# Pixels of a stage's picture at most, and the quality of its JPEG.
_WIDTH, _QUALITY = 768, 82
_ROWS: Final[Mapping[Stage, str]] = {
    "representation": "Each true clip, and below it the motion fitted to it.",
    "samples": "Each sample, and below it the motion fitted to it.",
    "latents": "The clip from the front, and below it the motion fitted to it.",
    "distillation": "The motion from the front, the front left and the left.",
}
_OWNERS: Final[Mapping[str | None, tuple[str, str]]] = {
    "none": ("green", "no failure"),
    "representation": ("red", "representation"),
    "prior": ("red", "prior"),
    "optimisation": ("red", "optimisation"),
    None: ("none", "not told"),
}
_INTRODUCTION: Final = (
    "Every prompt is looked at in four places, by one recogniser that learned from motion capture "
    "and parametric motions. "
    "Figures in a cell: how many motions are recognised as the action that the prompt names, and "
    "the mean probability of it."
)
_CAUTION: Final = (
    "Beside an owner stands where one more true clip or sample, recognised or not, would turn it. "
    "More updates of a short fit may turn any."
)
_TOO_SHORT: Final = "the motions are too short to be measured"
_OF_A_STAGE: Final = (REPORT, "video_*.mp4", STRIP, FITTED_STRIP, "motion*.npz", METRICS)
"""Files of a stage that are worth a link."""
_FILES: Final = {
    DIAGNOSIS: "all figures of this page, with definitions and settings",
    CONFIG: "the settings, to repeat the diagnosis",
    "distillation/index.html": "all distilled motions on one page",
    "distillation/summary.csv": "their losses and times",
    "latents/grid.png": "all clips without a body",
    "latents/summary.csv": "their figures",
}


def write_page(folder: Path, found: Mapping[str, Any]) -> Path:
    """Writes `PAGE` into the folder of the diagnosis, whose record this is."""
    model, cases = found["prior"]["model"], found["cases"]
    sections = [
        section("Where it fails", _overview(found)),
        *(section(_prompt(case["prompt"]), _side_by_side(folder, found, case)) for case in cases),
        section("How it is measured", _definitions(found)),
        section("Files", downloads(folder, _FILES)),
    ]
    parts = {
        "title": text(f"Diagnosis of {model} · motiondistill"),
        "heading": text(f"Where prompts fail with {model}"),
        "chips": chips(_facts(found)),
        "warning": _warning(found),
        "sections": "\n".join(sections),
        "footer": f"Made by motiondistill {text(found['motiondistill'])}.",
    }
    page = document("probe.html", (), parts)
    write_text(folder / PAGE, page)
    return folder / PAGE


def in_words(cell: Mapping[str, Any]) -> str:
    """What a stage found of a prompt, in a few words."""
    if cell["status"] != "finished":
        return str(cell["status"])
    hits, motions = cell["hits"], cell["motions"]
    if hits is None:
        return "seen as " + _seen_as(motions)
    if not hits:
        return "tells nothing"
    told = f"{sum(hits)} of {len(hits)}" if len(motions) > 1 else ("yes" if hits[0] else "no")
    return f"{told}, {cell['probability']:.2f}"


def _prompt(words: str) -> str:
    return f'<bdi dir="auto">{text(words)}</bdi>'


def _facts(found: Mapping[str, Any]) -> dict[str, str]:
    names = [_OWNERS[case["owner"]][1] for case in found["cases"]]
    counts = Counter(name if name == _OWNERS["none"][1] else f"owner {name}" for name in names)
    settings = found["config"]
    told = {name: _counted(count, "update") for name, count in found["updates"].items() if count}
    return {
        "prompts": str(len(found["cases"])),
        **{name: _counted(count, "prompt") for name, count in counts.items()},
        "true clips of each": str(settings["diagnose"]["motions"]),
        "samples of each": str(settings["init"]["num_samples"]),
        **told,
        "seed": str(settings["run"]["seed"]),
        "weights": found["prior"]["weights"],
    }


def _warning(found: Mapping[str, Any]) -> str:
    told = []
    if not found["finished"]:
        told.append("Stopped early: the same command goes on.")
    known = found["about"].get("knows_the_answer")
    if known:
        told.append(f"Knows the answer: {known}")
    return "".join(map(warning, told))


def _overview(found: Mapping[str, Any]) -> str:
    lines = [
        [
            f"{_prompt(case['prompt'])}<small>{text(case['asked'] or 'no known action')}</small>",
            _owner(case),
            *(f"{_light(cell)}{_motions(cell)}" for cell in map(case["cells"].get, STAGES)),
        ]
        for case in found["cases"]
    ]
    verdicts = table("facts", ("prompt", "owner", *STAGES), lines)
    return (
        f'<p class="note">{_INTRODUCTION}</p>'
        f'<div class="verdicts">{verdicts}</div>'
        f'<p class="note">{_emphasised(found["rule"])} {_CAUTION}</p>'
    )


def _owner(case: Mapping[str, Any]) -> str:
    colour, words = _OWNERS[case["owner"]]
    told = [case[key] for key in ("caution", "remark") if case[key]]
    notes = "".join(f"<small>{text(words)}</small>" for words in told)
    return f'<span class="light {colour}">{words}</span>{notes}'


def _light(cell: Mapping[str, Any]) -> str:
    """A cell's words with a colour: all, half or more, or less of its motions are recognised."""
    hits = cell["hits"]
    colour = "none"
    if hits:
        share = sum(hits) / len(hits)
        colour = "green" if share == 1 else "amber" if share >= 0.5 else "red"
    why = f"<small>{text(cell['why'])}</small>" if cell["why"] else ""
    return f'<span class="light {colour}">{text(in_words(cell))}</span>{why}'


def _seen_as(motions: Sequence[Mapping[str, Any]]) -> str:
    """As what motions were recognised, the most frequent first."""
    counts = Counter(each["action"] for each in motions).most_common()
    return ", ".join(f"{name} {count}" if len(motions) > 1 else name for name, count in counts)


def _counted(count: int, name: str) -> str:
    return f"{count} {name}{'' if count == 1 else 's'}"


def _motions(cell: Mapping[str, Any]) -> str:
    """How many motions there are, and how many of them count if not all do."""
    motions, hits = cell["motions"], cell["hits"]
    if not motions:
        return ""
    left = "" if hits is None or len(hits) == len(motions) else f", {len(hits)} count"
    return f"<small>{_counted(len(motions), 'motion')}{left}</small>"


def _side_by_side(folder: Path, found: Mapping[str, Any], case: Mapping[str, Any]) -> str:
    cells = case["cells"]
    drawn = "".join(_stage(folder, stage, cells[stage], found["updates"]) for stage in STAGES)
    return (
        f'<p class="note owner">Owner: {_owner(case)}</p><div class="beside">{drawn}</div>'
        f"{_physical(cells)}"
    )


def _stage(
    folder: Path, stage: Stage, cell: Mapping[str, Any], updates: Mapping[str, int | None]
) -> str:
    content = _picture(folder, stage, cell)
    told = ""
    if cell["motions"]:
        count = _counted(len(cell["motions"]), "motion")
        seen = f"Seen as {text(_seen_as(cell['motions']))}."
        told = (
            f'<p class="note">{count}, {_made(stage, updates)}. {seen} {_ROWS[stage]}</p>'
            f'<p class="note">{_links(folder, folder / cell["folder"])}</p>'
        )
    return f"<figure><figcaption>{stage} {_light(cell)}</figcaption>{content}{told}</figure>"


def _made(stage: Stage, updates: Mapping[str, int | None]) -> str:
    """By how many updates a stage's motions were made."""
    fitted = f"fitted in {_counted(updates['fit'] or 0, 'update')}"
    if stage in ("representation", "samples"):
        return fitted
    own = f"made in {_counted(updates[stage] or 0, 'update')}"
    return f"{own} and {fitted}" if stage == "latents" else own


def _links(folder: Path, place: Path) -> str:
    """To a stage's files, of which the page of a run is the first."""
    files = [file for pattern in _OF_A_STAGE for file in sorted(place.glob(pattern))]
    named = [(file, "run page" if file.name == REPORT else file.name) for file in files]
    return " · ".join(link(folder, file, name) for file, name in named)


def _picture(folder: Path, stage: Stage, cell: Mapping[str, Any]) -> str:
    """The stage's strips as one image inside the page; empty where there are none."""
    from PIL import Image

    if cell["status"] != "finished":
        return ""
    place = folder / cell["folder"]
    with Image.open(place / STRIP) as strip:
        image = strip.convert("RGB")
    if stage == "latents":
        with Image.open(place / FITTED_STRIP) as fitted:
            # Below the first view of the clips, which is the top row of their strip.
            below = fitted.convert("RGB")
        row = round(below.height * image.width / below.width)
        both = Image.new("RGB", (image.width, 2 * row))
        both.paste(image.crop((0, 0, image.width, row)))
        both.paste(below.resize((image.width, row)), (0, row))
        image = both
    image.thumbnail((_WIDTH, image.height))
    content = io.BytesIO()
    image.save(content, "JPEG", quality=_QUALITY)
    return (
        f'<img alt="{text(_ROWS[stage])}" width="{image.width}" height="{image.height}" '
        f'src="{data_uri(content.getvalue(), ".jpg")}">'
    )


def _physical(cells: Mapping[str, Any]) -> str:
    """The figures of each stage's motions, folded."""
    titles = [f"{CATALOGUE[name].title}, {CATALOGUE[name].unit}" for name in FIGURES]
    finished = {stage: cells[stage] for stage in STAGES if cells[stage]["status"] == "finished"}
    if not finished:
        return ""
    lines = [
        [stage, *(_figure(cell, name) for name in FIGURES)] for stage, cell in finished.items()
    ]
    found = table("facts", ("motions of", *titles), lines, numbers=range(1, 1 + len(titles)))
    missing = dict.fromkeys(
        _missing(cell) for cell in finished.values() if None in cell["figures"].values()
    )
    why = f'<p class="note">-: {"; ".join(missing)}.</p>' if missing else ""
    return folded("Physical figures, medians", found + why)


def _figure(cell: Mapping[str, Any], name: str) -> str:
    value = cell["figures"][name]
    if value is None:
        return f'<span title="{_missing(cell)}">{number(None)}</span>'
    return text(number(value))


def _missing(cell: Mapping[str, Any]) -> str:
    """Why a figure of the cell's motions has no value."""
    return NO_FIGURE if any(each["figures"] for each in cell["motions"]) else _TOO_SHORT


def _definitions(found: Mapping[str, Any]) -> str:
    told = found["questions"] | found["definitions"]
    lines = [[text(name.replace("_", " ")), text(words)] for name, words in told.items()]
    return folded("Definitions", table("facts", ("what", "is"), lines))


def _emphasised(words: str) -> str:
    """Words as HTML, in which `**` marks what is bold."""
    return re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", text(words))
