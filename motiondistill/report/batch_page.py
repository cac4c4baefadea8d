"""`index.html`: all runs of a batch on one page, with a thumbnail each, sortable by any figure."""

import io
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import quote

import torch

from motiondistill.atomic import write_atomically
from motiondistill.batch import Row
from motiondistill.body.base import Body
from motiondistill.build_motion import RUN_MOTION, read_motion
from motiondistill.report.documents import data_uri, document, size_in_words, text
from motiondistill.report.figure_table import in_words
from motiondistill.report.figures import Figure, figures
from motiondistill.report.results import STRIP_VIEWS
from motiondistill.report.run_page import REPORT, chips

_log = logging.getLogger(__name__)

INDEX: Final = "index.html"

# Figures with a column: what is wrong with a motion most often, and whether it moves at all.
_COLUMNS: Final = ("sliding_speed", "penetration", "floating", "jerk", "dynamic_degree")
_OWN: Final = ("loss", "evidence", "seconds")
_THUMBNAIL: Final = (512, 64)  # width and height, pixels


@torch.no_grad()
def write_index(folder: Path, rows: Sequence[Row], body: Body) -> Path:
    """Writes `index.html` of the batch in the folder; links lead to the runs' own pages.

    `body` is that of the runs. A run whose files are damaged has a row without figures or picture.
    """
    measured = [_figures(folder / row.folder, body) for row in rows]
    found = [name for name in _COLUMNS if any(name in figures for figures in measured)]
    titles = {name: _title(name, measured) for name in found}
    heads = {"prompt": "prompt", "seed": "seed", "status": "status"}
    heads |= {name: name for name in _OWN} | titles
    lines = [_row(folder, row, own, found) for row, own in zip(rows, measured, strict=True)]
    counts = {status: str(sum(row.status == status for row in rows)) for status in _statuses(rows)}
    parts = {
        "title": f"{len(rows)} runs" if len(rows) != 1 else "1 run",
        "chips": chips(counts),
        "keys": "".join(f'<option value="{key}">{text(title)}' for key, title in heads.items()),
        "heads": '<th scope="col"></th>' + "".join(map(_head, heads, heads.values())),
        "rows": "\n".join(lines),
        "legend": _LEGEND if found else "",
        "footer": "Made by motiondistill.",
    }
    page = document("index.html", ("index.js",), parts)
    write_atomically(folder / INDEX, lambda part: part.write_text(page, encoding="utf-8"))
    _log.info("%s: %s", folder / INDEX, size_in_words((folder / INDEX).stat().st_size))
    return folder / INDEX


_LEGEND: Final = (
    '<p class="note"><span class="light green">like real motion</span> '
    '<span class="light amber">rare in it</span> <span class="light red">unlike it</span> '
    "Real motion: windows of motion capture, as the runs' own pages tell. Evidence: how much the "
    "prompt helps the prior to denoise the motion; more is better.</p>"
)


def _statuses(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(row.status for row in rows))


def _figures(folder: Path, body: Body) -> dict[str, Figure]:
    """The run's figures by name; none of a run without a motion yet, or with a damaged one."""
    if not (folder / RUN_MOTION).is_file():
        return {}
    try:
        motion = read_motion("RUN", folder).motion
    except ValueError as error:
        _log.warning("%s", error)
        return {}
    return {figure.metric.id: figure for figure in figures(motion, body)}


def _title(name: str, measured: Sequence[Mapping[str, Figure]]) -> str:
    metric = next(figures[name].metric for figures in measured if name in figures)
    return metric.title if metric.unit == "1" else f"{metric.title}, {metric.unit}"


def _head(key: str, title: str) -> str:
    kind = "text" if key in ("prompt", "status") else "number"
    aligned = ' class="number"' if kind == "number" else ""
    return (
        f'<th scope="col" data-key="{key}" data-kind="{kind}"{aligned}>'
        f'<button type="button">{text(title)}</button></th>'
    )


def _row(folder: Path, row: Row, own: Mapping[str, Figure], names: Sequence[str]) -> str:
    link = f"{quote(row.folder)}/{REPORT}" if (folder / row.folder / REPORT).is_file() else ""
    prompt = f'<bdi dir="auto">{text(row.prompt)}</bdi>'
    if link:
        prompt = f'<a href="{link}">{prompt}</a>'
    why = f"<small>{text(row.message)}</small>" if row.message else ""
    values = {"loss": row.loss, "evidence": row.evidence, "seconds": row.seconds}
    cells = [
        f'<td class="picture">{_thumbnail(folder / row.folder, link)}</td>',
        f'<td class="prompt" data-of="prompt" data-value="{text(row.prompt)}">{prompt}{why}</td>',
        _number("seed", row.seed, text(row.seed)),
        f'<td data-of="status" data-value="{text(row.status)}">{text(row.status)}'
        f"<small>{text(row.steps)} updates</small></td>",
        *(
            _number(name, value, "-" if value is None else f"{value:.3g}")
            for name, value in values.items()
        ),
        *(_measured(name, own.get(name)) for name in names),
    ]
    return f"<tr>{''.join(cells)}</tr>"


def _number(name: str, value: int | float | None, words: str, title: str = "") -> str:
    plain = "" if value is None else text(repr(value))
    return (
        f'<td class="number" data-of="{name}" data-label="{text(title or name)}" '
        f'data-value="{plain}">{words}</td>'
    )


def _measured(name: str, figure: Figure | None) -> str:
    if figure is None:
        return _number(name, None, in_words(None))
    words = f'<span class="light {figure.light}">{text(in_words(figure.value))}</span>'
    return _number(name, figure.value, words, figure.metric.title)


def _thumbnail(folder: Path, link: str) -> str:
    """The run from the front, small, in order of time; empty without a strip, or a whole one."""
    from PIL import Image

    path = folder / "strip.png"
    if not path.is_file():
        return ""
    try:
        with Image.open(path) as strip:
            row = strip.convert("RGB").crop((0, 0, strip.width, strip.height // len(STRIP_VIEWS)))
    except (OSError, SyntaxError) as error:  # what PIL raises for damaged files
        _log.warning("%s must be a picture: %s", path, error)
        return ""
    row.thumbnail(_THUMBNAIL)
    content = io.BytesIO()
    row.save(content, "JPEG", quality=82)
    image = (
        f'<img class="thumbnail" alt="" width="{row.width}" height="{row.height}" '
        f'src="{data_uri(content.getvalue(), ".jpg")}">'
    )
    # The prompt beside it leads there, too.
    return f'<a href="{link}" tabindex="-1" aria-hidden="true">{image}</a>' if link else image
