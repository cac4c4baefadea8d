"""`motiondistill probe --compare A B --out C`: several probes side by side."""

import argparse
from pathlib import Path

from motiondistill.bookkeeping import store
from motiondistill.bookkeeping.probe_files import read_figures
from motiondistill.report.comparison_files import CSV, JSON
from motiondistill.report.probe_comparison import write_comparison


def run(options: argparse.Namespace) -> int:
    """Writes the page and its figures, and prints their names; 0."""
    for name in ("prompts", "set", "motions", "config"):
        if getattr(options, name) is not None:
            raise ValueError(
                f"`--{name}` must be left out with `--compare`, which asks nothing anew, got "
                f"{getattr(options, name)}; leave it out."
            )
    if options.overrides:
        raise ValueError(f"`--compare` has no settings, got {options.overrides[0]}; leave it out.")
    folders = [path.expanduser() for path in options.compare]
    probes: dict[Path, Path] = {}
    for path in folders:  # each once, whether it is told by its folder or by its file
        probes.setdefault((path.parent if path.is_file() else path).resolve(), path)
    found = {str(path): read_figures("--compare", path) for path in probes.values()}
    if len(found) < 2:
        raise ValueError(
            f"`--compare` must name at least two probes, got {', '.join(found)}"
            f"{' again' if len(folders) > 1 else ' alone'}; name another folder."
        )
    out: Path = store.new_folder(options.out, "comparison", otherwise="")
    print(write_comparison(out, found))
    for name in (JSON, CSV):
        print(out / name)
    return 0
