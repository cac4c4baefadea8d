"""`motiondistill convert`: released weights in a foreign layout as a folder that priors load."""

import argparse
from pathlib import Path
from typing import Any


def add_to(commands: Any) -> None:
    """The command's arguments, among those of its siblings."""
    parser = commands.add_parser("convert", help="a prior's folder from weights in another layout")
    parser.set_defaults(command="convert", overrides=())
    parser.add_argument("kind", metavar="KIND", choices=["videocrafter2"], help="videocrafter2")
    parser.add_argument("ckpt", metavar="CKPT", type=Path, help="the checkpoint, model.ckpt")
    parser.add_argument("out", metavar="OUT", type=Path, help="the folder to write")


def run(options: argparse.Namespace) -> int:
    """Writes the folder and prints its name; 0."""
    if options.overrides:
        raise ValueError(
            f"`convert` takes KIND, CKPT and OUT, got {options.overrides[0]!r} besides; "
            "leave it out."
        )
    from motiondistill.priors.convert_videocrafter2 import convert

    convert(options.ckpt, options.out)
    print(options.out)
    return 0
