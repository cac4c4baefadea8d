"""`motiondistill convert`: released weights in a foreign layout as a folder that priors load."""

import argparse

from motiondistill.priors.convert_videocrafter2 import convert


def run(options: argparse.Namespace) -> int:
    """Writes the folder and prints its name; 0."""
    convert(options.ckpt, options.out)
    print(options.out)
    return 0
