"""`motiondistill config`: what can be set, and its values."""

import argparse

from motiondistill import config
from motiondistill.schema.jobs import JOBS


def run(options: argparse.Namespace) -> int:
    """Prints the source of the keys, or their values; 0."""
    words = options.overrides
    job = words.pop(0) if words and words[0] in JOBS else "optimize"
    if options.schema:
        print(config.schema_source(job))
    else:
        print(config.to_yaml(config.to_dict(config.load(JOBS[job], options.config, words))), end="")
    return 0
