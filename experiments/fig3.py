"""Figure 3 of the paper: walking, punching and a cartwheel, from common to rare.

    python experiments/fig3.py [--priors embedded ...] [--out runs/fig3] [--seed 0]
        [--set key=value ...]

Each row is `motiondistill optimize` with the default settings and the prior that stands above it.
Finished runs in `--out` are not run again. Writes results/fig3.png and its section of
results/figures.md.
"""

from collections.abc import Sequence
from typing import Final

from paper_figures.sheets import distilled, options_of

ACTIONS: Final = ("walk", "punch", "cartwheel")
CAPTION: Final = """Distilled motions of each prior, from the front left. Theirs, by VideoCrafter2:
(i) walking, one of the best cases, (ii) punching, half a failure, (iii) a cartwheel, an extreme
failure."""


def main(arguments: Sequence[str] | None = None) -> None:
    """The runs, then the figure."""
    distilled(3, ACTIONS, CAPTION, options_of(__doc__ or "", "runs/fig3", arguments))


if __name__ == "__main__":
    main()
