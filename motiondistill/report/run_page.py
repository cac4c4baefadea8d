"""`report.html`: a run on one page that needs no network and no other file."""

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import torch

from motiondistill import config as configs
from motiondistill.atomic import write_text
from motiondistill.body.base import Body
from motiondistill.bookkeeping.resuming import CONFIG
from motiondistill.bookkeeping.store import earlier_metrics
from motiondistill.building.motion import read_motion
from motiondistill.cameras import heading
from motiondistill.report.animation import animation
from motiondistill.report.curves import Curve, plot, read_curves
from motiondistill.report.documents import address, data_element, document, size_in_words, text
from motiondistill.report.elements import chips, folded, legend, section, table, warning
from motiondistill.report.figure_table import figure_table
from motiondistill.report.figures import figures
from motiondistill.report.measuring import posed
from motiondistill.schema.jobs import OptimizeConfig
from motiondistill.structures import Motion

_log = logging.getLogger(__name__)

REPORT: Final = "report.html"

_SCRIPTS: Final = ("body.js", "camera.js", "clock.js", "player.js")
# Larger files are shown and downloaded from beside the page.
_MAX_EMBEDDED: Final = 16_000_000
_VIDEOS: Final = {"video_front.mp4": "from the front", "video_orbit.mp4": "all around"}
_DOWNLOADS: Final = {
    "motion.npz": "the motion: rotations, translation and joints",
    "strip.png": "the strip",
    "video_front.mp4": "the video from the front",
    "video_orbit.mp4": "the video all around",
    "metrics.json": "the run's figures",
    "config.yaml": "settings that repeat the run",
}
_PLOTS: Final = {
    "Loss": ("loss", "terms"),
    "Gradient, root mean square": ("gradients",),
    "Score": ("score",),
}
# What is read only when something is wrong.
_FOLDED: Final = ("Score",)
LOSS: Final = (
    "what the updates make smaller, the score and the regularisers together; comparable only "
    "between runs with the same settings"
)
EVIDENCE: Final = (
    "how much better the prior explains the motion when it is told the prompt; above 0 the prompt "
    "helps, and more is better"
)
# What every run fills in where it is not given, so that its stored settings repeat it.
_FILLED_IN: Final = ("run.frames", "run.threads", "prior.revision", "image_prior.revision")


@torch.no_grad()
def write_report(folder: Path, body: Body) -> Path:
    """Writes `report.html` of the finished or stopped run in the folder, from its files alone.

    `body` is that of the run. Raises FileNotFoundError and ValueError that name what is missing or
    damaged; an older report stays then.
    """
    file = read_motion("RUN", folder)
    config = configs.load(OptimizeConfig, str(folder / CONFIG))
    about = configs.read_about(folder / CONFIG)
    metrics = earlier_metrics(folder)
    mesh = posed(body, file.motion)
    curves = read_curves(folder)
    sections = [
        section("Strip", _strip(folder)),
        section("Metrics", figure_table(figures(file.motion, body, mesh), file.motion.fps)),
        section("Course", _course(curves)),
        section("Settings", _settings(config, about)),
        section("Downloads", _downloads(folder)),
    ]
    moving = animation(mesh, file.motion.fps, heading(file.motion).item())
    parts = {
        "title": text(f"{file.prompt} · motiondistill"),
        "prompt": text(file.prompt),
        "chips": _chips(metrics, file.motion),
        "legend": f'<p class="note">{legend({"Loss": LOSS, "Evidence": EVIDENCE})}</p>',
        "warning": _warning(metrics),
        "videos": "".join(_video(folder / name, words) for name, words in _VIDEOS.items()),
        "sections": "\n".join(sections),
        "animation": data_element(moving),
        "footer": f"Made by motiondistill {text(about.get('motiondistill', ''))}.",
    }
    page = document("report.html", _SCRIPTS, parts)
    write_text(folder / REPORT, page)
    _log.info("%s: %s", folder / REPORT, size_in_words((folder / REPORT).stat().st_size))
    return folder / REPORT


def _chips(metrics: Mapping[str, Any], motion: Motion) -> str:
    facts = {
        "finished" if metrics.get("finished") else "stopped": f"{metrics.get('steps', 0)} updates",
        "seed": str(metrics.get("seed", "")),
        "frames": f"{motion.num_frames} at {motion.fps:g} a second",
    }
    if metrics.get("seconds") is not None:
        minutes, seconds = divmod(round(metrics["seconds"]), 60)
        facts["took"] = f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
    if metrics.get("loss") is not None:
        facts["loss"] = f"{metrics['loss']:.3g}"
    if metrics.get("evidence") is not None:
        facts["evidence"] = f"{metrics['evidence']:.3g}"
    return chips(facts, {"loss": LOSS, "evidence": EVIDENCE})


def _warning(metrics: Mapping[str, Any]) -> str:
    known = metrics.get("knows_the_answer")
    return warning(f"Knows the answer: {known}" if known else "")


def _video(path: Path, words: str) -> str:
    if not path.is_file():
        return ""
    return (
        f'<figure><video id="{path.stem}" muted loop playsinline preload="auto" '
        f'aria-label="Rendered video {words}" src="{text(address(path, _MAX_EMBEDDED))}"></video>'
        f"<figcaption>{words}</figcaption></figure>"
    )


def _strip(folder: Path) -> str:
    path = folder / "strip.png"
    if not path.is_file():
        return ""
    source = text(address(path, _MAX_EMBEDDED))
    words = "Frames of the motion in order, from the front, the front left and the left side"
    image = f'<img id="strip" class="strip" alt="{words}" src="{source}">'
    return f'<div class="scroll" tabindex="0" role="region" aria-label="Strip">{image}</div>'


def _course(curves: Sequence[Curve]) -> str:
    """Plots of everything that was recorded, by group."""
    if not curves:
        return ""
    first = min(curve.steps[0] for curve in curves)
    last = max(curve.steps[-1] for curve in curves)
    parts = []
    for title, groups in _PLOTS.items():
        chosen = [curve for curve in curves if curve.name.partition("/")[0] in groups]
        plots = "".join(plot(curve, first, last) for curve in chosen)
        if not plots:
            continue
        drawn = f'<div class="plots">{plots}</div>'
        parts.append(folded(title, drawn) if title in _FOLDED else f"<h3>{title}</h3>{drawn}")
    note = f"Across: updates {first} to {last}. Above each plot stands its last value."
    return f'{"".join(parts)}<p class="note">{note}</p>'


def _settings(config: OptimizeConfig, about: Mapping[str, Any]) -> str:
    """What differs from the defaults, then all settings, and where the run comes from.

    Of what a run fills in itself the stored settings do not tell whether it was given, so that it
    stands apart.
    """
    default = dict(configs.flat(configs.to_dict(OptimizeConfig())))
    values = dict(configs.flat(configs.to_dict(config)))
    differing = [key for key, value in values.items() if value != default[key]]
    changed = [
        (key, _shown(values[key]), _shown(default[key]))
        for key in differing
        if key not in _FILLED_IN
    ]
    filled = ", ".join(f"{key} {_shown(values[key])}" for key in differing if key in _FILLED_IN)
    every = [(key, _shown(value)) for key, value in values.items()]
    origin = [(key, _shown(value)) for key, value in about.items() if key != "prompt"]
    first = _listed(("key", "value", "default"), changed) if changed else "<p>All are defaults.</p>"
    apart = f'<p class="note">Given, or else filled in by the run: {text(filled)}.</p>'
    return (
        f"{first}{apart if filled else ''}"
        f"{folded('All settings', _listed(('key', 'value'), every))}"
        f"{folded('Origin', _listed(('', ''), origin))}"
    )


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _listed(heads: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    return table("settings", heads, [[text(cell) for cell in line] for line in lines])


def _downloads(folder: Path) -> str:
    """Links; what the page shows is taken from where it is shown, so that it is in it once."""
    items = []
    for name, words in _DOWNLOADS.items():
        path = folder / name
        if not path.is_file():
            continue
        shown = path.suffix in (".png", ".mp4")
        source = name if shown else address(path, _MAX_EMBEDDED)
        origin = f' data-from="{path.stem}"' if shown else ""
        size = size_in_words(path.stat().st_size)
        items.append(
            f'<li><a href="{text(source)}" download="{name}"{origin} title="{words}">{name} '
            f"<small>{size}</small></a></li>"
        )
    return f'<ul class="downloads">{"".join(items)}</ul>'
