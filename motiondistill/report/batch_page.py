"""`index.html`: all runs of a batch on one page, with moving pictures, sortable by any figure."""

import datetime
import logging
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Final
from urllib.parse import quote

import torch

from motiondistill.atomic import write_text
from motiondistill.body.base import Body
from motiondistill.bookkeeping.batch import Row
from motiondistill.building.motion import RUN_MOTION, read_motion
from motiondistill.metrics.catalogue import Metric
from motiondistill.report.documents import document, size_in_words, text
from motiondistill.report.elements import chips, legend
from motiondistill.report.figure_table import NO_FIGURE, WORDS, in_words, unit_in_words
from motiondistill.report.figures import Figure, figures
from motiondistill.report.media import strip_frames
from motiondistill.report.run_page import EVIDENCE, LOSS, REPORT
from motiondistill.report.thumbnails import thumbnail

_log = logging.getLogger(__name__)

INDEX: Final = "index.html"

# Figures with a column: what is wrong with a motion most often, and whether it moves at all.
_COLUMNS: Final = ("sliding_speed", "penetration", "floating", "jerk", "dynamic_degree")
_OWN: Final = ("loss", "evidence", "seconds")


@torch.no_grad()
def write_index(folder: Path, rows: Sequence[Row], body: Body) -> Path:
    """Writes `index.html` of the batch in the folder; links lead to the runs' own pages.

    `body` is that of the runs. A run whose files are damaged has a row without figures or picture.
    """
    found = [_figures(folder / row.folder, body) for row in rows]
    measured = [figures for figures, _ in found]
    known = {name: own[name].metric for own in measured for name in own}
    metrics = [known[name] for name in _COLUMNS if name in known]
    heads = {"prompt": "prompt", "seed": "seed", "status": "status"}
    heads |= {name: name for name in _OWN} | {metric.id: _title(metric) for metric in metrics}
    links = [_link(folder, row) for row in rows]
    pictures = [
        thumbnail(folder, row.folder, link, columns)
        for row, link, (_, columns) in zip(rows, links, found, strict=True)
    ]
    lines = [_row(*each, metrics) for each in zip(rows, links, pictures, measured, strict=True)]
    counts = {status: str(sum(row.status == status for row in rows)) for status in _statuses(rows)}
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    parts = {
        "title": f"{len(rows)} runs" if len(rows) != 1 else "1 run",
        "chips": chips(counts),
        "keys": "".join(f'<option value="{key}">{text(title)}' for key, title in heads.items()),
        "heads": '<th scope="col"></th>' + "".join(map(_head, heads, heads.values())),
        "rows": "\n".join(lines),
        "legend": _legend(measured),
        "footer": f"Made by motiondistill {version('motiondistill')} on {today}.",
    }
    page = document("index.html", ("index.js",), parts)
    write_text(folder / INDEX, page)
    _log.info("%s: %s", folder / INDEX, size_in_words((folder / INDEX).stat().st_size))
    return folder / INDEX


def _legend(measured: Sequence[Mapping[str, Figure]]) -> str:
    """What the shapes and the words mean; shapes only of lights that are on the page."""
    shown = [own[name] for own in measured for name in _COLUMNS if name in own]
    parts = [
        f'<span class="light {light}">{words}</span> '
        for light, words in WORDS.items()
        if any(figure.light == light and figure.value is not None for figure in shown)
    ]
    if any(figure.value is None for figure in shown):
        parts.append(f'<span class="light none">-: no figure, as {NO_FIGURE}</span> ')
    real = "Real motion: windows of motion capture, as the runs' own pages tell. " if shown else ""
    words = {"Loss": LOSS, "Evidence": EVIDENCE}
    return f'<p class="note">{"".join(parts)}{text(real)}{legend(words)}</p>'


def _statuses(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(row.status for row in rows))


def _figures(folder: Path, body: Body) -> tuple[dict[str, Figure], int]:
    """The run's figures by name, and how many frames its strip has.

    None and 0 of a run without a motion yet, or with a damaged one.
    """
    if not (folder / RUN_MOTION).is_file():
        return {}, 0
    try:
        motion = read_motion("RUN", folder).motion
    except ValueError as error:
        _log.warning("%s", error)
        return {}, 0
    found = {figure.metric.id: figure for figure in figures(motion, body)}
    return found, len(strip_frames(motion.num_frames))


def _title(metric: Metric) -> str:
    unit = unit_in_words(metric)
    return f"{metric.title},{unit}" if unit else metric.title


def _head(key: str, title: str) -> str:
    kind = "text" if key in ("prompt", "status") else "number"
    aligned = ' class="number"' if kind == "number" else ""
    meaning = {"loss": f' title="{LOSS}"', "evidence": f' title="{EVIDENCE}"'}.get(key, "")
    return (
        f'<th scope="col" data-key="{key}" data-kind="{kind}"{aligned}{meaning}>'
        f'<button type="button">{text(title)}</button></th>'
    )


def _link(folder: Path, row: Row) -> str:
    """Where the run's own page is, or nothing."""
    return f"{quote(row.folder)}/{REPORT}" if (folder / row.folder / REPORT).is_file() else ""


def _row(
    row: Row, link: str, picture: str, own: Mapping[str, Figure], metrics: Sequence[Metric]
) -> str:
    prompt = f'<bdi dir="auto">{text(row.prompt)}</bdi>'
    if link:
        prompt = f'<a href="{link}">{prompt}</a>'
    why = f"<small>{text(row.message)}</small>" if row.message else ""
    values = {"loss": row.loss, "evidence": row.evidence, "seconds": row.seconds}
    cells = [
        f'<td class="picture">{picture}</td>',
        f'<td class="prompt" data-of="prompt" data-value="{text(row.prompt)}">{prompt}{why}</td>',
        _number("seed", row.seed, text(row.seed)),
        f'<td class="status" data-of="status" data-label="status" '
        f'data-value="{text(row.status)}">{text(row.status)}'
        f"<small>{text(row.steps)} updates</small></td>",
        *(
            _number(name, value, "-" if value is None else f"{value:.3g}")
            for name, value in values.items()
        ),
        *(_measured(metric, own.get(metric.id)) for metric in metrics),
    ]
    return f"<tr>{''.join(cells)}</tr>"


def _number(name: str, value: int | float | None, words: str, title: str = "") -> str:
    plain = "" if value is None else text(repr(value))
    return (
        f'<td class="number" data-of="{name}" data-label="{text(title or name)}" '
        f'data-value="{plain}">{words}</td>'
    )


def _measured(metric: Metric, figure: Figure | None) -> str:
    if figure is None:
        return _number(metric.id, None, in_words(None), metric.title)
    lacks = figure.value is None
    # A wide table has the unit in its head.
    unit = "" if lacks else f'<span class="unit">{text(unit_in_words(metric))}</span>'
    title = NO_FIGURE if lacks else WORDS[figure.light]
    words = (
        f'<span class="light {figure.light}" title="{title}">'
        f"{text(in_words(figure.value))}{unit}</span>"
    )
    return _number(metric.id, figure.value, words, metric.title)
