"""The measures by count as one picture."""

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from long_tail_parts.design import ACTIONS, COUNTS
from long_tail_parts.figures import Cell, Measure, at_count
from motiondistill.atomic import write_atomically

_TITLES: Final[dict[Measure, str]] = {
    "probe": "probe: share of pairs",
    "sampled": "samples recognised",
    "distilled": "distilled motions recognised",
}


def draw_plot(cells: Sequence[Cell], file: Path) -> bool:
    """A panel for each measure: means with intervals, and every action; False without matplotlib.

    Counts lie evenly, as no logarithm has a place for 0.
    """
    if importlib.util.find_spec("matplotlib") is None:
        return False
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3), dpi=110, layout="constrained")
    places = range(len(COUNTS))
    for axes, (name, title) in zip(figure.subplots(1, len(_TITLES)), _TITLES.items(), strict=True):
        for action in ACTIONS:
            own = [cell for cell in cells if cell.action == action]
            means = [at_count(own, count, name).value for count in COUNTS]
            axes.plot(places, means, marker="o", ms=3, lw=0.8, alpha=0.6, label=action)
        found = [at_count(cells, count, name) for count in COUNTS]
        values = [each.value for each in found]
        low = [each.value - (each.value if each.low is None else each.low) for each in found]
        high = [(each.value if each.high is None else each.high) - each.value for each in found]
        axes.errorbar(places, values, yerr=[low, high], color="black", capsize=3, label="mean")
        axes.set(xlabel="clips in the training set", title=title, ylim=(-0.05, 1.05))
        axes.set_xticks(places, [str(count) for count in COUNTS])
        axes.title.set_fontsize(9)
    figure.axes[0].legend(fontsize=7)
    write_atomically(file, lambda part: figure.savefig(part, format="png"))
    return True
