"""`motiondistill doctor`: what works here, and the line that mends what does not."""

import argparse

from rich.markup import escape
from rich.table import Table

from motiondistill.checkup.machine import Finding, State, examine
from motiondistill.commands.outcomes import FAILED
from motiondistill.commands.session import wide_console

_SIGNS: dict[State, str] = {
    "works": "[green]works[/]",
    "optional": "[yellow]not here[/]",
    "broken": "[red]broken[/]",
}


def run(_: argparse.Namespace) -> int:
    """Prints a line for each thing that is looked at; 1 if one that runs need is broken."""
    console = wide_console()
    with console.status("looking"):
        found = list(examine())
    console.print(table(found))
    broken = [finding for finding in found if finding.state == "broken"]
    for finding in broken:
        console.print(f"{escape(finding.name)} is broken; try: {escape(finding.remedy)}")
    if not broken:
        console.print("All that the default settings need works.")
    return FAILED if broken else 0


def table(found: list[Finding]) -> Table:
    """The findings for the terminal."""
    result = Table("", "", "found", "to have it", box=None, pad_edge=False, show_header=True)
    for finding in found:
        result.add_row(
            escape(finding.name),
            _SIGNS[finding.state],
            escape(finding.told),
            escape(finding.remedy),
        )
    return result
