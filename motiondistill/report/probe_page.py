"""`probe.html`: what a probe found, on one page that needs no network and no other file."""

from pathlib import Path
from typing import Final

from motiondistill.atomic import write_text
from motiondistill.bookkeeping.probe_files import ROWS, SLOPES, SUMMARY
from motiondistill.bookkeeping.resuming import CONFIG
from motiondistill.probing.pairs import BY_NAME
from motiondistill.report.documents import document, text
from motiondistill.report.elements import chips, folded, section, table, warning
from motiondistill.report.heat_image import write_png
from motiondistill.report.heat_map import as_html
from motiondistill.report.links import downloads
from motiondistill.report.probe_maps import (
    gradient_maps,
    level_and_view_maps,
    pair_maps,
    prompt_map,
)
from motiondistill.report.probe_words import (
    NO_COPIES,
    NO_INTERVAL,
    VERDICTS,
    Figures,
    definitions,
    interval_words,
    pair_words,
    word,
)

PAGE: Final = "probe.html"
MAPS: Final = "maps.png"
GRADIENT_MAPS: Final = "gradients.png"
_FILES: Final = {
    ROWS: "every answer of the prior and of its copies",
    SLOPES: "every comparison of a gradient with the way back",
    SUMMARY: "all figures of this page, with definitions and settings",
    CONFIG: "the settings, to repeat the probe",
    MAPS: "the maps of pairs as an image",
    GRADIENT_MAPS: "the maps of gradients as an image",
}
_HEADS: Final = ("pairs", "verdict", "auc", "null", "above_null", "unpaired", "recordings")
"""Columns of a table of kinds, by their keys."""
_INTRODUCTION: Final = (
    "Every pair holds what is natural and what is wrong in one way. The prior is asked, without "
    "any optimisation, how much the words help it to denoise either, under the same noise; "
    "preferred is how often they help the natural side more. Where words are what is wrong, two "
    "clips exchange theirs, so that a taste in words is no knowledge. Copies of its network with "
    "random weights answer the same questions: only what lies above the range of one more of them "
    "is knowledge."
)
_COPIES: Final = (
    " Of {copies} copies that range is wide; more of them (probe.null_copies) narrow it."
)
_NO_COPIES: Final = " Here were none (probe.null_copies=0): nothing tells knowledge from taste."
_SECONDARY: Final = (
    "Names in brackets: one side is easier or harder to denoise, whatever is known of motion; read "
    "these pairs beside the random weights alone."
)


def write_page(folder: Path, summary: Figures) -> Path:
    """Writes `probe.html` and the images of its maps into the folder of the probe."""
    maps, slopes = [*pair_maps(summary), prompt_map(summary)], gradient_maps(summary)
    model = summary["prior"]["model"]
    write_png(folder / MAPS, maps, f"What {model} knows about motion")
    if slopes:
        write_png(folder / GRADIENT_MAPS, slopes, f"Where gradients of {model} lead")
    by_both = "".join(as_html(each) for each in level_and_view_maps(summary))
    sections = [
        section("What it knows", f'<p class="note">{_introduction(summary)}</p>{_kinds(summary)}'),
        section("Where it knows it", "".join(as_html(each) for each in maps)),
        section("Level and view together", folded("A map for each kind of pairs", by_both)),
        section("Gradients", _gradients(summary) + "".join(as_html(each) for each in slopes)),
        section("Left out", _left_out(summary)),
        section("How it is measured", definitions(summary["definitions"])),
        section("Files", _files(folder, summary)),
    ]
    parts = {
        "title": text(f"Probe of {model} · motiondistill"),
        "heading": text(f"What {model} knows about motion"),
        "chips": chips(_facts(summary)),
        "warning": _warning(summary),
        "sections": "\n".join(filter(None, sections)),
        "footer": f"Made by motiondistill {text(summary['motiondistill'])}.",
    }
    page = document("probe.html", (), parts)
    write_text(folder / PAGE, page)
    return folder / PAGE


def verdict(figures: Figures) -> str:
    """Where a figure lies against the copies, as a light with words."""
    colour, words = VERDICTS[figures["verdict"]]
    return f'<span class="light {colour}">{words}</span>'


def _introduction(summary: Figures) -> str:
    copies = summary["config"]["probe"]["null_copies"]
    return _INTRODUCTION + (_COPIES if copies else _NO_COPIES).format(copies=copies)


def _facts(summary: Figures) -> dict[str, str]:
    return {
        "motions": str(len(summary["clips"])),
        "prompts": str(len({each["prompt"] for each in summary["clips"]})),
        "levels": str(len(summary["levels"])),
        "views": str(len(summary["views"])),
        "draws": str(summary["config"]["probe"]["draws"]),
        "copies with random weights": str(summary["config"]["probe"]["null_copies"]),
        "weights": summary["prior"]["weights"],
    }


def _warning(summary: Figures) -> str:
    if summary["finished"]:
        return ""
    done, wanted = len(summary["clips"]), summary["clips_wanted"]
    return warning(f"Stopped early: {done} of {wanted} motions are done. The same command goes on.")


def _kinds(summary: Figures) -> str:
    kinds = summary["pairs"]["kinds"]
    parts = []
    for primary, title in ((True, "Equally complex"), (False, "Unequally complex")):
        own = {name: figures for name, figures in kinds.items() if figures["primary"] == primary}
        if own:
            parts.append(f"<h3>{title}</h3>{_kind_table(own)}")
            parts.append("" if primary else f'<p class="note">{_SECONDARY}</p>')
    return "".join(parts)


def _kind_table(kinds: Figures) -> str:
    lines = [
        [
            f"{text(pair_words(name, figures))}"
            f"<small>{text(figures['axis'])}: {text(figures['question'])}</small>",
            verdict(figures["all"]),
            _estimate(figures["all"]["auc"]),
            _estimate(figures["all"]["null"]),
            _estimate(figures["all"]["above_null"], signed=True),
            _estimate(figures["all"]["unpaired"]),
            str(figures["all"]["recordings"]),
        ]
        for name, figures in kinds.items()
    ]
    return table("facts", [*map(word, _HEADS)], lines, numbers=range(2, len(_HEADS)))


def _estimate(figures: Figures | None, *, signed: bool = False) -> str:
    if figures is None:
        return f'<span title="{NO_COPIES}">-</span>'
    value = f"{figures['value']:+.2f}" if signed else f"{figures['value']:.2f}"
    return f"{value}<small>{interval_words(figures) or NO_INTERVAL}</small>"


def _gradients(summary: Figures) -> str:
    found = summary["gradients"]
    if found is None:
        return ""
    chosen = found["suggestion"]
    if chosen is None:
        words = (
            "No noise level's gradient leads back for certain, of which one recording alone could "
            "not tell, so nothing is suggested."
        )
    else:
        scale = chosen["guidance_scale"]
        guided = "" if scale is None else f" and guidance {scale:g}"
        words = (
            f"Suggested for this prior and {found['objective']}: noise levels from "
            f"{chosen['first_level']:.2f} to {chosen['last_level']:.2f}{guided} "
            f"(score.levels=auto score.probe=FOLDER)."
        )
    return f'<p><b>{text(words)}</b></p><p class="note">{text(found["rule"])}</p>'


def _left_out(summary: Figures) -> str:
    lines = [[text(prompt), text(why)] for prompt, why in summary["left_out"].items()]
    lines += [
        [text(name), text(f"{kind.question} No clip could be asked: {kind.unasked}.")]
        for name, kind in BY_NAME.items()
        if name not in summary["pairs"]["kinds"]
    ]
    if not lines:
        return ""
    listed = table("facts", ("prompt or pairs", "why"), lines)
    return folded(f"{len(lines)} that could not be asked", listed)


def _files(folder: Path, summary: Figures) -> str:
    without = () if summary["gradients"] else (SLOPES, GRADIENT_MAPS)  # tables have heads alone
    return downloads(folder, {name: _FILES[name] for name in _FILES if name not in without})
