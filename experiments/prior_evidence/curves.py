"""The losses of a training as one picture."""

import importlib.util
import json
from pathlib import Path

from motiondistill.atomic import write_atomically


def draw_curves(training: Path, file: Path) -> bool:
    """The denoiser's training and validation errors over its steps; False without matplotlib."""
    if importlib.util.find_spec("matplotlib") is None:
        return False
    from matplotlib.figure import Figure

    lines = (training / "denoiser" / "figures.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    figure = Figure(figsize=(8, 3.2), dpi=110, layout="constrained")
    axes = figure.subplots()
    smooth, points = 0.0, []
    for count, row in enumerate(rows):
        smooth += (row["loss"] - smooth) / min(count + 1, 100)
        points.append((row["step"], smooth))
    axes.plot(*zip(*points, strict=True), lw=1, color="0.6", label="training, mean of 100 steps")
    names = sorted({name for row in rows for name in row if name.startswith("validation/")})
    for name in names:
        found = [(row["step"], row[name]) for row in rows if name in row]
        axes.plot(*zip(*found, strict=True), marker="o", ms=3, label=name.replace("/", ", "))
    axes.set(xlabel="step", ylabel="error of the velocity", yscale="log")
    axes.legend(fontsize=7, ncols=2)
    write_atomically(file, lambda part: figure.savefig(part, format="png"))
    return True
