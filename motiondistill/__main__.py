"""`python -m motiondistill` is the command `motiondistill`."""

import sys

from motiondistill.cli import main

sys.exit(main())
