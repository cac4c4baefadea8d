"""What does a step with each prior take? Memory and arithmetic, from configurations alone.

    OMP_NUM_THREADS=1 python experiments/prior_costs.py [--only NAME ...]

Networks of the released sizes are built on PyTorch's meta device, without weights, and run through
the package's own codecs and denoisers in bfloat16. Needs no download, no accelerator and little
memory. What compiling gives is measured on the shipped prior, in minutes of this machine's CPU.
Writes results/prior_costs.md; `--only` prints the rows of some priors instead.
"""

import argparse
import time

from step_costs.measure import Size, measure
from step_costs.page import encoding_line, step_line, write

from motiondistill.priors.costs import Cost
from motiondistill.priors.published import PUBLISHED


def main() -> None:
    """All priors, then the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=PUBLISHED, default=[])
    options = parser.parse_args()
    started = time.process_time()
    known: dict[tuple[str, Size], dict[str, Cost]] = {}
    rows = []
    for name in options.only or PUBLISHED:
        for row in measure(name, known):
            rows.append(row)
            print(encoding_line(row), step_line(row), sep="\n", flush=True)
    if not options.only:
        write(rows, time.process_time() - started)


if __name__ == "__main__":
    main()
