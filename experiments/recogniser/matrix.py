"""The picture of which actions the recogniser takes for which."""

from collections.abc import Sequence
from pathlib import Path

import torch
from recogniser.folds import Prediction, barred_actions

from motiondistill.metrics.recogniser import ACTIONS


def confusion_matrix(found: Sequence[Prediction], path: Path) -> None:
    """Writes the picture of which actions are taken for which."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    rows = tested_actions(found)
    counts = torch.zeros(len(rows), len(ACTIONS))
    for one in found:
        counts[rows.index(one.action), ACTIONS.index(one.ranked[0])] += 1
    shares = counts / counts.sum(1, keepdim=True)
    figure, axes = pyplot.subplots(figsize=(8.6, 7.6))
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(ACTIONS)), ACTIONS, rotation=60, ha="right", fontsize=8)
    barred = barred_actions(found)
    names = [name if name in barred else f"({name})" for name in rows]
    axes.set_yticks(range(len(rows)), names, fontsize=8)
    for (row, column), share in ((place, float(shares[place])) for place in _places(shares)):
        axes.text(
            column,
            row,
            f"{share:.2f}".removeprefix("0"),
            ha="center",
            va="center",
            fontsize=6,
            color="white" if share > 0.5 else "black",
        )
    axes.set_title("recognised as; in brackets: fewer than three groups", fontsize=9)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def tested_actions(found: Sequence[Prediction]) -> list[str]:
    """The actions that any tested clip shows."""
    return [action for action in ACTIONS if any(one.action == action for one in found)]


def _places(shares: torch.Tensor) -> list[tuple[int, int]]:
    """Entries that would not be written as zero."""
    return [(int(row), int(column)) for row, column in (shares >= 0.005).nonzero()]
