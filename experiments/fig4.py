"""Figure 4 of the paper: latents optimised without a body, running above punching, prior by prior.

    python experiments/fig4.py [--priors embedded ...] [--out runs/fig4] [--seed 0]
        [--config NAME] [--set key=value ...]

Each row is `motiondistill latents`; `--config paper` repeats the settings of the paper's authors,
whose three models are `--priors videocrafter2 zeroscope modelscope`. What is finished in `--out` is
not made again. Writes results/fig4.png and its section of results/figures.md.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from comparison.pages import table
from comparison.runs import Run, Variant, prompt_of
from paper_figures.sheets import command, options_of, write_figure

from motiondistill.bookkeeping.resuming import CONFIG
from motiondistill.cli import main as motiondistill
from motiondistill.config import load
from motiondistill.report.latent_grid import Block, row_of_strip
from motiondistill.schema.jobs import LatentsConfig

ACTIONS: Final = ("run", "punch")
CAPTION: Final = """Clips that each prior asks for by its score alone, from the front, without a
body: the common action above the rare one, for every prior the same levels and guidance.
Theirs shows ModelScope, ZeroScope and VideoCrafter2.

{figures}

Energy: mean difference of neighbouring frames. Evidence: how much the words help the prior to
denoise the clip."""


def carried_out(told: argparse.Namespace) -> list[dict[str, Any]]:
    """What `latents` tells of every prior and prompt; raises SystemExit where it fails."""
    prompts = [prompt_of(action) for action in ACTIONS]
    words = ["latents", *prompts, "--out", str(told.out)]
    words += ["--config", told.config] if told.config else []
    words += ["--resume"] if (told.out / CONFIG).is_file() else []
    code = motiondistill(
        [*words, f"prior.model={json.dumps(told.priors)}", f"run.seed={told.seed}", *told.more]
    )
    if code:
        raise SystemExit(code)
    rows: list[dict[str, Any]] = json.loads((told.out / "summary.json").read_text())
    return rows


def block(prior: str, rows: Sequence[dict[str, Any]], out: Path) -> Block:
    """The first view of each of a prior's clips."""
    shown = []
    for row in rows:
        folder = out / row["folder"]
        views = load(LatentsConfig, str(folder / CONFIG)).score.views
        seen = f"\nseen as {row['recognised']}" if row["recognised"] else ""
        shown.append((f"{row['prompt']}{seen}", row_of_strip(folder / "strip.png", 0, views)))
    return Block(prior, shown)


def main(arguments: Sequence[str] | None = None) -> None:
    """The clips, then the figure."""
    told = options_of(__doc__ or "", "runs/fig4", arguments, config=True)
    rows = carried_out(told)
    blocks = [
        block(prior, [row for row in rows if row["prior"] == prior], told.out)
        for prior in told.priors
    ]
    figures = table(
        ("prior", "prompt", "energy", "evidence", "probability of the action"),
        [
            (
                row["prior"],
                row["prompt"],
                f"{row['motion_energy']:.4f}",
                f"{row['evidence']:.4f}",
                "none" if row["score"] is None else f"{row['score']:.2f}",
            )
            for row in rows
        ],
    )
    runs = [
        Run(Variant(row["prior"]), row["prompt"], told.seed, told.out / row["folder"])
        for row in rows
    ]
    write_figure(4, blocks, CAPTION.format(figures=figures), runs, command("fig4.py", told))


if __name__ == "__main__":
    main()
