"""Figure 1 of the paper: running, the common action that video models know, as one row of frames.

    python experiments/fig1.py [--priors embedded ...] [--out runs/fig1] [--seed 0]
        [--set key=value ...]

Each row is `motiondistill optimize` with the default settings and the prior that stands above it.
Finished runs in `--out` are not run again. Writes results/fig1.png and its section of
results/figures.md.
"""

from collections.abc import Sequence
from typing import Final

from paper_figures.sheets import distilled, options_of

CAPTION: Final = """The distilled motion of the prompt, from the front left. Theirs shows running by
VideoCrafter2."""


def main(arguments: Sequence[str] | None = None) -> None:
    """The runs, then the figure."""
    distilled(1, ("run",), CAPTION, options_of(__doc__ or "", "runs/fig1", arguments))


if __name__ == "__main__":
    main()
